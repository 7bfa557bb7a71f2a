"""One arena on its way to the disk: shards, tables, and what the next run must know of them."""

import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import threads as pool
from fastcache.fill.catalog import Outcome, make_catalog
from fastcache.fill.column import ColumnFill
from fastcache.fill.disk.pack_plan import DiskPlan
from fastcache.fill.failed import Failures
from fastcache.fill.own_columns import write_index
from fastcache.fill.prepare import Preparation
from fastcache.fill.progress import Meter
from fastcache.fill.run import run_column
from fastcache.fill.target import PartTarget, bytes_of_rows, put_bytes_of_rows, rows_of_column
from fastcache.memory.arena import Arena
from fastcache.memory.files.naming import GRIDS
from fastcache.memory.files.saving import part_of
from fastcache.memory.files.writer import ArenaWriter
from fastcache.memory.layout import INDEX
from fastcache.memory.windows import WindowColumn


class Packing:
    """One arena on its way to the disk."""

    def __init__(
        self,
        prepared: Preparation,
        failures: Failures,
        planned: DiskPlan,
        writer: ArenaWriter,
        begun: float,
    ) -> None:
        self._prepared, self._failures = prepared, failures
        self._planned, self._files, self._writer = planned, planned.files, writer
        self._begun = begun
        self._grids: dict[str, npt.NDArray[np.int64]] = {}
        self._writing: list[Any] = []

    def run(self) -> None:
        """Write everything, then the manifest."""
        probed = time.perf_counter()
        columns, cut = self._prepared.all_columns, self._planned.cut_with_rows
        with Arena.allocate(self._planned.tables, "ram") as tables:
            try:
                total = sum(column.items for column in columns)
                with Meter(self._prepared.options.progress, total) as meter:
                    for column in columns:
                        if column in self._planned.arrays:
                            self._pack_array(column, meter)
                        elif column not in cut:
                            self._run(column, tables, meter)
                    self._pack_rows(tables, meter)
            finally:
                self._wait()
            shown = self._failures.settle()
            if INDEX in tables.layout.columns:
                write_index(tables, shown)
            seconds = probed - self._begun, time.perf_counter() - probed
            outcome = Outcome(len(shown), self._failures.told, "disk", *seconds)
            self._writer.write_tables(self._tables(tables))
            self._writer.commit(make_catalog(self._prepared, self._planned.plan, outcome))

    def _run(self, column: ColumnFill, target: Any, meter: Meter) -> None:
        run_column(column, target, self._prepared, meter, self._failures.stop)

    # -- shards -----------------------------------------------------------------------------

    def _pack_array(self, column: ColumnFill, meter: Meter) -> None:
        """Write a column of windows, whose array is in memory as a whole."""
        ((name, _),) = column.layout().items()
        with Arena.allocate(self._planned.layout_of_array(name), "ram") as staged:
            self._run(column, staged, meter)
            made = staged.column(name)
            assert isinstance(made, WindowColumn)
            self._grids[name] = made.grids.copy()
            family = self._planned.family_of(name)
            for k, shard in enumerate(self._files.families[family].shards):
                if (family, k) not in self._writer.done:
                    stop = shard.first + shard.rows
                    part = part_of(self._files, name, made, shard.first, stop)
                    self._writer.write_shard(family, k, {name: part})
            del made, part

    def _pack_rows(self, tables: Arena, meter: Meter) -> None:
        """Write the columns that have rows, a shard at a time."""
        family = self._planned.rows_family
        if family is None:
            return
        done = self._writer.done
        for k, shard in enumerate(self._files.families[family].shards):
            first, stop = shard.first, shard.first + shard.rows
            if (family, k) in done:
                self._recall(self._writer.notes(family, k), tables, first, stop)
                meter.skip(sum(c.part(first, stop).items for c in self._planned.cut_with_rows))
                continue
            staged = Arena.allocate(self._planned.layout_of_rows(first, stop), "ram")
            try:
                notes = self._fill_part(staged, tables, first, stop, meter)
            except BaseException:
                _give_back(staged)
                raise
            self._wait()
            self._write_aside(family, k, staged, notes)
        self._wait()

    def _fill_part(
        self, staged: Arena, tables: Arena, first: int, stop: int, meter: Meter
    ) -> dict[str, Any]:
        """Fill the rows of one shard; return what the next run must know of them."""
        target = PartTarget(staged, tables, first, stop)
        columns = self._planned.cut_with_rows
        parts = [column.part(first, stop) for column in columns]
        for part in parts:
            self._run(part, target, meter)
        bad = {row for part in parts for row in part.failed}
        for column, part in zip(columns, parts, strict=True):
            if bad and part.can_fail:
                part.clear(target, sorted(bad))
            column.take_over(part, first)
        if bad:
            self._failures.check()
        return {
            "failed": [[[*row] for row in _failed(part)] for part in parts],
            "state": [part.state() for part in parts],
            "small": {
                name: b64encode(bytes_of_rows(self._small(tables, name, first, stop))).decode()
                for name in self._planned.small_with_rows
            },
        }

    def _small(self, tables: Arena, name: str, first: int, stop: int) -> Any:
        return rows_of_column(tables.column(name), first, stop)

    def _recall(self, notes: Mapping[str, Any], tables: Arena, first: int, stop: int) -> None:
        """Take over what an earlier run found out about the rows of a shard that it wrote."""
        columns = self._planned.cut_with_rows
        for column, failed, state in zip(columns, notes["failed"], notes["state"], strict=True):
            for row, path, why in failed:
                column.failed[first + row] = (path, why)
            column.restore(state, first)
        for name, text in notes["small"].items():
            put_bytes_of_rows(self._small(tables, name, first, stop), b64decode(text))

    def _write_aside(self, family: int, k: int, staged: Arena, notes: Mapping[str, Any]) -> None:
        """Write a shard on another thread, while the next one is filled."""

        def write() -> None:
            names = self._files.families[family].columns
            rows = self._files.families[family].shards[k].rows
            try:
                parts = {n: part_of(self._files, n, staged.column(n), 0, rows) for n in names}
                self._writer.write_shard(family, k, parts, notes)
                del parts
            finally:
                _give_back(staged)

        self._writing = pool.start(write, 1)

    def _wait(self) -> None:
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    # -- tables -----------------------------------------------------------------------------

    def _tables(self, tables: Arena) -> dict[str, Any]:
        """Return the parts of the columns file."""
        files, count = self._files, len(self._prepared.rows)
        parts: dict[str, Any] = {}
        for name, column in files.layout.columns.items():
            if name in files.tables.parts:
                parts[name] = part_of(files, name, tables.column(name), 0, count)
            if column.offsets is not None:
                parts |= files.tables_of_rows(name, self._planned.shapes[name])
            elif column.grids is not None:
                parts[GRIDS + name] = self._grids[name]
        return parts


def _failed(part: ColumnFill) -> list[tuple[int, str, str]]:
    return [(row, path, why) for row, (path, why) in part.failed.items()]


def _give_back(staged: Arena) -> None:
    """Close an arena, or leave it to whoever still looks at it: a traceback, or a thread."""
    try:
        staged.close()
    except BufferError:
        return
