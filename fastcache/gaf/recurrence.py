"""Recurrence plots with pyts's parameters."""

import sys
from typing import Any

from fastcache._core import field_specs as core
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.estimator import SeriesTransform
from fastcache.gaf.expand import Plan
from fastcache.gaf.paa import is_real, share_of
from fastcache.gaf.params import dtype_name, output_range

_SHARES = {"point": core.POINT, "distance": core.DISTANCE}


class RecurrencePlot(SeriesTransform):
    """Recurrence plot: the distances of stretches of a series from one another.

    Trajectory i are the values i, i + time_delay, i + 2 time_delay, ..., `dimension` of them. Pixel
    (i, j) is the Euclidean distance of trajectories i and j, or whether it is less than a
    threshold. There are t - (dimension - 1) time_delay trajectories of a series of t steps.

    Parameters
    ----------
    dimension, time_delay : int or float
        Values of a trajectory, and steps from one to the next: integers of at most the length of
        the series, or shares of it in (0, 1].
    threshold : None, "point", "distance", int or float
        None: pixels are distances. Otherwise they are 1 where the distance is less than the
        threshold, and 0 elsewhere: a number, the percentile `percentage` of all distances of the
        image, or `percentage` of the largest.
    percentage : int or float
        For "point" and "distance", from 0 to 100.
    flatten : bool
        Whether the images of a sample become one row.
    dtype : {"float32", "float64", "float16", "bfloat16", "uint16", "uint8"}
        Of the pixels, written directly; the integers only with a threshold. "bfloat16" only where
        torch tensors are made.
    out_range : None or tuple (low, high)
        With a threshold, what 0 and 1 become. None: themselves for floats, the least and the
        largest value of integers.
    n_jobs : int, optional
        Threads. None and -1: every usable core. Results do not depend on it.

    Notes
    -----
    pyts's class with other defaults of type: float32 instead of float64. Differences, squares and
    sums are computed in float64, and so is everything that meets a threshold; those of 64-bit
    integers are exact before they are rounded. Roots are taken in the precision of the image. As in
    ``astype``, distances beyond the largest number of a type are infinite; squares beyond that of
    float64, of differences of 1e154, are so too.

    References
    ----------
    J.-P. Eckmann, S. Oliffson Kamphorst and D. Ruelle, "Recurrence Plots of Dynamical Systems",
    Europhysics Letters 4(9), 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcache.gaf import RecurrencePlot
    >>> x = np.sin(np.linspace(0, 9, 96)).reshape(1, 96)
    >>> RecurrencePlot(dimension=3, time_delay=2).transform(x).shape
    (1, 92, 92)
    """

    def __init__(
        self,
        dimension: int | float = 1,
        time_delay: int | float = 1,
        threshold: float | str | None = None,
        percentage: int | float = 10,
        flatten: bool = False,
        *,
        dtype: Any = "float32",
        out_range: tuple[float, float] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.dimension = dimension
        self.time_delay = time_delay
        self.threshold = threshold
        self.percentage = percentage
        self.flatten = flatten
        self.dtype = dtype
        self.out_range = out_range
        self.n_jobs = n_jobs

    def plan(self, length: int) -> Plan:
        dimension = share_of("dimension", self.dimension, length)
        delay = share_of("time_delay", self.time_delay, length)
        size = length - (dimension - 1) * delay
        if size < 1:
            raise ArgumentError(
                "The number of trajectories must be positive. Consider trying with smaller values "
                f"for 'dimension' and 'time_delay'. {dimension} values, {delay} steps apart, need "
                f"{(dimension - 1) * delay + 1} time steps; the series have {length}."
            )
        kind, threshold = _threshold_of(self.threshold, self.percentage)
        dtype = dtype_name(self.dtype)
        low, high = 0.0, 1.0
        if kind != core.NO_THRESHOLD:
            low, high = output_range(self.out_range, dtype, 0.0)
        elif self.out_range is not None or dtype.startswith("uint"):
            given = f"dtype={dtype}" if self.out_range is None else f"out_range={self.out_range}"
            raise ArgumentError(
                f"{given}: distances are unbounded, and have no range to map. Choose a floating "
                "point dtype and no out_range, or a threshold"
            )
        spec = core.FieldSpec(
            core.RECURRENCE,
            dtype,
            size,
            trajectory=(dimension, delay, kind, threshold),
            out_low=low,
            out_high=high,
        )
        return Plan(size, dtype, (spec,))


def _threshold_of(threshold: Any, percentage: Any) -> tuple[int, float]:
    """Return the kind of a threshold, and its value or share; refuse others in pyts's words."""
    named = isinstance(threshold, str) and threshold in _SHARES
    if not (threshold is None or named or is_real(threshold)):
        raise ArgumentTypeError(
            "'threshold' must be either None, 'point', 'distance', a float or an integer. "
            f"It is {threshold!r}."
        )
    if is_real(threshold) and not threshold > 0:
        raise ArgumentError(
            "If 'threshold' is a float or an integer, it must be greater than 0. "
            f"It is {threshold!r}."
        )
    if not is_real(percentage):
        raise ArgumentTypeError(
            f"'percentage' must be a float or an integer. It is {percentage!r}."
        )
    if not 0 <= percentage <= 100:
        raise ArgumentError(f"'percentage' must be between 0 and 100. It is {percentage!r}.")
    if threshold is None:
        return core.NO_THRESHOLD, 0.0
    if named:
        return _SHARES[threshold], float(percentage) / 100
    # An integer may be larger than any float.
    return core.VALUE, float(threshold) if threshold <= sys.float_info.max else float("inf")


__all__ = ["RecurrencePlot"]
