"""A rank that helps another one of its node to fill an arena, and then has it too."""

import os
import time
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

import numpy as np

from fastcache._core import threads as pool
from fastcache._core.block import Block
from fastcache._core.image import Spec
from fastcache._core.jobs import FillJob
from fastcache.errors import PeerError
from fastcache.fill.ranks.board import TICK
from fastcache.fill.ranks.identity import Identity
from fastcache.fill.ranks.tables import FillTables
from fastcache.fill.ranks.told_errors import tell, told
from fastcache.memory import rendezvous
from fastcache.memory.arena import Arena, attach
from fastcache.memory.handles import BlockRef, Handle, Holder
from fastcache.memory.local_ranks import SWITCH, LocalRanks
from fastcache.memory.rendezvous import Link, LinkEndedError


def follow(link: Link, identity: Identity, ranks: LocalRanks, threads: int) -> Arena | None:
    """Help whoever is at the other end, and return the arena.

    Parameters
    ----------
    link : Link
        Just connected; closed on return.
    identity : Identity
    ranks : LocalRanks
    threads : int
        Most that this process may use.

    Returns
    -------
    arena : Arena or None
        None: the other one has closed its arena, or given it up, before anything was expected of
        it. The name is free, or will be soon.

    Raises
    ------
    PeerError
        If the other one ends, goes silent, or says what cannot be understood.
    FastcacheError
        What the fill has failed with there.
    """
    follower = _Follower(link, ranks, min(threads, max(1, pool.usable_cores() // ranks.world)))
    try:
        return follower.run(identity)
    except PeerError:
        raise  # there is nobody to tell, or it comes from there
    except BaseException as error:
        if not follower.was_told:
            with suppress(PeerError):
                link.send(tell(error))
        raise
    finally:
        link.close()


_CARRYING = {"job", "ready"}  # kinds of messages with which descriptors come


class _Follower:
    """One arena that is being waited for.

    Attributes
    ----------
    was_told : bool
        Whether the other one has said that it failed.
    """

    def __init__(self, link: Link, ranks: LocalRanks, threads: int) -> None:
        self._link = link
        self._ranks = ranks
        self._threads = threads
        self._leader = f"process {link.pid}"
        self._heard = self._sent = time.monotonic()
        self.was_told = False

    def run(self, identity: Identity) -> Arena | None:
        """Go through all that a rank does which is not the first."""
        compared = dict(identity.compared)
        filling = False
        try:
            self._say({"kind": "hello", "rank": self._ranks.rank, "compared": compared})
            welcome, _ = self._next("welcome")
            self._leader = f"rank {welcome.get('rank')} (process {self._link.pid})"
            filling = welcome.get("filling") is not False
            while (arena := self._step()) is None:
                self._say({"kind": "done"})
            return arena
        except LinkEndedError as error:
            if not filling:
                return None
            raise PeerError(
                f"{self._leader} was filling the arena that this rank waits for, and is gone: "
                f"{error}; start all ranks again",
                self._link.pid,
            ) from error

    def _step(self) -> Arena | None:
        """Do what comes next; return the arena if that was it."""
        message, descriptors = self._next("job", "ready")
        try:
            if message["kind"] == "ready":
                return self._open(message, descriptors)
            self._help(message, descriptors)
            return None
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    # -- messages -------------------------------------------------------------------------------

    def _next(self, *kinds: str) -> tuple[dict[str, Any], list[int]]:
        """Wait for a message of some kind, for as long as there are signs of life."""
        while (got := self._listen(TICK, *kinds)) is None:
            pass
        return got

    def _listen(self, seconds: float, *kinds: str) -> tuple[dict[str, Any], list[int]] | None:
        """Return a message of these kinds; None: there was none, or only a sign of life.

        Gives signs of life as well. Errors are raised, and other messages make no sense.
        """
        got = self._link.receive(seconds)
        now = time.monotonic()
        if got is not None:
            self._heard = now
            kind, descriptors = got[0]["kind"], got[1]
            if kind in kinds and (kind in _CARRYING or not descriptors):
                return got
            for descriptor in descriptors:  # nobody else will
                os.close(descriptor)
            if descriptors or kind not in ("alive", "error"):
                raise self._nonsense(f"a message {kind!r} with {len(descriptors)} descriptors")
            if kind == "error":
                self.was_told = True
                raise told(got[0], self._leader, self._link.pid)
        elif now - self._heard > rendezvous.SILENCE_SECONDS:
            raise PeerError(
                f"{self._leader} has the arena that this rank waits for, and has given no sign "
                f"of life for {rendezvous.SILENCE_SECONDS:.0f} s: end it, or set {SWITCH}=0 in "
                "the environment to let every rank fill an arena of its own",
                self._link.pid,
            )
        if now - self._sent > rendezvous.BEAT_SECONDS:
            self._say({"kind": "alive"})
            self._sent = now
        return None

    def _say(self, message: dict[str, Any]) -> None:
        """Send a message; that the other one is gone is for who listens to find, behind its last.

        It may have gone because of a third rank, and have said so.
        """
        with suppress(LinkEndedError):
            self._link.send(message)

    def _nonsense(self, what: str) -> PeerError:
        return PeerError(f"{self._leader} sends {what}, which makes no sense here", self._link.pid)

    # -- what they ask for ----------------------------------------------------------------------

    def _open(self, message: dict[str, Any], descriptors: list[int]) -> Arena:
        try:
            data, catalog, holders = message["handle"]
            known = tuple(Holder(*holder) for holder in holders)
            handle = Handle(BlockRef(*data), BlockRef(*catalog), known)
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense("no handle of an arena") from error
        arena = attach(handle, descriptors)
        with suppress(PeerError):  # it may have gone on
            self._link.send({"kind": "bye"})
        return arena

    def _help(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            threads = min(self._threads, int(message["threads"]))
            if threads < 1:  # there is no memory for more of them
                return
            data = Block.adopt(descriptors[0], *message["data"])
            tables = Block.adopt(descriptors[1], *message["tables"])
            job = FillTables(tables, message["count"], message["text"]).job(
                Spec(**message["spec"]),
                np.frombuffer(memoryview(data), np.uint8),
                message["damaged"],
            )
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise self._nonsense(f"a job ({error})") from error
        self._work(job, threads)
        del job
        data.close()  # before the other one is told: it makes the arena read-only then
        tables.close()

    def _work(self, job: FillJob, threads: int) -> None:
        """Work on a job, listening meanwhile."""
        futures = pool.start(job.run, threads)
        try:
            running = set(futures)
            while running:
                finished, running = wait(running, timeout=TICK)
                for future in finished:
                    future.result()
                self._listen(0)
        except BaseException:
            job.cancel()  # for all ranks: they take their items from one cursor
            wait(futures)
            raise
