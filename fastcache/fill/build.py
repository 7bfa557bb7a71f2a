"""Filling an arena from a source: prepare, plan, allocate, fill, commit."""

import time
from contextlib import suppress
from dataclasses import asdict

import numpy as np

from fastcache._core import image as core
from fastcache.fill.failures import decode_error
from fastcache.fill.forms import keep_of
from fastcache.fill.job import ItemJob
from fastcache.fill.options import FillOptions
from fastcache.fill.plan import Plan
from fastcache.fill.prepare import INDEX, PATH, Preparation
from fastcache.fill.progress import Meter
from fastcache.fill.remedies import with_remedies
from fastcache.fill.text import row_text
from fastcache.memory.arena import Arena, DenseColumn
from fastcache.memory.budget import read_budget, take
from fastcache.memory.row_numbers import AllRows, RowNumbers
from fastcache.schema import structure_to_json
from fastcache.sources.base import Source


def fill_arena(source: Source, options: FillOptions) -> Arena:
    """Return a committed arena with everything that `source` holds.

    Raises
    ------
    DecodeError
        Samples cannot be had: any with ``on_error="raise"``, all of them otherwise.
    BudgetError
        The plan does not fit; nothing was allocated.
    """
    return _Fill(source, options).run()


class _Fill:
    """One fill under way."""

    def __init__(self, source: Source, options: FillOptions) -> None:
        self.options = options
        self.begun = time.perf_counter()
        self.prepared = Preparation(source, options)
        self.failed: list[tuple[str, str]] = []  # path (or "sample k") and reason

    # -- failures ---------------------------------------------------------------------------

    def _bad_rows(self) -> dict[int, tuple[str, str]]:
        """Return the rows that failed so far; raise where `on_error` leaves nothing."""
        bad, count = self.prepared.bad_rows(), len(self.prepared.rows)
        if bad and (self.options.on_error == "raise" or len(bad) == count):
            raise decode_error(list(bad.values()), count)
        return bad

    def _drop_unreadable(self) -> None:
        """Deal with files whose headers cannot be used, before anything is planned."""
        self._bad_rows()
        self.prepared.settle_unreadable()
        if self.options.on_error != "fill":  # else they fail at the end, with those found later
            self.failed += self.prepared.unreadable

    def _settle_failures(self, arena: Arena) -> RowNumbers:
        """Record rows that failed while filling; return the rows that the dataset shows."""
        bad = self._bad_rows()
        shown = AllRows(len(self.prepared.rows))
        if not bad:
            return shown
        for column in self.prepared.columns:
            if column.can_fail:
                column.clear(arena, [*bad])
        self.failed += bad.values()
        return shown if self.options.on_error == "fill" else np.setdiff1d(shown.copy(), [*bad])

    # -- the whole --------------------------------------------------------------------------

    def run(self) -> Arena:
        options, prepared = self.options, self.prepared
        self._drop_unreadable()
        budget = read_budget(options.budget)
        layout, bare = prepared.plan(budget)
        plan = with_remedies(prepared, bare)
        what = f"{plan.samples:,} samples"
        reserved = take(options.budget, plan.need_bytes, what, budget, plan.remedies)
        probed = time.perf_counter()
        try:
            arena = Arena.allocate(layout, options.home, prepared.threads)
        except BaseException:
            reserved.release()
            raise
        arena.on_free(reserved.release)
        reserved.settle(plan.arena_bytes)
        try:
            self._fill(arena)
            shown = self._settle_failures(arena)
            if INDEX in layout.columns:
                index = arena.column(INDEX)
                assert isinstance(index, DenseColumn)
                index.rows[: len(shown)] = shown
                del index
            seconds = (probed - self.begun, time.perf_counter() - probed)
            arena.commit(self._catalog(plan, len(shown), seconds))
        except BaseException:
            with suppress(BufferError):  # a frame of this traceback looks at the memory:
                arena.close()  # it goes when the traceback does
            raise
        finally:
            reserved.shrink(min(plan.arena_bytes, reserved.bytes))
        return arena

    def _fill(self, arena: Arena) -> None:
        columns = self.prepared.all_columns
        with Meter(self.options.progress, sum(column.items for column in columns)) as meter:
            for column in columns:
                for job in column.jobs(arena):
                    stop = self.options.on_error == "raise"
                    if column.on_caller and isinstance(job, ItemJob):
                        meter.drive(job, stop)
                    else:
                        meter.watch(job, self.prepared.threads_of(column, job), stop)

    def _catalog(self, plan: Plan, shown: int, seconds: tuple[float, float]) -> dict[str, object]:
        fields = {n: f for c in self.prepared.columns for n, (f, _) in c.layout().items()}
        files = self.prepared.files
        colors = {name: column.color for name, column in files.items()}
        report = {
            "samples": shown,
            "failed": [list(pair) for pair in self.failed],
            "shard": self.prepared.shard,
            "on_error": self.options.on_error,
            "home": "ram",
            "pinned": False,
            "keep": keep_of(self.prepared.columns),
            "budget": plan.limit,
            "arena_bytes": plan.arena_bytes,
            "scratch_bytes": plan.scratch_bytes,
            "threads": plan.threads,
            "cpu": core.cpu_name(),
            "probe_seconds": seconds[0],
            "fill_seconds": seconds[1],
            "columns": {
                name: {"row": row_text(field, len(self.prepared.rows)), **column.facts()}
                for column in self.prepared.columns
                for name, (field, _) in column.layout().items()
            },
        }
        return {
            "structure": structure_to_json(self.prepared.source_layout.structure),
            "columns": {name: field.to_json() for name, field in fields.items()},
            "attributes": dict(self.prepared.source_layout.attributes),
            "count": len(self.prepared.rows),
            "visible": shown,
            "paths": {name: PATH + name for name in files},
            "kept": {
                name: column.decoding().to_json()
                for name, column in files.items()
                if column.forms is not None
            },
            "loader": {
                "colors": dict.fromkeys(fields, self.options.color) | colors,
                "exif": self.options.exif,
                "extra_formats": list(self.options.extra_formats),
                "limits": asdict(self.options.limits),
            },
            "plan": plan.to_json(),
            "report": report,
        }
