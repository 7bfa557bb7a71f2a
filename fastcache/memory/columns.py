"""A column as arrays over the arena's memory: dense, ragged, or windows of what is there once."""

import operator
from dataclasses import dataclass
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastcache.errors import ArgumentError
from fastcache.memory.layout import (
    GRID_DTYPE,
    GRID_ROWS,
    OFFSET_DTYPE,
    SHAPE_DTYPE,
    ColumnLayout,
)
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Field, Once


def _row_numbers(indices: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """Return ``indices`` as int64, all of 0..count-1: C will trust what is made of them."""
    if indices is None:
        return np.arange(count, dtype=np.int64)
    rows = np.asarray(indices, dtype=np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise IndexError(f"rows {rows.min()}..{rows.max()} of a column of {count}")
    return rows


@dataclass(frozen=True, eq=False)
class DenseColumn:
    """Rows of one shape.

    Attributes
    ----------
    field : Field
    offset : int
        Bytes from the start of the arena to the first row.
    rows : array [N, *row_shape] of the field's dtype, over the arena's memory
        Writable until the arena is committed.
    """

    field: Field
    offset: int
    rows: NDArray[Any]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        size = self.field.row_bytes
        assert size is not None
        return size

    def row_offsets(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: bytes from the start of the arena to each row (default: to all)."""
        return self.offset + _row_numbers(indices, len(self)) * self.row_bytes

    def row_sizes(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: the bytes of each row."""
        return np.full(_row_numbers(indices, len(self)).shape, self.row_bytes, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RaggedColumn:
    """Rows that each have their own shape; ``column[i]`` is row i as an array.

    Attributes
    ----------
    field : Field
    offset : int
        Bytes from the start of the arena to the first element.
    values : array [elements] of the field's dtype, over the arena's memory
        All rows, one after the other. Writable until the arena is committed.
    offsets : int64 array [N + 1]
        Where each row starts in ``values``.
    shapes : int32 array [N, ndim]
    """

    field: Field
    offset: int
    values: NDArray[Any]
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: SupportsIndex) -> NDArray[Any]:
        try:
            i = operator.index(index)
        except TypeError:
            raise ArgumentError(
                f"a ragged column takes one int, not {type(index).__name__}: its rows have "
                "different shapes (values, offsets and shapes are the whole)"
            ) from None
        if i < 0:
            i += len(self)
        if not 0 <= i < len(self):
            raise IndexError(f"row {index} of a column of {len(self)}")
        start, stop = self.offsets[i : i + 2]
        row: NDArray[Any] = self.values[start:stop].reshape(self.shapes[i])
        return row

    def row_offsets(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: bytes from the start of the arena to each row (default: to all)."""
        rows = _row_numbers(indices, len(self))
        return self.offset + self.offsets[rows] * self.field.itemsize

    def row_sizes(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: the bytes of each row."""
        rows = _row_numbers(indices, len(self))
        elements: NDArray[np.int64] = self.offsets[rows + 1] - self.offsets[rows]
        return elements * self.field.itemsize


Column: TypeAlias = DenseColumn | RaggedColumn | WindowColumn


def _typed(
    memory: NDArray[np.uint8], start: int, shape: tuple[int, ...], dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return memory[start : start + size].view(dtype).reshape(shape)


def make_column(memory: NDArray[np.uint8], count: int, layout: ColumnLayout) -> Column:
    """Return a column of ``count`` rows as views of ``memory``, the whole arena's bytes."""
    column, dtype = layout.field, np.dtype(layout.field.dtype)
    if isinstance(column, Once):
        assert layout.grids is not None
        values = _typed(memory, layout.values, column.shape, dtype)
        grids = _typed(memory, layout.grids, (GRID_ROWS, column.grids), GRID_DTYPE)
        return WindowColumn(column, layout.values, values, grids, count)
    if layout.offsets is None or layout.shapes is None:
        assert column.row_shape is not None
        rows = _typed(memory, layout.values, (count, *column.row_shape), dtype)
        return DenseColumn(column, layout.values, rows)
    return RaggedColumn(
        column,
        layout.values,
        _typed(memory, layout.values, (layout.elements,), dtype),
        _typed(memory, layout.offsets, (count + 1,), OFFSET_DTYPE),
        _typed(memory, layout.shapes, (count, column.ndim), SHAPE_DTYPE),
    )
