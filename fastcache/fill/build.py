"""Filling an arena from a source: prepare, plan, allocate, fill, commit."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core import threads as pool
from fastcache.errors import ArgumentError, SchemaError
from fastcache.fill.column import ColumnFill
from fastcache.fill.failures import decode_error, zero_rows
from fastcache.fill.feeds import make_columns
from fastcache.fill.files import FilesColumn
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.options import FillOptions, select
from fastcache.fill.plan import ColumnPlan, Plan, row_text
from fastcache.fill.progress import Meter
from fastcache.fill.together import Team, fill_together
from fastcache.fill.values import ValuesColumn
from fastcache.memory.arena import Arena, ArenaLayout, DenseColumn, plan_layout
from fastcache.memory.budget import Reading, check, read_budget
from fastcache.memory.row_numbers import AllRows, RowNumbers
from fastcache.schema import Derived, Field, Scalar, Text, structure_to_json
from fastcache.sources.base import Layout, Source, Values

INDEX = "_index"
PATH = "_path."

_THREAD_BYTES = 1 << 20  # of a thread itself: its stack, and the C library's heap for it


def fill_arena(source: Source, options: FillOptions) -> Arena:
    """Return a committed arena with everything that `source` holds.

    Raises
    ------
    DecodeError
        Samples cannot be had: any with ``on_error="raise"``, all of them otherwise.
    BudgetError
        The plan does not fit; nothing was allocated.
    PeerError
        Another rank of the node, which had a part in the work, has ended.
    """
    return fill_together(source, options, lambda team: _Fill(source, options, team).run())


class _Fill:
    """One fill under way."""

    def __init__(self, source: Source, options: FillOptions, team: Team) -> None:
        self.team = team
        self.options = options
        self.threads = pool.resolve_threads(options.threads)
        self.begun = time.perf_counter()
        self.source_layout: Layout = source.layout()
        self.rows = select(len(source), options.limit, options.seed)
        if not len(self.rows):
            raise ArgumentError("the source has no samples")
        self._check_names()
        self.columns = make_columns(source, self.source_layout, self.rows, options)
        self.failed: list[tuple[str, str]] = []  # path (or "sample k") and reason

    def _check_names(self) -> None:
        for name in self.source_layout.feeds:
            if name == INDEX or name.startswith(PATH):
                raise SchemaError(f"column {name!r}: that name is the arena's own; rename the key")

    @staticmethod
    def _files(columns: Sequence[ColumnFill]) -> dict[str, FilesColumn]:
        return {c.name: c for c in columns if isinstance(c, FilesColumn)}

    # -- failures ---------------------------------------------------------------------------

    def _bad_rows(self) -> dict[int, tuple[str, str]]:
        """Return the rows that failed so far, in order; raise where `on_error` leaves nothing."""
        found: dict[int, tuple[str, str]] = {}
        for column in self.columns:
            found.update(column.failed)
        bad = {row: found[row] for row in sorted(found)}
        if bad and (self.options.on_error == "raise" or len(bad) == len(self.rows)):
            raise decode_error(list(bad.values()), len(self.rows))
        return bad

    def _drop_unreadable(self) -> None:
        """Deal with files whose headers cannot be used, before anything is planned."""
        bad = self._bad_rows()
        if not bad or self.options.on_error == "fill":
            return  # filled: zeros, recorded at the end with those that fail later
        self.failed += bad.values()
        good = np.setdiff1d(np.arange(len(self.rows)), [*bad])
        for column in self.columns:
            column.keep(good)
        self.rows = self.rows[good]

    def _settle_failures(self, arena: Arena) -> RowNumbers:
        """Record rows that failed while filling; return the rows that the dataset shows."""
        bad = self._bad_rows()
        shown = AllRows(len(self.rows))
        if not bad:
            return shown
        for column in self.columns:
            if column.can_fail:
                for name in column.layout():
                    zero_rows(arena, name, [*bad])
        self.failed += bad.values()
        return shown if self.options.on_error == "fill" else np.setdiff1d(shown.copy(), [*bad])

    # -- plan -------------------------------------------------------------------------------

    def _internal_columns(self) -> list[ColumnFill]:
        """Return the columns that the dataset keeps for itself: paths, and the order of rows."""
        count = AllRows(len(self.rows))
        paths: list[ColumnFill] = [
            ValuesColumn(PATH + name, Values(column.paths, Text()), count)
            for name, column in self._files(self.columns).items()
        ]
        if not any(column.can_fail for column in self.columns):
            return paths  # all rows are shown, which needs no table
        index = Values(count.copy(), Scalar("int64"))
        return [*paths, ValuesColumn(INDEX, index, count)]

    def _plan(self, columns: Sequence[ColumnFill], budget: Reading) -> tuple[ArenaLayout, Plan]:
        fields: dict[str, Field] = {}
        shapes: dict[str, npt.NDArray[np.int64]] = {}
        for column in columns:
            column.plan()
            for name, (field, ragged) in column.layout().items():
                fields[name] = field
                if ragged is not None:
                    shapes[name] = ragged
        stored = {n: field for n, field in fields.items() if not isinstance(field, Derived)}
        layout = plan_layout(stored, len(self.rows), shapes)
        plan = Plan(
            samples=len(self.rows),
            columns=tuple(
                ColumnPlan(name, row_text(field, len(self.rows)), layout.bytes_of(name))
                for name, field in fields.items()
            ),
            arena_bytes=layout.total_bytes,
            scratch_bytes=self._scratch(columns),
            threads=self.threads,
            have_bytes=budget.bytes,
            limit=budget.limit,
            unreadable=tuple(self.failed),
        )
        return layout, plan

    def _threads(self, column: ColumnFill, job: Job | None = None) -> int:
        most = job.threads if isinstance(job, ItemJob) else None
        return most or column.threads or self.threads

    def _scratch(self, columns: Sequence[ColumnFill]) -> int:
        # Columns are filled one after the other, their tables are there all the time.
        working = max(
            max((column.scratch + _THREAD_BYTES) * self._threads(column), column.alone)
            for column in columns
        )
        return working + sum(column.tables for column in columns)

    # -- the whole --------------------------------------------------------------------------

    def run(self) -> Arena:
        options = self.options
        self._drop_unreadable()
        columns = [*self.columns, *self._internal_columns()]
        budget = read_budget(options.budget)
        layout, plan = self._plan(columns, budget)
        check(plan.need_bytes, budget)
        self.team.spare = budget.bytes - plan.need_bytes
        probed = time.perf_counter()
        arena = Arena.allocate(layout, options.home, self.threads)
        try:
            self._fill(columns, arena)
            shown = self._settle_failures(arena)
            if INDEX in layout.columns:
                index = arena.column(INDEX)
                assert isinstance(index, DenseColumn)
                index.rows[: len(shown)] = shown
                del index
            self.team.check()
            seconds = (probed - self.begun, time.perf_counter() - probed)
            arena.commit(self._catalog(plan, len(shown), seconds))
        except BaseException:
            with suppress(BufferError):  # a frame of this traceback looks at the memory:
                arena.close()  # it goes when the traceback does
            raise
        return arena

    def _fill(self, columns: Sequence[ColumnFill], arena: Arena) -> None:
        with Meter(self.options.progress, sum(column.items for column in columns)) as meter:
            for column in columns:
                for job in column.jobs(arena):
                    stop = self.options.on_error == "raise"
                    if column.on_caller and isinstance(job, ItemJob):
                        meter.drive(job, stop)
                        continue
                    with self.team.joint(job, arena, column.scratch + _THREAD_BYTES) as shared:
                        meter.watch(shared, self._threads(column, job), stop)

    def _catalog(self, plan: Plan, shown: int, seconds: tuple[float, float]) -> dict[str, object]:
        fields = {n: f for c in self.columns for n, (f, _) in c.layout().items()}
        files = self._files(self.columns)
        colors = {name: column.color for name, column in files.items()}
        report = {
            "samples": shown,
            "failed": [list(pair) for pair in self.failed],
            "on_error": self.options.on_error,
            "home": "ram",
            "pinned": False,
            "keep": "decoded",
            "budget": plan.limit,
            "arena_bytes": plan.arena_bytes,
            "scratch_bytes": plan.scratch_bytes,
            "threads": self.threads,
            "ranks": self.team.size,
            "cpu": core.cpu_name(),
            "probe_seconds": seconds[0],
            "fill_seconds": seconds[1],
            "columns": {
                name: {"row": row_text(field, len(self.rows)), **column.facts()}
                for column in self.columns
                for name, (field, _) in column.layout().items()
            },
        }
        return {
            "structure": structure_to_json(self.source_layout.structure),
            "columns": {name: field.to_json() for name, field in fields.items()},
            "attributes": dict(self.source_layout.attributes),
            "count": len(self.rows),
            "visible": shown,
            "paths": {name: PATH + name for name in files},
            "loader": {
                "colors": dict.fromkeys(fields, self.options.color) | colors,
                "exif": self.options.exif,
                "extra_formats": list(self.options.extra_formats),
                "limits": asdict(self.options.limits),
            },
            "plan": plan.to_json(),
            "report": report,
        }
