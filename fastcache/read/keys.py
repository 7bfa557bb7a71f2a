"""Whose random numbers the samples of a batch get: of an epoch, of a sample, of its repetitions."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.read.columns import Rows


class KeyArrays(NamedTuple):
    """Keys of a batch, as the C core takes them (fc_key); every array has one number per sample."""

    seed: int
    epoch: npt.NDArray[np.uint64]
    sample: npt.NDArray[np.uint64]
    occurrence: npt.NDArray[np.uint32]


class Keys:
    """The keys of a dataset's samples.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    count : int
        Rows of the arena.
    """

    def __init__(self, seed: int, count: int) -> None:
        self._seed = seed
        self._epoch: int | None = None
        self._visits = np.zeros(count, np.uint32)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is from now on, in this process and in workers."""
        self._epoch = epoch
        self._visits[:] = 0

    def take(self, rows: Rows) -> KeyArrays:
        """Return the keys of a batch of rows, in its order, and count these as visited."""
        times = np.array([self._visit(row) for row in rows.tolist()], np.uint32)
        epoch = current_epoch() if current_epoch() is not None else self._epoch
        if epoch is None:
            return KeyArrays(self._seed, times.astype(np.uint64), rows.astype(np.uint64), times * 0)
        epochs = np.full(len(rows), epoch, np.uint64)
        return KeyArrays(self._seed, epochs, rows.astype(np.uint64), times)

    def _visit(self, row: int) -> int:
        self._visits[row] += 1
        return int(self._visits[row]) - 1


_told = threading.local()


@contextmanager
def in_epoch(epoch: int) -> Iterator[None]:
    """Within it, in this thread, batches are of that epoch, whatever their datasets were told."""
    before = current_epoch()
    _told.epoch = epoch
    try:
        yield
    finally:
        _told.epoch = before


def current_epoch() -> int | None:
    """Return the epoch that `in_epoch` told this thread."""
    epoch: int | None = getattr(_told, "epoch", None)
    return epoch
