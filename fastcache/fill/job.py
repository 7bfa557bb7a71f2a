"""Work as the threads of a fill take it: C's jobs, and their twin for what Python does."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from fastcache.errors import DecodeError
from fastcache.fill.failures import is_shortage, shortage


class Job(Protocol):
    """Work that threads enter together; C's jobs and `ItemJob` are such."""

    def run(self) -> None:
        """Work until no item is left."""

    def cancel(self) -> None:
        """Start no further item."""

    def progress(self) -> tuple[int, int, int]:
        """Return (items done, failed, bytes written)."""


class ItemJob:
    """Items that Python does: the same protocol as a job of the C core.

    Parameters
    ----------
    rows : sequence of int
        The items.
    work : callable
        ``work(row)`` does one and returns the bytes written.
    failed : callable
        ``failed(row, error)`` records an item that raised; what it raises ends the job.
    counted : bool
        Whether items are samples, which progress counts, or only chunks of bytes.
    threads : int, optional
        At most so many may enter.
    """

    def __init__(
        self,
        rows: Sequence[int],
        work: Callable[[int], int],
        failed: Callable[[int, Exception], None],
        counted: bool = True,
        threads: int | None = None,
    ) -> None:
        self.threads = threads
        self._rows = iter(rows)
        self._work = work
        self._failed = failed
        self._counted = counted
        self._lock = threading.Lock()
        self._cancelled = False
        self._progress = (0, 0, 0)

    def cancel(self) -> None:
        """Start no further item."""
        self._cancelled = True

    def progress(self) -> tuple[int, int, int]:
        """Return (items done, failed, bytes written)."""
        return self._progress

    def _take(self) -> int | None:
        with self._lock:
            return None if self._cancelled else next(self._rows, None)

    def _count(self, failed: int, size: int) -> None:
        with self._lock:
            a, b, c = self._progress
            self._progress = (a + self._counted, b + failed, c + size)

    def run(self, after: Callable[[], None] | None = None) -> None:
        """Work until no item is left; enter from as many threads as wanted.

        A shortage of memory or descriptors ends the job: it is not the item's fault.
        """
        while (row := self._take()) is not None:
            try:
                size = self._work(row)
            except Exception as error:
                if is_shortage(error):
                    raise shortage(error) from error
                self._failed(row, error)
                self._count(1, 0)
            else:
                self._count(0, size)
            if after is not None:
                after()


def reason_of(error: BaseException) -> str:
    """Return an exception as a report states it; our own refusals speak for themselves."""
    return str(error) if isinstance(error, DecodeError) else f"{type(error).__name__}: {error}"
