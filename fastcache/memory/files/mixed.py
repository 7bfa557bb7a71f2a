"""A column whose rows come from several others: what edits make of one, until it is written."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastcache.memory.columns import DenseColumn, RaggedColumn
from fastcache.memory.files.disk import as_bytes, zeros
from fastcache.memory.files.saving import runs_of, spaced
from fastcache.schema import Field

_SMALL, _TOGETHER = 64 << 10, 1 << 20  # bytes

RowsColumn: TypeAlias = DenseColumn | RaggedColumn


class MixedColumn:
    """Rows of a column, each of which lies somewhere.

    Parameters
    ----------
    field : Field
        What the rows are in the arena.
    column : DenseColumn or RaggedColumn
        Where they lie. It may be dense where the field is ragged, and the other way round, if the
        shapes of its rows fit.
    original : bool
        Whether these are the rows of the arena as it was opened.
    """

    def __init__(self, field: Field, column: RowsColumn, *, original: bool = False) -> None:
        self.field, self.original = field, original
        self._columns = [column]
        self._count = len(column)
        self._places: tuple[NDArray[np.int32], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self._count

    def _place(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return of each row in which column it lies, and where there; made when needed."""
        if self._places is None:
            return np.zeros(self._count, np.int32), np.arange(self._count, dtype=np.int64)
        return self._places

    def replace(self, rows: NDArray[np.int64], column: RowsColumn) -> None:
        """Take some rows from another column, in its order."""
        which, at = self._places = self._place()
        which[rows], at[rows] = len(self._columns), np.arange(len(column))
        self._columns.append(column)

    def extend(self, column: RowsColumn) -> None:
        """Put all rows of another column behind the last."""
        which, at = self._place()
        new = np.full(len(column), len(self._columns), np.int32)
        self._places = (
            np.concatenate([which, new]),
            np.concatenate([at, np.arange(len(column), dtype=np.int64)]),
        )
        self._columns.append(column)
        self._count += len(column)

    def _same(self, first: int, stop: int) -> NDArray[np.bool_]:
        if self._places is None or not self.original:
            return np.full(stop - first, self.original)
        same: NDArray[np.bool_] = self._places[0][first:stop] == 0  # nothing moves these
        return same

    def is_kept(self, first: int, stop: int) -> bool:
        """Whether these rows are all as they were."""
        return bool(self._same(first, stop).all())

    def keeps_some(self, first: int, stop: int) -> bool:
        """Whether one of these rows is as it was."""
        return bool(self._same(first, stop).any())

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Shape of each row: int64 [N, ndim]."""
        shapes = np.empty((len(self), self.field.ndim), np.int64)
        which, at = self._place()
        for k, column in enumerate(self._columns):
            mine = which == k
            if isinstance(column, RaggedColumn):
                shapes[mine] = column.shapes[at[mine]]
            else:
                shapes[mine] = np.array(column.rows.shape[1:], np.int64)
        return shapes

    def pieces(self, first: int, stop: int, stride: int | None) -> Iterator[Any]:
        """Yield the bytes of some rows, one after the other.

        Parameters
        ----------
        first, stop : int
        stride : int or None
            Bytes from row to row; None for rows that have a size each.
        """
        if self._places is None:
            yield from _bytes(self._columns[0], first, stop, stride)
        else:
            yield from _joined(self._scattered(first, stop, stride))

    def _scattered(self, first: int, stop: int, stride: int | None) -> Iterator[Any]:
        assert self._places is not None
        which, rows = self._places[0][first:stop], self._places[1][first:stop]
        breaks = np.flatnonzero((which[1:] != which[:-1]) | (rows[1:] != rows[:-1] + 1)) + 1
        for begin, end in pairwise([0, *breaks.tolist(), len(rows)]):
            if begin < end:
                at = int(rows[begin])
                yield from _bytes(self._columns[which[begin]], at, at + end - begin, stride)


def _joined(pieces: Iterator[Any]) -> Iterator[Any]:
    """Yield small pieces together: each is a system call of its own."""
    gathered = bytearray()
    for piece in pieces:
        data = as_bytes(piece)
        if len(data) >= _SMALL:
            yield bytes(gathered)
            gathered.clear()
            yield data
            continue
        gathered += data
        if len(gathered) >= _TOGETHER:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _bytes(column: RowsColumn, first: int, stop: int, stride: int | None) -> Iterator[Any]:
    """Yield rows that lie side by side in their column."""
    if isinstance(column, DenseColumn):
        yield from spaced(column, first, stop, column.row_bytes if stride is None else stride)
    elif stride is None:
        yield from runs_of(column, first, stop)
    else:  # they have one shape, but nobody said so when they were made
        for row in range(first, stop):
            yield column[row]
            yield from zeros(stride - column[row].nbytes)
