"""The arena: named columns over one block of memory, immutable once committed.

A second, small block holds the catalogue: the layout, and what the owner has to say about the
columns, as JSON.  Per-sample facts belong into columns, not into the catalogue: every process that
opens the arena reads the whole of it.
"""

import gc
import json
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcache.errors import ArgumentError, ClosedError
from fastcache.memory import share
from fastcache.memory.columns import Column, DenseColumn, RaggedColumn, make_column
from fastcache.memory.homes import make_block
from fastcache.memory.layout import ArenaLayout, plan_layout, row_elements, row_ends
from fastcache.memory.saved import SavedArena
from fastcache.memory.units import format_bytes

__all__ = ["Arena", "ArenaLayout", "DenseColumn", "RaggedColumn", "attach", "plan_layout"]

_Self = TypeVar("_Self", bound="Arena")


class Arena(SavedArena):
    """Columns over shared memory, or over files.

    Made by :meth:`allocate`, filled through writable columns, then made final by :meth:`commit`.
    A committed arena can be pickled: the pickle is a handle of a few hundred bytes, good for as
    long as the process that made the arena, or the one that pickled it, keeps it open; of files,
    for as long as they are there.

    Attributes
    ----------
    layout : ArenaLayout
    """

    def __init__(self, layout: ArenaLayout, claim: share.Claim) -> None:
        self.layout = layout
        self._claim: share.Claim | None = claim
        self._catalog: dict[str, Any] | None = None
        self._columns: dict[str, Column] = {}
        self._given: list[tuple[str, weakref.ref[NDArray[np.uint8]]]] = []  # named in errors

    @classmethod
    def allocate(
        cls: type[_Self], layout: ArenaLayout, home: str = "auto", threads: int | None = None
    ) -> _Self:
        """Allocate the memory of a layout, zeroed, and write the offsets and shapes of its rows.

        Parameters
        ----------
        layout : ArenaLayout
            One of :func:`plan_layout`.
        home, threads
            As in :func:`fastcache.memory.homes.make_block`.

        Raises
        ------
        BudgetError
            If there is not that much memory; nothing is left behind.
        """
        ragged = {name for name, column in layout.columns.items() if column.offsets is not None}
        if ragged != set(layout.ragged_shapes):
            raise ArgumentError(
                "the layout was read from JSON and lacks the rows' shapes: use one of plan_layout"
            )
        block = make_block(max(layout.total_bytes, 1), home, threads=threads)
        arena = cls(layout, share.claim_new(block))
        for name, shapes in layout.ragged_shapes.items():
            column = arena.column(name)
            assert isinstance(column, RaggedColumn)
            column.shapes[...] = shapes
            column.offsets[...] = row_ends(row_elements(name, shapes))
        return arena

    def __len__(self) -> int:
        return self.layout.count

    def __repr__(self) -> str:
        state = "closed" if self.closed else "committed" if self.committed else "being filled"
        return (
            f"<Arena of {len(self)} samples, columns {', '.join(self.layout.columns)}, "
            f"{format_bytes(self.layout.total_bytes)}, {state}>"
        )

    def __enter__(self: _Self) -> _Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except BufferError:
            if error is None:
                raise
            # The frames that the error passed through may hold arrays. It is the error that
            # counts: the memory goes when they go.
            self._claim = None

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._claim is None

    @property
    def committed(self) -> bool:
        """Whether the arena is final."""
        return self._catalog is not None

    @property
    def catalog(self) -> dict[str, Any]:
        """What the owner handed to :meth:`commit`, as JSON keeps it (tuples are lists)."""
        self._open()
        if self._catalog is None:
            raise ArgumentError("the arena has no catalogue before commit()")
        return self._catalog

    @property
    def base_address(self) -> int:
        """Address of the arena's first byte; hold a column or the buffer while it is in use."""
        return self._open().data.address

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """The whole arena as bytes: uint8 [total_bytes], writable until the commit."""
        return self._give("buffer")

    def column(self, name: str) -> Column:
        """Return a column: arrays over the arena's memory, without a copy."""
        self._open()
        if name not in self._columns:
            if name not in self.layout.columns:
                raise ArgumentError(
                    f"no column {name!r}; there are {', '.join(map(repr, self.layout.columns))}"
                )
            memory = self._give(f"column {name!r}")
            self._columns[name] = make_column(memory, self.layout.columns[name])
        return self._columns[name]

    def commit(self, catalog: dict[str, Any]) -> None:
        """Make the arena final: its memory becomes read-only, in this process too.

        Parameters
        ----------
        catalog : dict
            Anything that JSON can say; every reader gets it.

        Raises
        ------
        BufferError
            If arrays over the arena are still alive (a write through one would crash later).
        """
        claim = self._open()
        if self.committed:
            raise ArgumentError("the arena is committed already")
        try:
            text = json.dumps({"layout": self.layout.to_json(), "catalog": catalog})
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"the catalogue must be plain JSON: {error}") from error
        notes = make_block(len(text), name="fastcache-catalog")
        with memoryview(notes) as view:
            view[: len(text)] = text.encode()
        notes.seal()
        self._release("commit()", claim.data.seal)
        claim.publish(notes)
        self._catalog = json.loads(text)["catalog"]

    def close(self) -> None:
        """Give the memory back; a second call does nothing.

        Other processes that have opened the arena keep it, and can hand it on. Arenas unpickled
        from this one in this process share its memory; the last to be closed gives it back.

        Raises
        ------
        BufferError
            If arrays over the arena are still alive. The arena stays open then.
        """
        if claim := self._claim:
            self._release("close()", claim.release)
            self._claim = None
            claim.freed()

    def __reduce__(self) -> tuple[Any, ...]:
        handle = self._open().handle
        if handle is None:
            raise ArgumentError("an arena can be pickled once it is committed: call commit() first")
        return attach, (handle,)

    def _open(self) -> share.Claim:
        if self._claim is None:
            raise ClosedError("the arena is closed")
        return self._claim

    def _give(self, user: str) -> NDArray[np.uint8]:
        """Return the arena's bytes, and remember for whom: views keep this very array alive."""
        whole = memoryview(self._open().data)
        memory = np.frombuffer(whole, np.uint8, count=self.layout.total_bytes)
        self._given = [given for given in self._given if given[1]() is not None]
        self._given.append((user, weakref.ref(memory)))
        return memory

    def _release(self, doing: str, step: Callable[[], None]) -> None:
        """Drop our own arrays, then take a step that nobody else's arrays may be in the way of."""
        self._columns.clear()
        try:
            step()
            return
        except BufferError:
            gc.collect()  # what only a cycle keeps alive is nobody's
        try:
            step()
        except BufferError:
            users = sorted({user for user, memory in self._given if memory() is not None})
            raise BufferError(
                f"{doing}: arrays or tensors over the arena are still alive "
                f"({', '.join(users) or 'made from another arena over the same memory'}); "
                "delete them first, and iterators of loaders that read it"
            ) from None


def attach(handle: share.AnyHandle, descriptors: Sequence[int] = ()) -> Arena:
    """Open an arena read-only, as unpickling does; see :func:`fastcache.memory.share.claim_open`.

    Raises
    ------
    ArenaGoneError
        If nobody of those whom the handle names has the arena open any more; or if the files are
        those of another arena by now.
    """
    if isinstance(handle, share.FileHandle):
        return Arena.open(handle.path, handle)
    claim = share.claim_open(handle, descriptors)
    assert claim.catalog is not None
    document = json.loads(bytes(claim.catalog).rstrip(b"\0"))
    arena = Arena(ArenaLayout.from_json(document["layout"]), claim)
    arena._catalog = document["catalog"]
    return arena
