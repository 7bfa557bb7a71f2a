"""An arena's columns as the bytes of its files, taken from where they lie."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastcache._core import threads as pool
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn
from fastcache.memory.files import naming
from fastcache.memory.files.cut import plan_files
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.writer import ArenaWriter
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Field, Scalar, Text

_STAGED = 4 << 20  # bytes of rows that get another distance, at a time


class Streamed(Protocol):
    """A column whose bytes are made while they are written; any number of threads may ask."""

    field: Field

    def __len__(self) -> int: ...

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Shape of each row: int64 [N, ndim]."""

    def pieces(self, first: int, stop: int, stride: int | None) -> Iterator[NDArray[np.uint8]]:
        """Yield the bytes of some rows, one after the other.

        Parameters
        ----------
        first, stop : int
        stride : int or None
            Bytes from row to row; None for rows that have a size each.
        """


AnyColumn: TypeAlias = Column | Streamed


def _shapes(column: AnyColumn) -> NDArray[Any] | None:
    """Return the shapes of rows that have one each."""
    if isinstance(column, DenseColumn | WindowColumn) or column.field.row_shape is not None:
        return None
    return column.shapes


def plan_of(columns: Mapping[str, AnyColumn], count: int, shard_bytes: int | None) -> FilePlan:
    """Plan the files of columns that are there."""
    shapes = {name: made for name, c in columns.items() if (made := _shapes(c)) is not None}
    fields = {name: column.field for name, column in columns.items()}
    counts = {name: len(column) for name, column in columns.items()}
    return plan_files(fields, count, shapes, counts, shard_bytes)


def runs_of(column: RaggedColumn, first: int, stop: int) -> Iterator[NDArray[Any]]:
    """Yield the elements of rows ``first`` to ``stop``, in pieces that are one after the other."""
    elements = column.row_elements(np.arange(first, stop, dtype=np.int64))
    offsets = column.offsets[first:stop]
    ends = offsets + elements
    gaps = np.flatnonzero(ends[:-1] != offsets[1:]).tolist()
    begin = 0
    for end in [*gaps, len(offsets) - 1] if len(offsets) else []:
        yield column.values[offsets[begin] : ends[end]]
        begin = end + 1


def spaced(column: DenseColumn, first: int, stop: int, stride: int) -> Iterator[NDArray[np.uint8]]:
    """Yield rows at a distance of ``stride`` bytes; zeros stand between them."""
    if stride == column.stride:
        yield column.span[first * stride : stop * stride]
        return
    size = column.row_bytes
    rows = column.span.reshape(len(column), column.stride)[:, :size]
    step = max(1, _STAGED // max(1, stride))
    for at in range(first, stop, step):
        staged = np.zeros((min(step, stop - at), stride), np.uint8)
        staged[:, :size] = rows[at : at + len(staged)]
        yield staged


def part_of(plan: FilePlan, name: str, column: AnyColumn, first: int, stop: int) -> Any:
    """Return some rows of a column as :class:`ArenaWriter` takes them.

    Rows of the column, not of the plan; elements, where it is an array that is kept once.
    """
    if isinstance(column, RaggedColumn):
        return runs_of(column, first, stop)
    if isinstance(column, DenseColumn):
        return spaced(column, first, stop, plan.saved[name].stride or 0)
    if isinstance(column, WindowColumn):
        return column.values.reshape(-1)[first:stop]
    return column.pieces(first, stop, plan.saved[name].stride)


def _tables(plan: FilePlan, columns: Mapping[str, AnyColumn]) -> dict[str, Any]:
    """Return the parts of the columns file."""
    parts: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column.field, Scalar | Text):
            parts[name] = part_of(plan, name, column, 0, len(column))
        shapes = _shapes(column)
        if shapes is not None:
            parts |= plan.tables_of_rows(name, shapes)
        elif isinstance(column, WindowColumn):
            parts[naming.GRIDS + name] = column.grids
    return parts


def save_columns(
    writer: ArenaWriter, columns: Mapping[str, AnyColumn], catalog: Mapping[str, Any], threads: int
) -> None:
    """Write all shards that are not there yet, then the tables, and commit.

    Parameters
    ----------
    writer : ArenaWriter
        Of the plan that :func:`plan_of` made of these columns.
    columns : mapping of str to columns
    catalog : mapping
    threads : int
        Shards that are written side by side.
    """
    plan, done = writer.plan, writer.done
    left = [
        (f, k)
        for f, family in enumerate(plan.families)
        for k in range(len(family.shards))
        if (f, k) not in done
    ]

    def write(number: tuple[int, int]) -> None:
        f, k = number
        names, shard = plan.families[f].columns, plan.families[f].shards[k]
        stop = shard.first + shard.rows
        parts = {n: part_of(plan, n, columns[n], shard.first, stop) for n in names}
        writer.write_shard(f, k, parts)

    pool.run_each(write, left, threads)
    writer.write_tables(_tables(plan, columns))
    writer.commit(catalog)
