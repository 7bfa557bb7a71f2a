"""Callbacks under memory pressure: when they come, to whom, and on which thread."""

import logging
import os
import sys
import threading

import pytest
from hosts import GIB, Host, v1_mount, v2_mount

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.memory import pressure
from fastcache.memory.pressure import MemoryPressure, PressureHandle, memory_pressure


def at(fraction):
    return MemoryPressure(int(1000 * fraction), 1000, "available memory", fraction)


class Script:
    """A watch without a thread, which reads these shares one after the other."""

    def __init__(self, monkeypatch, *fractions):
        readings = iter(fractions)
        self.watch = pressure._Watch(lambda: next(readings))
        monkeypatch.setattr(pressure, "_watch", self.watch)
        monkeypatch.setattr(self.watch, "_run", lambda stop: None)
        self.count = len(fractions)

    def run(self):
        for _ in range(self.count):
            self.watch.look()


def test_it_is_called_once_for_each_rise(monkeypatch):
    """C1: above the fraction, and again only after a fall by five points."""
    shares = [0.5, 0.9, 0.91, 0.95, 0.86, 0.92, 0.849, 0.89, 0.93, 0.2, 0.99]
    script, seen = Script(monkeypatch, *map(at, shares)), []
    fc.on_memory_pressure(lambda now: seen.append(now.fraction))
    script.run()
    assert seen == [0.91, 0.93, 0.99]


def test_each_has_a_fraction_of_its_own(monkeypatch):
    script, seen = Script(monkeypatch, at(0.6), at(0.85), at(0.95)), []
    fc.on_memory_pressure(lambda now: seen.append(("early", now.fraction)), fraction=0.5)
    fc.on_memory_pressure(lambda now: seen.append(("late", now.fraction)), fraction=0.9)
    script.run()
    assert seen == [("early", 0.6), ("late", 0.95)]


def test_an_exception_is_logged_and_the_others_are_called(monkeypatch, caplog):
    script, seen = Script(monkeypatch, at(0.95), at(0.1), at(0.95)), []

    def fail(now):
        raise ZeroDivisionError

    fc.on_memory_pressure(fail)
    fc.on_memory_pressure(seen.append)
    with caplog.at_level(logging.ERROR, "fastcache"):
        script.run()
    assert len(seen) == 2
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError] * 2
    assert "95%" in caplog.records[0].getMessage()


def test_a_callback_that_exits_does_not_end_the_others(monkeypatch):
    script, seen = Script(monkeypatch, at(0.95)), []
    fc.on_memory_pressure(lambda now: sys.exit())
    fc.on_memory_pressure(seen.append)
    script.run()
    assert len(seen) == 1


def test_watching_goes_on_after_a_look_that_failed(monkeypatch, caplog):
    """C1: no descriptors, say; it is told once, not every second."""
    looks, called = iter([OSError(24, "no files"), OSError(24, "no files")]), threading.Event()

    def read():
        for error in looks:
            raise error
        return at(0.95)

    monkeypatch.setattr(pressure._watch, "_interval", 0.001)
    monkeypatch.setattr(pressure._watch, "_read", read)
    with caplog.at_level(logging.ERROR, "fastcache"):
        handle = fc.on_memory_pressure(lambda now: called.set())
        assert called.wait(60)
        handle.cancel()
    assert [r.getMessage() for r in caplog.records] == [
        "memory pressure cannot be told now; watching goes on"
    ]
    for thread in threads():
        thread.join(60)


def test_a_callback_may_cancel_itself_and_others(monkeypatch):
    script, seen = Script(monkeypatch, at(0.95), at(0.1), at(0.95)), []

    def end(now):
        seen.append(now)
        first.cancel()
        second.cancel()

    first = fc.on_memory_pressure(end)
    second = fc.on_memory_pressure(seen.append)
    script.run()
    assert len(seen) == 1
    assert "cancelled" in repr(second)


def test_where_no_limit_tells_its_size(monkeypatch):
    script, seen = Script(monkeypatch, None), []
    fc.on_memory_pressure(seen.append)
    script.run()
    assert seen == []


def threads():
    return [one for one in threading.enumerate() if one.name == "fastcache-pressure"]


