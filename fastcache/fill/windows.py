"""Columns of windows: the arrays are copied once, whatever the number of their windows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.column import ColumnFill
from fastcache.fill.conversion import conversion_for, with_dtype
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.target import Target
from fastcache.memory.row_numbers import AllRows, RowNumbers
from fastcache.memory.windows import WindowColumn
from fastcache.schema import WindowCopy, Windows
from fastcache.sources.base import DerivedValues, Windowed
from fastcache.transforms import Operation

_CHUNK_BYTES = 4 << 20  # of the arrays, copied as one step


class WindowsColumn(ColumnFill):
    """A `Windowed` feed."""

    can_fail = False

    def __init__(
        self, name: str, feed: Windowed, rows: RowNumbers, store: Sequence[Operation] = ()
    ) -> None:
        super().__init__(name)
        self._feed = feed
        self._conversion = conversion_for(name, feed.field, store)
        if not isinstance(rows, AllRows):
            self.keep(rows)
        elif len(rows) < len(feed.windows):
            self._feed = feed.narrowed(feed.windows.head(len(rows)))

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self._feed = self._feed.narrowed(self._feed.windows.take(rows))

    def plan(self) -> None:
        feed = self._feed
        grids = len(feed.windows.inner)
        field = with_dtype(feed.field, self._conversion)
        self.field = replace(field, shape=feed.shape, grids=grids)
        self.tables = 2 * 5 * 8 * grids  # the runs themselves, and the table made of them

    def jobs(self, arena: Target) -> Iterator[Job]:
        column = arena.column(self.name)
        assert isinstance(column, WindowColumn)
        values, repair = column.values, self._feed.repair
        column.grids[...] = self._feed.windows.grids(self._feed.place)
        del column
        yield from self._copies(values)
        if repair is not None:

            def mend(_row: int) -> int:
                repair(values)
                return 0

            yield ItemJob([0], mend, _raise, counted=False, threads=1)

    def _copies(self, values: npt.NDArray[Any]) -> Iterator[Job]:
        """Yield the job that puts the parts behind each other."""
        parts = self._feed.parts
        ends = np.cumsum([part.shape[-1] for part in parts])
        if values.ndim == 3:  # many series of one length: along their number
            step = max(1, _CHUNK_BYTES // max(1, values[:1].nbytes))

            def copy(start: int) -> int:
                rows = slice(start, start + step)
                self._put(parts[0][rows], values[rows], lambda k: f"series {start + k}")
                return int(values[start : start + step].nbytes)

            yield ItemJob(range(0, len(values), step), copy, _raise, counted=False)
            return
        length = values.shape[-1]
        step = max(1, _CHUNK_BYTES // max(1, values[..., :1].nbytes))

        def join(start: int) -> int:
            stop = min(start + step, length)
            at, k = start, int(np.searchsorted(ends, start, side="right"))
            while at < stop:
                end = min(int(ends[k]), stop)
                begin = int(ends[k]) - parts[k].shape[-1]
                piece = parts[k][..., at - begin : end - begin]
                self._put(piece, values[..., at:end], _one_series(k))
                at, k = end, k + 1
            return int(values[..., start:stop].nbytes)

        yield ItemJob(range(0, length, step), join, _raise, counted=False)

    def _put(
        self, piece: npt.NDArray[Any], target: npt.NDArray[Any], told: Callable[[int], str]
    ) -> None:
        if self._conversion is None:
            target[...] = piece
        else:
            self._conversion.put(piece, target, told)

    def facts(self) -> dict[str, object]:
        return dict(self._feed.facts)


class DerivedColumn(ColumnFill):
    """A column that is made on each read: nothing to fill."""

    can_fail = False

    def __init__(self, name: str, feed: DerivedValues, store: Sequence[Operation] = ()) -> None:
        super().__init__(name)
        self.field = feed.field
        if isinstance(feed.field, WindowCopy):
            series = Windows(feed.field.dtype)  # it has the type of what it is a copy of
            self.field = with_dtype(feed.field, conversion_for(feed.field.of, series, store))

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Do nothing: the column it is made of decides about rows."""

    def plan(self) -> None:
        """Do nothing: it takes no place."""

    def jobs(self, arena: Target) -> Iterator[Job]:
        return iter(())

    def facts(self) -> dict[str, object]:
        return {}


def _one_series(k: int) -> Callable[[int], str]:
    return lambda _channel: f"series {k}"


def _raise(_row: int, error: Exception) -> None:
    """Let any error end the fill: what is there already cannot fail in parts."""
    raise error
