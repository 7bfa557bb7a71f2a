"""What a user may ask of windows, checked before anything is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.sources.series_labels import SeriesLabels
from fastcache.sources.series_windows import Ints

How: TypeAlias = Literal["last", "majority", "any"] | Callable[[npt.NDArray[Any]], Any]
OnNan: TypeAlias = Literal["raise", "skip", "interpolate"]

STATISTICS = (
    *("mean", "std", "min", "max", "skewness", "kurtosis"),
    *("q0.25", "q0.5", "q0.75", "slope"),
)
EXTRA = ("window", "statistics")
HOW = ("last", "majority", "any")
ON_NAN = ("raise", "skip", "interpolate")
_ENDLESS = 1 << 62  # more steps than any series has, with room in int64 to add these


@dataclass(frozen=True)
class SeriesOptions:
    """Arguments of :class:`fastcache.sources.Series` but for the data; meanings stand there."""

    window: int
    stride: int
    label: How
    extra: Sequence[str]
    statistics: Sequence[str]
    on_nan: OnNan

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", _steps("window", self.window))
        object.__setattr__(self, "stride", _steps("stride", self.stride))
        object.__setattr__(self, "extra", _names("extra", self.extra, EXTRA))
        object.__setattr__(self, "statistics", _names("statistics", self.statistics, None))
        if not self.statistics:
            raise ArgumentError("statistics names none: leave 'statistics' out of extra instead")
        if not callable(self.label) and self.label not in HOW:
            raise ArgumentError(
                f"label={self.label!r}: choose {_listed(HOW)}, or give a function that makes one "
                "number of the labels of a window"
            )
        if self.on_nan not in ON_NAN:
            raise ArgumentError(f"on_nan={self.on_nan!r}: choose {_listed(ON_NAN)}")

    def check_lengths(self, lengths: Ints, channels: int, many: bool) -> None:
        """Refuse a window that is longer than every series."""
        longest = int(lengths.max())
        if self.window <= longest:
            return
        whose = f"the longest of {len(lengths)} series" if many else "the series"
        raise ArgumentError(
            f"window={self.window} is longer than {whose}, which has {longest} steps (and "
            f"{channels} channels): give a window of at most {longest}, or time_axis= if "
            "time is another axis"
        )

    def check_labels(self, labels: SeriesLabels | None) -> None:
        """Refuse a way of choosing labels where there is nothing to choose from."""
        if self.label == "last":
            return
        if labels is None:
            raise ArgumentError(f"label={self.label!r} was given, but no labels=")
        if not labels.per_step:
            raise ArgumentError(
                f"label={self.label!r} makes one label of those of a window's steps, but labels= "
                "has one for each series: leave label= out"
            )
        if self.label == "any" and labels.classes is not None:
            raise ArgumentError(
                "label='any' asks whether a number is not zero, but the labels are names: give "
                "numbers, or label='majority'"
            )


def _steps(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name}={value!r}: give a number of steps (int) of at least 1")
    return min(int(value), _ENDLESS)


def _names(what: str, values: Any, allowed: tuple[str, ...] | None) -> tuple[str, ...]:
    choices = _listed(allowed or (*STATISTICS[:6], "slope"))
    choices += "" if allowed else ", or quantiles such as 'q0.25'"
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ArgumentError(f"{what}={values!r}: give a tuple of {choices}")
    for value in values:
        if value in allowed if allowed is not None else _is_statistic(value):
            continue
        raise ArgumentError(f"{what} has {value!r}: choose {choices}")
    return tuple(values)


def _is_statistic(value: object) -> bool:
    if not isinstance(value, str) or value in STATISTICS:
        return isinstance(value, str)
    try:
        return value.startswith("q") and 0 <= float(value[1:]) <= 1
    except ValueError:
        return False


def _listed(choices: Sequence[str]) -> str:
    return " or ".join(map(repr, choices))
