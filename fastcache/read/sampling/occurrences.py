"""How often samples came before in an iteration, counted where a loader takes their indices."""

import operator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import RandomSampler, SequentialSampler

from fastcache._core.visits import Visits, visits_bytes
from fastcache.read.columns.columns import Rows
from fastcache.read.sampling.epochs import HasEpochs
from fastcache.read.sampling.keys import Keys
from fastcache.read.sampling.origins import Origin, Origins, length_of
from fastcache.read.sampling.sampler import ArenaSampler
from fastcache.read.sampling.sampler_state import Run
from fastcache.read.sampling.sent import Times, mixed

_READING = ("__getitem__", "__getitems__", "__len__")


class _Counted(NamedTuple):
    """Some samples of a batch: what they are counted by, of how many (None: unknown), and where."""

    by: Any
    total: int | None
    numbers: Rows
    at: Rows


class Occurrences:
    """Counts the samples of one iteration.

    Parameters
    ----------
    dataset : Dataset
        What the indices are of. Rows of datasets of ours are counted, also through torch's
        ``Subset`` and ``ConcatDataset``; of other datasets, indices are. Nobody knows which rows
        these read for an index, so each has occurrences of its own, by a hash.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._origins = Origins(dataset)
        self._visits: dict[int, Visits] = {}
        self._unsized: dict[tuple[int, int], int] = {}
        self._taken = 0
        self._as_told = reads_as_told(dataset)

    def count(self, indices: Any, n: int, once: bool = False) -> Times | None:
        """Count samples, and return the occurrence of each.

        Parameters
        ----------
        indices : sequence of n, or one index
        n : int
        once : bool
            Whether it is known that no index comes twice in the iteration.

        Returns
        -------
        uint32 array (n,) or None
            None if all are 0.
        """
        self._taken += n
        if self._as_told and (once or self._dataset._keys_in_use() is None):
            return None
        try:
            parts = self._parts(numbers_of(indices, n))
        except (TypeError, ValueError, IndexError, OverflowError):
            # Of a kind that only the dataset knows, or wrong, which it will say.
            return np.arange(self._taken - n, self._taken).astype(np.uint32)
        times = np.zeros(n, np.uint32)
        for by, total, numbers, at in parts:
            if by is None:
                continue
            visits = self._visit(id(by), total, numbers)
            if isinstance(by, Keys):
                times[at] = visits
            else:
                # From 1 on: what is read again in a batch is mixed with 0, too.
                times[at] = mixed(
                    numbers.astype(np.uint64) + np.uint64(1), visits.astype(np.uint64)
                )
        return times if times.any() else None

    def _parts(self, numbers: Rows) -> "list[_Counted]":
        """Return what is counted by what; raise IndexError for a sample that is not there."""
        if self._as_told:  # without a wrapper around it
            return [_counted(Origin(self._dataset, numbers, np.arange(len(numbers))))]
        return _together([_counted(origin) for origin in self._origins.of(numbers)])

    def _visit(self, whose: int, count: int | None, rows: Rows) -> Times:
        if count is None:
            places = [(whose, row) for row in rows.tolist()]
            return np.array([self._visit_one(place) for place in places], np.uint32)
        visits = self._visits.get(whose)
        if visits is None:
            memory = np.zeros(-(-visits_bytes(count) // 8), np.uint64)
            visits = self._visits[whose] = Visits(memory, count)
        times = np.empty(len(rows), np.uint32)
        visits.visit(rows, times)
        return times

    def _visit_one(self, place: tuple[int, int]) -> int:
        before = self._unsized.get(place, 0)
        self._unsized[place] = before + 1
        return before


def reads_as_told(dataset: Any) -> bool:
    """Return whether a dataset of ours reads for an index the row that it tells.

    A class derived from one may do anything by reading methods of its own.
    """
    kind: Any = type(dataset)
    return isinstance(dataset, HasEpochs) and _kind_as_told(kind)


@lru_cache(maxsize=64)
def _kind_as_told(kind: type) -> bool:
    teller = next(each for each in kind.__mro__ if "_rows_at" in vars(each))
    return all(getattr(kind, n, None) is getattr(teller, n, None) for n in _READING)


def _counted(origin: Origin) -> _Counted:
    dataset, numbers, at = origin
    if reads_as_told(dataset):
        drawing = dataset.rows_drawn(numbers)
        if drawing is None:
            return _Counted(None, None, numbers, at)
        keys, rows = drawing
        return _Counted(keys, keys.count, rows, at)
    return _Counted(dataset, length_of(dataset), numbers, at)


def _together(parts: list[_Counted]) -> list[_Counted]:
    """Join what is counted by the same, in the order of the batch."""
    if len(parts) < 2:
        return parts
    groups: dict[int, list[_Counted]] = {}
    for part in parts:
        groups.setdefault(id(part.by), []).append(part)
    return [_joined(group) for group in groups.values()]


def _joined(parts: list[_Counted]) -> _Counted:
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at)
    numbers = np.concatenate([part.numbers for part in parts])
    return _Counted(parts[0].by, parts[0].total, numbers[order], at[order])


def numbers_of(indices: Any, n: int) -> Rows:
    """Return a sequence of n indices, or one index, as an int64 array (n,)."""
    if type(indices) is list and n and type(indices[0]) is int:
        numbers = np.array(indices)
        if numbers.dtype == np.int64 and numbers.shape == (n,):
            return numbers
    one = not hasattr(indices, "__len__") or getattr(indices, "ndim", None) == 0
    several = [indices] if one else indices
    return np.fromiter(map(operator.index, several), np.int64, n)


def gives_each_once(sampler: Any, run: Run | None = None) -> bool:
    """Return whether a sampler gives no index twice in an iteration; `run` is that of ours."""
    if run is not None and type(sampler).__iter__ is ArenaSampler.__iter__:
        return run.gives_each_once
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler.num_samples <= len(sampler.data_source)
    return type(sampler) is SequentialSampler
