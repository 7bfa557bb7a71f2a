"""The arithmetic behind a plan of files: parts, addresses and tables from columns and cuts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fastcache.errors import ArenaFormatError
from fastcache.memory.files import naming
from fastcache.memory.files.header import Tensor, make_tensor
from fastcache.memory.files.naming import LINE, MOST_BYTES, PAGE
from fastcache.memory.files.plan import Cut, Family, FilePlan, Part, Saved, Shard
from fastcache.memory.layout import (
    GRID_DTYPE,
    GRID_ROWS,
    OFFSET_DTYPE,
    SHAPE_DTYPE,
    ArenaLayout,
    ColumnLayout,
)
from fastcache.schema import Once, Scalar, Text


class _Addresses:
    """Hands out tensors of one file, and their addresses."""

    def __init__(self, at: int) -> None:
        self.at, self.end = at, 0
        self.parts: dict[str, Part] = {}

    def add(self, name: str, dtype: str, shape: tuple[int, ...]) -> int:
        """Place a table, and return its address."""
        start = -(-self.end // LINE) * LINE
        tensor = make_tensor(np.dtype(dtype), shape, start)
        self.parts[name] = Part(self.at + start, start, tensor.size, tensor.size, tensor)
        self.end = tensor.end
        return self.at + start


def _tables(columns: Mapping[str, Saved]) -> Shard:
    """Lay the columns file out; its data begin at address 0."""
    file = _Addresses(0)
    for name, saved in columns.items():
        field, count = saved.field, saved.count
        if isinstance(field, Scalar):
            file.add(name, field.dtype, (count,))
        elif isinstance(field, Text):
            file.add(name, field.dtype, (saved.elements or 0,))
        if isinstance(field, Once):
            file.add(naming.GRIDS + name, GRID_DTYPE.str, (GRID_ROWS, field.grids))
        elif field.row_shape is None:
            file.add(naming.OFFSETS + name, OFFSET_DTYPE.str, (count + 1,))
            file.add(naming.SHAPES + name, SHAPE_DTYPE.str, (count, field.ndim))
    return Shard(0, 0, file.parts, -(-file.end // PAGE) * PAGE)


def _sizes(saved: Saved, cut: Cut, name: str) -> tuple[int, int, Tensor]:
    """Return bytes of a part, bytes with the zeros behind it, and its tensor at 0."""
    field, dtype, unit = saved.field, np.dtype(saved.field.dtype), PAGE
    if isinstance(field, Once):
        tensor = make_tensor(dtype, (cut.rows,), 0)
    elif field.row_shape is None:
        tensor = make_tensor(dtype, (cut.elements[name],), 0)
        unit = math.lcm(PAGE, max(1, dtype.itemsize))  # the next part begins with an element
    elif saved.stride == field.row_bytes:
        tensor = make_tensor(dtype, (cut.rows, *field.row_shape), 0)
    else:
        tensor = Tensor("U8", (cut.rows, saved.stride or 0), 0)
    return tensor.size, -(-tensor.size // unit) * unit, tensor


def _family(
    columns: Mapping[str, Saved], names: Sequence[str], cuts: Sequence[Cut], at: int
) -> tuple[Family, int]:
    """Lay out the shards of one family, whose addresses begin at ``at``; return their end too."""
    shards: list[dict[str, Part]] = [{} for _ in cuts]
    ends = [0] * len(cuts)
    for name in names:
        dense = columns[name].field.row_shape is not None or isinstance(columns[name].field, Once)
        for k, cut in enumerate(cuts):
            size, room, tensor = _sizes(columns[name], cut, name)
            if dense and room != size and k + 1 < len(cuts):
                raise ArenaFormatError(
                    f"column {name!r} is cut within a page of {PAGE} bytes, at shard {k}"
                )
            placed = tensor._replace(start=ends[k])
            shards[k][name] = Part(at, ends[k], size, room, placed)
            ends[k] += room
            at += room
    first, made = 0, []
    for cut, parts, end in zip(cuts, shards, ends, strict=True):
        made.append(Shard(first, cut.rows, parts, end))
        first += cut.rows
    return Family(tuple(names), first, tuple(made)), at


def _whole_column(saved: Saved, part: Part | None) -> ColumnLayout:
    """Return the layout of a column that lies in the columns file, or nowhere; without tables."""
    field, at = saved.field, part.at if part else 0
    if isinstance(field, Text):
        return ColumnLayout(field, saved.count, at, saved.elements or 0)
    return ColumnLayout(field, saved.count, at, field.elements(saved.count) or 0, field.row_bytes)


def _cut_column(saved: Saved, name: str, family: Family) -> ColumnLayout:
    """Return the layout of a column that is cut, without its tables."""
    field, parts = saved.field, [shard.parts[name] for shard in family.shards]
    values = parts[0].at if parts else 0
    if isinstance(field, Once):
        return ColumnLayout(field, saved.count, values, field.elements(saved.count))
    if field.row_shape is None:
        used = parts[-1].at - values + parts[-1].size if parts else 0
        return ColumnLayout(field, saved.count, values, used // max(1, field.itemsize))
    whole = field.elements(saved.count) or 0
    return ColumnLayout(field, saved.count, values, whole, saved.stride)


def derive_plan(
    count: int,
    columns: Mapping[str, Saved],
    families: Sequence[tuple[Sequence[str], Sequence[Cut]]],
) -> FilePlan:
    """Derive where everything lies.

    Parameters
    ----------
    count : int
        Samples of the arena.
    columns : mapping of str to Saved
    families : sequence of (names, cuts)
        Columns that are cut together, and where.

    Raises
    ------
    ArenaFormatError
        If columns cannot be cut there, or would take more addresses than there are.
    """
    tables = _tables(columns)
    layouts: dict[str, ColumnLayout] = {}
    made: list[Family] = []
    end = tables.data_bytes
    for names, cuts in families:
        family, end = _family(columns, names, cuts, end)
        made.append(family)
        for name in names:
            layouts[name] = _cut_column(columns[name], name, family)
    if end > MOST_BYTES:
        raise ArenaFormatError(f"columns of over {MOST_BYTES} bytes: no machine can map them")
    placed: dict[str, ColumnLayout] = {}
    for name, saved in columns.items():
        layout = layouts.get(name) or _whole_column(saved, tables.parts.get(name))
        offsets, shapes, grids = (
            tables.parts[prefix + name].at if prefix + name in tables.parts else None
            for prefix in (naming.OFFSETS, naming.SHAPES, naming.GRIDS)
        )
        placed[name] = replace(layout, offsets=offsets, shapes=shapes, grids=grids)
    return FilePlan(ArenaLayout(count, placed, end), dict(columns), tuple(made), tables)
