"""``pin="arena"``: the arena of a node is page-locked, and a device reads rows out of it itself."""

import os
import threading
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core.block import Block
from fastcache.errors import ArgumentError, BlockError, ClosedError, ForkedError
from fastcache.memory.arena import Arena
from fastcache.memory.second_mapping import map_again
from fastcache.memory.units import format_bytes
from fastcache.read.device.copier import Copier
from fastcache.read.device.locked import Event, PageLocker
from fastcache.read.device.pieces import chunk_starts, merged, split

_Bytes = npt.NDArray[np.uint8]
_Offsets = npt.NDArray[np.int64]

_CHUNK = 64 << 30  # bytes that are locked by one call: drivers refuse more at a time


class PinnedArena:
    """A committed arena in memory, page-locked by this process as long as it is open here.

    Parameters
    ----------
    arena : Arena
    locker : PageLocker
        The device that is first to read it; what it locks may be read by others as well.
    chunk : int
        Bytes that are locked by one call at most.

    Attributes
    ----------
    locked_bytes : int

    Raises
    ------
    BlockError
        If the system, or CUDA, does not lock all of it; nothing is locked then.
    """

    def __init__(self, arena: Arena, locker: PageLocker, chunk: int = _CHUNK) -> None:
        self._lock = threading.Lock()
        self._locker = locker
        self._process = os.getpid()
        self._read_at, self._size = arena.base_address, arena.layout.total_bytes
        self._events: dict[int, tuple[Copier, Event]] = {}  # of each device, the last one
        self._locked: list[int] = []
        self._block: Block | None = map_again(arena)
        size = self._block.size
        starts = chunk_starts(arena.layout, size, chunk)
        self._cuts = np.array(starts[1:], np.int64)
        try:
            for start, end in zip(starts, [*starts[1:], size], strict=True):
                locker.lock(self._block.address + start, end - start)
                self._locked.append(self._block.address + start)
        except BlockError as error:
            self.close()
            raise BlockError(
                f'pin="arena": the arena has {format_bytes(size)}, and {error}{_lock_limit()}; '
                "leave pin= out: batches are then gathered by the processor into page-locked "
                "memory of their own"
            ) from error
        self.locked_bytes = size
        arena.on_free(self.close)

    def gather(
        self, device: Copier, memory: _Bytes, starts: _Offsets, lengths: int | _Offsets
    ) -> torch.Tensor | None:
        """Return pieces of a column, one after the other, on a device: uint8 (bytes,).

        Parameters
        ----------
        device : Copier
        memory : uint8 array
            The column, or a part of it, as it is mapped for reading.
        starts, lengths : int64 arrays, or one length
            Bytes within it.

        Returns
        -------
        tensor or None
            None if that memory is not the arena's. The tensor is complete when what is asked of the
            device in the order of its copies has come so far.

        Raises
        ------
        ClosedError, ForkedError
            If the arena was closed; in a forked child.
        IndexError
            For pieces that are not within the memory.
        """
        offset = memory.__array_interface__["data"][0] - self._read_at
        if not memory.size or offset < 0 or offset + memory.size > self._size:
            return None
        sizes = np.broadcast_to(np.asarray(lengths, np.int64), starts.shape)
        if len(starts) and (
            starts.min() < 0 or sizes.min() < 0 or (starts + sizes).max() > memory.size
        ):
            raise IndexError(f"pieces of a column reach beyond its {memory.size} bytes")
        total = int(sizes.sum())
        pieces = split(*merged(starts + offset, sizes), self._cuts)
        if os.getpid() != self._process:
            raise ForkedError(
                "a forked child asked for rows of an arena that its parent has page-locked: make "
                "the loader there"
            )
        with self._lock:
            if self._block is None:
                raise ClosedError("the dataset is closed: its arena is not page-locked any more")
            view = np.frombuffer(memoryview(self._block), np.uint8)
            try:
                made = device.gather(view, *pieces, total)
            finally:
                # What was asked for is read later, also if not all of it could be asked for.
                self._events[id(device)] = device, device.event()
                del view
        return made

    def close(self) -> None:
        """Unlock the arena, after waiting for what reads it; a second call does nothing."""
        if os.getpid() != self._process:
            return  # a forked child has locked nothing, and a thread of its parent may hold ours
        with self._lock:
            block, self._block = self._block, None
            if block is None:
                return
            for _, event in self._events.values():
                event.synchronize()
            self._events.clear()
            for address in self._locked:
                with suppress(BlockError):  # the others must be unlocked all the same
                    self._locker.unlock(address)
            self._locked.clear()
            self.locked_bytes = 0
            block.close()


def _lock_limit() -> str:
    """Return what the system's own limit is, if there is one."""
    import resource  # only where there are arenas in shared memory

    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY:
        return ""
    return f" (ulimit -l allows a process {format_bytes(soft)}: raise it, if that is the reason)"


class PinnedRows:
    """What loads batches of a pinned arena for one device: see ``Wishes.gather``.

    Parameters
    ----------
    pinned : PinnedArena
    device : Copier
    """

    def __init__(self, pinned: PinnedArena, device: Copier) -> None:
        self._pinned = pinned
        self._device = device
        self.way = device.gathers_by

    @property
    def locked_bytes(self) -> int:
        """Bytes of the arena that are page-locked."""
        return self._pinned.locked_bytes

    def __call__(
        self, memory: _Bytes, starts: _Offsets, lengths: int | _Offsets
    ) -> torch.Tensor | None:
        return self._pinned.gather(self._device, memory, starts, lengths)


class _Pinned:
    """The arenas that this process has locked, by inode."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of nothing that the parent of a forked child has locked."""
        self.lock = threading.Lock()
        self.arenas: dict[int, PinnedArena] = {}


_pinned = _Pinned()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pinned.forget)


def pinned_rows(arena: Arena, device: Copier) -> PinnedRows:
    """Return what gathers rows of an arena, which is page-locked from now on until it is closed.

    Raises
    ------
    ArgumentError
        For an arena in files.
    BlockError
        If it cannot be locked.
    """
    if arena.home != "ram":
        raise ArgumentError(
            f'pin="arena": the arena lies in home={arena.home!r}, whose pages come and go; open or '
            'fill it with home="ram", or leave pin= out'
        )
    inode = arena.claim.data.inode
    with _pinned.lock:
        made = _pinned.arenas.get(inode)
        if made is None:
            made = _pinned.arenas[inode] = PinnedArena(arena, device)
            arena.on_free(lambda: _pinned.arenas.pop(inode, None))
    return PinnedRows(made, device)
