"""The pool of threads: nobody waits for it who could do the work alone."""

import os
import signal
import subprocess
import sys
import threading
import weakref

import pytest

from fastcache._core import threads
from fastcache.errors import ArgumentError


def test_every_thread_takes_part_and_errors_come_back():
    barrier = threading.Barrier(3, timeout=20)
    threads.run(barrier.wait, 3)

    def fail():
        raise KeyError(threading.current_thread().name)

    with pytest.raises(KeyError):
        threads.run(fail, 2)


@pytest.mark.parametrize("width", [1, 3])
def test_items_are_taken_once_each(width):
    taken = []
    threads.run_each(taken.append, range(1000), width)
    assert sorted(taken) == [*range(1000)]
    threads.run_each(taken.append, [], width)
    assert len(taken) == 1000


def test_the_first_error_keeps_the_others_from_beginning():
    begun = []

    def work(item):
        begun.append(item)
        if item == 3:
            raise KeyError(item)

    with pytest.raises(KeyError):
        threads.run_each(work, range(1_000_000), 2)
    assert len(begun) < 1_000_000


def test_what_was_run_is_not_held(monkeypatch):
    """Arenas are closed right behind work on them: no thread may hold that for a moment more."""
    monkeypatch.setattr(threads, "_pool", threads._Pool())

    class Thing:
        def run(self, item=None):
            return id(self)

    for _ in range(200):
        thing = Thing()
        told = weakref.ref(thing)
        threads.run_each(thing.run, range(8), 3)
        (future,) = threads.start(thing.run, 1)
        future.result(timeout=20)
        del thing
        assert told() is None


def test_a_busy_pool_holds_nobody_up(monkeypatch):
    """A fill in one thread does not keep another from its batches."""
    monkeypatch.setattr(threads, "_pool", threads._Pool())  # of four threads, not of more
    release = threading.Event()
    waiting = threads.start(release.wait, 4)
    done: list[int] = []
    try:
        threads.run(lambda: done.append(1), 4)
        assert done == [1]
    finally:
        release.set()
    assert all(future.result(timeout=20) for future in waiting)


def test_nested_runs_do_not_wait_for_one_another():
    def outer() -> None:
        threads.run(lambda: None, 4)

    for future in threads.start(outer, 4):
        future.result(timeout=20)


def test_work_is_done_when_no_thread_can_be_started(monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_pool", threads._Pool())
    monkeypatch.setattr(threads.ThreadPoolExecutor, "submit", refuse)
    done: list[int] = []
    threads.run(lambda: done.append(1), 4)
    assert done == [1]
    with pytest.raises(RuntimeError, match="new thread"):
        threads.start(lambda: None, 2)


def test_work_is_done_while_the_interpreter_ends():
    code = (
        "import atexit\n"
        "from fastcache._core import threads\n"
        "threads.run(lambda: None, 3)\n"
        "atexit.register(threads.run, lambda: print('done'), 3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[0] == "done"
    assert not ended.stderr


@pytest.mark.parametrize("count", [0, -2, True, 1.5, "2"])
def test_numbers_of_threads_that_mean_nothing(count):
    """B3: 0 and nonsense are errors; None and -1 mean every usable core."""
    with pytest.raises(ArgumentError, match="threads"):
        threads.resolve_threads(count)
    assert threads.resolve_threads(None) == threads.resolve_threads(-1) == threads.usable_cores()


class Endless:
    """Work that ends when it is called off."""

    def __init__(self):
        self.cancelled = threading.Event()
        self.entered = threading.Event()

    def run(self):
        self.entered.set()
        assert self.cancelled.wait(timeout=20)

    def cancel(self):
        self.cancelled.set()


def test_ctrl_c_ends_long_work():
    job = Endless()

    def interrupt():
        job.entered.wait(timeout=20)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        threads.run_long_jobs([job], 1 << 30, 2, 1 << 30)
    assert job.cancelled.is_set()


def test_long_work_raises_what_went_wrong(monkeypatch):
    class Wrong(Endless):
        def run(self):
            raise KeyError(threading.current_thread() is threading.main_thread())

    with pytest.raises(KeyError, match="False"):
        threads.run_long_jobs([Wrong()], 1 << 30, 1, 1 << 30)
    with pytest.raises(KeyError, match="True"):
        threads.run_long_jobs([Wrong()], 1 << 10, 1, 1 << 29)

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads.threading.Thread, "start", refuse)
    with pytest.raises(KeyError, match="True"):
        threads.run_long_jobs([Wrong()], 1 << 30, 1, 1 << 30)
