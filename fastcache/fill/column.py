"""One column on its way into the arena, and the loop for work that is done in Python."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fastcache.errors import SchemaError
from fastcache.fill.progress import Stoppable
from fastcache.memory.arena import Arena, DenseColumn
from fastcache.schema import Field


class FillJob(Stoppable, Protocol):
    """A job as `Meter.watch` and the thread pool take it."""

    def run(self) -> None:
        """Work until no item is left; entered by several threads."""


class ColumnFill(ABC):
    """How one column is planned and filled.

    Attributes
    ----------
    name : str
    field : Field
        What a row is; known after `plan`.
    shapes : int64 array (N, ndim) or None
        Row shapes of a ragged column; known after `plan`.
    scratch : int
        Bytes that one thread holds while it fills this column.
    tables : int
        Bytes that are held beside the arena until the fill ends, whatever the threads.
    failed : dict of int to (str, str)
        Rows that cannot be had: what they are called (a path) and why.
    items : int
        Steps that progress counts for this column.
    """

    name: str
    field: Field
    shapes: npt.NDArray[np.int64] | None = None
    scratch: int = 0
    tables: int = 0
    items: int = 0
    threads: int | None = None  # None: as many as the user allows

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed: dict[int, tuple[str, str]] = {}

    @abstractmethod
    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Go on with these rows only; they are numbered anew."""

    @abstractmethod
    def plan(self) -> None:
        """Decide field and row shapes."""

    @abstractmethod
    def jobs(self, arena: Arena) -> Iterator[FillJob]:
        """Yield the jobs that fill the column, one after the other."""

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        """Return field and row shapes (None: dense) of every arena column this one fills."""
        return {self.name: (self.field, self.shapes)}

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """Return what the report says of this column."""


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
    """

    def __init__(
        self,
        rows: Sequence[int],
        work: Callable[[int], int],
        failed: Callable[[int, Exception], None],
        counted: bool = True,
    ) -> None:
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

    def run(self) -> None:
        """Work until no item is left; enter from as many threads as wanted."""
        while (row := self._take()) is not None:
            try:
                size = self._work(row)
            except Exception as error:  # noqa: BLE001, PERF203 - any decoder's or Dataset's: recorded
                self._failed(row, error)
                self._count(1, 0)
            else:
                self._count(0, size)


def reason_of(error: BaseException) -> str:
    """Return an exception as a report states it."""
    return f"{type(error).__name__}: {error}"


def rows_of(arena: Arena, name: str) -> Callable[[int], npt.NDArray[Any]]:
    """Return ``row → writable array`` for a dense or ragged column that is being filled."""
    column = arena.column(name)
    if isinstance(column, DenseColumn):
        rows = column.rows
        return lambda row: rows[row, ...]
    return column.__getitem__


def write_row(target: npt.NDArray[Any], value: npt.NDArray[Any], what: str) -> int:
    """Copy a value into its row; shapes must agree, nothing is broadcast."""
    if target.shape != value.shape:
        raise SchemaError(
            f"{what} has shape {value.shape}, its place in the arena {target.shape}: the file or "
            'the Dataset changed meanwhile, or its images differ in size (pass infer="scan")'
        )
    target[...] = value
    return value.nbytes
