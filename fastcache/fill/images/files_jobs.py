"""The jobs that bring files into the arena: read some, decode others, and leave what C cannot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core.jobs import FillJob, ReadJob
from fastcache._core.paths import Paths
from fastcache.errors import SchemaError
from fastcache.fill.column import rows_of, write_row
from fastcache.fill.conversion import expand
from fastcache.fill.failures import check_shortage, zero_rows
from fastcache.fill.images import kept
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.limits import too_large_for_pillow
from fastcache.fill.target import Target, dense_rows
from fastcache.memory.arena import RaggedColumn
from fastcache.memory.windows import WindowColumn

if TYPE_CHECKING:
    from fastcache.fill.images.files import FilesColumn

_SETTLED = (core.OK, core.NEEDS_PYTHON, core.PENDING)


class FilesJobs:
    """One column's files on their way into one arena.

    Parameters
    ----------
    column : FilesColumn
        Planned.
    decoding : Decoding
    excess : int64 array (N,)
        Bytes that Pillow would need of each file beyond the plan; 0 where it needs no more.
    verify : bool
        Whether to decode what is not kept decoded too, to see whether it can be.

    Attributes
    ----------
    warnings : int
        Of the codecs in C, about files that were kept.
    """

    def __init__(
        self,
        column: "FilesColumn",
        decoding: kept.Decoding,
        excess: npt.NDArray[np.int64],
        verify: bool,
    ) -> None:
        self.warnings = 0
        self._column = column
        self._table = column.table
        self._decoding = decoding
        self._filled: Target | None = None
        self._excess = excess
        count = len(column.paths)
        self._forms = np.zeros(count, np.uint8) if column.forms is None else column.forms
        self._places = kept.places(self._forms)
        self._wanted = np.full(count, True) if verify else self._forms == kept.DECODED

    def run(self, arena: Target) -> Iterator[Job]:
        """Yield the jobs that fill an arena, one after the other."""
        with self._filling(arena):
            yield from self._steps()

    @contextmanager
    def _filling(self, arena: Target) -> Iterator[None]:
        # The column keeps this object, and this one the column: no circle for the arena.
        self._filled = arena
        try:
            yield
        finally:
            self._filled = None

    @property
    def _arena(self) -> Target:
        assert self._filled is not None
        return self._filled

    def _steps(self) -> Iterator[Job]:
        table = self._table
        yield from self._read()
        expected = self._rows_for_python()
        yield from self._decode()
        if len(expected):
            yield self._python_job(expected, None)
        # What C hands on now was planned for one thread at a time, unless all of it was.
        late = np.setdiff1d(self._rows_for_python(), expected)
        for row in late[self._excess[late] > 0].tolist():
            table.fail(row, too_large_for_pillow(int(self._excess[row])))
        late = np.intersect1d(late, self._rows_for_python())
        if len(late):
            yield self._python_job(late, None if table.mends else 1)
        if self._column.forms is not None:
            absent = np.flatnonzero((self._forms == kept.ABSENT) & table.good())
            known = absent, self._places, self._column.paths
            yield kept.stamp_job(self._rows(kept.STAMP_OF), *known, table.record)
            self._write_tables()

    def clear(self, arena: Target, rows: Sequence[int]) -> None:
        """Make zeros of rows that failed."""
        decoded = [row for row in rows if self._forms[row] == kept.DECODED]
        zero_rows(arena, self._column.name, self._places[decoded].tolist())
        if self._column.forms is not None:
            self._forms[[row for row in rows if self._forms[row] != kept.DECODED]] = kept.FAILED
            with self._filling(arena):
                self._rows(kept.FORM)[...] = self._forms

    # -- tables -----------------------------------------------------------------------------

    def _rows(self, prefix: str) -> npt.NDArray[Any]:
        return dense_rows(self._arena, prefix + self._column.name)

    def _write_tables(self) -> None:
        self._rows(kept.FORM)[...] = self._forms
        self._rows(kept.PLACE)[...] = self._places
        self._rows(kept.BY_PYTHON)[...] = self._table.status == core.NEEDS_PYTHON
        geometry = self._column.store.geometry
        self._rows(kept.GEOMETRY_OF)[...] = geometry.view(np.int32).reshape(len(geometry), -1)

    def _encoded(self) -> RaggedColumn:
        column = self._arena.column(kept.ENCODED_BYTES + self._column.name)
        assert isinstance(column, RaggedColumn)
        return column

    # -- C ----------------------------------------------------------------------------------

    def _paths(self, rows: npt.NDArray[np.int64]) -> Paths:
        paths = self._column.paths
        return Paths([paths[row] for row in rows.tolist()], np.empty(len(rows), np.int64))

    def _read(self) -> Iterator[Job]:
        """Bring files in as they are."""
        rows = np.flatnonzero((self._forms == kept.ENCODED) & self._table.good())
        if not len(rows):
            return
        status, detail = np.full(len(rows), core.PENDING, np.int32), np.zeros(len(rows), np.int32)
        column = self._encoded()
        yield ReadJob(
            self._paths(rows),
            self._arena.buffer,
            column.row_offsets(self._places[rows]),
            column.row_sizes(self._places[rows]),
            status.view(np.uint8),
            detail.view(np.uint8),
        )
        del column
        self._take_over(rows, status, detail, only_failures=True)

    def _decode(self) -> Iterator[Job]:
        """Decode what is kept so, and what is to be verified."""
        table, store = self._table, self._column.store
        rows = np.flatnonzero((table.status == core.PENDING) & self._wanted & table.good())
        if not len(rows):
            return
        all_of_them = len(rows) == len(table.paths)  # the usual case: no copy of the tables
        geometry = store.geometry if all_of_them else store.geometry[rows]
        status, detail = table.status[rows], np.zeros(len(rows), np.int32)
        yield FillJob(
            self._paths(rows),
            self._decoding.spec(),
            geometry.view(np.uint8),
            self._arena.buffer,
            self._slots(rows),
            status.view(np.uint8),
            detail.view(np.uint8),
            table.mends,
            **self._data(rows),
        )
        self._take_over(rows, status, detail)
        if self._decoding.step.conversion is not None:
            yield self._convert(rows[(status == core.OK) & (self._forms[rows] == kept.DECODED)])

    def _convert(self, rows: npt.NDArray[np.int64]) -> Job:
        """Return the job that makes the column's type of integers that C decoded."""
        place, step = rows_of(self._arena, self._column.name), self._decoding.step

        def work(row: int) -> int:
            return expand(place(int(self._places[row])), step, self._column.paths[row])

        return ItemJob(rows.tolist(), work, self._table.record, counted=False)

    def _slots(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return where each row's pixels go; -1 for those that have no place."""
        column = self._arena.column(self._column.name)
        assert not isinstance(column, WindowColumn)
        decoded = self._forms[rows] == kept.DECODED
        slots = np.full(len(rows), -1, np.int64)
        slots[decoded] = column.row_offsets(self._places[rows[decoded]])
        return slots

    def _data(self, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return where files lie that are in the arena already, as FillJob takes it."""
        encoded = self._forms[rows] == kept.ENCODED
        if not encoded.any():
            return {}
        column, places = self._encoded(), self._places[rows[encoded]]
        offset, size = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64)
        offset[encoded], size[encoded] = column.row_offsets(places), column.row_sizes(places)
        return {"data": self._arena.buffer, "data_offset": offset, "data_size": size}

    def _take_over(
        self,
        rows: npt.NDArray[np.int64],
        status: npt.NDArray[np.int32],
        detail: npt.NDArray[np.int32],
        only_failures: bool = False,
    ) -> None:
        """Note what a job of C found out."""
        check_shortage(status, detail)
        table = self._table
        failed = ~np.isin(status, _SETTLED)
        noted = failed if only_failures else np.full(len(rows), True)
        table.status[rows[noted]], table.detail[rows[noted]] = status[noted], detail[noted]
        if not only_failures:
            judged = (status == core.OK) | (status == core.NEEDS_PYTHON)
            self.warnings += int(detail[judged].sum())
        for row in rows[failed].tolist():
            table.fail_by_status(row)

    # -- Python -----------------------------------------------------------------------------

    def _rows_for_python(self) -> npt.NDArray[np.int64]:
        table = self._table
        return np.flatnonzero((table.status == core.NEEDS_PYTHON) & table.good() & self._wanted)

    def _python_job(self, rows: npt.NDArray[np.int64], threads: int | None) -> Job:
        place, store = rows_of(self._arena, self._column.name), self._column.store

        def work(row: int) -> int:
            pixels, path = self._in_python(row), self._column.paths[row]
            if self._forms[row] == kept.DECODED:
                return write_row(place(int(self._places[row])), pixels, path)
            if pixels.shape[:2] != (store.out_h[row], store.out_w[row]):
                raise SchemaError(f"{path} changed while it was read")
            return 0

        return ItemJob(rows.tolist(), work, self._table.record, threads=threads)

    def _in_python(self, row: int) -> npt.NDArray[np.generic]:
        data = None
        if self._forms[row] == kept.ENCODED:
            data = self._encoded()[int(self._places[row])].tobytes()
        return self._column.in_python(self._decoding.step, row, data)
