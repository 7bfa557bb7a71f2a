"""How processes find one another's arenas.

An arena in shared memory has no name.  What travels instead is a handle: inode and size of its two
blocks, and processes that hold them: where the arena came from, and who made the pickle.  Who
gets the handle opens the blocks read-only through /proc/PID/fd of the first of these that is
still there: as a child by fork, spawn or forkserver, or as any other process of the same user.
An arena of files is found by its path.
"""

import errno
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TypeAlias

from fastcache._core.block import Block
from fastcache.errors import ArenaGoneError, BlockError
from fastcache.memory.handles import (
    AnyHandle,
    BlockRef,
    FileHandle,
    Handle,
    Holder,
    start_time,
    still_holds,
)

__all__ = [
    "AnyHandle",
    "BlockRef",
    "Claim",
    "FileHandle",
    "Handle",
    "Holder",
    "claim_files",
    "claim_new",
    "claim_open",
    "start_time",
]

_Key: TypeAlias = tuple[BlockRef, BlockRef] | FileHandle

_HOLDERS = 4  # named in a handle, so that its size stays bounded


class _Blocks:
    """The blocks of one arena in this process, whoever uses them."""

    def __init__(
        self, data: Block, catalog: Block | None = None, holders: Sequence[Holder] = ()
    ) -> None:
        self.data = data
        self.catalog = catalog
        self.holders = tuple(holders)  # where they came from, and this process
        self.claims: weakref.WeakSet[Claim] = weakref.WeakSet()
        self.key: _Key | None = None  # under which the registry has them
        self.frees: list[Callable[[], object]] = []  # to be called when they are given back

    def handle(self) -> AnyHandle | None:
        if isinstance(self.key, FileHandle):
            return self.key
        if self.catalog is None:
            return None
        data, catalog = (BlockRef(each.inode, each.size) for each in (self.data, self.catalog))
        pid = os.getpid()
        started = start_time(pid)
        assert started is not None  # the calling process itself
        here = Holder(pid, started, self.data.fd, self.catalog.fd)
        others = [each for each in self.holders if each != here and still_holds(each, data)]
        return Handle(data, catalog, (*others[: _HOLDERS - 1], here))


class _Registry:
    """The blocks that are open in this process."""

    def __init__(self) -> None:
        self.blocks: weakref.WeakValueDictionary[_Key, _Blocks] = weakref.WeakValueDictionary()
        self.renew_lock()

    def add(self, key: _Key, blocks: _Blocks) -> None:
        """Let blocks be found by their identity, wherever a handle of them comes from."""
        blocks.key = key
        self.blocks[key] = blocks
        handle = blocks.handle()
        if isinstance(handle, Handle):
            blocks.holders = handle.holders  # a child of fork names its parent too

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
        return self._blocks.handle()

    @property
    def files(self) -> FileHandle | None:
        """Which files these are; None for memory."""
        return self._blocks.key if isinstance(self._blocks.key, FileHandle) else None

    def publish(self, catalog: Block) -> None:
        """Give the blocks, made by this process, their catalogue: others may open them now."""
        self._blocks.catalog = catalog
        data, notes = (BlockRef(each.inode, each.size) for each in (self.data, catalog))
        with _registry.lock:
            _registry.add((data, notes), self._blocks)

    def on_free(self, call: Callable[[], object]) -> None:
        """Have `call` called once when the blocks are given back, however that comes about."""
        self._blocks.frees.append(weakref.finalize(self._blocks.data, call))

    def freed(self) -> None:
        """Call what waits for that, if they are closed: a finalizer would swallow Ctrl-C."""
        if self._blocks.data.closed:
            for call in self._blocks.frees:
                call()

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
                if blocks.key is not None:
                    _registry.blocks.pop(blocks.key, None)
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
            _registry.add(handle, blocks)
        return Claim(blocks)


def _gone(handle: Handle) -> ArenaGoneError:
    ended = [start_time(each.pid) != each.started for each in handle.holders]
    if len(ended) == 1:
        what = "has ended" if ended[0] else "has closed it in the meantime"
        where = f"process {handle.holders[0].pid}, which {what}"
    else:
        pids = ", ".join(str(each.pid) for each in handle.holders)
        where = f"processes {pids}, which have all ended or closed it in the meantime"
    return ArenaGoneError(
        f"the arena lived in {where}: keep the dataset that owns it open until others have opened "
        "it (those who have keep it)"
    )


def _open_block(holder: Holder, fd: int, ref: BlockRef) -> Block | None:
    try:
        return Block.open(f"/proc/{holder.pid}/fd/{fd}", *ref)
    except BlockError as error:
        there = start_time(holder.pid) == holder.started
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ESTALE) or not there:
            return None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BlockError(
                error.errno,
                f"process {holder.pid} has the arena but may not be looked into; run both as the "
                "same user",
            ) from error
        raise


def _open(handle: Handle) -> _Blocks:
    for holder in handle.holders:
        data = _open_block(holder, holder.data, handle.data)
        catalog = _open_block(holder, holder.catalog, handle.catalog)
        # Checked after opening: the number cannot have changed hands in between.
        if data and catalog and start_time(holder.pid) == holder.started:
            return _Blocks(data, catalog, handle.holders)
    raise _gone(handle)


def claim_open(handle: Handle, descriptors: Sequence[int] = ()) -> Claim:
    """Return a claim on the blocks of a handle: those already open here, or opened read-only.

    Parameters
    ----------
    handle : Handle
    descriptors : sequence of 2 int, optional
        Of data and catalogue, as another process has sent them; they stay the caller's. Without
        them the blocks are opened where the handle says.

    Raises
    ------
    ArenaGoneError
        If all holders have ended, or have closed the arena.
    BlockError
        If the system refuses access to it.
    """
    with _registry.lock:
        blocks = _registry.blocks.get(handle[:2])
        if blocks is None:
            if descriptors:
                refs = zip(descriptors, (handle.data, handle.catalog), strict=True)
                data, catalog = (Block.open(f"/proc/self/fd/{fd}", *ref) for fd, ref in refs)
                blocks = _Blocks(data, catalog, handle.holders)
            else:
                blocks = _open(handle)
            _registry.add(handle[:2], blocks)
        return Claim(blocks)
