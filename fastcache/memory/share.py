"""How processes find one another's arenas.

An arena in shared memory has no name.  What travels instead is a handle: the process that owns it,
when that process was started (numbers are used again), and descriptor and inode of its two
blocks.  Whoever holds the handle opens the blocks read-only through /proc/PID/fd, for as long as
the owner lives: as a child by fork, spawn or forkserver, or as any other process of the same user.
"""

import errno
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from fastcache._core.block import Block
from fastcache.errors import ArenaGoneError, BlockError


class BlockRef(NamedTuple):
    """A block within its owner."""

    fd: int
    inode: int
    size: int


class Handle(NamedTuple):
    """Everything needed to open an arena elsewhere."""

    pid: int
    started: int  # in clock ticks since the machine started
    data: BlockRef
    catalog: BlockRef


class FileHandle(NamedTuple):
    """Everything needed to open an arena of files elsewhere, and to know it again."""

    path: str
    id: str
    generation: int


AnyHandle: TypeAlias = Handle | FileHandle


def start_time(pid: int) -> int | None:
    """Return when a process was started, in clock ticks; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and may itself contain any character.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


class _Blocks:
    """The blocks of one arena in this process, whoever uses them."""

    def __init__(self, data: Block) -> None:
        self.data = data
        self.catalog: Block | None = None
        self.handle: AnyHandle | None = None
        self.claims: weakref.WeakSet[Claim] = weakref.WeakSet()


class _Registry:
    """The blocks that are open in this process, by handle."""

    def __init__(self) -> None:
        self.blocks: weakref.WeakValueDictionary[AnyHandle, _Blocks] = weakref.WeakValueDictionary()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Forget a lock that a thread of the parent may have held when this process was forked."""
        self.lock = threading.Lock()


_registry = _Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_registry.renew_lock)


class Claim:
    """One arena's part in its blocks.

    Unpickling an arena where it is already open gives another arena over the same blocks; the last
    claim to be released closes them.
    """

    def __init__(self, blocks: _Blocks) -> None:
        self._blocks = blocks
        blocks.claims.add(self)

    @property
    def data(self) -> Block:
        """The block of the columns."""
        return self._blocks.data

    @property
    def catalog(self) -> Block | None:
        """The block of the catalogue, once it is published."""
        return self._blocks.catalog

    @property
    def handle(self) -> AnyHandle | None:
        """What to send to other processes, once it is published."""
        return self._blocks.handle

    def publish(self, catalog: Block) -> None:
        """Give the blocks, made by this process, their handle."""
        pid = os.getpid()
        started = start_time(pid)
        assert started is not None  # the calling process itself
        refs = (BlockRef(block.fd, block.inode, block.size) for block in (self.data, catalog))
        self._blocks.catalog = catalog
        self._blocks.handle = Handle(pid, started, *refs)
        with _registry.lock:
            _registry.blocks[self._blocks.handle] = self._blocks

    def release(self) -> None:
        """Close the blocks, unless others have a claim on them too.

        Raises
        ------
        BufferError
            If arrays over the blocks are still alive; nothing has changed then.
        """
        blocks = self._blocks
        with _registry.lock:
            if len(blocks.claims) <= 1:
                blocks.data.close()
                if blocks.catalog is not None:
                    blocks.catalog.close()
                if blocks.handle is not None:
                    _registry.blocks.pop(blocks.handle, None)
            blocks.claims.discard(self)


def claim_new(data: Block) -> Claim:
    """Return the first claim on a block that this process has just made."""
    return Claim(_Blocks(data))


def claim_files(handle: FileHandle, map_files: Callable[[], Block]) -> Claim:
    """Return a claim on the mapped files of a handle: those mapped here, or mapped now."""
    with _registry.lock:
        blocks = _registry.blocks.get(handle)
        if blocks is None:
            blocks = _Blocks(map_files())
            blocks.handle = handle
            _registry.blocks[handle] = blocks
        return Claim(blocks)


def _gone(handle: Handle) -> ArenaGoneError:
    what = (
        "has ended" if start_time(handle.pid) != handle.started else "has closed it in the meantime"
    )
    return ArenaGoneError(
        f"the arena lived in process {handle.pid}, which {what}: keep the dataset that owns it "
        "open for as long as others use it"
    )


def _open_block(handle: Handle, ref: BlockRef) -> Block:
    try:
        return Block.open(f"/proc/{handle.pid}/fd/{ref.fd}", ref.inode, ref.size)
    except BlockError as error:
        owner_alive = start_time(handle.pid) == handle.started
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ESTALE) or not owner_alive:
            raise _gone(handle) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BlockError(
                error.errno,
                f"process {handle.pid} owns the arena but may not be looked into; run both as the "
                "same user",
            ) from error
        raise


def claim_open(handle: Handle) -> Claim:
    """Return a claim on the blocks of a handle: those already open here, or opened read-only.

    Raises
    ------
    ArenaGoneError
        If the owner has ended, or has closed the arena.
    BlockError
        If the system refuses access to it.
    """
    with _registry.lock:
        blocks = _registry.blocks.get(handle)
        if blocks is None:
            blocks = _Blocks(_open_block(handle, handle.data))
            blocks.catalog = _open_block(handle, handle.catalog)
            # Checked after opening: the number cannot have changed hands in between.
            if start_time(handle.pid) != handle.started:
                raise _gone(handle)
            blocks.handle = handle
            _registry.blocks[handle] = blocks
        return Claim(blocks)
