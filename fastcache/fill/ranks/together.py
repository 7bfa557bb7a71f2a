"""One arena for all ranks of a node: whoever comes first fills it, the others help and wait.

Where the environment says that several ranks run here (torchrun sets ``LOCAL_WORLD_SIZE``), those
that ask for the same arena get one. The first binds a socket whose name follows from what is asked
for, plans, allocates and fills. The others connect; what C decodes from files they decode with
it, each with its share of the cores, straight into the shared memory. Steps in Python (Pillow's
formats, Datasets that are wrapped) stay with the first. ``FASTCACHE_SHARE=0`` in the environment
turns all of it off.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from fastcache._core import threads as pool
from fastcache._core.jobs import FillJob
from fastcache.errors import BudgetError, PeerError
from fastcache.fill.job import Job
from fastcache.fill.options import FillOptions
from fastcache.fill.progress import checking
from fastcache.fill.ranks.board import Message
from fastcache.fill.ranks.follow import follow
from fastcache.fill.ranks.identity import identify
from fastcache.fill.ranks.lead import Leader
from fastcache.fill.ranks.meeting import next_name
from fastcache.fill.ranks.tables import FillTables, absolute_paths, tables_bytes
from fastcache.fill.target import Target
from fastcache.memory import rendezvous
from fastcache.memory.arena import Arena
from fastcache.memory.budget import Budget, BudgetLike
from fastcache.memory.homes import make_block
from fastcache.memory.local_ranks import LocalRanks, local_ranks
from fastcache.sources.base import Source

_MEETING_SECONDS = 60.0  # of trying to join arenas that are closed, or given up, at that moment
_AGAIN_SECONDS = 0.02


class Team:
    """Who fills an arena: this process alone, or with the other ranks of the node.

    Parameters
    ----------
    leader : Leader, optional
        The other ranks' side; None: there are none.
    ranks : LocalRanks, optional
    """

    def __init__(self, leader: Leader | None = None, ranks: LocalRanks | None = None) -> None:
        self._leader = leader
        self._world = ranks.world if ranks else 1
        self._budget: BudgetLike = None
        self._spare = 0

    def allow(self, budget: BudgetLike, spare: int) -> None:
        """Let the other ranks' threads have what the plan leaves of a budget, in bytes."""
        self._budget, self._spare = budget, spare

    @property
    def size(self) -> int:
        """Number of processes that have had a part in the work so far."""
        return 1 + (len(self._leader.board.helped) if self._leader else 0)

    def check(self) -> None:
        """Raise what another rank has failed with."""
        if self._leader is not None:
            self._leader.check()

    @contextmanager
    def joint(self, job: Job, target: Target, thread_bytes: int) -> Iterator[Job]:
        """Give others their part in a job meanwhile, if it is one of C's that fills an arena.

        Parameters
        ----------
        job : Job
        target : Target
            What is being filled.
        thread_bytes : int
            What a thread that works on the job takes.
        """
        leader = self._leader
        if leader is None or not isinstance(target, Arena) or not _is_joint(job, target):
            yield job
            return
        assert isinstance(job, FillJob)
        text, offset = absolute_paths(job.parts[0])
        size = tables_bytes(len(offset), len(text))
        share = max(1, pool.usable_cores() // self._world)
        others = self._world - 1
        threads = min((self._spare - size) // (others * thread_bytes), share)
        with self._lent(size + others * threads * thread_bytes) as lent:
            if threads < 1 or not lent:
                yield job
                return
            block = make_block(size, name="fastcache-tables")
            tables = FillTables(block, len(offset), len(text))
            tables.take_in(job, text, offset)
            spec, data = job.parts[1], target.claim.data
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
            mine = tables.job(spec, job.parts[3], job.damaged_needs_python)
            shared = _SharedJob(mine, leader)
            del mine
            leader.board.offer(Message(body, (data.fd, block.fd)))
            try:
                yield shared
            finally:
                leader.board.offer(None)
                tables.give_back(job)
                shared.drop()

    @contextmanager
    def _lent(self, size: int) -> Iterator[bool]:
        """Hold bytes of a budget that others share; False if they are not there any more."""
        if not isinstance(self._budget, Budget):
            yield True  # the plan knows of nobody else who takes of it
            return
        try:
            reserved = self._budget.reserve(max(0, size), "threads of other ranks")
        except BudgetError:
            yield False
            return
        with reserved:
            yield True


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


def _is_joint(job: Job, arena: Arena) -> bool:
    """Whether a job is C's, and reads and writes the arena's memory from its first byte on."""
    if not isinstance(job, FillJob):
        return False
    target, data = job.parts[3], job.parts[7]
    return all(
        np.asarray(each).__array_interface__["data"][0] == arena.base_address
        for each in (target, data)
        if each is not None
    )


def fill_together(source: Source, options: FillOptions, fill: Callable[[Team], Arena]) -> Arena:
    """Return the arena that `fill` makes, in this process or in another one of the node.

    Parameters
    ----------
    source : Source
    options : FillOptions
        With ``shard=`` each rank has a part of its own, and so an arena of its own.
    fill : callable
        ``fill(team)`` makes it here, in memory.

    Raises
    ------
    PeerError
        If a rank that was filling the same arena has ended, or is silent.
    FastcacheError
        What `fill` raises, in whatever process.
    """
    ranks = local_ranks()
    if ranks is None or options.shard is not None:
        return fill(Team())
    identity = identify(source, source.layout(), options)
    name = next_name(ranks, identity.content)
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
