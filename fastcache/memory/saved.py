"""What arenas have to do with files: they are saved as such, opened as such, and read from them."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastcache._core import threads as pool
from fastcache.errors import ArenaGoneError, ArgumentError
from fastcache.memory import share
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn
from fastcache.memory.files.manifest import Manifest
from fastcache.memory.files.naming import AnyPath, folder_of
from fastcache.memory.files.opening import map_files, with_manifest
from fastcache.memory.files.saving import AnyColumn, plan_of, runs_of, save_columns
from fastcache.memory.files.writer import ArenaWriter
from fastcache.memory.layout import ArenaLayout, plan_layout
from fastcache.memory.paging import Paging, paging_of

_Self = TypeVar("_Self", bound="SavedArena")
_PIECE = 8 << 20  # bytes that a thread copies before it takes the next


class SavedArena:
    """The part of an :class:`Arena` that knows files."""

    layout: ArenaLayout
    _catalog: dict[str, Any] | None

    if TYPE_CHECKING:  # what the arena itself has

        def __init__(self, layout: ArenaLayout, claim: share.Claim) -> None: ...
        @classmethod
        def allocate(
            cls: type[_Self], layout: ArenaLayout, home: str = "auto", threads: int | None = None
        ) -> _Self: ...
        @property
        def catalog(self) -> dict[str, Any]: ...
        @property
        def committed(self) -> bool: ...
        def column(self, name: str) -> Column: ...
        def commit(self, catalog: dict[str, Any]) -> None: ...
        def close(self) -> None: ...
        def _open(self) -> share.Claim: ...

    @property
    def home(self) -> str:
        """Where it lies: "ram" or "disk"."""
        return "ram" if self._open().files is None else "disk"

    @property
    def paging(self) -> Paging | None:
        """How its files are paged; None for one that does not lie in files."""
        claim = self._open()
        return None if claim.files is None else paging_of(claim.data, self.layout)

    @property
    def claim(self) -> share.Claim:
        """The arena's part in its blocks, for those who hand it to other processes."""
        return self._open()

    def on_free(self, call: Callable[[], object]) -> None:
        """Have `call` called when the arena's memory is given back, however that comes about."""
        self._open().on_free(call)

    @classmethod
    def open(cls: type[_Self], path: AnyPath, handle: share.FileHandle | None = None) -> _Self:
        """Open a saved arena: its files are the memory, and no pixel is read before it is used.

        Opened once more in the same process, it shares the mapping. It pickles to its path.

        Parameters
        ----------
        path : path
            ``NAME.arena``.
        handle : FileHandle, optional
            What the arena must be.

        Raises
        ------
        ArenaFormatError, ArenaDamagedError
            If it is no arena, or not as it was written.
        ArenaGoneError
            If it is another one than ``handle`` says.
        ArenaFileError, BlockError
            If the system refuses.
        """
        folder = folder_of(path)

        def claim(manifest: Manifest) -> _Self:
            found = share.FileHandle(str(folder), manifest.id, manifest.generation, manifest.digest)
            if handle is not None and found != handle:
                raise ArenaGoneError(
                    f"{folder} holds another arena than when it was pickled: it was replaced in "
                    "the meantime; open it again by its path"
                )
            arena = cls(
                manifest.plan.layout,
                share.claim_files(found, lambda: map_files(folder, manifest)),
            )
            arena._catalog = manifest.catalog
            return arena

        return with_manifest(folder, claim)

    @classmethod
    def load(
        cls: type[_Self], path: AnyPath, home: str = "ram", threads: int | None = None
    ) -> _Self:
        """Read a saved arena into memory of its own; the files are not needed afterwards.

        Parameters
        ----------
        path : path
            ``NAME.arena``.
        home, threads
            As in :func:`fastcache.memory.homes.make_block`.

        Raises
        ------
        BudgetError
            If there is not that much memory.
        ArenaFormatError, ArenaDamagedError, ArenaFileError, BlockError
            As :meth:`open`. Pixels are not compared with their checksums.
        """
        files = cls.open(path)
        try:
            loaded = _copy(cls, files, home, threads, files.layout.columns)
            loaded.commit(files.catalog)
        except BaseException:
            with suppress(BufferError):  # a frame of this traceback looks at the files:
                files.close()  # they go when the traceback does
            raise
        files.close()
        return loaded

    def part(
        self: _Self, names: Collection[str], catalog: dict[str, Any], threads: int | None = None
    ) -> _Self:
        """Return a committed arena in memory that has copies of some of the columns.

        Parameters
        ----------
        names : collection of str
        catalog : dict
            As for :meth:`Arena.commit`.
        threads : int, optional
            As in :func:`fastcache.memory.homes.make_block`.

        Raises
        ------
        BudgetError
            If there is not that much memory.
        """
        made = _copy(type(self), self, "ram", threads, names)
        made.commit(catalog)
        return made

    def save(
        self,
        path: AnyPath,
        *,
        threads: int | None = None,
        source: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        shard_bytes: int | None = None,
        columns: Mapping[str, AnyColumn] | None = None,
        catalog: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the arena to files, straight from its memory.

        On return all of it is on the disk. Until then nobody can open it; an arena that was there
        stays whole.

        Parameters
        ----------
        path : path
            ``NAME.arena``, a folder; made if it is not there.
        threads : int, optional
            Shards that are written side by side; as many as there are usable cores if not given.
        source : mapping, optional
            JSON that says where the samples came from.
        overwrite : bool
            Whether an arena that is there may be replaced.
        shard_bytes : int, optional
            Most bytes of data in a file; a 1024th of the arena if not given, but 64 MiB to 4 GiB.
        columns, catalog : mapping, optional
            What is written in the place of the arena's own.

        Raises
        ------
        ArgumentError
            If the arena is not committed yet.
        SchemaError
            If files cannot hold a column.
        ArenaExistsError, ArenaLockedError, BudgetError, ArenaFileError
            As :class:`fastcache.memory.files.ArenaWriter`.
        """
        if not self.committed:
            raise ArgumentError("an arena can be saved once it is committed: call commit() first")
        width = pool.resolve_threads(threads)
        if columns is None:
            columns = {name: self.column(name) for name in self.layout.columns}
        plan = plan_of(columns, self.layout.count, shard_bytes)
        # What an interrupted save has left may be of an arena with other contents.
        with ArenaWriter(path, plan, source or {}, overwrite=overwrite, resume=False) as writer:
            save_columns(writer, columns, self.catalog if catalog is None else catalog, width)


def _copy(
    cls: type[_Self], files: _Self, home: str, threads: int | None, names: Collection[str]
) -> _Self:
    """Return an arena in memory with columns of another, not committed yet."""
    columns = {name: files.column(name) for name in names}
    shapes = {n: c.shapes for n, c in columns.items() if isinstance(c, RaggedColumn)}
    layout = plan_layout(
        {name: column.field for name, column in columns.items()},
        files.layout.count,
        shapes,
        {name: len(column) for name, column in columns.items()},
    )
    made = cls.allocate(layout, home, threads)
    pairs = [pair for n, column in columns.items() for pair in _pairs(made.column(n), column)]
    pool.run_each(lambda pair: np.copyto(*pair), pairs, pool.resolve_threads(threads))
    return made


def _pairs(target: Column, source: Column) -> list[tuple[Any, Any]]:
    """Return what is to be copied where: arrays of the same shape, each some MiB."""
    if isinstance(target, DenseColumn) and isinstance(source, DenseColumn):
        step = max(1, _PIECE // max(1, target.row_bytes))
        starts = range(0, len(target), step)
        return [(target.rows[at : at + step], source.rows[at : at + step]) for at in starts]
    if isinstance(target, RaggedColumn) and isinstance(source, RaggedColumn):
        found, end = [], 0
        for run in runs_of(source, 0, len(source)):
            found += _flat(target.values[end : end + len(run)], run)
            end += len(run)
        return found
    assert not isinstance(target, DenseColumn | RaggedColumn)
    assert not isinstance(source, DenseColumn | RaggedColumn)
    flat = _flat(target.values.reshape(-1), source.values.reshape(-1))
    return [*flat, (target.grids, source.grids)]


def _flat(target: Any, source: Any) -> list[tuple[Any, Any]]:
    step = _PIECE // source.itemsize
    return [(target[at : at + step], source[at : at + step]) for at in range(0, len(source), step)]
