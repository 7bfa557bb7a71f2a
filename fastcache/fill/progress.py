"""Telling how far a fill has come: a bar, a callback, or nothing."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias

from tqdm.auto import tqdm

from fastcache._core import threads as pool
from fastcache.fill.job import ItemJob, Job

_PERIOD = 0.1  # seconds between two looks at the counters


@dataclass(frozen=True)
class Progress:
    """State of a fill.

    Attributes
    ----------
    done, total : int
        Items (one per sample and decoded column) finished, and in all.
    bytes : int
        Bytes written into the arena so far.
    failed : int
        Items that could not be read or decoded.
    seconds : float
        Time since the fill began.
    """

    done: int
    total: int
    bytes: int
    failed: int
    seconds: float


ProgressCallback: TypeAlias = Callable[[Progress], object]


_check: ContextVar[Callable[[], object]] = ContextVar("check", default=lambda: None)


@contextmanager
def checking(check: Callable[[], object]) -> Iterator[None]:
    """Have ``check()`` called whenever a job is looked at; what it raises ends the job."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


class Meter:
    """Adds up the jobs of a fill and shows them; a context manager."""

    def __init__(self, progress: bool | ProgressCallback | None, total: int) -> None:
        if progress is None:
            progress = _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
        self._callback: ProgressCallback | None = None
        self._bar: Any = None
        if callable(progress):
            self._callback = progress
        elif progress:
            self._bar = tqdm(total=total, unit="image", desc="fastcache", dynamic_ncols=True)
        self._total = total
        self._begun = time.monotonic()
        self._past = (0, 0, 0)

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def skip(self, items: int) -> None:
        """Count items that an earlier run has done."""
        done, failed, size = self._past
        self._past = (done + items, failed, size)

    def _show(self, done: int, failed: int, size: int) -> None:
        now = Progress(done, self._total, size, failed, time.monotonic() - self._begun)
        if self._callback is not None:
            self._callback(now)
        elif self._bar is not None:
            self._bar.set_postfix_str(f"{size / 1e9:.2f} GB" + f", {failed} failed" * bool(failed))
            self._bar.update(done - self._bar.n)

    def _look(self, job: Job, stop_at_failure: bool) -> tuple[int, int, int]:
        _check.get()()
        done, failed, size = (a + b for a, b in zip(self._past, job.progress(), strict=True))
        if stop_at_failure and failed:
            job.cancel()
        self._show(done, failed, size)
        return done, failed, size

    def watch(self, job: Job, threads: int, stop_at_failure: bool = False) -> None:
        """Run a job on threads of the pool, showing its progress.

        The calling thread stays out of C, so that Ctrl-C and a callback's exception are acted on
        at once: they cancel the job, wait for the items under way, and go on upwards.
        """
        futures = pool.start(job.run, threads)
        try:
            running = set(futures)
            while running:
                finished, running = wait(running, timeout=_PERIOD)
                state = self._look(job, stop_at_failure)
                for future in finished:
                    future.result()
        except BaseException:
            job.cancel()
            wait(futures)
            raise
        self._past = state

    def drive(self, job: ItemJob, stop_at_failure: bool = False) -> None:
        """Run a job on the calling thread, showing its progress between items.

        For a Dataset that may not be read in parallel: what it has bound to its thread (database
        connections, torch's grad and autocast modes, context variables) stays in force.
        """
        shown = time.monotonic()

        def after() -> None:
            nonlocal shown
            failed = job.progress()[1]
            if time.monotonic() - shown >= _PERIOD or (stop_at_failure and failed):
                self._look(job, stop_at_failure)
                shown = time.monotonic()

        job.run(after)
        self._past = self._look(job, stop_at_failure)


def finish(job: Job, threads: int) -> None:
    """Run a job on threads of the pool and wait, ready to be interrupted; nothing is shown."""
    Meter(False, 0).watch(job, threads)
