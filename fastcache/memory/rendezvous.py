"""How the ranks of a node meet: a socket whose name all of them can work out.

The name is an abstract one of Linux: no file system knows it, and it is free again as soon as the
process that listens has ended, however.  Anybody on the machine may connect to it, so each side
asks the kernel whose process the other is.  Messages are JSON objects of bounded size; descriptors
travel beside them.  Nothing is unpickled, and no wait is without a limit.
"""

import errno
import json
import os
import socket
import time
import weakref
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastcache.errors import PeerError
from fastcache.memory.local_ranks import SWITCH

MESSAGE_BYTES = 16 << 20  # the longest message that is read or sent
MESSAGE_DESCRIPTORS = 2
HELLO_SECONDS = 10.0  # for whoever connects to say who it is
BEAT_SECONDS = 1.0  # from one sign of life to the next
SILENCE_SECONDS = 30.0  # without one a process is given up

_HEADER = 4  # bytes of a message's length, big-endian
_INT = 4  # bytes of a C int, as descriptors and credentials are
_CHUNK = 1 << 16


# What must not live on in a forked child: while it holds a socket of its parent's, nobody sees
# that the parent has ended.
_inherited: "weakref.WeakSet[Any]" = weakref.WeakSet()


def _forget_all() -> None:
    for each in list(_inherited):
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def forget_in_children(thing: Any) -> None:
    """Have ``thing.forget()`` called in every child that this process forks."""
    _inherited.add(thing)


def _credentials(connection: socket.socket) -> tuple[int, int]:
    """Return number and user of the process at the other end, as the kernel knows them."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * _INT)
    pid, uid, _ = array("i", raw)
    return pid, uid


class LinkEndedError(PeerError):
    """The process at the other end has closed the connection, or has ended."""


class Link:
    """A connection to one process, for one thread.

    Parameters
    ----------
    connection : socket
    descriptors : int, optional
        Most that a message from there may bring; 0: the system drops them before they arrive.

    Attributes
    ----------
    pid, uid : int
        The other process, and its user.
    """

    def __init__(self, connection: socket.socket, descriptors: int = MESSAGE_DESCRIPTORS) -> None:
        self._socket = connection
        self._most = descriptors
        self.pid, self.uid = _credentials(connection)
        self._bytes = bytearray()
        self._descriptors: list[int] = []
        forget_in_children(self)

    @property
    def same_user(self) -> bool:
        """Whether the other process is of this process's user."""
        return self.uid == os.geteuid()

    def forget(self) -> None:
        """Close this process's part without a word."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.pop())

    close = forget

    def _broken(self, how: str) -> PeerError:
        return PeerError(f"process {self.pid} {how}", self.pid)

    def _ended(self, error: OSError | str) -> LinkEndedError:
        return LinkEndedError(f"process {self.pid} has ended the connection ({error})", self.pid)

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message, and descriptors with it.

        Raises
        ------
        LinkEndedError
            If the other process is gone, or takes nothing for `HELLO_SECONDS`.
        """
        text = json.dumps({**message, "descriptors": len(descriptors)}).encode()
        assert len(text) <= MESSAGE_BYTES, "whoever makes messages keeps them short"
        whole = len(text).to_bytes(_HEADER, "big") + text
        try:
            self._socket.settimeout(HELLO_SECONDS)
            sent = socket.send_fds(self._socket, [whole], list(descriptors)) if descriptors else 0
            self._socket.sendall(whole[sent:])
        except OSError as error:
            raise self._ended(error) from error

    def receive(self, seconds: float) -> tuple[dict[str, Any], list[int]] | None:
        """Return the next message and its descriptors, which are the caller's; None: none came.

        Raises
        ------
        LinkEndedError
            If the other process has closed the connection or has ended.
        PeerError
            If what comes is no message of ours.
        """
        until = time.monotonic() + seconds
        while (message := self._take()) is None:
            left = until - time.monotonic()
            if left <= 0 and seconds > 0:
                return None
            self._socket.settimeout(max(left, 0))
            try:
                data = self._read()
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise self._ended(error) from error
            if not data:
                raise self._ended("nothing more comes")
            if len(self._descriptors) > self._most:
                raise self._broken("sends descriptors that nobody asked for")
            self._bytes += data
        return message

    def _read(self) -> bytes:
        """Return some bytes, and keep the descriptors that come with them.

        (`socket.recv_fds` hands no flags on, so that a child started meanwhile would inherit.)
        """
        room = socket.CMSG_SPACE(self._most * _INT) if self._most else 0
        data, extras, _, _ = self._socket.recvmsg(_CHUNK, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, raw in extras:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(raw) - len(raw) % _INT
                self._descriptors += array("i", raw[:whole]).tolist()
        return data

    def _take(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return the first message of what has arrived, once it is whole."""
        if len(self._bytes) < _HEADER:
            return None
        size = int.from_bytes(self._bytes[:_HEADER], "big")
        if size > MESSAGE_BYTES:
            raise self._broken(f"announces a message of {size} bytes, the limit is {MESSAGE_BYTES}")
        if len(self._bytes) < _HEADER + size:
            return None
        text = bytes(self._bytes[_HEADER : _HEADER + size])
        del self._bytes[: _HEADER + size]
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._broken("sends what is no JSON") from error
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise self._broken("sends JSON that is no message of ours")
        count = message.get("descriptors")
        if not isinstance(count, int) or not 0 <= count <= len(self._descriptors):
            raise self._broken("sends other descriptors than its message says")
        # What came with the message behind this one may be there as well.
        found, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return message, found


def listen(name: bytes) -> socket.socket | None:
    """Return a socket that listens under a name; None if another process has it."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(name)
        made.listen(128)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return made


def connect(name: bytes) -> Link | None:
    """Return a connection to whoever listens under a name; None if nobody does.

    Raises
    ------
    PeerError
        If it is another user's process, or takes no connection for `HELLO_SECONDS`.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(HELLO_SECONDS)
        made.connect(name)
        link = Link(made)
    except ConnectionRefusedError:
        made.close()
        return None
    except OSError as error:
        made.close()
        raise PeerError(
            f"the rank that fills the arena takes no connection ({error}); {SWITCH}=0 in the "
            "environment lets every rank fill one of its own"
        ) from error
    if not link.same_user:
        link.close()
        raise PeerError(
            f"the name under which ranks meet is held by process {link.pid} of user {link.uid}, "
            f"this is user {os.geteuid()}: run all ranks as one user, or set {SWITCH}=0 in the "
            "environment to let every rank fill an arena of its own",
            link.pid,
        )
    return link


def stop_listening(listener: socket.socket) -> None:
    """Free the name, and wake the thread that accepts connections."""
    with suppress(OSError):  # it is closed already
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
