"""One commit of an edited arena: the files that are new, and the manifest that names all."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache._core import threads as pool
from fastcache.errors import ArenaDamagedError
from fastcache.memory.files import naming
from fastcache.memory.files.composing import compose
from fastcache.memory.files.disk import publish
from fastcache.memory.files.folder import check_room
from fastcache.memory.files.manifest import FileEntry, Manifest, check_same
from fastcache.memory.files.naming import MANIFEST
from fastcache.memory.files.pieces import file_pieces
from fastcache.memory.files.plan import Shard
from fastcache.memory.files.recut import Columns, plan_again
from fastcache.memory.files.sums import digest_of, pack_sums
from fastcache.memory.files.verification import damaged_files
from fastcache.schema import Scalar, Text


class Rewrite:
    """What a commit has to write.

    Parameters
    ----------
    folder : Path
        Whose lock is held.
    manifest : Manifest
        Of the arena that is there.
    columns : mapping of str to MixedColumn or None
        As :func:`fastcache.memory.files.recut.plan_again` takes them.
    grids : mapping of str to int64 array
        Of the columns that are None.
    count : int
        Samples.

    Attributes
    ----------
    plan : FilePlan
        Of the arena as it will be.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        columns: Columns,
        grids: Mapping[str, NDArray[np.int64]],
        count: int,
    ) -> None:
        self._folder, self._old = folder, manifest
        self._columns, self._grids = dict(columns), grids
        self._generation = manifest.generation + 1
        self.plan = plan_again(manifest.plan, columns, count)
        self._entries = self._kept()
        self._new = [
            (f, k)
            for f, family in enumerate(self.plan.families)
            for k in range(len(family.shards))
            if (f, k) not in self._entries
        ]

    def run(self, catalog: Mapping[str, Any], source: Mapping[str, Any], threads: int) -> Manifest:
        """Write all that is new, then the manifest: see :meth:`Revision.commit`."""
        plan = self.plan
        shards = [plan.families[f].shards[k] for f, k in self._new]
        check_room(self._folder, sum(s.file_bytes for s in [*shards, plan.tables]))
        try:
            self._write_shards(threads)
            parts = self._tables()
            columns_file = self._write(naming.columns_name(self._generation), plan.tables, parts)
        finally:
            self._columns.clear()  # a traceback may hold this object longer than the arena
        entries = tuple(
            tuple(self._entries[f, k] for k in range(len(family.shards)))
            for f, family in enumerate(plan.families)
        )
        written = (plan, self._generation, entries, columns_file)
        text = compose(*written, catalog, source, self._old.id)
        path = self._folder / MANIFEST
        manifest = Manifest.from_bytes(text, path)  # what nobody could read takes no arena's place
        check_same(self._folder, self._old)
        publish(path, len(text), [memoryview(text)])
        return manifest

    def _kept(self) -> dict[tuple[int, int], FileEntry]:
        """Return the shards that are in the folder already, by family and shard."""
        there = {}
        for entries, family in zip(self._old.shards, self._old.plan.families, strict=True):
            for entry, shard in zip(entries, family.shards, strict=True):
                there[family.columns, shard.first, shard.rows] = entry, shard
        found = {}
        for f, family in enumerate(self.plan.families):
            for k, shard in enumerate(family.shards):
                at = (family.columns, shard.first, shard.rows)
                if at not in there or there[at][1].header != shard.header:
                    continue
                columns = [self._columns[name] for name in family.columns]
                stop = shard.first + shard.rows
                if all(column is None or column.is_kept(shard.first, stop) for column in columns):
                    found[f, k] = there[at][0]
        return found

    def check_sources(self, threads: int) -> None:
        """Refuse to copy rows out of damaged files: what is copied would pass for whole."""
        plan = self.plan
        needed: set[FileEntry] = set()
        for f, k in self._new:
            shard = plan.families[f].shards[k]
            for name in plan.families[f].columns:
                column = self._columns[name]
                if column is None:
                    continue
                for entry, old in self._files_of(name):
                    first = max(old.first, shard.first)
                    stop = min(old.first + old.rows, shard.first + shard.rows)
                    if first < stop and column.keeps_some(first, stop):
                        needed.add(entry)
        bad = damaged_files(self._folder, sorted(needed, key=lambda entry: entry.file), threads)
        if bad:
            raise ArenaDamagedError(
                f"{', '.join(bad)} of {self._folder} are not as they were written, and rows of "
                "them would be copied: fastcache.verify tells which rows these are; put() their "
                "columns as a whole, or copy the arena again"
            )

    def _files_of(self, name: str) -> Iterator[tuple[FileEntry, Shard]]:
        for entries, family in zip(self._old.shards, self._old.plan.families, strict=True):
            if name in family.columns:
                yield from zip(entries, family.shards, strict=True)

    def _write_shards(self, threads: int) -> None:
        plan = self.plan

        def write(number: tuple[int, int]) -> None:
            f, k = number
            shard, parts = plan.families[f].shards[k], {}
            for name in plan.families[f].columns:
                column, stop = self._columns[name], shard.first + shard.rows
                assert column is not None
                stride = plan.saved[name].stride
                parts[name] = column.pieces(shard.first, stop, stride)
            file = naming.shard_name(plan.number(f, k), self._generation)
            self._entries[f, k] = self._write(file, shard, parts)

        pool.run_each(write, self._new, threads)

    def _tables(self) -> dict[str, Any]:
        """Return the parts of the columns file."""
        parts: dict[str, Any] = {}
        for name, column in self._columns.items():
            if column is None:
                parts[naming.GRIDS + name] = self._grids[name]
                continue
            field = column.field
            if isinstance(field, Scalar | Text):
                stride = None if isinstance(field, Text) else field.itemsize
                parts[name] = column.pieces(0, len(column), stride)
            if field.row_shape is None:
                parts |= self.plan.tables_of_rows(name, column.shapes)
        return parts

    def _write(self, name: str, shard: Shard, parts: Mapping[str, Any]) -> FileEntry:
        sums = publish(self._folder / name, shard.file_bytes, file_pieces(shard, parts))
        return FileEntry(name, shard.file_bytes, digest_of(shard.header), pack_sums(sums))
