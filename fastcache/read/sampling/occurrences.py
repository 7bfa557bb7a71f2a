"""How often samples came before in an iteration, counted where a loader takes their indices."""

import operator
from collections.abc import Sized
from typing import Any

import numpy as np
from torch.utils.data import RandomSampler, SequentialSampler

from fastcache._core.visits import Visits, visits_bytes
from fastcache.read.columns.columns import Rows
from fastcache.read.sampling.epochs import HasEpochs
from fastcache.read.sampling.keys import Times
from fastcache.read.sampling.origins import Origin, Origins

# Of a dataset that is not ours nobody knows which rows it reads for an index: such indices have
# occurrences of their own, by a hash, whose factors are odd and have their bits well mixed
# (Steele, Lea and Flood, OOPSLA 2014).
_BY_INDEX, _BY_TIME = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


class Occurrences:
    """Counts the samples of one iteration.

    Parameters
    ----------
    dataset : Dataset
        What the indices are of. Rows of datasets of ours are counted, also through torch's
        ``Subset`` and ``ConcatDataset``; of other datasets, indices are.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._origins = Origins(dataset)
        self._visits: dict[int, Visits] = {}
        self._taken = 0

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
        if once and isinstance(self._dataset, HasEpochs):
            return None
        try:
            numbers = numbers_of(indices, n)
            origins = self._origins.of(numbers)
        except (TypeError, ValueError, IndexError, OverflowError):
            # Of a kind that only the dataset knows, or wrong, which it will say.
            return np.arange(self._taken - n, self._taken).astype(np.uint32)
        times = np.zeros(n, np.uint32)
        for origin in origins:
            times[origin.at] = self._counted(origin)
        return times if times.any() else None

    def _counted(self, origin: Origin) -> Times | int:
        dataset, numbers = origin.dataset, origin.indices
        if isinstance(dataset, HasEpochs):
            drawing = dataset.rows_drawn(numbers)
            if drawing is None:
                return 0
            keys, rows = drawing
            return self._visit(id(keys), keys.count, rows)
        before: Times | int = 0
        if isinstance(dataset, Sized):
            before = self._visit(id(dataset), len(dataset), numbers)
        mixed = numbers.astype(np.uint64) * _BY_INDEX + np.asarray(before, np.uint64) * _BY_TIME
        mixed ^= mixed >> np.uint64(31)
        return (mixed * _BY_TIME >> np.uint64(32)).astype(np.uint32)

    def _visit(self, whose: int, count: int, rows: Rows) -> Times:
        visits = self._visits.get(whose)
        if visits is None:
            memory = np.zeros(-(-visits_bytes(count) // 8), np.uint64)
            visits = self._visits[whose] = Visits(memory, count)
        times = np.empty(len(rows), np.uint32)
        visits.visit(rows, times)
        return times


def numbers_of(indices: Any, n: int) -> Rows:
    """Return a sequence of n indices, or one index, as an int64 array (n,)."""
    one = not hasattr(indices, "__len__") or getattr(indices, "ndim", None) == 0
    several = [indices] if one else indices
    return np.fromiter(map(operator.index, several), np.int64, n)


def gives_each_once(sampler: Any) -> bool:
    """Return whether a sampler of torch's gives no index twice in an iteration."""
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler.num_samples <= len(sampler.data_source)
    return type(sampler) is SequentialSampler
