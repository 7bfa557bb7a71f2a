"""What columns are filled into: an arena, or the rows of one that are in memory just now."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fastcache.memory.arena import Arena
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn


class Target(Protocol):
    """Columns that are being filled."""

    def column(self, name: str) -> Column:
        """Return a column, writable."""

    @property
    def buffer(self) -> npt.NDArray[np.uint8]:
        """The bytes in which rows of images lie, at the places that their columns tell."""


def dense_rows(target: Target, name: str) -> npt.NDArray[Any]:
    """Return the rows (N, ...) of a dense column."""
    column = target.column(name)
    assert isinstance(column, DenseColumn)
    return column.rows


class PartTarget:
    """Some rows of an arena that is being written to files.

    Parameters
    ----------
    staged : Arena
        Columns that are cut into shards: the rows of one shard.
    tables : Arena
        All rows of the other columns.
    first, stop : int
        Which rows these are.
    """

    def __init__(self, staged: Arena, tables: Arena, first: int, stop: int) -> None:
        self._staged, self._tables = staged, tables
        self._first, self._stop = first, stop

    def column(self, name: str) -> Column:
        """Return a column's rows of this part."""
        if name in self._staged.layout.columns:
            return self._staged.column(name)
        return rows_of_column(self._tables.column(name), self._first, self._stop)

    @property
    def buffer(self) -> npt.NDArray[np.uint8]:
        """The rows of the shard."""
        return self._staged.buffer


def rows_of_column(column: Column, first: int, stop: int) -> DenseColumn | RaggedColumn:
    """Return some rows of a column as a column of their own, over the same memory."""
    if isinstance(column, DenseColumn):
        stride = column.stride
        return DenseColumn(
            column.field,
            column.offset + first * stride,
            stride,
            column.rows[first:stop],
            column.span[first * stride : stop * stride],
        )
    assert isinstance(column, RaggedColumn)
    rows = slice(first, stop)
    offsets, shapes = column.offsets[first : stop + 1], column.shapes[rows]
    return RaggedColumn(column.field, column.offset, column.values, offsets, shapes)


def bytes_of_rows(column: DenseColumn | RaggedColumn) -> bytes:
    """Return all rows of a small column, one after the other."""
    if isinstance(column, DenseColumn):
        return column.rows.tobytes()
    return b"".join(column[row].tobytes() for row in range(len(column)))


def put_bytes_of_rows(column: DenseColumn | RaggedColumn, data: bytes) -> None:
    """Write rows that :func:`bytes_of_rows` gave of a column of the same shapes."""
    values: npt.NDArray[Any] = np.frombuffer(data, column.field.dtype)
    if isinstance(column, DenseColumn):
        column.rows[...] = values.reshape(column.rows.shape)
        return
    at = 0
    for row in range(len(column)):
        place = column[row]
        place[...] = values[at : at + place.size].reshape(place.shape)
        at += place.size
