"""What the ranks that fill an arena together are to know: jobs, and how it ended."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastcache.fill.ranks.told_errors import tell
from fastcache.memory.rendezvous import Link

TICK = 0.05  # seconds between two looks at what there is to tell


@dataclass(eq=False)
class Message:
    """Something that every rank is told once.

    Attributes
    ----------
    body : dict
    descriptors : sequence of int
    """

    body: dict[str, Any]
    descriptors: Sequence[int] = ()


@dataclass(eq=False)
class Peer:
    """A rank that has joined.

    Attributes
    ----------
    link : Link
    rank : str
    busy : bool
        It has been given a job, and has not said that it is done.
    told : list of Message
    """

    link: Link
    rank: str
    busy: bool = False
    told: list[Message] = field(default_factory=list)

    @property
    def who(self) -> str:
        """The rank in words."""
        return f"rank {self.rank} (process {self.link.pid})"


class Board:
    """The state that the filling thread shares with the threads that talk to peers.

    Attributes
    ----------
    failure : BaseException or None
        What a peer has failed with: the fill must end with it.
    helped : set of int
        Processes that were given a part of the work.
    met : bool
        Somebody has joined.
    closed : bool
        Nobody is told anything any more.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._peers: set[Peer] = set()
        self._job: Message | None = None
        self._outcome: Message | None = None
        self.failure: BaseException | None = None
        self.helped: set[int] = set()
        self.met = self.closed = False

    def offer(self, job: Message | None) -> None:
        """Give a job to the peers that are here and those that come; None: there is none now."""
        with self._changed:
            self._job = job

    def wait_for_helpers(self) -> None:
        """Return when nobody works on the job any more, and nobody will; or a peer has failed."""
        with self._changed:
            self._job = None
            while self.failure is None and any(peer.busy for peer in self._peers):
                self._changed.wait(TICK)

    def conclude(self, outcome: Message) -> bool:
        """Tell everybody how it ended; False if something else was told before."""
        with self._changed:
            self._job = None
            first = self._outcome is None and not self.closed
            if first:
                self._outcome = outcome
            return first

    def fail(self, error: BaseException) -> None:
        """Note what a peer has failed with, unless it is over, and tell the others at once."""
        with self._changed:
            if self._outcome is None and not self.closed:
                self.failure = error
            self.conclude(Message(tell(error)))
            self._changed.notify_all()

    def dismiss(self, seconds: float) -> None:
        """Wait until those who have joined know the outcome."""
        until = time.monotonic() + seconds
        with self._changed:
            while self._peers and time.monotonic() < until:
                self._changed.wait(TICK)

    def close(self) -> None:
        """Tell nobody anything any more."""
        with self._changed:
            self.closed, self._job = True, None
            outcome, self._outcome = self._outcome, None
        for descriptor in outcome.descriptors if outcome else ():
            os.close(descriptor)

    def forget(self) -> None:
        """Leave all peers to the parent: called in a child that it has forked."""
        self._changed = threading.Condition()  # a thread that is not here may have held it
        self._peers = set()
        self.close()

    # -- for the threads that talk to peers -----------------------------------------------------

    def join(self, peer: Peer, welcome: dict[str, Any]) -> bool:
        """Take a peer in and send it the welcome; False if it is too late."""
        with self._changed:
            if self.closed:
                return False
            self._peers.add(peer)
            self.met = True
            peer.link.send({**welcome, "filling": self._outcome is None})
            return True

    def leave(self, peer: Peer) -> None:
        """Expect nothing of a peer any more."""
        with self._changed:
            self._peers.discard(peer)
            self._changed.notify_all()

    def done(self, peer: Peer) -> None:
        """Note that a peer has done its part of the job, and has let go of the memory."""
        with self._changed:
            peer.busy = False
            self._changed.notify_all()

    def inform(self, peer: Peer) -> Message | None:
        """Send a peer what it does not know yet; return that."""
        with self._changed:  # the descriptors stay open meanwhile
            message = self._outcome or self._job
            if message is None or message in peer.told:
                return None
            if message is self._job:
                peer.busy = True
                self.helped.add(peer.link.pid)
            peer.told.append(message)
            peer.link.send(message.body, message.descriptors)
            return message
