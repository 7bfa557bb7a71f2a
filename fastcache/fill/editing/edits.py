"""Edits of an arena of files: what they make of its columns and its catalogue, until committed."""

import copy
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, ArgumentTypeError, SchemaError
from fastcache.fill.editing import appending
from fastcache.fill.editing.catalog_edit import check_place, note_column, note_samples
from fastcache.fill.editing.given import column_of, dense_column, rows_for
from fastcache.fill.images.kept import PREFIXES
from fastcache.fill.options import FillOptions
from fastcache.fill.own_columns import is_own, rows_shown
from fastcache.memory.arena import Arena
from fastcache.memory.files.cut import check_saved_field
from fastcache.memory.files.naming import AnyPath
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.revision import Revision
from fastcache.memory.layout import INDEX
from fastcache.schema import Derived, Field, Nothing, Once, Scalar, field_from_json
from fastcache.sources.base import Source


class Edits:
    """What was asked of a :class:`fastcache.ArenaEditor`, which says what it means.

    Parameters
    ----------
    path : path
    threads : int
    """

    def __init__(self, path: AnyPath, threads: int) -> None:
        self._threads = threads
        self._staged: list[Arena] = []
        self.revision = Revision(path)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Start with the arena as it is."""
        catalog: dict[str, Any] = copy.deepcopy(self.revision.manifest.catalog)
        if "structure" not in catalog:
            raise ArgumentError(
                f"{self.revision.folder} holds columns, and no dataset that has samples"
            )
        self.catalog = catalog
        index = self.revision.old_column(INDEX) if INDEX in self.revision.names else None
        self._shown = np.array(rows_shown(index, catalog["visible"]))
        self.changed = False

    @property
    def fields(self) -> Mapping[str, Field]:
        """What each column of the samples holds."""
        return {name: field_from_json(said) for name, said in self.catalog["columns"].items()}

    # -- columns ------------------------------------------------------------------------------

    def put(self, name: str, values: Any) -> None:
        """Add or replace a column."""
        revision = self.revision
        _check_name(name)
        check_place(self.catalog, name)
        field, column = column_of(name, values, self.fields.get(name))
        check_saved_field(name, field)
        if len(column) != revision.count:
            raise SchemaError(
                f"column {name!r}: {len(column)} values for the {revision.count} rows of the "
                "arena; give one for each, samples that failed included"
            )
        if name in self.catalog["kept"]:
            for prefix in PREFIXES:
                revision.remove(prefix + name)
        revision.put(name, field, column)
        note_column(self.catalog, name, field, revision.count)
        self.changed = True

    def put_rows(self, name: str, values: Any, rows: Any) -> None:
        """Replace some rows of a column."""
        _check_name(name)
        fields = self.fields
        if name not in fields:
            raise ArgumentError(
                f"no column {name!r} to replace rows of; there are {', '.join(map(repr, fields))}"
            )
        field = fields[name]
        why = ""
        if name in self.catalog["kept"]:
            why = "they are not all kept decoded"
        elif isinstance(field, Once):
            why = "windows overlap in the series that they are of"
        elif isinstance(field, Derived | Nothing):
            why = "nothing is stored there"
        if why:
            raise ArgumentError(
                f"rows of column {name!r} cannot be replaced: {why}; put() the column as a whole"
            )
        numbers = _row_numbers(rows, self.revision.rows_of(name))
        column = rows_for(name, values, field, len(numbers))
        if len(numbers):
            self.revision.put_rows(name, numbers, column)
            self.changed = True

    # -- samples ------------------------------------------------------------------------------

    def check_can_grow(self) -> None:
        """Refuse to append to an arena that cannot grow, or whose columns lack rows."""
        appending.check_can_grow(self.catalog)
        self._check_whole()

    def options(self, progress: Any) -> FillOptions:
        """Return the options that the arena was filled with."""
        return appending.options_of(self.catalog, self._threads, progress)

    def append(self, source: Source, options: FillOptions) -> None:
        """Put the samples of a source behind the last."""
        revision, catalog = self.revision, self.catalog
        classes = appending.class_numbers(catalog, source)
        staged = appending.stage(source, catalog, options, revision.folder)
        self._staged.append(staged)
        columns = appending.columns_to_append(catalog, staged, classes)
        index = staged.column(INDEX) if INDEX in staged.layout.columns else None
        more = revision.count + np.array(rows_shown(index, staged.catalog["visible"]))
        revision.extend(len(staged), columns)
        self._shown = shown = np.concatenate([self._shown, more])
        if INDEX in revision.names or len(shown) < revision.count:
            table = np.zeros(revision.count, np.int64)
            table[: len(shown)] = shown
            field = Scalar("int64")
            revision.put(INDEX, field, dense_column(field, table))
        note_samples(catalog, staged.catalog, revision.count, len(shown))
        self.changed = True

    def _check_whole(self) -> None:
        """Refuse to go on with columns that lack rows."""
        count = self.revision.count
        short = [
            name
            for name, field in self.fields.items()
            if not isinstance(field, Derived)
            and name not in self.catalog["kept"]
            and self.revision.rows_of(name) < count
        ]
        if short:
            raise ArgumentError(
                f"the samples that were appended have no {', '.join(map(repr, short))}: put() that "
                f"as a whole, {count} rows"
            )

    # -- ending -------------------------------------------------------------------------------

    def commit(self) -> None:
        """Publish everything, and begin anew."""
        self._check_whole()
        if not self.changed:
            return
        source = dict(self.revision.manifest.source)
        source["edited"] = source.get("edited", 0) + 1

        def catalog(plan: FilePlan) -> dict[str, Any]:
            report = {**self.catalog["report"], "arena_bytes": plan.file_bytes}
            return {**self.catalog, "report": report}

        self.revision.commit(catalog, source, self._threads)
        self._free()
        self._begin()

    def _free(self) -> None:
        staged, self._staged = self._staged, []
        for arena in staged:
            with suppress(BufferError):  # it goes with whatever still looks at it
                arena.close()

    def close(self) -> None:
        """Let others write; a second call does nothing."""
        self.revision.close()
        self._free()


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"name={name!r}: give a string")
    if is_own(name):
        raise ArgumentError(f"column {name!r}: that name is the arena's own")


def _row_numbers(rows: Any, count: int) -> npt.NDArray[np.int64]:
    """Return numbers of rows, each in 0..count-1 and there once."""
    numbers = np.asarray(rows)
    if numbers.ndim == 1 and not numbers.size:
        return np.empty(0, np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ArgumentTypeError("rows: give a sequence of row numbers (int)")
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if outside.size:
        raise ArgumentError(f"row {outside[0]} does not exist: rows are 0 to {count - 1}")
    if len(np.unique(numbers)) != len(numbers):
        raise ArgumentError("rows: one of them is given twice; give each once")
    return numbers.astype(np.int64)
