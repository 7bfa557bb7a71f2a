"""Sockets on which the ranks of a node meet."""

import json
import os
import socket
import threading
import time
import uuid

import pytest

from fastcache.errors import ArgumentError, FastcacheError, PeerError
from fastcache.memory import rendezvous
from fastcache.memory.local_ranks import local_ranks, socket_name

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "SO_PEERCRED"), reason="needs Linux's abstract sockets"
)


@pytest.fixture
def name():
    return socket_name([uuid.uuid4().hex])


@pytest.fixture
def pair():
    """A link, and the bare socket at its other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    link = rendezvous.Link(ours)
    yield link, theirs
    link.close()
    theirs.close()


@pytest.fixture
def links():
    ours, theirs = map(rendezvous.Link, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    yield ours, theirs
    ours.close()
    theirs.close()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def framed(text):
    return len(text).to_bytes(4, "big") + text


# -- the environment ------------------------------------------------------------------------------


def test_what_the_launcher_says():
    told = {"LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "2", "MASTER_PORT": "29500"}
    ranks = local_ranks(told)
    assert (ranks.world, ranks.rank) == (4, "2")
    assert ranks.run != local_ranks({**told, "MASTER_PORT": "29501"}).run
    assert ranks.run != local_ranks({**told, "TORCHELASTIC_RUN_ID": "a"}).run
    assert ranks.run != local_ranks({**told, "TORCHELASTIC_RESTART_COUNT": "1"}).run
    assert local_ranks({"LOCAL_WORLD_SIZE": "2"}).rank == "?"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"LOCAL_WORLD_SIZE": "1"},
        {"WORLD_SIZE": "8"},
        {"LOCAL_WORLD_SIZE": "2", "FASTCACHE_SHARE": "0"},
    ],
)
def test_a_rank_that_is_alone_or_is_to_be(told):
    assert local_ranks(told) is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOCAL_WORLD_SIZE", "two"),
        ("LOCAL_WORLD_SIZE", "0"),
        ("LOCAL_WORLD_SIZE", "-2"),
        ("LOCAL_WORLD_SIZE", ""),
        ("FASTCACHE_SHARE", "off"),
        ("FASTCACHE_SHARE", ""),
    ],
)
def test_an_environment_that_means_nothing(variable, value):
    with pytest.raises(ArgumentError, match=variable):
        local_ranks({"LOCAL_WORLD_SIZE": "2", variable: value})


# -- names ----------------------------------------------------------------------------------------


def test_a_name_belongs_to_one_listener_until_it_ends(name):
    assert rendezvous.connect(name) is None
    listener = rendezvous.listen(name)
    assert rendezvous.listen(name) is None
    link = rendezvous.connect(name)
    assert link.pid == os.getpid()
    assert link.same_user
    link.close()
    rendezvous.stop_listening(listener)
    rendezvous.stop_listening(listener)
    assert rendezvous.connect(name) is None
    rendezvous.stop_listening(rendezvous.listen(name))


def test_names_follow_from_all_parts():
    parts = [("a", "b"), ("ab", ""), ("b", "a")]
    names = {socket_name([run], *each) for run in "xy" for each in parts}
    assert len(names) == 6
    assert socket_name(["x"], "a", "b") in names
    assert all(len(name) < 100 and name[0] == 0 for name in names)


def test_a_name_that_another_user_holds(name, monkeypatch):
    listener = rendezvous.listen(name)
    monkeypatch.setattr(rendezvous, "_credentials", lambda _: (4711, os.geteuid() + 1))
    before = descriptors()
    with pytest.raises(PeerError, match=f"process 4711 of user {os.geteuid() + 1}") as caught:
        rendezvous.connect(name)
    assert "FASTCACHE_SHARE=0" in str(caught.value)
    assert caught.value.pid == 4711
    assert isinstance(caught.value, FastcacheError) and isinstance(caught.value, ConnectionError)
    assert descriptors() == before
    rendezvous.stop_listening(listener)


def test_a_listener_that_takes_no_connections(name, monkeypatch):
    monkeypatch.setattr(rendezvous, "HELLO_SECONDS", 0.2)
    full = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    full.bind(name)
    full.listen(0)
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    waiting.connect(name)
    with pytest.raises(PeerError, match="takes no connection"):
        rendezvous.connect(name)
    waiting.close()
    full.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_a_connection_alive(links):
    ours, theirs = links
    go, come = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(go, 1)
        os._exit(0)
    try:
        ours.close()
        with pytest.raises(rendezvous.LinkEndedError):
            theirs.receive(20)
    finally:
        os.write(come, b"x")
        os.waitpid(pid, 0)
        os.close(go)
        os.close(come)


# -- messages -------------------------------------------------------------------------------------


def test_messages_arrive_as_they_were_sent(links):
    ours, theirs = links
    for number in range(3):
        ours.send({"kind": "x", "number": number, "text": "é\udc80"})
    for number in range(3):
        message, found = theirs.receive(1)
        assert (message["number"], message["text"], found) == (number, "é\udc80", [])
    assert theirs.receive(0) is None
    assert theirs.receive(0.01) is None


def test_descriptors_arrive_with_their_own_message(links):
    ours, theirs = links
    first, second = os.memfd_create("a"), os.memfd_create("b")
    before = descriptors()
    ours.send({"kind": "without"})
    ours.send({"kind": "with"}, [first, second])
    ours.send({"kind": "one"}, [second])
    ours.send({"kind": "without"})
    got = [theirs.receive(1) for _ in range(4)]
    assert [len(found) for _, found in got] == [0, 2, 1, 0]
    inodes = [[os.fstat(fd).st_ino for fd in found] for _, found in got]
    a, b = os.fstat(first).st_ino, os.fstat(second).st_ino
    assert inodes == [[], [a, b], [b], []]
    for _, found in got:
        for descriptor in found:
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)
    assert descriptors() == before
    os.close(first)
    os.close(second)


def test_a_message_larger_than_the_socket_holds(links):
    ours, theirs = links
    text = "x" * (4 << 20)
    sender = threading.Thread(target=ours.send, args=({"kind": "long", "text": text},))
    sender.start()
    message, _ = theirs.receive(30)
    sender.join()
    assert message["text"] == text


GARBAGE = {
    "2 GB": (2 << 30).to_bytes(4, "big") + b"x" * 100,
    "just over the limit": (rendezvous.MESSAGE_BYTES + 1).to_bytes(4, "big"),
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "empty": framed(b""),
    "no text": framed(b"\xff\xfe\x00"),
    "no json": framed(b"{'kind': 1}"),
    "a list": framed(b"[1]"),
    "no kind": framed(b'{"descriptors": 0}'),
    "kind is a number": framed(b'{"kind": 3, "descriptors": 0}'),
    "no descriptors": framed(b'{"kind": "x"}'),
    "missing descriptors": framed(b'{"kind": "x", "descriptors": 1}'),
    "negative descriptors": framed(b'{"kind": "x", "descriptors": -1}'),
    "deep": framed(b"[" * 100_000),
    "pickle": framed(b"\x80\x04\x95\x00."),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_what_is_no_message_is_refused_at_once(pair, what):
    link, theirs = pair
    theirs.sendall(GARBAGE[what])
    begun = time.monotonic()
    with pytest.raises(PeerError) as caught:
        link.receive(30)
    assert not isinstance(caught.value, rendezvous.LinkEndedError)
    assert caught.value.pid == os.getpid()
    assert time.monotonic() - begun < 10


def test_a_message_that_breaks_off(pair):
    link, theirs = pair
    theirs.sendall(framed(json.dumps({"kind": "x", "descriptors": 0}).encode())[:-3])
    assert link.receive(0.05) is None
    theirs.close()
    with pytest.raises(rendezvous.LinkEndedError, match="has ended"):
        link.receive(5)


def test_a_peer_that_says_nothing_is_not_waited_for(pair):
    assert pair[0].receive(0.05) is None


def test_a_peer_that_lets_every_byte_wait(pair):
    link, theirs = pair
    text = framed(json.dumps({"kind": "x", "descriptors": 0}).encode())
    stop = threading.Event()

    def drip():
        for byte in text:
            theirs.sendall(bytes([byte]))
            if stop.wait(0.05):
                return

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    assert link.receive(0.3) is None
    assert time.monotonic() - begun < 5  # every byte that comes does not begin the wait anew
    stop.set()
    thread.join()


def test_descriptors_that_nobody_asked_for_are_closed(pair):
    link, theirs = pair
    extra = os.memfd_create("extra")
    before = descriptors()
    message = framed(json.dumps({"kind": "x", "descriptors": 0}).encode())
    for _ in range(4):
        socket.send_fds(theirs, [message], [extra, extra])
    link.receive(1)
    with pytest.raises(PeerError, match="nobody asked for"):
        link.receive(1)
    link.close()
    assert descriptors() <= before
    os.close(extra)


def test_a_peer_that_takes_nothing(links, monkeypatch):
    monkeypatch.setattr(rendezvous, "HELLO_SECONDS", 0.2)
    with pytest.raises(rendezvous.LinkEndedError):
        links[0].send({"kind": "long", "text": "x" * (8 << 20)})


def test_sending_to_who_has_gone(links):
    links[1].close()
    with pytest.raises(rendezvous.LinkEndedError) as caught:
        links[0].send({"kind": "x"})
    assert isinstance(caught.value, PeerError)
