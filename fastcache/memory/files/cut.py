"""Where columns are cut into shards, and which rows are padded so that they can be cut at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache.errors import ArgumentError, SchemaError
from fastcache.memory.files.derive import derive_plan
from fastcache.memory.files.naming import LINE, MOST_BYTES, PAGE, check_column_name
from fastcache.memory.files.plan import Cut, FilePlan, Saved, is_cut
from fastcache.memory.layout import ArenaLayout, plan_layout, row_elements, row_ends
from fastcache.schema import Derived, Field, Once, Text

_SMALLEST, _LARGEST, _SHARDS = 64 << 20, 4 << 30, 1024
_LEAST, _MOST_SHARDS = 1 << 20, 4096  # where memory is short
MOST_AXES = 31  # NumPy has 32 in its oldest version, and the rows take one
DTYPE_KINDS = "biufcmMSU"


def check_saved_field(name: str, field: Field) -> None:
    """Refuse a column that files cannot hold."""
    check_column_name(name)
    if isinstance(field, Derived):
        raise SchemaError(f"column {name!r} is made on each read: it has no place in an arena")
    dtype = np.dtype(field.dtype)
    if dtype.kind not in DTYPE_KINDS or dtype.itemsize == 0:
        raise SchemaError(
            f"column {name!r} holds {dtype}: files hold numbers, booleans, dates and strings of "
            "a fixed length"
        )
    shape = field.row_shape
    axes = field.ndim if shape is None else len(shape)
    if axes > MOST_AXES:
        raise SchemaError(f"column {name!r} has {axes} axes: files hold at most {MOST_AXES}")


def shard_limit(shard_bytes: int | None, total: int) -> int:
    """Return the bytes that a shard may have."""
    if shard_bytes is None:
        return min(max(total // _SHARDS, _SMALLEST), _LARGEST)
    if isinstance(shard_bytes, bool) or not isinstance(shard_bytes, int) or shard_bytes < PAGE:
        raise ArgumentError(f"shard_bytes={shard_bytes!r}: give a number of bytes from {PAGE} on")
    return min(shard_bytes, MOST_BYTES)


def shard_limits(total: int) -> list[int]:
    """Return the bytes that shards of an arena may have, from the usual ones down.

    The others are for those who have no memory for usual ones: halves, quarters and so on, down to
    1 MiB or 4096 shards.
    """
    limits = [shard_limit(None, total)]
    while limits[-1] // 2 >= max(_LEAST, total // _MOST_SHARDS):
        limits.append(limits[-1] // 2)
    return limits


def quantum_of(stride: int) -> int:
    """Return the number of rows after which a page ends with a row."""
    return PAGE // math.gcd(stride, PAGE) if stride else 1


class FamilyRows:
    """The rows of one family: what they take, and where they may be cut.

    Parameters
    ----------
    strides : dict of str to int
        Dense columns: bytes from row to row.
    elements : dict of str to int64 arrays
        Ragged columns: elements of each row, counted from the first: [N + 1].
    itemsizes : dict of str to int
    count : int
    """

    def __init__(
        self,
        strides: dict[str, int],
        elements: dict[str, NDArray[np.int64]],
        itemsizes: Mapping[str, int],
        count: int,
    ) -> None:
        self.strides, self.elements, self.count = strides, elements, count
        self.itemsizes = itemsizes

    def bytes_before(self, rows: Any) -> Any:
        """Return the bytes of the first rows: one number, or one for each of an array's."""
        ragged = sum(ends[rows] * self.itemsizes[name] for name, ends in self.elements.items())
        return rows * sum(self.strides.values()) + ragged

    def pad(self, limit: int) -> None:
        """Widen rows until the fewest that end on a page fit a shard.

        Padding costs less than two of a thousand bytes where shards have 64 MiB or more.
        """
        total = int(self.bytes_before(self.count))
        if total <= limit:
            return  # one shard: nothing has to fit its end
        most = max(1, limit * self.count // max(1, total))  # rows in a shard
        for name, stride in self.strides.items():
            step = LINE
            while quantum_of(self.strides[name]) > most:
                self.strides[name] = -(-stride // step) * step
                step *= 2

    def cuts(self, limit: int) -> list[Cut]:
        """Return as few shards of up to ``limit`` bytes as rows allow."""
        quantum = max(map(quantum_of, self.strides.values()), default=1)
        ends = self._even(quantum, limit) if not self.elements else self._uneven(quantum, limit)
        made, first = [], 0
        for end in ends:
            elements = {n: int(all_[end] - all_[first]) for n, all_ in self.elements.items()}
            made.append(Cut(end - first, elements))
            first = end
        return made

    def _even(self, quantum: int, limit: int) -> list[int]:
        size = quantum * sum(self.strides.values())
        if size == 0 or self.bytes_before(self.count) <= limit:
            return [self.count] if self.count else []
        step = max(1, limit // size) * quantum
        return [*range(step, self.count, step), self.count]

    def _uneven(self, quantum: int, limit: int) -> list[int]:
        rows = np.append(np.arange(0, self.count, quantum, dtype=np.int64), self.count)
        sizes = self.bytes_before(rows)
        found, at = [], 0
        while at < len(rows) - 1:
            end = int(np.searchsorted(sizes, sizes[at] + limit, side="right")) - 1
            at = min(max(end, at + 1), len(rows) - 1)
            found.append(int(rows[at]))
        return found


def _families(layout: ArenaLayout) -> list[list[str]]:
    """Return which columns are cut together: those with equally many rows; arrays alone."""
    together: dict[int, list[str]] = {}
    families: list[list[str]] = []
    for name, column in layout.columns.items():
        if not is_cut(column.field):
            continue
        if isinstance(column.field, Once):
            families.append([name])
        elif column.count in together:
            together[column.count].append(name)
        else:
            together[column.count] = [name]
            families.append(together[column.count])
    return families


def _rows_of(layout: ArenaLayout, names: Sequence[str]) -> FamilyRows:
    first = layout.columns[names[0]]
    if isinstance(first.field, Once):
        return FamilyRows({names[0]: first.field.itemsize}, {}, {}, first.elements)
    strides, elements, itemsizes = {}, {}, {}
    for name in names:
        field = layout.columns[name].field
        if field.row_shape is None:
            elements[name] = row_ends(row_elements(name, layout.ragged_shapes[name]))
            itemsizes[name] = field.itemsize
        else:
            strides[name] = field.row_bytes or 0
    return FamilyRows(strides, elements, itemsizes, first.count)


def plan_files(
    columns: Mapping[str, Field],
    count: int,
    ragged_shapes: Mapping[str, NDArray[Any]] | None = None,
    counts: Mapping[str, int] | None = None,
    shard_bytes: int | None = None,
) -> FilePlan:
    """Plan the files of an arena: nothing is read or written.

    Parameters
    ----------
    columns, count, ragged_shapes, counts
        As in :func:`fastcache.memory.layout.plan_layout`.
    shard_bytes : int, optional
        Most bytes of data in a shard, where rows allow. A 1024th of the arena if not given, but
        64 MiB to 4 GiB.

    Raises
    ------
    SchemaError
        For columns that no arena, or no file, can hold.
    ArgumentError
        If ``shard_bytes`` is no number of bytes.
    """
    for name, field in columns.items():
        check_saved_field(name, field)
    layout = plan_layout(columns, count, ragged_shapes, counts)
    limit = shard_limit(shard_bytes, layout.total_bytes)
    saved: dict[str, Saved] = {}
    for name, column in layout.columns.items():
        elements = column.elements if isinstance(column.field, Text) else None
        saved[name] = Saved(column.field, column.count, column.stride, elements)
    families = []
    for names in _families(layout):
        rows = _rows_of(layout, names)
        if not isinstance(columns[names[0]], Once):  # whose elements are one array's
            rows.pad(limit)
            for name, stride in rows.strides.items():
                saved[name] = replace(saved[name], stride=stride)
        families.append((names, rows.cuts(limit)))
    return derive_plan(count, saved, families)
