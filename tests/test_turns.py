"""Tests that are marked `alone` run alone, and get their turn."""

import os
import select
import signal

import pytest
from turns import Turns


class Other:
    """A forked process that takes turns, and says and hears single bytes."""

    def __init__(self, path, *kinds):
        theirs, self._say = os.pipe()
        self._hear, said = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(theirs)
            os.close(said)
            return
        try:
            turns = Turns(path)
            for alone in kinds:
                with turns.turn(alone):
                    os.write(said, b"i")
                    os.read(theirs, 1)
        finally:
            os._exit(0)

    def is_in(self, seconds=0.0):
        return bool(select.select([self._hear], [], [], seconds)[0]) and os.read(self._hear, 1)

    def leave(self):
        os.write(self._say, b"l")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._say)
        os.close(self._hear)


@pytest.fixture
def start(tmp_path):
    others = []

    def start(*kinds):
        others.append(Other(tmp_path / "turns", *kinds))
        return others[-1]

    yield start
    for other in others:
        other.end()


def test_many_are_in_the_room_or_one_alone(start):
    one, two = start(False, False), start(False)
    assert one.is_in(20)
    assert two.is_in(20)
    alone = start(True)
    assert not alone.is_in(0.1)
    one.leave()
    assert not one.is_in(0.1)  # whoever comes back waits behind who waits
    assert not alone.is_in(0.1)
    two.leave()
    assert alone.is_in(20)
    assert not one.is_in(0.1)
    alone.leave()
    assert one.is_in(20)


def test_who_is_killed_leaves_the_room(start):
    one, alone = start(True), start(True)
    first, second = (one, alone) if one.is_in(5) else (alone, one)
    os.kill(first.pid, signal.SIGKILL)
    assert second.is_in(20)


def test_a_forked_process_holds_nothing(tmp_path, start):
    turns = Turns(tmp_path / "turns")
    with turns.turn(True):
        pid = os.fork()
        if pid == 0:
            signal.pause()
    try:
        other = start(True)
        assert other.is_in(20)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
