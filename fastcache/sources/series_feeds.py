"""What the columns of windows are fed from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import SchemaError
from fastcache.schema import WindowCopy, WindowLabels, Windows, WindowStatistics
from fastcache.sources.base import DerivedValues, Windowed
from fastcache.sources.series_gaps import Gaps
from fastcache.sources.series_input import SeriesData
from fastcache.sources.series_labels import SeriesLabels
from fastcache.sources.series_options import SeriesOptions
from fastcache.sources.series_windows import SeriesWindows, find_windows

_KINDS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}


def series_feed(
    data: SeriesData, windows: SeriesWindows, gaps: Gaps | None, options: SeriesOptions
) -> Windowed:
    """Return the feed of the series themselves; `gaps` are what is not finite in them."""
    place = data.place()
    repair = None
    if gaps is not None and len(gaps) and options.on_nan == "interpolate":
        found = gaps
        found.check_repairable()

        def repair(values: npt.NDArray[Any]) -> None:
            found.repair(values, place)

    every = find_windows(data.extent, options.window, options.stride)
    facts = {
        "skipped_windows": len(every) - len(windows),
        "short_series": int((data.lengths < options.window).sum()),
        "interpolated_values": 0 if repair is None else len(found),
    }
    field = Windows(data.dtype, length=options.window)
    return Windowed(field, data.parts, windows, place, repair, facts)


def derived_feeds(data: SeriesData, options: SeriesOptions) -> dict[str, DerivedValues]:
    """Return the feeds of the further parts that were asked for, by name."""
    feeds = {}
    if "window" in options.extra:
        shape = (data.channels, options.window)
        feeds["window"] = DerivedValues(WindowCopy(data.dtype, "series", shape))
    if "statistics" in options.extra:
        names = tuple(options.statistics)
        made = WindowStatistics("float32", "series", (data.channels, len(names)), names)
        feeds["statistics"] = DerivedValues(made)
    return feeds


def label_feed(
    labels: SeriesLabels, data: SeriesData, windows: SeriesWindows, options: SeriesOptions
) -> Windowed:
    """Return the feed of labels that are looked up on each read."""
    assert isinstance(options.label, str)
    length = options.window if labels.per_step else 1
    field = WindowLabels(labels.dtype, length=length, how=options.label)
    return Windowed(field, labels.parts, windows, labels.place(data))


class LabelCalls:
    """Labels that a function of the user's makes, one call per window.

    Parameters
    ----------
    how : callable
        Takes the labels of a window's steps, returns a number.
    labels : SeriesLabels
        Per step.
    windows : SeriesWindows
    """

    def __init__(
        self,
        how: Callable[[npt.NDArray[Any]], Any],
        labels: SeriesLabels,
        windows: SeriesWindows,
    ) -> None:
        self._how = how
        self._labels = labels
        self._windows = windows
        self._first = self._made(0)

    @property
    def dtype(self) -> str:
        """What the labels are kept as: bool, int64 or float64, as the first one is."""
        return str(self._first.dtype)

    def __call__(self, index: int) -> npt.NDArray[Any]:
        """Return the label of a window.

        Raises
        ------
        SchemaError
            If it is no number, or of another kind than that of window 0.
        """
        first = self._first
        value = first if index == 0 else self._made(index)
        if not np.can_cast(value.dtype, first.dtype, "safe"):
            raise SchemaError(
                f"label= returned {value} ({value.dtype}) for window {index}, and {first} "
                f"({first.dtype}) for window 0: let it return one type, e.g. float(...)"
            )
        return value.astype(first.dtype)

    def _made(self, index: int) -> npt.NDArray[Any]:
        series, start = self._windows.locate(np.array([index], np.int64))
        own = self._labels.window(int(series[0]), int(start[0]), self._windows.length)
        value = np.asarray(self._how(own.copy()))
        kind = _KINDS.get(value.dtype.kind)
        if value.ndim or kind is None:
            raise SchemaError(f"label= returned {value!r} for window {index}: return one number")
        if value.dtype == np.uint64 and value > np.iinfo(np.int64).max:
            raise SchemaError(f"label= returned {value} for window {index}, which exceeds int64")
        return value.astype(kind)
