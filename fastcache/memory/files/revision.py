"""A saved arena that is being changed: new files beside the old, then one manifest in one step."""

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache._core.block import Block
from fastcache.errors import ArenaLockedError, ClosedError, FastcacheError
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn, make_column
from fastcache.memory.files.folder import keep_only
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import Manifest, check_same, read_manifest
from fastcache.memory.files.mixed import MixedColumn
from fastcache.memory.files.naming import AnyPath, folder_of
from fastcache.memory.files.opening import open_files
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.rewrite import Rewrite
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Field


class Revision:
    """An arena of files with other rows than it has; nobody sees them before :meth:`commit`.

    Holds the folder's lock from the beginning to :meth:`close`. Readers go on as if nothing were.

    Parameters
    ----------
    folder : path
        ``NAME.arena``.
    wait : float
        Seconds to wait for another writer.

    Attributes
    ----------
    manifest : Manifest
        What the folder holds.
    count : int
        Samples, with those that were appended.

    Raises
    ------
    ArenaFormatError, ArenaDamagedError
        If there is no arena, or its files are not as they were written.
    ArenaLockedError
        If another process is writing there.
    ArenaFileError, BlockError
        If the system refuses.
    """

    manifest: Manifest
    count: int

    def __init__(self, folder: AnyPath, wait: float = 0.0) -> None:
        self.folder, self._owner = folder_of(folder), os.getpid()
        self._block: Block | None = None
        self._lock: FolderLock | None = None
        self._columns: dict[str, MixedColumn | None] = {}
        read_manifest(self.folder)  # first: folders that are no arena get no lock
        self._lock = FolderLock(self.folder, wait)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        """Begin with the arena that the folder holds."""
        opened = open_files(self.folder)
        self._free()
        self._block, self.manifest = opened.block, opened.manifest
        self.count = self.plan.layout.count
        self._columns = {name: self._original(name) for name in self.plan.layout.columns}

    def _original(self, name: str) -> MixedColumn | None:
        column = self.old_column(name)
        if isinstance(column, DenseColumn | RaggedColumn):
            return MixedColumn(column.field, column, original=True)
        return None

    # -- what there is ------------------------------------------------------------------------

    def check_owner(self) -> None:
        """Refuse to be used by a child by fork: both would write, and one would undo the other.

        Raises
        ------
        ArenaLockedError
            In another process than the one that has opened it.
        """
        if os.getpid() != self._owner:
            raise ArenaLockedError(
                errno.EWOULDBLOCK,
                f"process {self._owner} is editing {self.folder}, and this one is its child by "
                "fork: edit there, or close it there and open the arena here",
            )

    def _open(self) -> Block:
        if self._block is None:
            raise ClosedError(f"editing {self.folder} has ended")
        self.check_owner()
        return self._block

    @property
    def closed(self) -> bool:
        """Whether editing has ended."""
        return self._block is None

    @property
    def names(self) -> list[str]:
        """All columns, the arena's own among them."""
        return [*self._columns]

    @property
    def plan(self) -> FilePlan:
        """The files that there are."""
        return self.manifest.plan

    def old_column(self, name: str) -> Column:
        """Return a column as it is in the files."""
        size = self.plan.layout.total_bytes
        memory = np.frombuffer(memoryview(self._open()), np.uint8, count=size)
        return make_column(memory, self.plan.layout.columns[name])

    def rows_of(self, name: str) -> int:
        """Return how many rows a column has."""
        column = self._columns[name]
        return self.count if column is None else len(column)

    # -- edits --------------------------------------------------------------------------------

    def put(self, name: str, field: Field, column: DenseColumn | RaggedColumn) -> None:
        """Add a column, or take another in the place of one."""
        self._open()
        self._columns[name] = MixedColumn(field, column)

    def put_rows(
        self, name: str, rows: NDArray[np.int64], column: DenseColumn | RaggedColumn
    ) -> None:
        """Take some rows of a column, int64 [n] without repetition, from another."""
        self._open()
        edited = self._columns[name]
        assert edited is not None
        edited.replace(rows, column)

    def remove(self, name: str) -> None:
        """Leave a column out."""
        self._open()
        del self._columns[name]

    def extend(self, added: int, columns: Mapping[str, DenseColumn | RaggedColumn]) -> None:
        """Put samples behind the last; columns that are not given lack them."""
        self._open()
        for name, column in columns.items():
            edited = self._columns[name]
            assert edited is not None
            edited.extend(column)
        self.count += added

    # -- writing ------------------------------------------------------------------------------

    def commit(
        self,
        catalog: Callable[[FilePlan], Mapping[str, Any]],
        source: Mapping[str, Any],
        threads: int = 1,
    ) -> None:
        """Write what has changed, and publish it; then the arena is the new one, and can be edited.

        Parameters
        ----------
        catalog : callable
            Given the plan of the new arena, returns what
            :meth:`fastcache.memory.arena.Arena.commit` gets.
        source : mapping
            As :class:`fastcache.memory.files.ArenaWriter` has it.
        threads : int
            Shards that are written side by side.

        Raises
        ------
        ArenaDamagedError
            If rows that stay lie in a file that is not as it was written.
        ArenaFormatError
            If somebody who does not ask for the lock has put another arena there: it stays.
        BudgetError, ArenaFileError
            If the disk has no room, or the system refuses. The arena is as it was then.
        ArgumentError
            If catalogue or source are not plain JSON.
        """
        self._open()
        check_same(self.folder, self.manifest)  # before anything of theirs is removed
        grids = {
            name: column.grids.copy()
            for name, edited in self._columns.items()
            if edited is None and isinstance(column := self.old_column(name), WindowColumn)
        }
        rewrite = Rewrite(self.folder, self.manifest, self._columns, grids, self.count)
        rewrite.check_sources(threads)
        keep_only(self.folder, _files(self.manifest))
        try:
            manifest = rewrite.run(catalog(rewrite.plan), source, threads)
        except BaseException:
            self._undo()
            raise
        with suppress(OSError):  # it is published; the next writer removes what is left
            keep_only(self.folder, _files(manifest))
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _undo(self) -> None:
        """Remove what was written; unless the manifest is there, and only its last step failed."""
        try:
            same = read_manifest(self.folder).digest == self.manifest.digest
        except FastcacheError:
            same = False
        if same:
            with suppress(OSError):  # the error that is on its way counts
                keep_only(self.folder, _files(self.manifest))
        else:
            self.close()

    # -- ending -------------------------------------------------------------------------------

    def _free(self) -> None:
        """Let go of the files; arrays over them, that somebody still looks at, keep them mapped."""
        self._columns = {}
        block, self._block = self._block, None
        if block is not None:
            with suppress(BufferError):
                block.close()

    def close(self) -> None:
        """Let others write; what was not committed is forgotten. A second call does nothing."""
        self._free()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


def _files(manifest: Manifest) -> list[str]:
    return [entry.file for entry, _ in manifest.files]
