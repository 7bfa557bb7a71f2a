"""One arena for all ranks of a node: whoever comes first fills it, the others help and wait.

Where the environment says that several ranks run here (torchrun sets ``LOCAL_WORLD_SIZE``), those
that ask for the same arena get one. The first binds a socket whose name follows from what is asked
for, plans, allocates and fills. The others connect; what C decodes from files they decode with
it, each with its share of the cores, straight into the shared memory. Steps in Python (Pillow's
formats, Datasets that are wrapped) stay with the first. ``FASTCACHE_SHARE=0`` in the environment
turns all of it off.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from fastcache._core import threads as pool
from fastcache._core.jobs import FillJob
from fastcache.errors import PeerError
from fastcache.fill.board import Message
from fastcache.fill.follow import follow
from fastcache.fill.identity import identify
from fastcache.fill.job import Job
from fastcache.fill.lead import Leader
from fastcache.fill.options import FillOptions
from fastcache.fill.progress import checking
from fastcache.fill.tables import FillTables, absolute_paths, tables_bytes
from fastcache.memory import rendezvous
from fastcache.memory.arena import Arena
from fastcache.memory.homes import make_block
from fastcache.memory.local_ranks import LocalRanks, local_ranks, socket_name
from fastcache.sources.base import Source

_MEETING_SECONDS = 60.0  # of trying to join arenas that are closed, or given up, at that moment
_AGAIN_SECONDS = 0.02

_lock = threading.Lock()
_asked: Counter[str] = Counter()  # how often this process has asked for each arena


class Team:
    """Who fills an arena: this process alone, or with the other ranks of the node.

    Parameters
    ----------
    leader : Leader, optional
        The other ranks' side; None: there are none.
    ranks : LocalRanks, optional

    Attributes
    ----------
    spare : int
        Bytes that the other ranks together may take for their threads, beyond the plan's.
    """

    def __init__(self, leader: Leader | None = None, ranks: LocalRanks | None = None) -> None:
        self._leader = leader
        self._others = ranks.world - 1 if ranks else 0
        self.spare = 0

    @property
    def size(self) -> int:
        """Number of processes that have had a part in the work so far."""
        return 1 + (len(self._leader.board.helped) if self._leader else 0)

    def check(self) -> None:
        """Raise what another rank has failed with."""
        if self._leader is not None:
            self._leader.check()

    @contextmanager
    def joint(self, job: Job, arena: Arena, thread_bytes: int) -> Iterator[Job]:
        """Give others their part in a job meanwhile, if it is one of C's that fills the arena.

        Parameters
        ----------
        job : Job
        arena : Arena
            That is being filled.
        thread_bytes : int
            What a thread that works on the job takes.
        """
        if self._leader is None or not isinstance(job, FillJob) or not _fills(job, arena):
            yield job
            return
        text, offset = absolute_paths(job.parts[0])
        size = tables_bytes(len(offset), len(text))
        # What the plan leaves of the budget is for the tables and for the others' threads.
        threads = (self.spare - size) // (self._others * thread_bytes)
        if threads < 1:
            yield job
            return
        block = make_block(size, name="fastcache-tables")
        tables = FillTables(block, len(offset), len(text))
        tables.take_in(job, text, offset)
        spec, data = job.parts[1], arena.claim.data
        body = {
            "kind": "job",
            "threads": threads,
            "data": [data.inode, data.size],
            "tables": [block.inode, block.size],
            "count": len(offset),
            "text": len(text),
            "spec": spec.arguments(),
            "damaged": job.damaged_needs_python,
        }
        shared = _SharedJob(tables.job(spec, job.parts[3], job.damaged_needs_python), self._leader)
        self._leader.board.offer(Message(body, (data.fd, block.fd)))
        try:
            yield shared
        finally:
            self._leader.board.offer(None)
            tables.give_back(job)
            shared.drop()


class _SharedJob:
    """A job of C's that is done when the other ranks have done their part as well."""

    def __init__(self, job: FillJob, leader: Leader) -> None:
        self._jobs = [job]
        self._leader = leader

    def run(self) -> None:
        """Work until no item is left, and nobody else works on one."""
        self._jobs[0].run()
        self._leader.board.wait_for_helpers()

    def cancel(self) -> None:
        """Start no further item, in any process."""
        self._jobs[0].cancel()

    def progress(self) -> tuple[int, int, int]:
        """Return (items done, failed, bytes written), in all processes."""
        return self._jobs[0].progress()

    def drop(self) -> None:
        """Let go of the memory, whoever still has this object."""
        self._jobs.clear()


def _fills(job: FillJob, arena: Arena) -> bool:
    """Whether slots are counted from the arena's first byte, and files read from their paths."""
    if job.from_memory:
        return False
    target = np.asarray(job.parts[3])
    return bool(target.__array_interface__["data"][0] == arena.base_address)


def fill_together(source: Source, options: FillOptions, fill: Callable[[Team], Arena]) -> Arena:
    """Return the arena that `fill` makes, in this process or in another one of the node.

    Parameters
    ----------
    source : Source
    options : FillOptions
    fill : callable
        ``fill(team)`` makes it here.

    Raises
    ------
    PeerError
        If a rank that was filling the same arena has ended, or is silent.
    FastcacheError
        What `fill` raises, in whatever process.
    """
    ranks = local_ranks()
    if ranks is None or options.home not in ("auto", "ram"):
        return fill(Team())
    identity = identify(source, source.layout(), options)
    key = (*ranks.run, identity.content)
    with _lock:
        name = socket_name(*key, str(_asked[identity.content]))
        _asked[identity.content] += 1
    until = time.monotonic() + _MEETING_SECONDS
    while time.monotonic() < until:
        listener = rendezvous.listen(name)
        if listener is not None:
            return _lead(Leader(listener, identity, ranks), ranks, fill)
        link = rendezvous.connect(name)
        if link is not None:
            arena = follow(link, identity, ranks, pool.resolve_threads(options.threads))
            if arena is not None:
                return arena
        time.sleep(_AGAIN_SECONDS)
    raise PeerError(
        f"for {_MEETING_SECONDS:.0f} s other ranks had this arena only to close it at once; start "
        "all ranks again"
    )


def _lead(leader: Leader, ranks: LocalRanks, fill: Callable[[Team], Arena]) -> Arena:
    arena: Arena | None = None
    try:
        with checking(leader.check):
            arena = fill(Team(leader, ranks))
        leader.finish(arena)
        return arena
    except BaseException as error:
        leader.fail(error)
        if arena is not None:
            with suppress(BufferError):  # it goes when the traceback does
                arena.close()
        raise
