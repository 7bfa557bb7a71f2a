"""Boxes that follow their images: moved, clipped to what is seen of these, dropped where little is.

Everything is done to the boxes of many images at once, which lie behind each other in one array.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.transforms.geometry import Trace
from fastcache.transforms.operation import Operation, Sizes, size_arrays
from fastcache.transforms.steps import MAP

MIN_VISIBILITY = 0.1
_ROUNDING = 1e-9  # a box that ends where the image does is all visible


class _Axis:
    """One axis of all images: the map of their points, what is seen of them, and their length."""

    def __init__(self, sizes: Sizes) -> None:
        self.scale = np.ones(sizes.shape)
        self.shift = np.zeros(sizes.shape)
        self.low = np.zeros(sizes.shape)
        self.high = sizes.astype(np.float64)
        self.out = sizes

    def resample(self, size: Sizes) -> None:
        factor = size / self.out
        self.scale, self.shift = self.scale * factor, self.shift * factor
        self.low, self.high = self.low * factor, self.high * factor
        self.out = size

    def window(self, start: Sizes, length: int) -> None:
        self.shift = self.shift - start
        self.low = np.clip(self.low - start, 0, length)
        self.high = np.clip(self.high - start, 0, length)
        self.out = np.full_like(self.out, length)


class _BoxTrace(Trace):
    """Follows operations as a :class:`Trace` does, through any number of resamples and windows."""

    def __init__(self, heights: Sizes, widths: Sizes) -> None:
        self.y, self.x = _Axis(heights), _Axis(widths)

    @property
    def heights(self) -> Sizes:
        return self.y.out

    @property
    def widths(self) -> Sizes:
        return self.x.out

    def resample(self, heights: Sizes, widths: Sizes, number: int) -> None:
        self.y.resample(heights)
        self.x.resample(widths)

    def window(self, top: Sizes, left: Sizes, height: int, width: int, fill: int) -> None:
        self.y.window(top, height)
        self.x.window(left, width)


def store_map(
    operations: Sequence[Operation], heights: npt.ArrayLike, widths: npt.ArrayLike
) -> npt.NDArray[np.void]:
    """Return where a chain of operations puts the points of N images.

    Parameters
    ----------
    operations : sequence of Operation
    heights, widths : array_like of int, shape (N,)
        Sizes of the (oriented) sources in pixels, at least 1.

    Returns
    -------
    array of dtype ``MAP``, shape (N,)

    Raises
    ------
    ArgumentError
        For sizes below 1.
    """
    trace = _BoxTrace(*size_arrays(np.atleast_1d(heights), np.atleast_1d(widths)))
    for operation in operations:
        operation.trace(trace)
    y, x = trace.y, trace.x
    maps = np.zeros(y.out.shape, MAP)
    for name, axis in (("y", y), ("x", x)):
        maps[f"scale_{name}"], maps[f"shift_{name}"] = axis.scale, axis.shift
        maps[f"seen_{name}"] = np.stack([axis.low, axis.high], axis=1)
    maps["h"], maps["w"] = y.out, x.out
    return maps


def follow(
    boxes: npt.NDArray[np.floating],
    counts: npt.NDArray[np.int64],
    maps: npt.NDArray[np.void],
    min_visibility: float = MIN_VISIBILITY,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Move the boxes of many images to where these have gone.

    Parameters
    ----------
    boxes : float array of shape (M, 4)
        Left, top, right and bottom in pixels; those of one image after those of the other.
    counts : int64 array of shape (N,)
        Boxes of each image; together M.
    maps : structured array of shape (N,), dtype ``MAP``
        Where the points of each image lie now, as :func:`store_map` or the read job tell it. Boxes
        are clipped to what is seen of the image there, so that those of parts which were cut off
        do not lie on padding.
    min_visibility : float in [0, 1]
        Boxes of whose area a smaller share is left, after clipping, are dropped; so are, always,
        boxes without area. The share is one of the box as it came in, parts outside of the image
        included, which is what albumentations calls `min_visibility`.

    Returns
    -------
    boxes : float32 array of shape (K, 4)
    kept : bool array of shape (M,)
        Which of the boxes that came in these are.

    Raises
    ------
    ArgumentError
        For counts that are not the boxes', or not one for each map.
    """
    if len(counts) != len(maps) or int(counts.sum()) != len(boxes):
        raise ArgumentError(
            f"{len(boxes)} boxes, {len(counts)} counts of together {int(counts.sum())} and "
            f"{len(maps)} maps: give a count and a map per image, and as many boxes as counted"
        )
    image = np.repeat(np.arange(len(counts)), counts)
    ends = np.empty((2, 2, len(boxes)))  # axis (x, y), then the lower and the upper end
    area, left = np.ones(len(boxes)), np.ones(len(boxes))
    for k, name in enumerate("xy"):
        scale, shift = maps[f"scale_{name}"][image], maps[f"shift_{name}"][image]
        a, b = (boxes[:, at].astype(np.float64) * scale + shift for at in (k, k + 2))
        low, high = np.minimum(a, b), np.maximum(a, b)  # a flip exchanges them
        area *= high - low
        seen = maps[f"seen_{name}"][image]
        ends[k, 0], ends[k, 1] = np.maximum(low, seen[:, 0]), np.minimum(high, seen[:, 1])
        left *= np.maximum(ends[k, 1] - ends[k, 0], 0)
    moved = ends.transpose(2, 1, 0).reshape(-1, 4).astype(np.float32)
    # In float32 a sliver far from the edge may have no width any more.
    solid = (moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1])
    kept = solid & (left > 0) & (left >= min_visibility * area * (1 - _ROUNDING))
    return moved[kept], kept


def counts_kept(
    counts: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return how many boxes each image has left: int64 (N,)."""
    before = np.concatenate([[0], np.cumsum(kept)])
    ends = np.cumsum(counts)
    left: npt.NDArray[np.int64] = before[ends] - before[ends - counts]
    return left


def check_visibility(value: object) -> float:
    """Return a share of a box's area; raise ArgumentError unless it is a number in [0, 1]."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        share = float(value)
        if 0 <= share <= 1:
            return share
    raise ArgumentError(
        f"min_visibility={value!r}: give the share of a box's area that must be visible, in [0, 1]"
    )
