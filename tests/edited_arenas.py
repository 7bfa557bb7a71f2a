"""Edits of saved arenas beside the same edits of plain lists of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import saved_arenas as saved

from fastcache.memory.arena import Arena
from fastcache.memory.columns import DenseColumn, RaggedColumn
from fastcache.memory.files import verify
from fastcache.memory.files.revision import Revision
from fastcache.schema import Field

CATALOG = {"edited": True}


def column_of(field: Field, rows: list[npt.NDArray[Any]]) -> DenseColumn | RaggedColumn:
    """Return rows as a column, made in the most obvious way."""
    dtype = np.dtype(field.dtype)
    flat = np.concatenate([np.empty(0, dtype), *(row.reshape(-1) for row in rows)])
    if field.row_shape is not None:
        array = flat.reshape(len(rows), *field.row_shape)
        span = flat.view(np.uint8) if flat.size else np.empty(0, np.uint8)
        return DenseColumn(field, 0, field.row_bytes or 0, array, span)
    shapes = np.array([row.shape for row in rows], np.int32).reshape(len(rows), field.ndim)
    offsets = np.append(0, np.cumsum([row.size for row in rows])).astype(np.int64)
    return RaggedColumn(field, 0, flat, offsets, shapes)


class Twin:
    """A saved arena that is edited, and what its rows must be.

    Parameters
    ----------
    folder : Path
    fields : dict of str to Field
    count : int
    shard_bytes : int or None
    """

    def __init__(
        self, folder: Path, fields: dict[str, Field], count: int, shard_bytes: int | None
    ) -> None:
        self.folder, self.fields = folder, dict(fields)
        arena, self.rows = saved.make_arena(self.fields, count)
        with arena:
            arena.save(folder, shard_bytes=shard_bytes, source={"of": 1})
        self.revision = Revision(folder)

    @property
    def count(self) -> int:
        """Samples."""
        return self.revision.count

    def some(self, names: list[str], count: int, seed: int) -> dict[str, list[Any]]:
        """Return rows that the arena does not have."""
        fields = {name: self.fields[name] for name in names}
        return saved.rows_of(fields, dict.fromkeys(names, count), seed)

    def put(self, name: str, field: Field, seed: int) -> None:
        """Add or replace a column."""
        self.fields[name] = field
        self.rows[name] = self.some([name], self.count, seed)[name]
        self.revision.put(name, field, column_of(field, self.rows[name]))

    def put_rows(self, name: str, numbers: list[int], seed: int) -> None:
        """Replace rows of a column."""
        new = self.some([name], len(numbers), seed)[name]
        for number, row in zip(numbers, new, strict=True):
            self.rows[name][number] = row
        at = np.array(numbers, np.int64)
        self.revision.put_rows(name, at, column_of(self.fields[name], new))

    def extend(self, count: int, seed: int) -> None:
        """Append samples."""
        new = self.some([*self.fields], count, seed)
        for name, rows in new.items():
            self.rows[name] += rows
        columns = {name: column_of(self.fields[name], rows) for name, rows in new.items()}
        self.revision.extend(count, columns)

    def commit(self, threads: int = 2) -> None:
        """Publish, and compare everything with what it must be."""
        before = self.revision.manifest
        self.revision.commit(lambda plan: CATALOG, {"of": 2}, threads)
        after = self.revision.manifest
        assert (after.id, after.generation) == (before.id, before.generation + 1)
        self.check()

    def check(self) -> None:
        """Compare the arena with what it must be, and the folder with what it names."""
        with Arena.open(self.folder) as arena:
            assert len(arena) == self.count
            assert [*arena.layout.columns] == [*self.fields]
            saved.check_rows(arena, self.rows)
        check_folder(self.folder, self.revision)

    def files(self) -> set[str]:
        """Return the names of all shards."""
        return {entry.file for entries in self.revision.manifest.shards for entry in entries}


def check_folder(folder: Path, revision: Revision) -> None:
    """Check that a folder holds the files of its manifest, whole, and no others."""
    found = verify(folder)
    assert found.ok, str(found)
    names = {entry.file for entry, _ in revision.manifest.files}
    assert {path.name for path in folder.iterdir()} == {*names, "manifest.json", ".lock"}
