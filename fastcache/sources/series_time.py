"""Splitting series in time: which step belongs to a share, a step number or a point in time."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.sources.series_input import SeriesData
from fastcache.sources.series_windows import Ints
from fastcache.sources.tensors import is_array

_MOMENTS = (str, dt.date, np.datetime64)  # datetime is a date, pandas.Timestamp a datetime
_SPANS = (dt.timedelta, np.timedelta64)


@dataclass(frozen=True)
class SeriesTime:
    """The time of every step.

    Attributes
    ----------
    parts : tuple of arrays
        (T_k,) for each series, or one that holds for all; numbers or datetime64, sorted.
    """

    parts: tuple[npt.NDArray[Any], ...]

    @property
    def is_dates(self) -> bool:
        """Whether these are points in time, and not numbers."""
        return self.parts[0].dtype.kind == "M"

    def steps_before(self, moment: Any, count: int, span: Any = None) -> Ints:
        """Return for each of `count` series how many steps lie before a moment, or a span later."""
        found = []
        for part in self.parts:
            until = _as_of(moment, part) if self.is_dates else moment
            until = until if span is None else _later(until, _as_of(span, part))
            found.append(int(np.searchsorted(part, until, side="left")))
        return np.broadcast_to(np.array(found, np.int64), (count,))

    def steps_after(self, steps: Ints, span: np.timedelta64) -> Ints:
        """Return for each series how many steps lie less than a span behind a step of it."""
        begins = steps.copy()
        for k, step in enumerate(steps):
            part = self.parts[k if len(self.parts) > 1 else 0]
            if step < len(part):
                until = _later(part[step], _as_of(span, part))
                begins[k] = np.searchsorted(part, until, side="left")
        return begins

    def between(self, begins: Ints, ends: Ints) -> "SeriesTime":
        """Return the times from one step to before another, for each series."""
        pieces = zip(self.parts, begins, ends, strict=False)
        return SeriesTime(tuple(part[a:b] for part, a, b in pieces))


def _as_of(value: Any, part: npt.NDArray[Any]) -> Any:
    """Return a moment or a span in units in which it can be compared with times.

    Raises
    ------
    ArgumentError
        If there are none, or NumPy would take it for another one there.
    """
    units = part.dtype.str if value.dtype.kind == "M" else part.dtype.str.replace("M8", "m8")
    try:
        made = value.astype(np.promote_types(value.dtype, units))
        kept = np.isnat(value) or made.astype(value.dtype) == value
    except TypeError as error:
        raise ArgumentError(f"{value!r} has no number of the units of time= ({units})") from error
    except OverflowError:  # NumPy from 2.5 on; before it the number wraps around
        kept = False
    if not kept:
        raise ArgumentError(f"{value!r} is beyond what the units of time= can hold ({units})")
    return made


def _later(moment: Any, span: Any) -> Any:
    try:
        later = moment + span
        kept = not later < moment
    except OverflowError:  # as above
        kept = False
    if not kept:
        raise ArgumentError(f"gap={span!r} after {moment!r} is beyond what its units can hold")
    return later


def read_time(time: Any, data: SeriesData) -> SeriesTime:
    """Return the times out of what :class:`~fastcache.sources.Series` takes as `time`."""
    lengths = data.lengths
    several = isinstance(time, list | tuple) and len(time) > 0 and np.ndim(time[0]) == 1
    parts = [_times(part) for part in time] if several else [_times(time)]
    if len(parts) not in (1, len(data)):
        raise ArgumentError(f"there are {len(data)} series but times of {len(parts)}")
    for k, need in enumerate(lengths):
        have = len(parts[k if len(parts) > 1 else 0])
        if have != need:
            raise ArgumentError(
                f"series {k} has {need} steps but {have} times: give one time for each step"
            )
    return SeriesTime(tuple(parts))


def _times(time: Any) -> npt.NDArray[Any]:
    array = np.asarray(time) if is_array(time) or isinstance(time, list | tuple) else None
    if array is not None and array.dtype.kind == "O" and all(map(_is_plain_date, array.flat)):
        array = array.astype("datetime64[us]")
    if array is not None and array.dtype.kind == "U":
        try:
            array = array.astype("datetime64")
        except ValueError as error:
            raise ArgumentError(f"time is text, but no date ({error})") from error
    if array is None or array.ndim != 1 or array.dtype.kind not in "iufM":
        what = type(time).__name__ if array is None else f"{array.dtype} of shape {array.shape}"
        raise ArgumentError(f"time is {what}: give one number or datetime64 (UTC) for each step")
    if not (array[1:] >= array[:-1]).all() or (array[-1:] != array[-1:]).any():
        raise ArgumentError("time is not sorted, or has gaps (NaN, NaT): sort the steps by time")
    return array


def _is_plain_date(value: object) -> bool:
    return isinstance(value, dt.date) and getattr(value, "tzinfo", None) is None


def split_steps(at: Any, gap: Any, data: SeriesData, time: SeriesTime | None) -> tuple[Ints, Ints]:
    """Return for each series the step before which training ends, and that where validation begins.

    Parameters
    ----------
    at, gap
        As in :meth:`fastcache.sources.Series.split`.
    data : SeriesData
    time : SeriesTime or None
    """
    lengths = data.lengths
    moment = None
    if _is_number(at) and not isinstance(at, int | np.integer) and 0 < at < 1:
        ends = (lengths * float(at)).astype(np.int64)
    elif isinstance(at, _MOMENTS) or (_is_number(at) and time is not None and not time.is_dates):
        moment = _moment(at, time)
        assert time is not None
        ends = time.steps_before(moment, len(data))
    elif isinstance(at, int | np.integer) and not isinstance(at, bool):
        ends = np.full(len(data), min(max(int(at), 0), int(lengths.max())), np.int64)
    else:
        raise ArgumentError(
            f"at={at!r}: give a share in (0, 1), a step (int), or with time= a point in time"
        )
    ends = np.clip(ends, 0, lengths)
    if isinstance(gap, _SPANS):
        if time is None or not time.is_dates:
            raise ArgumentError(f"gap={gap!r}: a timedelta needs time= of dates; else give steps")
        span = gap.to_timedelta64() if hasattr(gap, "to_timedelta64") else np.timedelta64(gap)
        if not span >= np.timedelta64(0):
            raise ArgumentError(f"gap={gap!r}: give a span of at least 0")
        if moment is not None:
            return ends, time.steps_before(moment, len(data), span)
        return ends, time.steps_after(ends, span)
    if isinstance(gap, bool) or not isinstance(gap, int | np.integer) or gap < 0:
        raise ArgumentError(f"gap={gap!r}: give a number of steps (int) of at least 0")
    return ends, np.minimum(ends + min(int(gap), int(lengths.max())), lengths)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _moment(at: Any, time: SeriesTime | None) -> Any:
    if time is None:
        raise ArgumentError(f"at={at!r} is a point in time: pass time= to Series, one per step")
    if not time.is_dates:
        if isinstance(at, _MOMENTS):
            raise ArgumentError(
                f"at={at!r} is a date, but time= holds numbers ({time.parts[0].dtype})"
            )
        return at
    if getattr(at, "tzinfo", None) is not None:
        raise ArgumentError(f"at={at!r} has a time zone: give UTC without one, as time= has it")
    try:
        # pandas' own knows of nanoseconds.
        return at.to_datetime64() if hasattr(at, "to_datetime64") else np.datetime64(at)
    except ValueError as error:
        raise ArgumentError(f"at={at!r} is no date: {error}") from error