def test_there_is_a_thread_as_long_as_there_are_callbacks(monkeypatch):
    """C1: the callback comes on a thread of its own, which ends with the last handle."""
    monkeypatch.setattr(pressure._watch, "_interval", 0.001)
    assert threads() == []
    called = threading.Event()
    where = []

    def callback(now):
        where.append(threading.current_thread())
        called.set()

    handle = fc.on_memory_pressure(callback, fraction=1e-9)  # some memory is always used
    other = fc.on_memory_pressure(lambda now: None)
    assert called.wait(60)
    assert threads() == where
    assert where[0].daemon
    handle.cancel()
    handle.cancel()
    assert threads() == where
    other.cancel()
    where[0].join(60)
    assert threads() == []


def test_a_forked_child_has_none(monkeypatch):
    handle = fc.on_memory_pressure(lambda now: None)
    pid = os.fork()
    if pid == 0:
        fine = not threads() and "cancelled" in repr(handle)
        handle.cancel()
        mine = fc.on_memory_pressure(lambda now: None)
        fine = fine and len(threads()) == 1
        mine.cancel()
        os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(threads()) == 1
    thread = threads()[0]
    handle.cancel()
    thread.join(60)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, "0.9", None, True, float("nan")])
def test_fractions_that_make_no_sense(fraction):
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        fc.on_memory_pressure(print, fraction=fraction)
    assert threads() == []


def test_what_cannot_be_called():
    with pytest.raises(ArgumentTypeError, match="takes one argument"):
        fc.on_memory_pressure(0.9)


def test_the_machine(tmp_path):
    Host(tmp_path).meminfo(8 * GIB, total=32 * GIB)
    found = memory_pressure(tmp_path)
    assert found == MemoryPressure(24 * GIB, 32 * GIB, "available memory", 0.75)
    assert str(found) == "24.0 GiB of 32.0 GiB are used (75% of available memory)"


def test_the_group_of_which_most_is_used(tmp_path):
    """C1: a limit with much left may still be the one that is nearly reached."""
    host = Host(tmp_path)
    host.place("0::/a/b\n", v2_mount())
    host.v2("sys/fs/cgroup/a/b", 9 * GIB, cache=GIB, max=10 * GIB)
    host.v2("sys/fs/cgroup/a", 9 * GIB, max=30 * GIB)
    found = memory_pressure(tmp_path)
    assert (found.used, found.total) == (8 * GIB, 10 * GIB)
    assert found.limit == "control group /a/b (memory.max)"
    assert found.fraction == pytest.approx(0.8)


def test_a_group_of_version_1(tmp_path):
    host = Host(tmp_path)
    host.place("4:memory:/a\n", v1_mount())
    host.v1("sys/fs/cgroup/memory/a", 3 * GIB, 4 * GIB)
    assert memory_pressure(tmp_path).fraction == 0.75


@pytest.mark.parametrize(
    ("text", "stalled"),
    [
        ("some avg10=1.25 avg60=0 avg300=0 total=8\nfull avg10=0.5 avg60=0 total=4\n", 1.25),
        ("some avg10=100.00 avg60=0 total=8\n", 100.0),
        ("full avg10=0.5 avg60=0 total=4\n", None),
        ("some avg10=-1 avg60=0\n", None),
        ("", None),
    ],
)
def test_how_long_is_waited(tmp_path, text, stalled):
    host = Host(tmp_path)
    host.write("proc/pressure/memory", text)
    assert memory_pressure(tmp_path).stalled == stalled


def test_more_is_free_than_there_is(tmp_path):
    """C1: files that contradict one another make no negative share."""
    Host(tmp_path).meminfo(32 * GIB, total=8 * GIB)
    assert memory_pressure(tmp_path).used == 0


def test_a_machine_that_does_not_tell_its_size(tmp_path):
    Host(tmp_path).write("proc/meminfo", "MemAvailable: 1000 kB\nMemTotal: much\n")
    assert memory_pressure(tmp_path) is None


def test_this_machine():
    found = memory_pressure()
    assert 0 < found.used < found.total
    assert found.fraction == pytest.approx(found.used / found.total)
    assert isinstance(fc.on_memory_pressure, type(memory_pressure))
    assert PressureHandle.cancel
