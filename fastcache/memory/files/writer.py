"""Writing an arena: shards in any order and by any thread, then tables, then the manifest."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from fastcache.errors import ArgumentError, ClosedError
from fastcache.memory.files import naming
from fastcache.memory.files.composing import compose
from fastcache.memory.files.disk import publish, sync_folder
from fastcache.memory.files.folder import (
    arena_there,
    check_room,
    keep_only,
    make_folder,
    remove_unfinished,
)
from fastcache.memory.files.journal import Done, Journal
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import FORMAT, VERSION, FileEntry
from fastcache.memory.files.naming import MANIFEST, AnyPath
from fastcache.memory.files.pieces import file_pieces
from fastcache.memory.files.plan import FilePlan, Shard
from fastcache.memory.files.stated import plan_digest
from fastcache.memory.files.sums import digest_of, pack_sums


class ArenaWriter:
    """One arena being written, or taken up again where a run was interrupted.

    Shards that an interrupted run has finished are kept, if it wrote the same plan from the same
    source; everything else that it left is removed. Nobody can open the arena before
    :meth:`commit`; with ``overwrite`` the arena that was there stays whole until then.

    Parameters
    ----------
    folder : path
        ``NAME.arena``; made if it is not there.
    plan : FilePlan
    source : mapping
        JSON that tells one content from another, such as fingerprints of files and options.
    overwrite : bool
        Whether an arena that is there already may be replaced.
    resume : bool
        False begins anew even where plan and source are the same.
    wait : float
        Seconds to wait for another writer of the folder.
    lock : FolderLock, optional
        The folder's, if it is taken already; it is released at the end.

    Raises
    ------
    ArenaExistsError
        If there is something else, or an arena that may not be replaced.
    ArenaLockedError
        If another process is writing there.
    BudgetError
        If the disk has no room for all of it.
    ArenaFileError
        If the system refuses for another reason.
    """

    def __init__(
        self,
        folder: AnyPath,
        plan: FilePlan,
        source: Mapping[str, Any],
        *,
        overwrite: bool = False,
        resume: bool = True,
        wait: float = 0.0,
        lock: FolderLock | None = None,
    ) -> None:
        self.folder, self.plan, self.source = naming.folder_of(folder), plan, dict(source)
        self._mutex = threading.Lock()
        self._columns_file: FileEntry | None = None
        self._journal: Journal | None = None
        self._lock: FolderLock | None = lock
        try:
            make_folder(self.folder, self.plan.file_bytes)
            self._lock = lock or FolderLock(self.folder, wait)
            self._begin(overwrite, resume)
        except BaseException:
            self.close()
            raise

    # -- beginning --------------------------------------------------------------------------

    def _begin(self, overwrite: bool, resume: bool) -> None:
        old = arena_there(self.folder, overwrite)
        self._generation = 1 if old is None else old.generation + 1
        head = {
            "format": FORMAT,
            "version": VERSION,
            "plan": plan_digest(self.plan),
            "source": self.source,
            "generation": self._generation,
            "replaces": old and old.id,
        }
        remove_unfinished(self.folder, journal=not resume)
        try:
            self._journal = Journal(self.folder, self.plan, head)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"source must be plain JSON: {error}") from error
        kept = {naming.JOURNAL, *(done.entry.file for done in self._journal.done.values())}
        kept |= set() if old is None else {entry.file for entry, _ in old.files}
        keep_only(self.folder, kept)
        check_room(self.folder, self._left())

    # -- writing ----------------------------------------------------------------------------

    def _left(self) -> int:
        """Return the bytes of the files that are not whole yet."""
        with self._mutex:
            whole = sum(done.entry.bytes for done in self._open().done.values())
        return self.plan.file_bytes - whole

    def _open(self) -> Journal:
        if self._journal is None:
            raise ClosedError(f"writing {self.folder} has ended")
        return self._journal

    @property
    def done(self) -> set[tuple[int, int]]:
        """Family and shard of everything that is whole already."""
        with self._mutex:
            return set(self._open().done)

    def notes(self, family: int, shard: int) -> Any:
        """Return the JSON that was stored with a shard."""
        with self._mutex:
            return self._open().done[family, shard].notes

    def write_shard(
        self, family: int, shard: int, parts: Mapping[str, Any], notes: Any = None
    ) -> None:
        """Write one shard; on return it is on the disk and will be there after a crash.

        Several threads may write shards of their own side by side.

        Parameters
        ----------
        family, shard : int
            Numbers in the plan's ``families`` and their ``shards``.
        parts : mapping of str to buffers
            The bytes of each column's rows, as the plan says: with padded rows where the column's
            ``stride`` says so, without zeros behind them. A contiguous array, any other buffer, or
            an iterable of such that are the bytes one after the other.
        notes : anything that JSON can say
            Kept until the arena is whole: see :meth:`notes`.

        Raises
        ------
        ArgumentError
            If the parts are not those of the plan, or the shard is whole already.
        BudgetError, ArenaFileError
            If the disk is full, or the system refuses for another reason. Nothing is left of the
            shard then; those that were whole are kept.
        """
        journal, planned = self._open(), self.plan.families[family].shards[shard]
        if (family, shard) in self.done:
            raise ArgumentError(f"shard {shard} of family {family} is whole already")
        name = naming.shard_name(self.plan.number(family, shard), self._generation)
        entry = self._write(name, planned, parts)
        with self._mutex:
            try:
                journal.add(family, shard, Done(entry, notes))
            except (TypeError, ValueError) as error:
                raise ArgumentError(f"notes must be plain JSON: {error}") from error

    def write_tables(self, parts: Mapping[str, Any]) -> None:
        """Write the columns file.

        Parameters
        ----------
        parts : mapping of str to buffers
            As for :meth:`write_shard`, by the names in the plan's ``tables``: ``NAME`` of scalars
            and texts, ``_offsets/NAME``, ``_shapes/NAME`` and ``_grids/NAME``.
        """
        self._open()
        name = naming.columns_name(self._generation)
        self._columns_file = self._write(name, self.plan.tables, parts)

    def _write(self, name: str, shard: Shard, parts: Mapping[str, Any]) -> FileEntry:
        if parts.keys() != shard.parts.keys():
            raise ArgumentError(f"{name} has the parts {[*shard.parts]}, given are {[*parts]}")
        pieces = file_pieces(shard, parts)
        sums = publish(self.folder / name, shard.file_bytes, pieces, self._left())
        return FileEntry(name, shard.file_bytes, digest_of(shard.header), pack_sums(sums))

    def commit(self, catalog: Mapping[str, Any]) -> None:
        """Make the arena: on return it is on the disk, and everybody can open it.

        Parameters
        ----------
        catalog : mapping
            What :meth:`fastcache.memory.arena.Arena.commit` gets: plain JSON.

        Raises
        ------
        ArgumentError
            If shards or tables are missing.
        """
        journal = self._open()
        shards = [
            [journal.done.get((f, k)) for k in range(len(family.shards))]
            for f, family in enumerate(self.plan.families)
        ]
        missing = sum(done is None for row in shards for done in row)
        if missing or self._columns_file is None:
            raise ArgumentError(
                f"{missing} shards" + " and the tables" * (self._columns_file is None) + " of "
                f"{self.folder} have not been written"
            )
        entries = tuple(tuple(done.entry for done in row if done) for row in shards)
        every = [*(entry for row in entries for entry in row), self._columns_file]
        parts = (self.plan, self._generation, entries, self._columns_file)
        text = compose(*parts, catalog, self.source)
        publish(self.folder / MANIFEST, len(text), [memoryview(text)])
        with suppress(OSError):  # the arena is whole; the next writer removes what is left
            keep_only(self.folder, {entry.file for entry in every})
            sync_folder(self.folder)
        self.close()

    # -- ending -----------------------------------------------------------------------------

    def close(self) -> None:
        """Let others write; what is whole but not committed stays for the next run."""
        journal, self._journal = self._journal, None
        lock, self._lock = self._lock, None
        if journal is not None:
            journal.close()
        if lock is not None:
            lock.release()

    def __enter__(self) -> "ArenaWriter":
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
