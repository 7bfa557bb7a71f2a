"""Tables of an opened arena, checked value by value: C code trusts them afterwards."""

import numpy as np
from numpy.typing import NDArray

from fastcache.errors import ArenaFormatError
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn
from fastcache.memory.files.naming import MOST_BYTES
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.layout import INDEX
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Windows


def check_values(plan: FilePlan, name: str, column: Column) -> None:
    """Refuse a table that leads out of its column.

    Raises
    ------
    ArenaFormatError
        If one does.
    """
    if isinstance(column, RaggedColumn):
        _check_ragged(plan, name, column)
    elif isinstance(column, WindowColumn):
        _check_grids(name, column)
    elif name == INDEX:
        _check_index(plan, column)


def _fail(name: str, what: str) -> ArenaFormatError:
    return ArenaFormatError(f"the tables of column {name!r} state what cannot be: {what}")


def _check_ragged(plan: FilePlan, name: str, column: RaggedColumn) -> None:
    shapes, offsets = column.shapes, column.offsets
    if shapes.size and shapes.min() < 0:
        raise _fail(name, "a negative length")
    if shapes.prod(axis=1, dtype=np.float64).sum() > MOST_BYTES:
        raise _fail(name, "rows that are larger than any memory")
    elements = shapes.prod(axis=1, dtype=np.int64)
    # Both ends first: then nothing below can overflow.
    if offsets.min() < 0 or offsets.max() > len(column.values):
        raise _fail(name, "rows outside of the column")
    if (offsets[:-1] + elements > offsets[1:]).any():
        raise _fail(name, "rows that overlap")
    itemsize = column.field.itemsize
    for shard in plan.shards_of(name):
        if not shard.rows:
            continue
        part, last = shard.parts[name], shard.first + shard.rows - 1
        begin = (part.at - column.offset) // itemsize
        end = begin + part.size // itemsize
        if offsets[shard.first] < begin or offsets[last] + elements[last] > end:
            raise _fail(name, "rows outside of their shard")


def _check_index(plan: FilePlan, column: Column) -> None:
    assert isinstance(column, DenseColumn)
    rows = column.rows
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise _fail(INDEX, f"row numbers of type {rows.dtype}")
    if rows.size and (rows.min() < 0 or rows.max() >= plan.layout.count):
        raise _fail(INDEX, "rows that do not exist")


def _check_grids(name: str, column: WindowColumn) -> None:
    if len(column) and not column.grids.shape[1]:
        raise _fail(name, "windows without a grid")
    if column.grids.size and (column.grids.min() < 0 or column.grids.max() > MOST_BYTES):
        raise _fail(name, "a number that is negative or too large")
    firsts = column.grids[0].astype(np.int64)
    rows = np.diff(firsts, append=len(column))
    if len(firsts) and (firsts[0] != 0 or rows.min() < 0):
        raise _fail(name, "rows that are in no grid")
    # One by one where they differ: Python's numbers do not overflow, and grids are few. A column
    # may have one for each series, though, so those that are alike are looked at together.
    for grid in np.flatnonzero(rows):
        if not _fits(column, column.grids[:, grid], int(rows[grid])):
            raise _fail(name, f"windows outside of the array, in grid {grid}")


def _fits(column: WindowColumn, grid: NDArray[np.int64], rows: int) -> bool:
    """Whether every window of a grid lies in the array."""
    _, inner, first, series, step = map(int, grid)
    if inner < 1:
        return False
    most = min(inner, rows) - 1  # steps from the first window of a series to its last
    others = (rows - 1) // inner
    last = first + others * series + most * step  # or a bit before: the last series may be short
    if not isinstance(column.field, Windows):
        return last + column.field.length <= column.values.size
    channels, steps = column.values.shape[-2:]
    plane = channels * steps
    if not plane:
        return False
    if others and series % plane:  # series along one line: all of it in the same plane
        inside = first // plane == last // plane and last % plane + column.field.length <= steps
    else:
        inside = first % plane + most * step + column.field.length <= steps
    return bool(inside) and last // plane * plane < column.values.size
