"""A dataset whose samples are their keys; importable by processes that are spawned."""

import hashlib

import numpy as np
import torch
from torch.utils.data import Dataset

from fastcache.read.sampling.epochs import HasEpochs
from fastcache.read.sampling.keys import Keys


class Keyed(HasEpochs, Dataset):
    """Samples are rows of int64: what number they have, epoch, sample, occurrence.

    Sample i is row ``count - 1 - i``.
    """

    def __init__(self, count=40, seed=3, **options):
        self.count = count
        self.keys = Keys(seed, count, **options)

    def __len__(self):
        return self.count

    def _keys_in_use(self):
        return self.keys

    def _rows_at(self, indices):
        return self.count - 1 - np.asarray(indices, np.int64)

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        keys = self.keys.take(self._rows_at(indices))
        parts = np.stack([indices, keys.epoch, keys.sample, keys.occurrence], 1, dtype=np.int64)
        return list(torch.from_numpy(parts))


class OneByOne(Keyed):
    """The same, as a dataset that has its samples asked for one by one."""

    __getitems__ = None
    _rows_at = Keyed._rows_at  # of these reading methods, too

    def __getitem__(self, index):
        return Keyed.__getitems__(self, [index])[0]


class Halves(Keyed):
    """Two of its indices read one row."""

    __getitems__ = None

    def __len__(self):
        return 2 * self.count

    def __getitem__(self, index):
        return Keyed.__getitems__(self, [index // 2])[0]


def table(loader, steps=None):
    """Return the samples of an iteration, or of its first batches: lists, in their order."""
    batches = iter(loader)
    parts = list(batches) if steps is None else [next(batches) for _ in range(steps)]
    assert all(part[:, 0].tolist() == (39 - part[:, 2]).tolist() for part in parts)
    return [row for part in parts for row in part.tolist()]


def digest(rows):
    """Return a digest of samples in their order."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def send(connection, ds, rows):
    """Send the keys that another process takes of a dataset, and what it tells that it was told."""
    keys = ds.keys.take(np.array(rows))
    connection.send((keys.epoch.tolist(), keys.occurrence.tolist()))
    ds.set_epoch(11)
    connection.send("told")
    connection.recv()
