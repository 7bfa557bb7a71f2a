"""Columns that an arena has for itself: which rows it shows, their paths, and how they are kept."""

import numpy as np

from fastcache.fill.images.kept import PREFIXES
from fastcache.fill.target import Target, dense_rows
from fastcache.memory.columns import Column, DenseColumn
from fastcache.memory.layout import INDEX
from fastcache.memory.row_numbers import AllRows, RowNumbers

PATH = "_path."


def is_own(name: str) -> bool:
    """Whether a name belongs to the arena itself, and cannot be a user's."""
    return name == INDEX or name.startswith((PATH, *PREFIXES))


def rows_shown(index: Column | None, visible: int) -> RowNumbers:
    """Return the rows that a dataset shows.

    Parameters
    ----------
    index : DenseColumn or None
        The arena's column of that name; None if it has none, and shows the first rows.
    visible : int
        How many there are.
    """
    if index is None:
        return AllRows(visible)
    assert isinstance(index, DenseColumn)
    return index.rows[:visible].astype(np.int64, copy=False)


def write_index(target: Target, shown: RowNumbers) -> None:
    """Write down which rows a dataset shows."""
    dense_rows(target, INDEX)[: len(shown)] = shown
