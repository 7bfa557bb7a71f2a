"""Which samples of which datasets indices stand for: through the wrappers that torch itself has."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import ConcatDataset, Subset

from fastcache.read.columns.columns import Rows


class Origin(NamedTuple):
    """Some of the indices, as one dataset has them.

    Attributes
    ----------
    dataset : Dataset
        No wrapper of torch's.
    indices : int64 array (n,)
        Its samples, 0 or more each if it has a length.
    at : int64 array (n,)
        Their places among the indices that were given.
    """

    dataset: Any
    indices: Rows
    at: Rows


def datasets_in(dataset: Any) -> Iterator[Any]:
    """Yield what a dataset consists of: itself, if it is no ``Subset`` or ``ConcatDataset``."""
    if type(dataset) is Subset:
        yield from datasets_in(dataset.dataset)
    elif type(dataset) is ConcatDataset:
        for part in dataset.datasets:
            yield from datasets_in(part)
    else:
        yield dataset


class Origins:
    """Finds the origins of indices.

    Subclasses of torch's wrappers may do anything, and are datasets as others are.

    Parameters
    ----------
    dataset : Dataset
        What the indices are of.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._chosen: dict[int, Rows] = {}  # of each Subset: its list as an array

    def of(self, indices: Rows) -> list[Origin]:
        """Return where some samples come from.

        Raises
        ------
        IndexError
            If there is no such sample.
        """
        return list(self._split(self._dataset, indices, np.arange(len(indices))))

    def _split(self, dataset: Any, indices: Rows, at: Rows) -> Iterator[Origin]:
        count = length_of(dataset)
        if count is not None:
            indices = _counted_from_0(indices, count)
        if type(dataset) is Subset:
            chosen = self._chosen.get(id(dataset))
            if chosen is None:
                chosen = self._chosen[id(dataset)] = np.asarray(dataset.indices, np.int64)
            yield from self._split(dataset.dataset, chosen[indices], at)
        elif type(dataset) is ConcatDataset:
            ends = np.asarray(dataset.cumulative_sizes)
            which = np.searchsorted(ends, indices, side="right")
            for part in np.unique(which).tolist():
                mine = np.flatnonzero(which == part)
                begin = ends[part - 1] if part else 0
                yield from self._split(dataset.datasets[part], indices[mine] - begin, at[mine])
        else:
            yield Origin(dataset, indices, at)


def length_of(dataset: Any) -> int | None:
    """Return how many samples a dataset has; None if it cannot tell."""
    if not hasattr(dataset, "__len__"):
        return None
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):  # what abstract classes of users have
        return None


def _counted_from_0(indices: Rows, count: int) -> Rows:
    if not len(indices) or int(indices.view(np.uint64).max()) < count:
        return indices
    if ((indices < -count) | (indices >= count)).any():
        raise IndexError(f"a sample that is none of {count}")
    wrapped: Rows = indices + count * (indices < 0)
    return wrapped
