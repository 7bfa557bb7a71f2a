"""The rank that fills an arena, as the others of its node see it."""

import logging
import os
import socket
import threading
import time
from typing import Any

from fastcache.errors import ArgumentError, PeerError
from fastcache.fill.ranks.board import TICK, Board, Message, Peer
from fastcache.fill.ranks.identity import PROTOCOL_NAME, Identity
from fastcache.fill.ranks.meeting import warn_if_apart
from fastcache.fill.ranks.told_errors import tell, told
from fastcache.memory import rendezvous
from fastcache.memory.arena import Arena
from fastcache.memory.handles import Handle
from fastcache.memory.local_ranks import SWITCH, LocalRanks
from fastcache.memory.rendezvous import Link

_log = logging.getLogger("fastcache")

_GOODBYE_SECONDS = 10.0  # for the others to take what there is at the end


class Leader:
    """Tells the ranks that join what to help with, watches over them, and hands out the arena.

    One thread accepts connections, for as long as the arena is open; each rank that joins has a
    thread too, until it has the arena.

    Parameters
    ----------
    listener : socket
        Listens under the name of the arena; the leader's from now on.
    identity : Identity
    ranks : LocalRanks

    Attributes
    ----------
    board : Board
    """

    def __init__(self, listener: socket.socket, identity: Identity, ranks: LocalRanks) -> None:
        self._listener = listener
        self._identity = identity
        self._ranks = ranks
        self.board = Board()
        rendezvous.forget_in_children(self)
        threading.Thread(target=self._accept, name="fastcache-ranks", daemon=True).start()

    # -- for the thread that fills --------------------------------------------------------------

    def check(self) -> None:
        """Raise what another rank has failed with.

        Raises
        ------
        PeerError
            If a rank that had joined has ended or gone silent; or the error that it has told of.
        """
        if self.board.failure is not None:
            raise self.board.failure

    def finish(self, arena: Arena) -> None:
        """Hand the arena to all who have joined, and from now on to whoever asks."""
        claim = arena.claim
        handle, catalog = claim.handle, claim.catalog
        assert isinstance(handle, Handle)  # it is committed, and in memory
        assert catalog is not None
        # Descriptors of its own: the arena may be closed while they are being sent.
        descriptors = [os.dup(claim.data.fd), os.dup(catalog.fd)]
        if not self.board.conclude(Message({"kind": "ready", "handle": handle}, descriptors)):
            for descriptor in descriptors:
                os.close(descriptor)
        if not self.board.met:
            warn_if_apart(self._listener, self._ranks)
        arena.on_free(self.stop)
        self.board.dismiss(_GOODBYE_SECONDS)
        self.check()

    def fail(self, error: BaseException) -> None:
        """Tell all who have joined that there will be no arena, and free its name."""
        self.board.conclude(Message(tell(error)))
        self.board.dismiss(_GOODBYE_SECONDS)
        self.stop()
        self.board.failure = None  # it has been raised: its frames may hold the memory

    def stop(self) -> None:
        """Be there for nobody any more; a second call does nothing."""
        if not self.board.closed:
            self.board.close()
            rendezvous.stop_listening(self._listener)

    def forget(self) -> None:
        """Leave everything to the parent: called in a child that it has forked."""
        if not self.board.closed:
            self.board.forget()
            self._listener.close()

    # -- the threads ----------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self.board.closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # stopped; or there are no descriptors left, which may pass
                time.sleep(TICK)
                continue
            link = Link(connection, descriptors=0)
            if not link.same_user:  # anybody may connect
                link.close()
                continue
            serve = threading.Thread(target=self._serve, args=(link,), daemon=True)
            try:
                serve.start()
            except RuntimeError:  # no thread can be started: it comes again, or fails for itself
                link.close()

    def _serve(self, link: Link) -> None:
        peer: Peer | None = None
        try:
            peer = self._greeted(link)
            if peer is not None:
                self._attend(peer)
        except PeerError as error:
            if peer is not None:
                self.board.fail(_lost(peer, error))
            else:  # whoever has not said who it is concerns nobody
                _log.info("somebody who came to meet the ranks of this node left: %s", error)
        finally:
            link.close()
            if peer is not None:
                self.board.leave(peer)

    def _greeted(self, link: Link) -> Peer | None:
        """Return the peer that has said who it is; None for what is none of ours."""
        got = link.receive(rendezvous.HELLO_SECONDS)
        hello: dict[str, Any] = got[0] if got else {"kind": "nothing"}
        if not _is_hello(hello):
            _log.warning(
                "process %d came to meet the ranks of this node, but sent no rank's hello: it was "
                "sent away, and the arena is filled without it",
                link.pid,
            )
            return None
        peer = Peer(link, hello["rank"])
        if difference := self._identity.difference(hello["compared"]):
            error = ArgumentError(
                f"rank {self._ranks.rank} (process {os.getpid()}) and {peer.who} want the same "
                f"arena, but {difference}: give both the same, or set {SWITCH}=0 in the "
                "environment to let every rank fill an arena of its own"
            )
            self.board.fail(error)
            link.send(tell(error))
            return None
        welcome = {"kind": "welcome", "rank": self._ranks.rank}
        return peer if self.board.join(peer, welcome) else None

    def _attend(self, peer: Peer) -> None:
        """Tell a peer what there is to be told, until it has the outcome."""
        heard = sent = time.monotonic()
        while not self.board.closed:
            got = peer.link.receive(TICK)
            now = time.monotonic()
            if got is not None:
                heard = now
                if got[0]["kind"] == "bye":
                    return
                self._hear(peer, got[0])
            elif now - heard > rendezvous.SILENCE_SECONDS:
                raise PeerError("it has given no sign of life", peer.link.pid)
            if message := self.board.inform(peer):
                if message.body["kind"] == "error":
                    return
                sent = now
            if now - sent > rendezvous.BEAT_SECONDS:
                peer.link.send({"kind": "alive"})
                sent = now

    def _hear(self, peer: Peer, message: dict[str, Any]) -> None:
        if message["kind"] == "done":
            self.board.done(peer)
        elif message["kind"] == "error":
            self.board.fail(told(message, peer.who, peer.link.pid))


def _is_hello(message: dict[str, Any]) -> bool:
    """Whether a message is the first one of a rank, of whatever version of fastcache."""
    compared = message.get("compared")
    return (
        message["kind"] == "hello"
        and isinstance(message.get("rank"), str)
        and isinstance(compared, dict)
        and PROTOCOL_NAME in compared
        and all(isinstance(each, str) for each in compared.values())
    )


def _lost(peer: Peer, error: PeerError) -> PeerError:
    return PeerError(
        f"{peer.who} was filling the same arena and is gone: {error}; start all ranks again",
        peer.link.pid,
    )
