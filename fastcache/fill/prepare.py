"""What a fill and a plan have in common: a source's columns and their bytes, before any memory."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastcache._core import threads as pool
from fastcache.errors import SchemaError
from fastcache.fill.column import ColumnFill, row_bytes
from fastcache.fill.estimate.plan import ColumnPlan, Plan
from fastcache.fill.feeds import make_columns
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.images.files import FilesColumn
from fastcache.fill.images.forms import samples_kept, settle_forms
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.options import FillOptions, taken_rows
from fastcache.fill.own_columns import PATH, is_own
from fastcache.fill.text import row_text
from fastcache.fill.values import ValuesColumn
from fastcache.memory.budget import Reading
from fastcache.memory.layout import INDEX, ArenaLayout, plan_layout
from fastcache.memory.row_numbers import AllRows
from fastcache.schema import Derived, Field, Ragged, Scalar, Text
from fastcache.sources.base import ImageFiles, Items, Layout, Source, Values
from fastcache.transforms import Operation

THREAD_BYTES = 1 << 20  # of a thread itself: its stack, and the C library's heap for it

_Shapes = Mapping[str, npt.NDArray[np.int64]]


class Preparation:
    """A source on its way into an arena: which rows, which columns, how many bytes.

    Parameters
    ----------
    source : Source
    options : FillOptions
    tables : dict of FileTable, optional
        Files that are probed already: see :func:`~fastcache.fill.feeds.make_columns`.

    Attributes
    ----------
    source_layout : Layout
    rows : AllRows or int64 array
        Samples of the source that are taken.
    shard : list of int or None
        Rank and world whose part these are, and the samples of all of them.
    columns : list of ColumnFill
        The source's.
    all_columns : list of ColumnFill
        The arena's own as well, once they are planned.
    unreadable : list of (str, str)
        Path (or ``"sample k"``) and reason of samples that the headers already rule out.
    """

    def __init__(
        self, source: Source, options: FillOptions, tables: dict[str, FileTable] | None = None
    ) -> None:
        self.options = options
        self.threads = pool.resolve_threads(options.threads)
        self.source_layout: Layout = source.layout()
        self.basis = _basis(source, self.source_layout)
        self.rows, self.shard = taken_rows(len(source), options)
        self._check_names()
        self.columns = make_columns(source, self.source_layout, self.rows, options, tables)
        self.all_columns: list[ColumnFill] = []
        self.unreadable: list[tuple[str, str]] = []

    def with_store(self, store: tuple[Operation, ...]) -> "Preparation":
        """Return the same rows, decoded, with other operations; no header is read again."""
        made = copy(self)
        made.options = options = replace(self.options, store=store, keep="decoded")
        made.columns = [
            FilesColumn(c.name, c.paths, c.table.mask, options, c.table.copy())
            if isinstance(c, FilesColumn)
            else c
            for c in self.columns
        ]
        by_name = {column.name: column for column in made.columns}
        made.columns = [column.over(by_name) for column in made.columns]
        return made

    def _check_names(self) -> None:
        for name in self.source_layout.feeds:
            if is_own(name):
                raise SchemaError(f"column {name!r}: that name is the arena's own; rename the key")

    @property
    def files(self) -> dict[str, FilesColumn]:
        """Columns that are decoded from files, by name."""
        return {c.name: c for c in self.columns if isinstance(c, FilesColumn)}

    # -- failures ---------------------------------------------------------------------------

    def bad_rows(self) -> dict[int, tuple[str, str]]:
        """Return the rows that failed so far, in order: what they are called, and why."""
        found: dict[int, tuple[str, str]] = {}
        for column in self.columns:
            found.update(column.failed)
        return {row: found[row] for row in sorted(found)}

    def settle_unreadable(self) -> None:
        """Note the files whose headers cannot be used; unless they are to be filled, drop them.

        At least one row must be good.
        """
        bad = self.bad_rows()
        self.unreadable += bad.values()
        if not bad or self.options.on_error == "fill":
            return  # filled: zeros
        good = np.setdiff1d(np.arange(len(self.rows)), [*bad])
        for column in self.columns:
            column.keep(good)
        self.rows = self.rows[good]

    # -- plan -------------------------------------------------------------------------------

    def _internal_columns(self) -> list[ColumnFill]:
        """Return the columns that the dataset keeps for itself: paths, and the order of rows."""
        count = AllRows(len(self.rows))
        paths: list[ColumnFill] = [
            ValuesColumn(PATH + name, Values(column.paths, Text()), count)
            for name, column in self.files.items()
        ]
        if not any(column.can_fail for column in self.columns):
            return paths  # all rows are shown, which needs no table
        index = Values(count.copy(), Scalar("int64"))
        return [*paths, ValuesColumn(INDEX, index, count)]

    def plan(self, budget: Reading) -> tuple[ArenaLayout, Plan]:
        """Return where everything will lie, and the plan that says so; again: anew."""
        self.all_columns = [*self.columns, *self._internal_columns()]
        for column in self.all_columns:
            column.plan()
        decoded = self._layout()
        settle_forms(self.columns, self.options.keep, self._need, budget.bytes)
        layout = self._layout()
        fields, shapes = self._fields()
        count = len(self.rows)
        sizes = {name: row_bytes(name, field, shapes) for name, field in fields.items()}
        whole = sum(
            (size for name, size in sizes.items() if size is not None and not is_own(name)),
            np.zeros(1, np.int64),
        )
        plan = Plan(
            samples=count,
            basis=self.basis,
            columns=tuple(
                self._column_plan(name, field, sizes[name], decoded)
                for name, field in fields.items()
            ),
            smallest=int(whole.min()),
            largest=int(whole.max()),
            arena_bytes=layout.total_bytes,
            decoded_bytes=decoded.total_bytes,
            encoded_bytes=self._encoded_bytes(fields, shapes),
            scratch_bytes=self.scratch(),
            threads=self.threads,
            have_bytes=budget.bytes,
            limit=budget.limit,
            available_bytes=budget.available,
            kept=samples_kept(self.columns, count),
            unreadable=tuple(self.unreadable),
            unread=budget.unread,
        )
        return layout, plan

    def _fields(self) -> tuple[dict[str, Field], dict[str, npt.NDArray[np.int64]]]:
        """Return what each column holds, and the shapes of ragged ones, were all decoded."""
        fields: dict[str, Field] = {}
        shapes: dict[str, npt.NDArray[np.int64]] = {}
        for column in self.all_columns:
            fields.update({name: field for name, (field, _) in column.layout().items()})
            shapes.update(column.all_shapes())
        return fields, shapes

    def _layout(self) -> ArenaLayout:
        """Return where everything lies, with rows in the forms that they have now."""
        fields: dict[str, Field] = {}
        shapes: dict[str, npt.NDArray[np.int64]] = {}
        counts: dict[str, int] = {}
        for column in self.all_columns:
            counts.update(column.counts())
            for name, (field, ragged) in (*column.layout().items(), *column.beside().items()):
                fields[name] = field
                if ragged is not None:
                    shapes[name] = ragged
        return plan_layout(_stored(fields), len(self.rows), shapes, counts)

    def _need(self) -> int:
        return self._layout().total_bytes + self.scratch()

    def _column_plan(
        self, name: str, field: Field, sizes: npt.NDArray[np.int64] | None, layout: ArenaLayout
    ) -> ColumnPlan:
        files = self.files.get(name)
        return ColumnPlan(
            name,
            row_text(field, len(self.rows)),
            layout.bytes_of(name),
            None if sizes is None else int(sizes.min()),
            None if sizes is None else int(sizes.max()),
            None if files is None else int(files.table.info["bytes"].sum()),
        )

    def _encoded_bytes(self, fields: Mapping[str, Field], shapes: _Shapes) -> int | None:
        """Return the bytes of an arena that holds files instead of pixels."""
        files = self.files
        if not files:
            return None
        encoded = {name: file.table.info["bytes"].reshape(-1, 1) for name, file in files.items()}
        kinds = {**fields, **dict.fromkeys(files, Ragged("uint8", 1))}
        return plan_layout(_stored(kinds), len(self.rows), {**shapes, **encoded}).total_bytes

    # -- threads and scratch ----------------------------------------------------------------

    def threads_of(self, column: ColumnFill, job: Job | None = None) -> int:
        """Return how many threads may work at a column, or at one of its jobs."""
        most = job.threads if isinstance(job, ItemJob) else None
        return most or column.threads or self.threads

    def scratch(self, threads: int | None = None) -> int:
        """Return what the plan's threads hold while they fill, or so many of them."""
        # Columns are filled one after the other, their tables are there all the time.
        most = threads or self.threads
        columns: Sequence[ColumnFill] = self.all_columns
        working = max(
            max((column.scratch + THREAD_BYTES) * min(most, self.threads_of(column)), column.alone)
            for column in columns
        )
        return working + sum(column.tables for column in columns)


def _stored(fields: Mapping[str, Field]) -> dict[str, Field]:
    return {name: field for name, field in fields.items() if not isinstance(field, Derived)}


def _basis(source: Source, layout: Layout) -> str:
    """Say what the sizes of rows are known from."""
    if any(isinstance(feed, Items) for feed in layout.feeds.values()):
        return source.basis
    has_files = any(isinstance(feed, ImageFiles) for feed in layout.feeds.values())
    return "file headers" if has_files else "arrays"
