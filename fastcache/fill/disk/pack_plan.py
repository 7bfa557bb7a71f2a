"""What packing takes: the files of the arena, and the memory that its shards pass through."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nlargest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastcache.fill.column import ColumnFill
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.prepare import Preparation
from fastcache.memory.arena import ArenaLayout, plan_layout
from fastcache.memory.files.cut import plan_files, shard_limits
from fastcache.memory.files.journal import plan_begun
from fastcache.memory.files.plan import FilePlan, is_cut
from fastcache.memory.files.stated import plan_digest
from fastcache.memory.reading import Reading, disk_reading
from fastcache.schema import Field, Once

_STAGED = 2  # shards in memory: one is filled while the other is written


@dataclass(frozen=True)
class DiskPlan:
    """An arena of files, planned.

    Attributes
    ----------
    plan : Plan
        As users see it: bytes on the disk against what the disk has.
    files : FilePlan
    fields : dict of str to Field
        Of the arena's columns.
    shapes : dict of int64 arrays (N, ndim)
        Of ragged columns.
    cut_with_rows : tuple of ColumnFill
        Those that fill columns of which each shard has some rows, and maybe small ones as well.
    arrays : tuple of ColumnFill
        Windows: arrays that are there once.
    tables : ArenaLayout
        Columns that stay in memory until the end.
    scratch : int
        Bytes that threads hold while they fill.
    """

    plan: Plan
    files: FilePlan
    fields: Mapping[str, Field]
    shapes: Mapping[str, npt.NDArray[np.int64]]
    cut_with_rows: tuple[ColumnFill, ...]
    arrays: tuple[ColumnFill, ...]
    tables: ArenaLayout
    scratch: int

    @property
    def small_with_rows(self) -> list[str]:
        """Names of small columns that are filled together with cut ones."""
        names = [name for column in self.cut_with_rows for name in column.layout()]
        return [name for name in names if name in self.tables.columns]

    def family_of(self, name: str) -> int:
        """Return the number of the family that a column is cut with."""
        return next(f for f, each in enumerate(self.files.families) if name in each.columns)

    @property
    def rows_family(self) -> int | None:
        """Number of the family of all columns that have rows; None if there are none."""
        for f, family in enumerate(self.files.families):
            if not isinstance(self.fields[family.columns[0]], Once):
                return f
        return None

    def layout_of_rows(self, first: int, stop: int) -> ArenaLayout:
        """Return where the rows of a shard lie in memory."""
        assert self.rows_family is not None
        names = self.files.families[self.rows_family].columns
        shapes = {name: self.shapes[name][first:stop] for name in names if name in self.shapes}
        return plan_layout({name: self.fields[name] for name in names}, stop - first, shapes)

    def layout_of_array(self, name: str) -> ArenaLayout:
        """Return where a column of windows lies in memory."""
        return plan_layout({name: self.fields[name]}, self.plan.samples)

    @cached_property
    def staged_bytes(self) -> int:
        """Most bytes of shards in memory at a time, or of the largest array."""
        largest: list[int] = []
        if self.rows_family is not None:
            shards = self.files.families[self.rows_family].shards
            ranges = [(shard.first, shard.first + shard.rows) for shard in shards]
            largest = nlargest(_STAGED, (self.layout_of_rows(*each).total_bytes for each in ranges))
        arrays = [name for column in self.arrays for name in column.layout()]
        array = max((self.layout_of_array(name).total_bytes for name in arrays), default=0)
        return max(sum(largest), array)

    @property
    def memory_bytes(self) -> int:
        """Most bytes of memory that packing takes, with what threads hold of their own."""
        return self.tables.total_bytes + self.staged_bytes + self.scratch


def plan_on_disk(
    prepared: Preparation, folder: Path, memory: Reading, shard_bytes: int | None = None
) -> DiskPlan:
    """Plan an arena of files; nothing is allocated or written.

    Parameters
    ----------
    prepared : Preparation
        Whose unreadable files are settled.
    folder : Path
        Where the arena will be: for the room that there is, and for what an interrupted run has
        left there, whose shards are kept if memory has room for two of them.
    memory : Reading
        What packing may take. Shards are smaller than usual where two of them would not fit.
    shard_bytes : int, optional
        Most bytes of data in a file, whatever fits.
    """
    layout, plan = prepared.plan(disk_reading(folder))
    limits = shard_limits(layout.total_bytes) if shard_bytes is None else [shard_bytes]
    begun = plan_begun(folder) if shard_bytes is None else None
    chosen: DiskPlan | None = None
    for limit in limits:
        made = _with_shards(prepared, layout, plan, limit)
        if made.memory_bytes > memory.bytes:
            continue
        if begun is None or plan_digest(made.files) == begun:
            chosen = made
            break
        chosen = chosen or made
    chosen = chosen or made  # the smallest, which says what is needed at least
    told = replace(
        chosen.plan,
        memory_bytes=chosen.memory_bytes,
        memory_have_bytes=memory.bytes,
        memory_limit=memory.limit,
        unread=memory.unread,
    )
    return replace(chosen, plan=told)


def _with_shards(
    prepared: Preparation, layout: ArenaLayout, plan: Plan, shard_bytes: int
) -> DiskPlan:
    """Return the plan with shards of so many bytes."""
    fields = {name: column.field for name, column in layout.columns.items()}
    shapes = dict(layout.ragged_shapes)
    files = plan_files(fields, layout.count, shapes, None, shard_bytes)
    cut = {name for name, field in fields.items() if is_cut(field)}
    small = {name: field for name, field in fields.items() if name not in cut}
    filling = [column for column in prepared.all_columns if not cut.isdisjoint(column.layout())]
    return DiskPlan(
        plan=replace(plan, home="disk", arena_bytes=files.file_bytes),
        files=files,
        fields=fields,
        shapes=shapes,
        cut_with_rows=tuple(column for column in filling if not _is_array(column)),
        arrays=tuple(column for column in filling if _is_array(column)),
        tables=plan_layout(small, layout.count, {n: shapes[n] for n in small if n in shapes}),
        scratch=plan.scratch_bytes,
    )


def _is_array(column: ColumnFill) -> bool:
    return any(isinstance(field, Once) for field, _ in column.layout().values())
