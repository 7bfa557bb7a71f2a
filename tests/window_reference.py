"""Windows the slow, obvious way: one by one, with loops over plain arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Series

Array = npt.NDArray[Any]


def positions(
    series: Sequence[Array], window: int, stride: int = 1, skip: bool = False
) -> list[tuple[int, int]]:
    """Return series and first step of every window; `skip` leaves out those that hold a NaN."""
    return [
        (k, start)
        for k, one in enumerate(series)
        for start in range(0, one.shape[-1] - window + 1, stride)
        if not skip or np.isfinite(one[..., start : start + window]).all()
    ]


def windows(series: Sequence[Array], window: int, stride: int = 1, skip: bool = False) -> Array:
    """Return every window as (N, C, window)."""
    made = [
        np.atleast_2d(series[k])[:, start : start + window]
        for k, start in positions(series, window, stride, skip)
    ]
    return np.stack(made) if made else np.empty((0, 0, window))


def interpolated(series: Array) -> Array:
    """Return (C, T) with numpy's own interpolation in the place of what is not finite."""
    made = np.array(series)
    for channel in made:
        good = np.isfinite(channel)
        channel[~good] = np.interp(np.flatnonzero(~good), np.flatnonzero(good), channel[good])
    return made


def label(steps: Array, how: str) -> Any:
    """Return the label of a window out of those of its steps."""
    if how == "last":
        return steps[-1].item()
    if how == "any":
        return int(any(value != 0 for value in steps))
    values, counts = np.unique(steps, return_counts=True)
    return values[counts.argmax()].item()


def statistic(channel: Array, name: str) -> float:
    """Return one statistic of one channel, as the libraries define it that users would ask."""
    from scipy import stats  # where there is no torch, there may be no scipy

    values = channel.astype(np.float64)
    if name.startswith("q"):
        return float(np.quantile(values, float(name[1:])))
    if name == "slope":
        return float(np.polyfit(np.arange(len(values)), values, 1)[0])
    known = {"skewness": stats.skew, "kurtosis": stats.kurtosis}
    return float(known.get(name, getattr(np, name, None))(values))


def stored(source: Series, **options: Any) -> Array:
    """Return every window of a source as the arena has it: (N, C, window)."""
    arena = fill_arena(source, FillOptions(**options))
    column = arena.column("series")
    rows = np.stack([np.array(column[row]) for row in range(len(arena))])
    del column
    arena.close()
    return rows


def made(kind: str = "float32", channels: int = 3, steps: int = 50, seed: int = 0) -> Array:
    """Return (C, T) of a dtype."""
    values = np.random.default_rng(seed).normal(0, 40, (channels, steps))
    return values.astype(kind)
