"""Page-locked memory for batches on their way to a device: as large as they are, and used again.

torch's own allocator rounds to powers of two, which doubles what a batch takes of memory that the
system can never use for anything else.
"""

import mmap
import threading
import weakref
from collections import deque
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from fastcache._core.lease import Lease, Pool
from fastcache.errors import BlockError

# Each lease is memory of its own: what comes back is kept here, not there.
_PAGES = Pool(0)


class Event(Protocol):
    """A place in the order of a device's copies."""

    def query(self) -> bool:
        """Return whether the copies before it are done."""

    def synchronize(self) -> object:
        """Wait until they are."""


class PageLocker(Protocol):
    """What locks pages: a CUDA device, or what stands in for one in tests."""

    def lock(self, address: int, size: int) -> None:
        """Lock `size` bytes; raise BlockError with the system's reason if that cannot be."""

    def unlock(self, address: int) -> None:
        """Let go of what was locked from that address on."""


class LockedBuffer(NamedTuple):
    """Page-locked bytes."""

    pages: Lease
    size: int


class LockedBuffers:
    """Lends page-locked bytes, and lends them again once nobody can be using them any more.

    That is when the last tensor on them is gone, and the copies out of them are done.

    Parameters
    ----------
    locker : PageLocker
    most_idle : int
        Bytes that may lie here unused. What comes back beyond it is unlocked.

    Attributes
    ----------
    locked_bytes : int
        Bytes that are locked now, lent or not.
    """

    def __init__(self, locker: PageLocker, most_idle: int = 512 << 20) -> None:
        self._locker = locker
        self._lock = threading.Lock()  # several loaders share the buffers of a device
        self._most_idle = most_idle
        self._lent: dict[int, LockedBuffer] = {}  # by address
        self._events: dict[int, Event] = {}  # of the last copy out of it, by address
        # Tensors die anywhere, in a garbage collection too: what they leave is only noted there.
        self._back: deque[int] = deque()
        self._waiting: list[LockedBuffer] = []  # for their copies
        self._idle: list[LockedBuffer] = []  # the longest idle first
        self.locked_bytes = 0

    def new_bytes(self, size: int) -> torch.Tensor:
        """Return a uint8 tensor of shape (size,) in page-locked memory; its content is arbitrary.

        Raises
        ------
        BlockError
            If there is no memory, or no more of it can be locked.
        """
        with self._lock:
            self._collect()
            buffer = self._fitting(size)
            if buffer is None:
                buffer = self._locked(-(-max(size, 1) // mmap.PAGESIZE) * mmap.PAGESIZE)
            address = buffer.pages.address
            self._lent[address] = buffer
        # torch holds the array that a tensor was made of until the last tensor on it is gone.
        pages: Any = buffer.pages
        array = np.frombuffer(pages, np.uint8, size)
        weakref.finalize(array, self._back.append, address).atexit = False
        return torch.from_numpy(array)

    def owns(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor lies in what was lent here."""
        return tensor.untyped_storage().data_ptr() in self._lent

    def copied(self, tensor: torch.Tensor, event: Event) -> None:
        """Say that a copy out of a tensor's memory is done when `event` has passed."""
        with self._lock:
            self._events[tensor.untyped_storage().data_ptr()] = event

    def collect(self) -> None:
        """Take back what is not used any more."""
        with self._lock:
            self._collect()

    def close(self) -> None:
        """Unlock what nobody uses, after waiting for copies; what is lent stays as it is."""
        with self._lock:
            self._collect()
            for buffer in self._waiting:
                self._events[buffer.pages.address].synchronize()
            self._collect()
            while self._idle:
                self._unlock(self._idle.pop())

    def _collect(self) -> None:
        while self._back:
            self._waiting.append(self._lent.pop(self._back.popleft()))
        still = []
        for buffer in self._waiting:
            event = self._events.get(buffer.pages.address)
            if event is not None and not event.query():
                still.append(buffer)
                continue
            self._events.pop(buffer.pages.address, None)
            self._idle.append(buffer)
        self._waiting = still
        idle = sum(buffer.size for buffer in self._idle)
        while self._idle and idle > self._most_idle:
            idle -= self._unlock(self._idle.pop(0))

    def _fitting(self, size: int) -> LockedBuffer | None:
        """Take the smallest idle buffer that fits without wasting a third; None if there is none.

        The page that a buffer has at least is no waste.
        """
        least = max(size, mmap.PAGESIZE)
        fitting = [b for b in self._idle if size <= b.size and b.size - b.size // 3 <= least]
        if not fitting:
            return None
        best = min(fitting, key=lambda buffer: buffer.size)
        self._idle = [buffer for buffer in self._idle if buffer is not best]
        return best

    def _locked(self, size: int) -> LockedBuffer:
        pages = _PAGES.lease(size)
        try:
            self._locker.lock(pages.address, size)
        except BlockError as error:
            raise BlockError(
                f"memory for a batch: {error}; use smaller batches or a smaller prefetch_factor, "
                "or leave device= out and move batches yourself"
            ) from error
        self.locked_bytes += size
        return LockedBuffer(pages, size)

    def _unlock(self, buffer: LockedBuffer) -> int:
        self._locker.unlock(buffer.pages.address)
        self.locked_bytes -= buffer.size
        return buffer.size
