"""Small memory that all processes which have it may write to, found as arenas are.

What travels is a handle: inode and size, and processes that hold the memory.  Who gets it maps the
same memory, through /proc/PID/fd of the first of these that is still there.
"""

import errno
import os
import threading
import weakref
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache._core.block import Block
from fastcache.errors import ArenaGoneError, BlockError
from fastcache.memory.handles import BlockRef, start_time
from fastcache.memory.homes import make_block

_HOLDERS = 4  # named in a handle, so that its size stays bounded


class Place(NamedTuple):
    """A process that has the memory, as known elsewhere."""

    pid: int
    started: int  # in clock ticks since the machine started
    descriptor: int


class Writable:
    """Memory of its own kind, zeroed when it is made.

    Pickles to a handle; unpickling gives the same memory, in the same process the same object.

    Parameters
    ----------
    block : Block
    places : sequence of Place
        Where it came from.
    """

    def __init__(self, block: Block, places: tuple[Place, ...] = ()) -> None:
        self._block = block
        self._ref = BlockRef(block.inode, block.size)
        self._places = places
        self._places = self._known()  # a child of fork names its parent too

    @classmethod
    def make(cls, size: int, name: str) -> "Writable":
        """Allocate `size` bytes or more.

        Raises
        ------
        BudgetError, BlockError
            As :func:`fastcache.memory.homes.make_block`.
        """
        made = cls(make_block(size, name=name, threads=1))
        with _registry.lock:
            _registry.open[made._ref] = made
        return made

    @property
    def words(self) -> npt.NDArray[np.uint64]:
        """The memory itself; it stays mapped as long as arrays over it live."""
        return np.frombuffer(memoryview(self._block), np.uint64)

    def _known(self) -> tuple[Place, ...]:
        pid = os.getpid()
        started = start_time(pid)
        assert started is not None  # the calling process itself
        here = Place(pid, started, self._block.fd)
        others = [place for place in self._places if place != here and self._is_at(place)]
        return (*others[: _HOLDERS - 1], here)

    def _is_at(self, place: Place) -> bool:
        if start_time(place.pid) != place.started:
            return False
        try:
            return os.stat(_path(place)).st_ino == self._ref.inode
        except OSError:  # it has closed it, or may not be looked into
            return False

    def __copy__(self) -> "Writable":
        return self

    def __deepcopy__(self, memo: object) -> "Writable":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return open_writable, (tuple(self._ref), tuple(map(tuple, self._known())))


class _Registry:
    """What of it is mapped in this process."""

    def __init__(self) -> None:
        self.open: weakref.WeakValueDictionary[BlockRef, Writable] = weakref.WeakValueDictionary()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Forget a lock that a thread of the parent may have held when this process was forked."""
        self.lock = threading.Lock()


_registry = _Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_registry.renew_lock)


def open_writable(ref: tuple[int, int], places: tuple[tuple[int, int, int], ...]) -> Writable:
    """Map the memory of a handle, as unpickling does.

    Raises
    ------
    ArenaGoneError
        If all processes that the handle names have ended, or have given it back.
    BlockError
        If the system refuses access to it.
    """
    known = BlockRef(*ref)
    with _registry.lock:
        found = _registry.open.get(known)
        if found is None:
            found = _registry.open[known] = _open(known, tuple(Place(*each) for each in places))
        return found


def _path(place: Place) -> str:
    return f"/proc/{place.pid}/fd/{place.descriptor}"


def _open(ref: BlockRef, places: tuple[Place, ...]) -> Writable:
    for place in places:
        block = _open_at(place, ref)
        # Checked after opening: the number cannot have changed hands in between.
        if block is not None and start_time(place.pid) == place.started:
            return Writable(block, places)
    pids = ", ".join(str(place.pid) for place in places)
    raise ArenaGoneError(
        f"what counts the visits of its samples lived in process {pids}, of which none is left "
        "that has it: keep the dataset open there until others have opened it"
    )


def _open_at(place: Place, ref: BlockRef) -> Block | None:
    try:
        # The number may by now stand for a device, which would not like to be opened for writing.
        if os.stat(_path(place)).st_ino != ref.inode:
            return None
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(_path(place), flags)
        try:
            return Block.adopt(descriptor, *ref)
        finally:
            os.close(descriptor)
    except OSError as error:
        there = start_time(place.pid) == place.started
        gone = (errno.ENOENT, errno.ENXIO, errno.ESTALE, errno.EISDIR)
        if error.errno in gone or not there:
            return None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BlockError(
                error.errno,
                f"process {place.pid} counts the visits of the dataset's samples but may not be "
                "looked into; run both as the same user",
            ) from error
        raise BlockError(
            error.errno, f"opening what process {place.pid} shares: {error.strerror}"
        ) from error
