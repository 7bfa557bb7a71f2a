"""Where each column lies in an arena: arithmetic only, nothing is allocated here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache.errors import SchemaError
from fastcache.schema import Field, Once, field_from_json

# Pages are 4, 16 or 64 KiB: a boundary of all three, so that a large column can be mapped,
# advised and registered by itself.  Small columns are packed to whole cache lines.
_PAGES = 65536
_LINE = 64
_MAX_BYTES = 1 << 62

INDEX = "_index"  # the column that says which rows a dataset shows

OFFSET_DTYPE = np.dtype(np.int64)
SHAPE_DTYPE = np.dtype(np.int32)
GRID_DTYPE = np.dtype(np.int64)
GRID_ROWS = 5  # first row, rows per series, first element, distance of series, distance of rows


@dataclass(frozen=True)
class ColumnLayout:
    """Where one column lies; offsets are in bytes from the start of the arena.

    Attributes
    ----------
    field : Field
    count : int
        Rows N of this column.
    values : int
        Offset of the elements.
    elements : int
        Their number, all rows together, and what is left free between rows.
    stride : int or None
        Dense columns: bytes from row to row; more than a row takes where files ask for it.
    offsets : int or None
        Ragged columns: offset of int64 [N + 1], where each row starts, in elements. A row is as
        long as its shape says, and may end before the next one starts.
    shapes : int or None
        Ragged columns: offset of int32 [N, field.ndim], the shape of each row.
    grids : int or None
        Columns of windows: offset of int64 [5, field.grids], where rows begin.
    """

    field: Field
    count: int
    values: int
    elements: int
    stride: int | None = None
    offsets: int | None = None
    shapes: int | None = None
    grids: int | None = None

    @property
    def values_bytes(self) -> int:
        """Bytes of the elements, with what is left free between rows."""
        if self.stride is not None:
            return self.count * self.stride
        return self.elements * self.field.itemsize


@dataclass(frozen=True)
class ArenaLayout:
    """The whole arena.

    Attributes
    ----------
    count : int
        Samples N.
    columns : dict of ColumnLayout
    total_bytes : int
        Exact size, gaps between columns included.
    ragged_shapes : dict of int64 [N, ndim] arrays
        What :meth:`Arena.allocate` writes down. Not part of the JSON: an arena holds it itself.
    """

    count: int
    columns: Mapping[str, ColumnLayout]
    total_bytes: int
    ragged_shapes: Mapping[str, NDArray[np.int64]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def bytes_of(self, name: str) -> int:
        """Return the bytes of a column's elements; 0 for one that takes no place."""
        return self.columns[name].values_bytes if name in self.columns else 0

    def to_json(self) -> dict[str, Any]:
        """Return a dict that :meth:`from_json` turns back into this layout."""
        columns = {
            name: {**vars(column), "field": column.field.to_json()}
            for name, column in self.columns.items()
        }
        return {"count": self.count, "columns": columns, "total_bytes": self.total_bytes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ArenaLayout":
        """Return the layout that :meth:`to_json` wrote."""
        columns = {
            name: ColumnLayout(**{**column, "field": field_from_json(column["field"])})
            for name, column in data["columns"].items()
        }
        return cls(data["count"], columns, data["total_bytes"])


class _Allocator:
    """Hands out ranges one after the other."""

    def __init__(self) -> None:
        self.end = 0

    def take(self, size: int) -> int:
        if size == 0:
            return self.end
        boundary = _PAGES if size >= _PAGES else _LINE
        start = -(-self.end // boundary) * boundary
        self.end = start + size
        if self.end > _MAX_BYTES:
            raise SchemaError(f"the arena would take over {_MAX_BYTES} bytes: shapes are wrong")
        return start


def row_elements(name: str, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of elements of each row, given int64 [N, ndim] shapes of a column."""
    if shapes.size and (shapes.min() < 0 or shapes.max() > np.iinfo(SHAPE_DTYPE).max):
        raise SchemaError(
            f"column {name!r}: lengths of axes must lie in 0..{np.iinfo(SHAPE_DTYPE).max}, "
            f"there are {shapes.min()} to {shapes.max()}"
        )
    if shapes.prod(axis=1, dtype=np.float64).sum() > _MAX_BYTES:
        raise SchemaError(f"column {name!r} would have over {_MAX_BYTES} elements")
    elements: NDArray[np.int64] = shapes.prod(axis=1, dtype=np.int64)
    return elements


def row_ends(elements: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return int64 [N + 1]: where each row begins, and the last one ends, if none has a gap."""
    ends = np.zeros(len(elements) + 1, OFFSET_DTYPE)
    np.cumsum(elements, out=ends[1:])
    return ends


def _check_field(name: str, column: Field) -> None:
    if np.dtype(column.dtype).hasobject:
        raise SchemaError(f"column {name!r} holds Python objects: only numbers have bytes to share")


def _checked_shapes(
    name: str, column: Field, count: int, ragged_shapes: Mapping[str, NDArray[Any]]
) -> NDArray[np.int64]:
    if name not in ragged_shapes:
        raise SchemaError(f"column {name!r} is ragged: the shape of each row is needed")
    shapes = np.asarray(ragged_shapes[name])
    if shapes.shape != (count, column.ndim) or shapes.dtype.kind not in "iu":
        raise SchemaError(
            f"column {name!r}: shapes must be integers of shape {(count, column.ndim)}, "
            f"these are {shapes.dtype} of shape {shapes.shape}"
        )
    return shapes.astype(np.int64)


def plan_layout(
    columns: Mapping[str, Field],
    count: int,
    ragged_shapes: Mapping[str, NDArray[Any]] | None = None,
    counts: Mapping[str, int] | None = None,
) -> ArenaLayout:
    """Lay columns out one after the other.

    Parameters
    ----------
    columns : mapping of str to Field
        In the order in which they shall lie.
    count : int
        Samples N, at least 0.
    ragged_shapes : mapping of str to int arrays [N, ndim]
        Shapes of the rows of each column whose ``row_shape`` is None.
    counts : mapping of str to int, optional
        Rows of the columns that have another number of them than there are samples.

    Raises
    ------
    SchemaError
        For shapes that are missing or do not fit, and for columns that no arena can hold.
    """
    rows_of = {name: (counts or {}).get(name, count) for name in columns}
    if min(count, *rows_of.values(), 0) < 0:
        raise SchemaError(f"count={count}, counts={counts}: an arena has 0 samples or more")
    allocator = _Allocator()
    placed: dict[str, ColumnLayout] = {}
    kept: dict[str, NDArray[np.int64]] = {}
    for name, column in columns.items():
        _check_field(name, column)
        rows = rows_of[name]
        whole = column.elements(rows)
        if whole is not None:
            start = allocator.take(whole * column.itemsize)
            grids = None
            if isinstance(column, Once):
                grids = allocator.take(GRID_ROWS * column.grids * GRID_DTYPE.itemsize)
            stride = None if isinstance(column, Once) else column.row_bytes
            placed[name] = ColumnLayout(column, rows, start, whole, stride, grids=grids)
            continue
        kept[name] = _checked_shapes(name, column, rows, ragged_shapes or {})
        elements = int(row_elements(name, kept[name]).sum())
        placed[name] = ColumnLayout(
            column,
            rows,
            values=allocator.take(elements * column.itemsize),
            elements=elements,
            offsets=allocator.take((rows + 1) * OFFSET_DTYPE.itemsize),
            shapes=allocator.take(rows * column.ndim * SHAPE_DTYPE.itemsize),
        )
    return ArenaLayout(count, placed, allocator.end, kept)
