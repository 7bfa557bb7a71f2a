"""Values that are not finite: where they are, what is said of them, and what takes their place."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.sources.series_input import SeriesData
from fastcache.sources.series_windows import Ints, Place


@dataclass(frozen=True)
class Gaps:
    """Values that are not finite, in the order of series, channel, step.

    Attributes
    ----------
    series, channel, step : int64 arrays
    lengths : int64 array
        Steps of the series that each of them is in.
    """

    series: Ints
    channel: Ints
    step: Ints
    lengths: Ints

    def __len__(self) -> int:
        return len(self.series)

    def repair(self, values: npt.NDArray[Any], place: Place) -> None:
        """Put in each gap what lies between its ends, in series that begin as `place` says.

        Parameters
        ----------
        values : array (C, T) or (n, C, T), contiguous
            Changed in place.
        place : Place
        """
        first, last = self._ends()
        flat = values.reshape(-1)
        begin = place.of(self.series) + self.channel * values.shape[-1]
        left, right = first - 1, last + 1
        no_left, no_right = left < 0, right >= self.lengths
        before = flat[begin + np.where(no_left, right, left)].astype(np.float64)
        after = flat[begin + np.where(no_right, left, right)].astype(np.float64)
        share = (self.step - left) / (right - left)
        flat[begin + self.step] = before * (1 - share) + after * share
        # An end takes its neighbour as it is: the sum above may round it.
        for ends, nearest in ((no_left, right), (no_right, left)):
            flat[(begin + self.step)[ends]] = flat[(begin + nearest)[ends]]

    def _ends(self) -> tuple[Ints, Ints]:
        """Return the first and the last step of the gap that each value lies in."""
        same = (np.diff(self.series) == 0) & (np.diff(self.channel) == 0)
        opens = np.concatenate([[True], ~(same & (np.diff(self.step) == 1))])
        gap = np.cumsum(opens) - 1
        firsts = np.flatnonzero(opens)
        lasts = np.append(firsts[1:], len(self)) - 1
        return self.step[firsts[gap]], self.step[lasts[gap]]

    def check_repairable(self) -> None:
        """Refuse channels that have no finite value at all."""
        first, last = self._ends()
        empty = np.flatnonzero((first == 0) & (last == self.lengths - 1))
        if empty.size:
            k = empty[0]
            raise ArgumentError(
                f"series {self.series[k]}, channel {self.channel[k]} has no finite value among "
                f"{self.lengths[k]}, so nothing can be interpolated: leave the channel out, or use "
                "on_nan='skip'"
            )


def find_gaps(data: SeriesData) -> Gaps:
    """Return all values that are not finite."""
    found: list[tuple[Ints, Ints, Ints]] = []
    if data.parts[0].dtype.kind == "f":
        for first, step, values in data.chunks():
            bad = ~np.isfinite(values)
            if bad.any():
                own, channel, at = np.nonzero(bad)
                found.append((own + first, channel, at + step))
    if not found:
        none = np.empty(0, np.int64)
        return Gaps(none, none, none, none)
    series, channel, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((at, channel, series))
    return Gaps(series[order], channel[order], at[order], data.lengths[series[order]])


def refuse_gaps(data: SeriesData) -> None:
    """Raise ArgumentError if a value is not finite; names the first in time, and their number."""
    if data.parts[0].dtype.kind != "f":
        return
    count, first = 0, ""
    for series, step, values in data.chunks():
        bad = ~np.isfinite(values)
        number = int(np.count_nonzero(bad))
        if number and not count:
            k, at, channel = (int(axis[0]) for axis in np.nonzero(bad.transpose(0, 2, 1)))
            first = (
                f"the first is {values[k, channel, at]} in series {k + series}, channel {channel}, "
                f"at step {at + step}"
            )
        count += number
    if count:
        raise ArgumentError(
            f"x has {count} values that are not finite, {first}: on_nan='skip' leaves out the "
            "windows that hold any, on_nan='interpolate' fills them in"
        )
