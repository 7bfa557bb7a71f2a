"""Which windows there are: runs of them, instead of a list of each."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """Where the series begin in an array that holds one thing per step, or per series.

    Attributes
    ----------
    starts : int64 array or None
        First element of each series; None if they lie `pitch` elements apart.
    pitch : int
    per_step : bool
        Whether later steps lie behind the first; False for one element per series.
    """

    starts: Ints | None = None
    pitch: int = 0
    per_step: bool = True

    def of(self, series: Ints) -> Ints:
        """Return the first element of these series."""
        places: Ints = series * self.pitch if self.starts is None else self.starts[series]
        return places


@dataclass(frozen=True)
class SeriesWindows:
    """Windows in the order of their rows, as runs of equal distance.

    A run has `inner` windows of a series, the first at step `start`, the others `stride` steps
    apart; and the same in the `outer - 1` series that follow.

    Attributes
    ----------
    length, stride : int
    series, outer, start, inner : int64 arrays of one entry per run
    """

    length: int
    stride: int
    series: Ints
    outer: Ints
    start: Ints
    inner: Ints

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def counts(self) -> Ints:
        """Windows of each run."""
        return self.outer * self.inner

    @property
    def last(self) -> tuple[int, int]:
        """The last series that has a window, and the end of its last window in steps."""
        last = int((self.series + self.outer).max()) - 1
        inside = self.series + self.outer - 1 == last
        ends = self.start[inside] + (self.inner[inside] - 1) * self.stride + self.length
        return last, int(ends.max())

    def grids(self, place: Place) -> Ints:
        """Return int64 [5, runs]: first row, rows per series, first element, both distances."""
        counts = self.counts
        per_step = int(place.per_step)
        return np.stack(
            [
                np.cumsum(counts) - counts,
                self.inner,
                place.of(self.series) + self.start * per_step,
                np.full_like(counts, place.pitch),
                np.full_like(counts, self.stride * per_step),
            ]
        )

    def locate(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return series and first step of these rows."""
        counts = self.counts
        firsts = np.cumsum(counts) - counts
        run = np.searchsorted(firsts, rows, side="right") - 1
        outer, inner = np.divmod(rows - firsts[run], self.inner[run])
        return self.series[run] + outer, self.start[run] + inner * self.stride

    def head(self, count: int) -> "SeriesWindows":
        """Return the first `count` windows."""
        counts = self.counts
        firsts = np.cumsum(counts) - counts
        runs = int(np.searchsorted(firsts, count))  # all that begin before
        whole = self._runs(slice(0, runs))
        over = int(firsts[runs - 1] + counts[runs - 1]) - count
        if not over:
            return whole
        outer, inner = divmod(int(counts[runs - 1]) - over, int(self.inner[runs - 1]))
        kept = self._runs(slice(0, runs - 1))
        series, start = whole.series[-1], whole.start[-1]
        for tail in ((series, outer, start, whole.inner[-1]), (series + outer, 1, start, inner)):
            if tail[1] * tail[3]:
                kept = kept._with(*(np.array([value], np.int64) for value in tail))
        return kept

    def take(self, rows: Ints) -> "SeriesWindows":
        """Return the windows of these rows, in their order."""
        series, start = self.locate(rows)
        follows = (np.diff(series) == 0) & (np.diff(start) == self.stride)
        first = np.flatnonzero(np.concatenate([[True], ~follows])) if len(rows) else rows
        inner = np.diff(first, append=len(rows))
        return replace(
            self,
            series=series[first],
            outer=np.ones_like(first),
            start=start[first],
            inner=inner.astype(np.int64),
        )

    def _runs(self, which: slice) -> "SeriesWindows":
        return replace(
            self,
            series=self.series[which],
            outer=self.outer[which],
            start=self.start[which],
            inner=self.inner[which],
        )

    def _with(self, series: Ints, outer: Ints, start: Ints, inner: Ints) -> "SeriesWindows":
        return replace(
            self,
            series=np.concatenate([self.series, series]),
            outer=np.concatenate([self.outer, outer]),
            start=np.concatenate([self.start, start]),
            inner=np.concatenate([self.inner, inner]),
        )


def find_windows(
    lengths: Ints | tuple[int, int], length: int, stride: int, bad: tuple[Ints, Ints] | None = None
) -> SeriesWindows:
    """Return all windows of some series, but for those that touch a bad step.

    Parameters
    ----------
    lengths : int64 array or (int, int)
        Steps of each series; or their number, and the steps that each of them has.
    length, stride : int
        Of the windows.
    bad : pair of int64 arrays, optional
        Series and step of what no window may hold, in any order.
    """
    if isinstance(lengths, tuple):
        number, steps = lengths
        touched = np.empty(0, np.int64) if bad is None else np.unique(bad[0])
        own = np.full(len(touched), steps, np.int64)
        rest = _whole(touched, number, max(0, (steps - length) // stride + 1))
    else:
        touched, own = np.arange(len(lengths), dtype=np.int64), lengths
        rest = _EMPTY
    single = _stretches(touched, own, length, stride, bad)
    series, outer, start, inner = (np.concatenate(pair) for pair in zip(rest, single, strict=True))
    order = np.lexsort((start, series))
    runs = [values[order] for values in (series, outer, start, inner)]
    return SeriesWindows(length, stride, *runs)


_EMPTY = (np.empty(0, np.int64),) * 4


def _whole(touched: Ints, number: int, each: int) -> tuple[Ints, ...]:
    """Return runs over neighbouring series with nothing bad in them."""
    first = np.concatenate([[0], touched + 1]).astype(np.int64)
    outer = np.concatenate([touched, [number]]).astype(np.int64) - first
    some = (outer > 0) & (each > 0)
    count = int(some.sum())
    return first[some], outer[some], np.zeros(count, np.int64), np.full(count, each, np.int64)


def _stretches(
    touched: Ints, steps: Ints, length: int, stride: int, bad: tuple[Ints, Ints] | None
) -> tuple[Ints, ...]:
    """Return a run for each stretch between two bad steps, or ends, that holds a window."""
    # On one long line, each series ends in one step that no window may touch.
    begins = np.concatenate([[0], np.cumsum(steps + 1)]).astype(np.int64)
    walls = begins[1:] - 1
    if bad is not None:
        walls = np.union1d(walls, begins[np.searchsorted(touched, bad[0])] + bad[1])
    after = np.concatenate([[0], walls[:-1] + 1]).astype(np.int64)[: len(walls)]
    own = np.searchsorted(begins, after, side="right") - 1
    own = np.minimum(own, max(len(touched) - 1, 0))
    start = -(-(after - begins[own]) // stride) * stride
    inner = (walls - begins[own] - start - length) // stride + 1
    some = (inner > 0) & (walls - begins[own] - start >= length)
    count = int(some.sum())
    return touched[own[some]], np.ones(count, np.int64), start[some], inner[some]
