"""A column as arrays over the arena's memory: dense, ragged, or windows of what is there once."""

import math
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
    stride : int
        Bytes from row to row.
    rows : array [N, *row_shape] of the field's dtype, over the arena's memory
        Writable until the arena is committed. Not contiguous where `stride` exceeds a row.
    span : uint8 array [N * stride]
        The same memory as bytes.
    """

    field: Field
    offset: int
    stride: int
    rows: NDArray[Any]
    span: NDArray[np.uint8]

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
        return self.offset + _row_numbers(indices, len(self)) * self.stride

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
        Where each row starts in ``values``; it is as long as its shape says.
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
        start, shape = int(self.offsets[i]), tuple(self.shapes[i].tolist())
        row: NDArray[Any] = self.values[start : start + math.prod(shape)].reshape(shape)
        return row

    def row_elements(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 [n]: the elements of some rows."""
        elements: NDArray[np.int64] = self.shapes[rows].prod(axis=1, dtype=np.int64)
        return elements

    def row_offsets(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: bytes from the start of the arena to each row (default: to all)."""
        rows = _row_numbers(indices, len(self))
        return self.offset + self.offsets[rows] * self.field.itemsize

    def row_sizes(self, indices: ArrayLike | None = None) -> NDArray[np.int64]:
        """Return int64 [n]: the bytes of each row."""
        return self.row_elements(_row_numbers(indices, len(self))) * self.field.itemsize


Column: TypeAlias = DenseColumn | RaggedColumn | WindowColumn


def _typed(
    memory: NDArray[np.uint8], start: int, shape: tuple[int, ...], dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return memory[start : start + size].view(dtype).reshape(shape)


def _dense(memory: NDArray[np.uint8], layout: ColumnLayout) -> DenseColumn:
    column, shape, stride = layout.field, layout.field.row_shape, layout.stride
    assert shape is not None
    assert stride is not None
    dtype, size = np.dtype(column.dtype), column.row_bytes or 0
    span = memory[layout.values : layout.values + layout.count * stride]
    if stride == size:  # the usual case, and the one of rows without bytes
        rows = span.view(dtype).reshape(layout.count, *shape)
    else:
        inner = np.empty(shape, dtype).strides
        rows = np.ndarray((layout.count, *shape), dtype, span, strides=(stride, *inner))
    return DenseColumn(column, layout.values, stride, rows, span)


def make_column(memory: NDArray[np.uint8], layout: ColumnLayout) -> Column:
    """Return a column as views of ``memory``, the whole arena's bytes."""
    column, count, dtype = layout.field, layout.count, np.dtype(layout.field.dtype)
    if isinstance(column, Once):
        assert layout.grids is not None
        values = _typed(memory, layout.values, column.shape, dtype)
        grids = _typed(memory, layout.grids, (GRID_ROWS, column.grids), GRID_DTYPE)
        return WindowColumn(column, layout.values, values, grids, count)
    if layout.offsets is None or layout.shapes is None:
        return _dense(memory, layout)
    return RaggedColumn(
        column,
        layout.values,
        _typed(memory, layout.values, (layout.elements,), dtype),
        _typed(memory, layout.offsets, (count + 1,), OFFSET_DTYPE),
        _typed(memory, layout.shapes, (count, column.ndim), SHAPE_DTYPE),
    )
