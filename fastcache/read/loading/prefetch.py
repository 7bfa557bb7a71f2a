"""Results that are made ahead of their use, by one thread."""

import gc
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastcache.errors import ArgumentError, ForkedError, LateError
from fastcache.read.sampling.checked_ints import checked_int

_T = TypeVar("_T")

# Who drops an iterator waits so long for the result that is being made, and then leaves its thread
# to end by itself: a dataset may hang.
_PATIENCE = 5.0


class _Collections:
    """Knows which thread is in a garbage collection.

    That may begin anywhere, also where a lock is held that a thread needs to end: nobody may wait
    for threads there.
    """

    def __init__(self) -> None:
        self._thread = 0

    def __call__(self, phase: str, _: object) -> None:
        self._thread = threading.get_ident() if phase == "start" else 0

    def here(self) -> bool:
        """Return whether this thread is in one."""
        return self._thread == threading.get_ident()


_collections = _Collections()
gc.callbacks.append(_collections)


@dataclass(frozen=True)
class Outcome(Generic[_T]):
    """What a call gave: a value, or an error."""

    value: _T | None
    error: BaseException | None


def checked_count(count: Any, timeout: float) -> int:
    """Return how many results are to be made ahead; raise ArgumentError if that cannot be."""
    if checked_int("prefetch_factor", count, 0) == 0 and timeout:
        raise ArgumentError(
            f"timeout={timeout} with prefetch_factor=0: without a thread, who asks for a batch "
            "makes it, and cannot give up; give prefetch_factor=1 or more, or no timeout"
        )
    return int(count)


class NotYet(BaseException):
    """No batch was made, for an error that is not one of the batch: it may come all the same."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def _nothing() -> None:
    return None


class Ahead(Generic[_T]):
    """Calls a function ahead of those who take what it returns, in the same order.

    Parameters
    ----------
    make : callable
        Returns the next result, or None when none is left. It is called by one thread at a time,
        and after an exception once more: that is one result among others.
    count : int
        Results that may be there before they are taken. 0: they are made by who takes them.

    Attributes
    ----------
    most : int
        Most results that were there, or were being made, at a time.

    Notes
    -----
    The thread starts with the first `take`, since loaders make iterators that they never use. It
    waits for nobody: it is given one result to make, and after that the next if there is room. So
    the interpreter, which waits for the threads of executors when it ends, never waits for more
    than one result. Where no thread can be started (at the interpreter's end, say) results are made
    by who takes them.
    """

    def __init__(self, make: Callable[[], _T | None], count: int) -> None:
        self._make: Callable[[], _T | None] = make
        self._count = count
        self._changed = threading.Condition()
        self._ready: deque[Outcome[_T]] = deque()
        self._executor: ThreadPoolExecutor | None = None
        self._pid = os.getpid()
        self._working = False
        self._worker = 0  # the thread that makes a result
        self._ended = False  # nothing is left to be made
        self._closed = False
        self.most = 0

    def stopping(self) -> bool:
        """Whether nobody wants what is being made; `make` may look at it and return early."""
        return self._closed

    @property
    def held(self) -> int:
        """Results that are there, or are being made."""
        return len(self._ready) + self._working

    def take(self, timeout: float | None = None) -> Outcome[_T] | None:
        """Return the next result, or what was raised instead; None when there are no more.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait. None: without end.

        Raises
        ------
        LateError
            If it took longer; it may be taken later all the same.
        ForkedError
            In a child that was forked since this object was made.
        """
        if os.getpid() != self._pid:
            raise ForkedError(
                "this process was forked from one that is in the middle of an iteration, and has "
                "not got its thread: begin a new iteration with iter(loader)"
            )
        with self._changed:
            self._go_on()
            if self._working and not self._changed.wait_for(self._is_there, timeout):
                raise LateError(
                    f"no batch within timeout={timeout} seconds: the dataset takes longer for one; "
                    "give more time, or timeout=0 to wait without end"
                )
            outcome = self._ready.popleft() if self._ready else None
            self._go_on()
        return self._outcome() if outcome is None else outcome

    def close(self) -> None:
        """Have no more made, let go of what is there, and wait for the thread's end.

        In a garbage collection nobody waits: the thread goes when it has made its result.
        """
        self._closed = True
        if _collections.here() or os.getpid() != self._pid:
            return  # the executor goes with this object, and tells its thread; a child has none
        with self._changed:
            executor, self._executor = self._executor, None
            own = self._worker == threading.get_ident()
            idle = not own and self._changed.wait_for(lambda: not self._working, _PATIENCE)
            self._let_go()
        if executor is not None:
            executor.shutdown(wait=idle)

    def _let_go(self) -> None:
        self._ready.clear()
        self._make = _nothing  # it may lead back to here, and holds the dataset

    def _is_there(self) -> bool:
        return bool(self._ready) or not self._working

    def _go_on(self) -> None:
        """Have the next result made if there is room for it; the caller holds the lock."""
        if self._working or self._ended or self._closed or len(self._ready) >= self._count:
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="fastcache-loader")
        try:
            self._executor.submit(self._work)
        except RuntimeError:  # no thread can be started, or the interpreter is ending
            return
        self._working = True
        self.most = max(self.most, self.held)

    def _work(self) -> None:
        self._worker = threading.get_ident()
        outcome = self._outcome()
        with self._changed:
            self._worker = 0
            self._working = False
            if outcome is not None and not self._closed:
                self._ready.append(outcome)
            del outcome  # an error's traceback leads to this frame
            if self._closed:
                self._let_go()
            self._go_on()
            self._changed.notify_all()

    def _outcome(self) -> Outcome[_T] | None:
        if self._ended or self._closed:
            return None
        try:
            value = self._make()
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            return Outcome(None, error)
        self._ended = value is None
        return None if value is None else Outcome(value, None)
