"""The talk between the rank that fills an arena and the others, against peers that misbehave."""

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress

import arena_workers
import pytest

from fastcache.errors import ArgumentError, BudgetError, FastcacheError, PeerError
from fastcache.fill.ranks.follow import follow
from fastcache.fill.ranks.identity import PROTOCOL_NAME, Identity
from fastcache.fill.ranks.lead import Leader
from fastcache.memory import rendezvous
from fastcache.memory.local_ranks import LocalRanks, socket_name
from fastcache.memory.rendezvous import Link, LinkEndedError

pytestmark = [
    pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="ranks meet on Linux only"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

RANKS = LocalRanks(2, "0", ("run",))
COMPARED = {PROTOCOL_NAME: "1", "budget": "None"}
WANTED = Identity("content", COMPARED)
DIFFERENT = Identity("content", {**COMPARED, "budget": "'1GB'"})
HELLO = {"kind": "hello", "rank": "1", "compared": COMPARED}
WELCOME = {"kind": "welcome", "rank": "0", "filling": True}


@pytest.fixture
def name():
    return socket_name([uuid.uuid4().hex])


@pytest.fixture
def leader(name):
    leader = Leader(rendezvous.listen(name), WANTED, RANKS)
    yield leader
    leader.stop()


def bare(name):
    """Connect without any of our manners."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(name)
    return made


def joined(name):
    """Return a link that has been welcomed."""
    link = rendezvous.connect(name)
    link.send(HELLO)
    assert link.receive(10)[0]["kind"] == "welcome"
    return link


def until(met):
    end = time.monotonic() + 30
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)


def listening(name):
    """Listen as soon as the name is free."""
    found = []
    until(lambda: found.append(rendezvous.listen(name)) or found[-1] is not None)
    return found[-1]


def closed(connection):
    connection.settimeout(30)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


class Following(threading.Thread):
    """A rank that follows, in a thread of its own."""

    def __init__(self, link, identity=WANTED):
        super().__init__()
        self.arguments = (link, identity, RANKS._replace(rank="1"), 1)
        self.arena = self.error = None
        self.start()

    def run(self):
        try:
            self.arena = follow(*self.arguments)
        except FastcacheError as error:
            self.error = error

    def result(self):
        self.join(60)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.arena


def said(message):
    """Return a message as it travels."""
    text = json.dumps({**message, "descriptors": 0}).encode()
    return len(text).to_bytes(4, "big") + text


STRANGERS = {
    "2 GB": (2 << 30).to_bytes(4, "big"),
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "nothing": b"",
    "no hello": b"\0\0\0\x20" + b'{"kind": "bye", "descriptors":0}',
    "no rank": b"\0\0\0\x22" + b'{"kind": "hello", "descriptors":0}',
    "rank is a number": said({**HELLO, "rank": 1}),
    "compares nothing": said({**HELLO, "compared": {}}),
    "compares what it likes": said({"kind": "hello", "compared": {"budget": "mine"}}),
    "no protocol": said({**HELLO, "compared": {"budget": "mine"}}),
    "compares no texts": said({**HELLO, "compared": {**COMPARED, "budget": ["mine"]}}),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_strangers_do_not_disturb_the_ranks(leader, name, what, monkeypatch):
    """B7: what is no rank is sent away, says it nothing or nonsense; the ranks get their arena."""
    monkeypatch.setattr(rendezvous, "HELLO_SECONDS", 0.5)
    stranger = bare(name)
    stranger.sendall(STRANGERS[what])
    follower = Following(rendezvous.connect(name))
    assert closed(stranger)
    leader.check()
    with arena_workers.make_arena() as arena:
        leader.finish(arena)
        with follower.result() as theirs:
            assert theirs.base_address == arena.base_address
    assert rendezvous.connect(name) is None  # the name went with the arena
    stranger.close()


def test_a_stranger_that_ends_in_mid_hello(leader, name):
    for _ in range(20):
        stranger = bare(name)
        stranger.sendall(b"\0\0")
        stranger.close()
    link = joined(name)
    leader.check()
    link.send({"kind": "bye"})
    link.close()


def test_who_is_sent_away_is_logged(leader, name, caplog):
    with caplog.at_level("WARNING", "fastcache"), bare(name) as stranger:
        stranger.sendall(STRANGERS["compares what it likes"])
        assert closed(stranger)
    assert f"process {os.getpid()} came to meet the ranks" in caplog.text


def test_a_hello_of_another_version_is_an_error(leader, name):
    """It may compare other things than this version does."""
    link = rendezvous.connect(name)
    link.send({"kind": "hello", "rank": "1", "compared": {PROTOCOL_NAME: "2"}})
    assert link.receive(10)[0]["type"] == "ArgumentError"
    with pytest.raises(ArgumentError, match="the protocol is 1 here and 2 there"):
        leader.check()
    link.close()


def opened_here():
    return len(os.listdir("/proc/self/fd"))


def test_descriptors_that_come_with_a_hello_do_not_stay(leader, name):
    """The leader takes none: the system drops them, and whoever announces them is sent away."""
    extra = os.memfd_create("extra")
    before = opened_here()
    for _ in range(20):
        with rendezvous.connect(name)._socket as stranger:
            text = json.dumps({**HELLO, "descriptors": 2}).encode()
            socket.send_fds(stranger, [len(text).to_bytes(4, "big") + text], [extra, extra])
            assert closed(stranger)
    until(lambda: opened_here() == before)
    leader.check()
    os.close(extra)


def test_descriptors_that_a_rank_sends_do_not_stay(leader, name):
    extra = os.memfd_create("extra")
    before = opened_here()
    link = joined(name)
    for _ in range(20):
        socket.send_fds(link._socket, [said({"kind": "alive"})], [extra, extra])
    link.send({"kind": "bye"})
    assert closed(link._socket)
    link.close()
    until(lambda: opened_here() == before)
    leader.check()
    os.close(extra)


def test_another_user_is_sent_away(leader, name, monkeypatch):
    monkeypatch.setattr(Link, "same_user", property(lambda link: False))
    connection = bare(name)
    assert closed(connection)
    leader.check()
    connection.close()


def test_a_peer_that_ends_without_a_word_is_an_error(leader, name):
    joined(name).close()
    until(lambda: leader.board.failure is not None)
    with pytest.raises(PeerError, match="rank 1 .* is gone") as caught:
        leader.check()
    assert caught.value.pid == os.getpid()


def test_a_peer_that_has_joined_and_then_sends_nonsense_is_an_error(leader, name):
    link = joined(name)
    link._socket.sendall((1 << 31).to_bytes(4, "big"))
    until(lambda: leader.board.failure is not None)
    with pytest.raises(PeerError, match="announces a message of 2147483648 bytes"):
        leader.check()
    link.close()


def test_signs_of_life_come_often_enough(leader, name):
    """Every two seconds at the latest, whatever the thread that fills is doing."""
    link = joined(name)
    for _ in range(3):
        assert link.receive(2.0)[0]["kind"] == "alive"
    link.send({"kind": "bye"})
    link.close()


def test_who_gives_no_sign_of_life_is_given_up(leader, name, monkeypatch):
    monkeypatch.setattr(rendezvous, "SILENCE_SECONDS", 0.3)
    link = joined(name)
    until(lambda: leader.board.failure is not None)
    with pytest.raises(PeerError, match="no sign of life"):
        leader.check()
    link.close()


def test_an_error_reaches_who_waits(leader, name):
    follower = Following(rendezvous.connect(name))
    until(lambda: leader.board._peers)
    error = BudgetError("too much", 10, 5, "budget=5")
    leader.fail(error)
    with pytest.raises(BudgetError, match="too much") as caught:
        follower.result()
    assert vars(caught.value) == vars(error)
    assert rendezvous.connect(name) is None


def test_a_difference_is_told_to_both(leader, name):
    with pytest.raises(ArgumentError, match="budget is None here and '1GB' there"):
        Following(rendezvous.connect(name), DIFFERENT).result()
    with pytest.raises(ArgumentError, match="budget is None here and '1GB' there"):
        leader.check()


def test_a_late_difference_concerns_only_who_is_late(leader, name):
    with arena_workers.make_arena() as arena:
        leader.finish(arena)
        with pytest.raises(ArgumentError, match="budget is None"):
            Following(rendezvous.connect(name), DIFFERENT).result()
        leader.check()
        Following(rendezvous.connect(name)).result().close()


def test_descriptors_are_given_back_with_the_arena(name):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        leader = Leader(listening(name), WANTED, RANKS)
        arena = arena_workers.make_arena()
        leader.finish(arena)
        Following(rendezvous.connect(name)).result().close()
        arena.close()
        leader.stop()
    until(lambda: len(os.listdir("/proc/self/fd")) == before)


def test_an_arena_that_nobody_has_any_more_frees_the_name(leader, name):
    arena = arena_workers.make_arena()
    leader.finish(arena)
    del arena  # collected, never closed
    until(lambda: rendezvous.connect(name) is None)


def test_a_forked_child_does_not_keep_the_name(leader, name):
    go, come = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(go, 1)
        os._exit(0)
    try:
        leader.stop()
        rendezvous.stop_listening(listening(name))
    finally:
        os.write(come, b"x")
        os.waitpid(pid, 0)
        os.close(go)
        os.close(come)


# -- the other side: leaders that misbehave -------------------------------------------------------


def led(name, *messages, raw=b"", stay=False, descriptors=()):
    """Follow a leader that sends these messages; return what the follower makes of it.

    Descriptors go with the last of them.
    """
    listener = rendezvous.listen(name)
    follower = Following(rendezvous.connect(name))
    link = Link(listener.accept()[0])
    assert link.receive(10)[0]["kind"] == "hello"
    try:
        with suppress(BrokenPipeError, LinkEndedError):  # the follower may have heard enough
            for number, message in enumerate(messages, 1):
                link.send(message, descriptors if number == len(messages) else ())
            if raw:
                link._socket.sendall(raw)
        if not stay:
            link.close()
        return follower.result()
    finally:
        link.close()
        rendezvous.stop_listening(listener)


def test_a_leader_that_ends_before_it_has_said_anything_is_asked_no_more(name):
    assert led(name) is None


def test_a_leader_that_ends_after_the_fill_is_asked_no_more(name):
    assert led(name, {**WELCOME, "filling": False}) is None


def test_a_leader_that_ends_while_it_fills(name):
    with pytest.raises(PeerError, match="rank 0 .* is gone: .*start all ranks again"):
        led(name, WELCOME)


def test_a_leader_that_says_nothing(name, monkeypatch):
    monkeypatch.setattr(rendezvous, "SILENCE_SECONDS", 0.3)
    for messages in ((), (WELCOME,)):
        with pytest.raises(PeerError, match="no sign of life .*FASTCACHE_SHARE=0"):
            led(name, *messages, stay=True)


@pytest.mark.parametrize("raw", [(1 << 31).to_bytes(4, "big"), b"SSH-2.0-OpenSSH\r\n", b"\0\0\0\0"])
def test_what_is_no_leader(name, raw):
    with pytest.raises(PeerError):
        led(name, raw=raw, stay=True)


JOB = {"kind": "job", "threads": 1, "data": [1, 4096], "tables": [2, 4096], "count": 1, "text": 2}


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "job"},
        JOB,
        {**JOB, "threads": "many"},
        {**JOB, "data": None},
        {"kind": "ready"},
        {"kind": "ready", "handle": None},
        {"kind": "ready", "handle": [[1, 2], [3, 4], [[5]]]},
        {"kind": "welcome", "rank": "0"},
        {"kind": "hello"},
        {"kind": "surprise"},
    ],
)
def test_a_leader_that_makes_no_sense(name, message):
    with pytest.raises(PeerError, match="makes no sense here") as caught:
        led(name, WELCOME, message, stay=True)
    assert caught.value.pid == os.getpid()


@pytest.mark.parametrize(
    "messages",
    [
        [WELCOME],
        [WELCOME, {"kind": "alive"}],
        [WELCOME, {"kind": "surprise"}],
        [WELCOME, {"kind": "error", "type": "ArgumentError", "text": "", "arguments": ["no"]}],
        [{"kind": "ready"}],
        [WELCOME, {"kind": "ready"}],
    ],
)
def test_descriptors_that_make_no_sense_are_closed(name, messages):
    extra = os.memfd_create("extra")
    before = opened_here()
    with pytest.raises(PeerError, match="makes no sense here"):
        led(name, *messages, stay=True, descriptors=[extra, extra])
    until(lambda: opened_here() == before)
    os.close(extra)


@pytest.mark.parametrize("says", ["alive", "done"])
def test_the_last_word_counts_although_nobody_listens_any_more(name, monkeypatch, says):
    """B7: what cannot be said any more is no reason to overlook the error, which names another."""
    no_work = {"kind": "job", "threads": 0}  # is done at once
    if says == "alive":
        monkeypatch.setattr(rendezvous, "BEAT_SECONDS", -1)
    listener = rendezvous.listen(name)
    follower = Following(rendezvous.connect(name))
    link = Link(listener.accept()[0])
    assert link.receive(10)[0]["kind"] == "hello"
    link._socket.shutdown(socket.SHUT_RD)
    error = {"kind": "error", "type": "ArgumentError", "text": "no", "arguments": ["no"]}
    work = said(no_work) if says == "done" else b""
    link._socket.sendall(said(WELCOME) + work + said(error))
    with pytest.raises(ArgumentError, match="no"):
        follower.result()
    link.close()
    rendezvous.stop_listening(listener)


def test_a_leader_s_error_of_no_known_kind(name):
    with pytest.raises(PeerError, match="SystemExit: 3"):
        led(name, WELCOME, {"kind": "error", "type": "SystemExit", "text": "3"}, stay=True)
    assert json.dumps(JOB)  # what was sent above is what a leader could send
