"""Windows of time series: the series are kept once, their windows are arithmetic."""

import copy
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.schema import Scalar, Structure
from fastcache.sources.base import Feed, Items, Layout, Source
from fastcache.sources.series_feeds import LabelCalls, derived_feeds, label_feed, series_feed
from fastcache.sources.series_gaps import Gaps, find_gaps, refuse_gaps
from fastcache.sources.series_input import read_series
from fastcache.sources.series_labels import read_labels
from fastcache.sources.series_options import STATISTICS, How, OnNan, SeriesOptions
from fastcache.sources.series_tables import columns_of_csv, columns_of_parquet
from fastcache.sources.series_time import read_time, split_steps
from fastcache.sources.series_windows import SeriesWindows, find_windows


class Series(Source):
    """Windows of one or more time series, which an arena holds once.

    Windows begin at the steps 0, `stride`, 2 `stride`… of each series; none reaches from one
    series into the next. However many there are, and however much they overlap, the arena takes
    the memory of the series.

    Parameters
    ----------
    x : array, tensor, DataFrame, path of a .npy file, or list of these
        (T,) is one series of one channel, (C, T) one of C channels, (n, C, T) are n series. A list
        holds series (T_k,) or (C, T_k), of one C and one dtype. DataFrames are (T, columns). Files
        are mapped. Numbers of any kind, memory order and byte order; the dtype is kept.
    labels : sequence, array, tensor, or path of a .npy file, optional
        One number or name (str) per step: (T,), (n, T), or a list of (T_k,). Of a list or of
        (n, C, T) also one per series: (n,).
    window : int
        Steps of a window.
    stride : int
        Steps from one window to the next.
    label : {"last", "majority", "any"} or callable
        How the labels of a window's steps become one: that of the last step, the most frequent
        one (the smallest of several), 1 if any is not zero and 0 otherwise, or what the callable
        makes of the array of them: a number. The callable is called once per window, while the
        arena is filled.
    extra : tuple of {"window", "statistics"}
        Further parts of a sample: the window itself beside what ``transform=`` makes of it; and
        float32 (C, S) of `statistics`, computed in float64 on each read.
    statistics : sequence of str
        Which, in this order: "mean", "std", "min", "max", "skewness", "kurtosis", "slope", and
        quantiles as "q0.25". std, skewness and kurtosis (Fisher's: 0 for a normal distribution)
        divide by the number of values, as ``numpy.std``, ``scipy.stats.skew`` and ``kurtosis`` do
        by default; a window without variation has skewness and kurtosis 0. Quantiles are
        interpolated linearly; slope is the least-squares line's rise per step.
    on_nan : {"raise", "skip", "interpolate"}
        What becomes of NaN and infinity: an error; their windows are left out; or a straight line
        between the finite neighbours of the channel takes their place, and its ends take the
        nearest finite value.
    time_axis : int
        Axis of time in `x`, or in each array of the list: 0 for (T, C).
    time : array, list of arrays, or DatetimeIndex, optional
        The sorted times of the steps, numbers or dates, for `split`: (T,), or a list of (T_k,).

    Raises
    ------
    ArgumentError
        Shapes and lengths that disagree, windows longer than every series, values that are no
        numbers. NaN and infinity are looked for when an arena is filled, or ``len`` asked for.
    SourceNotFoundError
        For a missing file.

    Notes
    -----
    A sample is ``(series, [window], [statistics], [label])``, or the bare series if that is all.
    ``series`` is what ``transform=`` gets; without one it is the window: (C, window) of the dtype
    of `x`, in batches (B, C, window).

    Examples
    --------
    >>> import numpy as np
    >>> from fastcache.sources import Series
    >>> len(Series(np.arange(1000.0), window=96, stride=8))
    114
    """

    def __init__(
        self,
        x: Any,
        labels: Any = None,
        *,
        window: int,
        stride: int = 1,
        label: How = "last",
        extra: Sequence[str] = (),
        statistics: Sequence[str] = STATISTICS,
        on_nan: OnNan = "raise",
        time_axis: int = -1,
        time: Any = None,
    ) -> None:
        self._options = SeriesOptions(window, stride, label, extra, statistics, on_nan)
        self._data = read_series(x, time_axis)
        self._options.check_lengths(self._data.lengths, self._data.channels, self._data.many)
        self._labels = None if labels is None else read_labels(labels, self._data)
        self._options.check_labels(self._labels)
        self._time = None if time is None else read_time(time, self._data)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        columns: str | Sequence[str],
        label: str | None = None,
        *,
        time: str | None = None,
        how: How = "last",
        **options: Any,
    ) -> "Series":
        """Return the windows of columns of a CSV file, a channel each; needs pandas.

        Parameters
        ----------
        path : path
        columns : str or sequence of str
            Names in the first line. Fields that are empty become NaN: see `on_nan`.
        label, time : str, optional
            Columns with the label and the time of each step.
        how : {"last", "majority", "any"} or callable
            What is called `label` in :class:`Series`.
        **options
            `window` and others, as for :class:`Series`.

        Raises
        ------
        MissingPackageError, SourceNotFoundError
            Without pandas, for a missing file.
        ArgumentError
            For columns that are not there, or hold no numbers.
        """
        read = columns_of_csv(path, columns, label, time)
        return cls(read.x, read.label, time=read.time, label=how, **options)

    @classmethod
    def from_parquet(
        cls,
        path: str | os.PathLike[str],
        columns: str | Sequence[str],
        label: str | None = None,
        *,
        time: str | None = None,
        how: How = "last",
        **options: Any,
    ) -> "Series":
        """Return the windows of columns of a Parquet file; needs pyarrow. See `from_csv`."""
        read = columns_of_parquet(path, columns, label, time)
        return cls(read.x, read.label, time=read.time, label=how, **options)

    def split(self, at: Any, gap: Any = 0) -> tuple["Series", "Series"]:
        """Split every series in time, so that no window of one part sees a step of the other.

        Parameters
        ----------
        at : float, int, or point in time
            A share in (0, 1) of every series; a step; or, with ``time=`` of dates, a date
            (datetime64, datetime, or ISO text), with ``time=`` of numbers a number. A float in
            (0, 1) is always a share.
        gap : int or timedelta
            Steps to leave out from `at` on; with ``time=`` of dates also a span of time.

        Returns
        -------
        train, valid : Series
            The windows wholly before `at`, and those wholly at or after ``at + gap``. Both look
            at the same arrays; nothing is copied. Gaps are interpolated within each part. That
            one of them would have no windows is an ArgumentError.
        """
        ends, begins = split_steps(at, gap, self._data, self._time)
        stride, lengths = self._options.stride, self._data.lengths
        begins = np.minimum(-(-begins // stride) * stride, lengths)  # where a window begins here
        train = self._between(np.zeros_like(ends), ends)
        valid = self._between(begins, lengths)
        for name, part in (("training", train), ("validation", valid)):
            if not len(part._windows):
                raise ArgumentError(
                    f"split(at={at!r}, gap={gap!r}) leaves no window for {name}: a window needs "
                    f"{self._options.window} steps, the longest piece has "
                    f"{part._data.lengths.max()}; move at, or make the gap or the window smaller"
                )
        return train, valid

    def _between(self, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> "Series":
        part = copy.copy(self)
        for name in ("_windows", "_gaps", "_calls"):
            part.__dict__.pop(name, None)
        part._data = self._data.between(begins, ends)
        part._labels = self._labels and self._labels.between(begins, ends)
        part._time = self._time and self._time.between(begins, ends)
        return part

    # -- what a source offers -----------------------------------------------------------------

    @cached_property
    def _gaps(self) -> Gaps | None:
        if self._options.on_nan == "raise":
            refuse_gaps(self._data)
            return None
        return find_gaps(self._data)

    @cached_property
    def _windows(self) -> SeriesWindows:
        gaps, options = self._gaps, self._options
        bad = (gaps.series, gaps.step) if gaps is not None and options.on_nan == "skip" else None
        return find_windows(self._data.extent, options.window, options.stride, bad)

    def __len__(self) -> int:
        windows = len(self._windows)
        if not windows:
            raise ArgumentError(
                f"each window of {self._options.window} steps holds a value that is not finite: "
                "use on_nan='interpolate', or a shorter window"
            )
        return windows

    def layout(self) -> Layout:
        """Return ``series``, and ``window``, ``statistics`` and ``label`` as far as asked for."""
        options = self._options
        len(self)  # which says so if there are none
        own = series_feed(self._data, self._windows, self._gaps, options)
        feeds: dict[str, Feed] = {"series": own, **derived_feeds(self._data, options)}
        attributes: dict[str, Any] = {}
        if self._calls is not None:
            feeds["label"] = Items(Scalar(self._calls.dtype))
        elif self._labels is not None:
            feeds["label"] = label_feed(self._labels, self._data, self._windows, options)
            if self._labels.classes is not None:
                attributes["classes"] = self._labels.classes
        structure: Structure = "series" if len(feeds) == 1 else tuple(feeds)
        return Layout(structure, feeds, attributes)

    @cached_property
    def _calls(self) -> LabelCalls | None:
        how, labels = self._options.label, self._labels
        return LabelCalls(how, labels, self._windows) if labels and callable(how) else None

    def read(self, index: int) -> Mapping[str, Any]:
        assert self._calls
        return {"label": self._calls(index)}
