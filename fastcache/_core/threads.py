"""The one thread pool of the process, and how many threads to use.

Starting threads costs more than a batch of work takes, so they are kept.  The pool belongs to the
process: a forked child has none of its parent's threads and makes its own on first use.
"""

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from fastcache.errors import ArgumentError

_T = TypeVar("_T")

_CGROUP_V2_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_CGROUP_V1_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def cgroup_cores() -> float | None:
    """Return how many cores this process's control group may use; None when there is no limit."""
    try:
        if _CGROUP_V2_QUOTA.exists():
            quota, period = _CGROUP_V2_QUOTA.read_text().split()
        else:
            quota = _CGROUP_V1_QUOTA.read_text().strip()
            period = _CGROUP_V1_PERIOD.read_text().strip()
    except OSError:
        return None
    if quota in ("max", "-1"):
        return None
    return int(quota) / int(period)


def usable_cores() -> int:
    """Return the number of cores this process may use: affinity, then the control group's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cgroup_cores()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def resolve_threads(threads: int | None) -> int:
    """Return the number of threads that a user's ``threads=`` asks for.

    Parameters
    ----------
    threads : int or None
        None or -1: every usable core. Otherwise at least 1.
    """
    if threads is None:
        return usable_cores()
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise ArgumentError(f"threads={threads!r}: give an int, or None for every usable core")
    if threads == -1:
        return usable_cores()
    if threads < 1:
        raise ArgumentError(f"threads={threads}: give at least 1, or None for every usable core")
    return threads


class _Call(Generic[_T]):
    """A function to be called once, and forgotten before anybody learns that it has returned.

    A thread of an executor holds what it called for a moment longer. Work looks at an arena, which
    could not be closed in that moment.
    """

    def __init__(self, function: Callable[[], _T]) -> None:
        self._functions = [function]

    def __call__(self) -> _T:
        return self._functions.pop()()


class _Pool:
    """An executor that grows to the largest number of threads asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._size = 0

    def submit(
        self, function: Callable[[], _T], copies: int, at_least: int = 1
    ) -> list[Future[_T]]:
        """Start `function` on `copies` threads, or on the `at_least` that the system can start."""
        futures: list[Future[_T]] = []
        with self._lock:
            if self._executor is None or self._size < copies:
                outgrown = self._executor
                self._executor = ThreadPoolExecutor(copies, thread_name_prefix="fastcache")
                self._size = copies
                if outgrown is not None:
                    outgrown.shutdown(wait=False)  # what it has begun it finishes
            try:
                futures.extend(self._executor.submit(_Call(function)) for _ in range(copies))
            except RuntimeError:  # no thread can be started, or the interpreter is ending
                if len(futures) < at_least:
                    raise
        return futures

    def forget(self) -> None:
        """Start anew: called in a forked child, where the threads are gone."""
        self.__init__()  # type: ignore[misc]


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def start(function: Callable[[], _T], threads: int) -> list[Future[_T]]:
    """Run `function` on `threads` threads of the pool; the caller waits, or does something else."""
    return _pool.submit(function, threads)


def run(function: Callable[[], object], threads: int) -> None:
    """Run `function` on up to `threads` threads, the calling one among them, and wait for all.

    `function` must do all the work on whichever threads it gets: helpers that have not started by
    the time that the caller is done are called off. So nobody waits for a pool that others keep
    busy, or for threads that can no longer be started (at the interpreter's exit, say).

    The first exception is raised once all have ended.
    """
    shared = [function]

    def help_out() -> None:
        shared[0]()

    helpers = _pool.submit(help_out, threads - 1, at_least=0) if threads > 1 else []
    try:
        function()
    finally:
        errors = [helper.exception() for helper in helpers if not helper.cancel()]
        shared.clear()  # those called off wait in a queue, and must not hold what work looks at
    for error in errors:
        if error is not None:
            raise error


class Work(Protocol):
    """Work that any number of threads may enter at once: the C core's jobs are such."""

    def run(self) -> None:
        """Work until nothing is left."""


class LongWork(Work, Protocol):
    """Work that can be called off."""

    def cancel(self) -> None:
        """Have all threads return soon."""


# Waking a thread takes as long as writing this much.
_BYTES_PER_THREAD = 2 << 20
# Moving this much takes long enough for somebody to press Ctrl-C, and for a thread to be started.
_LONG = 1 << 30


def run_jobs(jobs: Sequence[Work], size: int, threads: int) -> None:
    """Run jobs that write `size` bytes in all, on as many threads as that much work is worth."""

    def work() -> None:
        for job in jobs:
            job.run()

    worth = min(threads, size // _BYTES_PER_THREAD)
    if worth > 1:
        run(work, worth)
    else:
        work()


def run_long_jobs(jobs: Sequence[LongWork], size: int, threads: int, moved: int) -> None:
    """Do the same; an exception that reaches the main thread meanwhile, as Ctrl-C, ends the work.

    `moved` are the bytes that are read and written in all.

    Python hands these over between two instructions, of which C has none: where they could have to
    wait, a thread of its own is in C in the place of the main thread.
    """
    if moved < _LONG or threading.current_thread() is not threading.main_thread():
        run_jobs(jobs, size, threads)
        return
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run_jobs(jobs, size, threads)
        except BaseException as error:  # noqa: BLE001 - raised where it was called
            errors.append(error)

    aside = threading.Thread(target=work, name="fastcache-long")
    try:
        try:
            aside.start()
        except RuntimeError:  # no thread can be started
            run_jobs(jobs, size, threads)
            return
        aside.join()
    except BaseException:  # which may come while the thread starts, too
        for job in jobs:
            job.cancel()
        if aside.is_alive():
            aside.join()
        raise
    if errors:
        raise errors[0]
