"""How an arena of files comes into memory while samples are read, and what becomes of it then.

What the kernel does by itself suits files that are read from front to back.  Samples come in any
order.  So where all open arenas fit into memory, what is missed is fetched with a mebibyte around
it, since the rest will be needed, too.  Where they do not fit, only the pages of the samples are
read; the first part of each arena, as much as there is room for, stays in memory, and of the rest
pages go once they were used.  The kernel would rather keep what was used last, of which a shuffled
epoch finds next to nothing when it comes by again.
"""

import errno
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from fastcache._core import threads as pool
from fastcache._core.block import Block
from fastcache.errors import BlockError
from fastcache.memory.extents import Extents, joined
from fastcache.memory.layout import ArenaLayout
from fastcache.memory.limits import room_for_files
from fastcache.memory.reads import pages_read

_PAGE = 4096  # C rounds to those that the system has
_AROUND = 1 << 20  # fetched with what is missed, if all fits
_SPARE, _SPARE_MOST = 0.3, 2 << 30  # share of the room, and bytes where that would be much more
# From one look at the system's limits to the next: bytes of samples, and seconds, since what is in
# memory comes faster than any disk could give it, and looking takes a millisecond.
_SURVEY, _SURVEY_SECONDS = 512 << 20, 0.1
_LOOK = 64  # samples from one look at what had to be read to the next
_PROBE = 8  # of so many chunks that are not due, some samples of one are asked for
_QUEUE = 4  # chunks that wait for the helper thread at most


def spare(room: int) -> int:
    """Return what is left free of the room: batches and others take from it between two surveys.

    A third of it is free even if everything fits. A fifth is what one call may read ahead, since
    several wait, beside batches that workers have begun.
    """
    return int(min(_SPARE * room, _SPARE_MOST + 0.05 * room))


# The arenas of files that are open in this process: they share what room there is.
_open: "weakref.WeakSet[Paging]" = weakref.WeakSet()


class _Watch:
    """Whether things had to be read of late; looked up once in a while, if samples come singly."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._samples = _LOOK
        self._found = True

    def reading(self, samples: int) -> bool:
        self._samples += samples
        if self._samples >= _LOOK:
            self._samples = 0
            now = pages_read()
            self._found = now is None or now != self._before
            self._before = now
        return self._found


class Paging:
    """How one arena's files are paged in this process.

    Parameters
    ----------
    block : Block
        Of mapped files.
    layout : ArenaLayout
    room : callable, optional
        Returns the bytes that all open arenas may take in memory.

    Attributes
    ----------
    total_bytes : int
        Of the arena.
    passes : bool
        Whether not all open arenas fit, so that pages of this one pass through memory.
    stays : float
        Share of each column's rows, from the first on, whose pages stay in memory.
    ahead : int
        How many samples may be asked for ahead in one call: what comes too early is gone again
        before it is used.
    """

    def __init__(
        self, block: Block, layout: ArenaLayout, room: Callable[[], int] = room_for_files
    ) -> None:
        self._block = weakref.ref(block)
        self._room = room
        self._values = _large_values(layout)
        self._sample_bytes = max(_PAGE, layout.total_bytes // max(1, layout.count))
        self.total_bytes = layout.total_bytes
        self.passes = False
        self.stays = 1.0
        self.ahead = self._count = layout.count
        self._undue = 0
        self._drop = "pageout"
        self._unsurveyed, self._surveyed = _SURVEY, -_SURVEY_SECONDS
        self._watches: dict[str, _Watch] = {}
        self._pending: deque[Future[None]] = deque()
        self._owner = os.getpid()
        self._lock = threading.Lock()
        _open.add(self)

    # -- what there is room for ---------------------------------------------------------------

    def due(self, who: str, samples: int) -> bool:
        """Whether the pages of the next samples should be asked for.

        They should not if nothing had to be read of late: all that is used is in memory then.

        Parameters
        ----------
        who : str
            Who asks: each is told by what happened since it asked before.
        samples : int
            How many these are.
        """
        self._unsurveyed += samples * self._sample_bytes
        since = time.monotonic() - self._surveyed
        if self._unsurveyed >= _SURVEY and since >= _SURVEY_SECONDS:
            self.survey()
        watch = self._watches.setdefault(who, _Watch())
        return watch.reading(samples) or self.passes

    def probing(self) -> bool:
        """Whether a few samples should be asked for although none are due: once in a while."""
        self._undue += 1
        return self._undue % _PROBE == 0

    def survey(self) -> None:
        """Find out whether everything fits, and have the kernel read accordingly."""
        self._unsurveyed, self._surveyed = 0, time.monotonic()
        total = sum(one.total_bytes for one in tuple(_open))
        room = self._room()
        free = spare(room)
        passes = total > room - free // 3
        self.stays = (room - free) / total if passes else 1.0
        self.ahead = free // 5 // self._sample_bytes if passes else self._count
        block = self._block()
        if passes != self.passes and block is not None:
            block.advise(*self._values, "random" if passes else "normal")
            self.passes = passes

    # -- pages --------------------------------------------------------------------------------

    def bring(self, extents: Extents) -> None:
        """Have the pages of some ranges read, without waiting until they are there."""
        block = self._block()
        if block is not None:
            grain = _PAGE if self.passes else _AROUND
            block.advise(*joined(extents, grain, self.total_bytes), "willneed")

    def bring_aside(self, extents: Extents) -> None:
        """Do the same on a helper thread: the kernel may wait for the disk before it has begun."""
        block = self._block()
        if block is None:
            return
        grain = _PAGE if self.passes else _AROUND
        wanted = joined(extents, grain, self.total_bytes)

        def work() -> None:
            block.advise(*wanted, "willneed")

        self.settle(_QUEUE - 1)
        try:
            (future,) = pool.start(work, 1)
        except RuntimeError:  # no thread can be started
            work()
            return
        with self._lock:
            self._pending.append(future)

    def settle(self, leave: int = 0) -> None:
        """Wait until no more than `leave` calls are under way, and raise what went wrong."""
        if self._owner != os.getpid():  # they were the parent's, and so was who held the lock
            self._owner, self._pending, self._lock = os.getpid(), deque(), threading.Lock()
        while True:
            with self._lock:
                if len(self._pending) <= leave:
                    return
                oldest = self._pending.popleft()
            oldest.result()

    def let_go(self, extents: Extents) -> None:
        """Have the whole pages of some ranges leave memory, as far as nobody else uses them."""
        block = self._block()
        if block is None or not len(extents.starts):
            return
        ranges = joined(extents, 1, self.total_bytes)
        try:
            block.advise(*ranges, self._drop)
        except BlockError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS) or self._drop == "dontneed":
                raise
            self._drop = "dontneed"  # Linux before 5.4: at least they can be reclaimed then
            block.advise(*ranges, self._drop)


def _large_values(layout: ArenaLayout) -> Extents:
    """Return where columns lie whose rows are worth pages of their own: no labels, no tables."""
    large = [
        (column.values, column.values_bytes)
        for column in layout.columns.values()
        if column.values_bytes >= max(_AROUND, 512 * column.count)
    ]
    starts, lengths = np.array(large, np.int64).reshape(-1, 2).T.copy()
    return Extents(starts, lengths)


_pagings: weakref.WeakKeyDictionary[Block, Paging] = weakref.WeakKeyDictionary()


def paging_of(block: Block, layout: ArenaLayout) -> Paging:
    """Return the paging of a block of mapped files, the same for all arenas over it."""
    found = _pagings.get(block)
    if found is None:
        found = _pagings.setdefault(block, Paging(block, layout))
    return found
