"""Statistics of windows, computed on each read."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fastcache.read.columns.columns import Gathered, Reader, Rows
from fastcache.read.columns.window import WindowReader
from fastcache.schema import WindowStatistics

Values: TypeAlias = npt.NDArray[np.float64]

_CHUNK = 1 << 17  # values that are worked on together: they stay in the cache


class StatisticsReader(Reader):
    """float32 (C, S): batches are one tensor, (B, C, S)."""

    def __init__(self, windows: WindowReader, field: WindowStatistics) -> None:
        self._windows = windows
        self._names = field.names
        self._shape = field.shape

    def item(self, row: int) -> torch.Tensor:
        return torch.from_numpy(self._made(np.array([row], np.int64))[0])

    def gather(self, rows: Rows) -> Gathered:
        return Gathered(torch.from_numpy(self._made(rows)))

    def _made(self, rows: Rows) -> npt.NDArray[np.float32]:
        made = np.empty((len(rows), *self._shape), np.float32)
        step = max(1, _CHUNK // self._windows.row_size)
        for k in range(0, len(rows), step):
            values = self._windows.arrays(rows[k : k + step]).astype(np.float64)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite there
                made[k : k + step] = statistics(values, self._names)
        return made


def statistics(values: Values, names: tuple[str, ...]) -> Values:
    """Return statistics over the last axis, in float64.

    Parameters
    ----------
    values : array of shape (..., W), W at least 1
    names : tuple of S str
        As for :class:`fastcache.sources.Series`.

    Returns
    -------
    array of shape (..., S)
    """
    return np.stack([_NAMED[n](values) if n in _NAMED else _quantile(values, n) for n in names], -1)


def _quantile(values: Values, name: str) -> Values:
    made: Values = np.quantile(values, float(name[1:]), axis=-1)
    return made


def _moment(values: Values, order: int) -> Values:
    """Return a central moment over a power of the standard deviation; 0 where nothing varies."""
    mean = values.mean(axis=-1, keepdims=True)
    centred = values - mean
    # Divided by the largest, no power of them vanishes or overflows.
    largest = np.abs(centred).max(axis=-1, keepdims=True)
    centred /= np.where(largest > 0, largest, 1.0)
    std = np.sqrt((centred * centred).mean(axis=-1))
    # What is left of a constant after rounding; scipy.stats draws the line there as well.
    constant = std * largest[..., 0] <= np.finfo(np.float64).eps * np.abs(mean[..., 0])
    power = (centred**order).mean(axis=-1)
    made: Values = np.where(constant, 0.0, power / np.where(constant, 1.0, std) ** order)
    return made


def _kurtosis(values: Values) -> Values:
    made = _moment(values, 4)
    return np.where(made == 0, 0.0, made - 3)


def _slope(values: Values) -> Values:
    """Return the rise per step of the least-squares line."""
    steps = np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2
    below = (steps * steps).sum()
    centred = values - values.mean(axis=-1, keepdims=True)
    made: Values = (centred * steps).sum(axis=-1) / (below if below else 1.0)
    return made


_NAMED: dict[str, Callable[[Values], Values]] = {
    "mean": lambda values: values.mean(axis=-1),
    "std": lambda values: values.std(axis=-1),
    "min": lambda values: values.min(axis=-1),
    "max": lambda values: values.max(axis=-1),
    "skewness": lambda values: _moment(values, 3),
    "kurtosis": _kurtosis,
    "slope": _slope,
}
