"""From a chain of operations to one geometry per image that the C core can execute.

The core knows one order: crop the source, resample the crop, cut or pad a window of that.  A
:class:`Trace` follows the operations over the sizes of all images at once and finds, for each, the
single crop, resample and window that give the same pixels; images for which there is none (two
resamples in a row, say) are marked, and take the Python step instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.transforms.operation import FILTERS, Operation, Sizes, size_arrays

Flags = npt.NDArray[np.bool_]

# The C core's fc_geometry: twelve int32, in the order of its declaration.
GEOMETRY = np.dtype(
    [
        (name, np.int32)
        for name in (
            *("src_h", "src_w", "crop_y", "crop_x", "crop_h", "crop_w"),
            *("size_h", "size_w", "win_y", "win_x", "out_h", "out_w"),
        )
    ]
)
_LARGEST = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class StorePlan:
    """What a chain of operations does to N images.

    Parameters
    ----------
    geometry : structured array of shape (N,), dtype :data:`GEOMETRY`
        Pixels. Where `needs_python` is set only the sizes (``src_*``, ``out_*``) mean anything.
    filter : int
        The core's number of the resampling filter.
    fill : int
        Value 0..255 of padding, the same in every channel.
    out_h, out_w : int64 arrays of shape (N,)
        Output sizes, exact for every image.
    needs_python : bool array of shape (N,)
        Images whose chain is not one crop, resample and window.
    why : str
        The reasons of `needs_python`, or "".
    """

    geometry: npt.NDArray[np.void]
    filter: int
    fill: int
    out_h: Sizes
    out_w: Sizes
    needs_python: Flags
    why: str

    @property
    def in_c(self) -> bool:
        """Whether the core can do every image."""
        return not self.needs_python.any()

    def part(self, first: int, stop: int) -> "StorePlan":
        """Return the same of some images."""
        rows = slice(first, stop)
        return replace(
            self,
            geometry=self.geometry[rows],
            out_h=self.out_h[rows],
            out_w=self.out_w[rows],
            needs_python=self.needs_python[rows],
        )


class _Axis:
    """One axis of all images: crop start and length, resampled size, window start and length.

    Until an image is resampled, its crop is what is visible of the source and its window holds the
    whole of that: cutting moves the crop, so that a later resample sees the cut image only.
    """

    def __init__(self, sizes: Sizes) -> None:
        self.source: Sizes = sizes
        self.crop: Sizes = np.zeros_like(sizes)
        self.crop_n: Sizes = sizes
        self.size: Sizes = sizes
        self.win: Sizes = np.zeros_like(sizes)
        self.out: Sizes = sizes

    @property
    def end(self) -> Sizes:
        return self.win + self.out

    def padded(self) -> Flags:
        return (self.win < 0) | (self.end > self.size)

    def resample(self, size: Sizes, where: Flags) -> None:
        self.size = np.where(where, size, self.size)
        self.win = np.where(where, 0, self.win)

    def cut(self, start: Sizes, end: Sizes, where: Flags) -> None:
        """Fold a window [start, end) into the crop of images that are not resampled."""
        below, above = np.maximum(start, 0), np.minimum(end, self.size)
        self.crop = np.where(where, self.crop + below, self.crop)
        self.crop_n = np.where(where, above - below, self.crop_n)
        self.size = np.where(where, above - below, self.size)
        self.win = np.where(where, start - below, self.win)


class Trace:
    """The state of N images while a chain of operations is followed.

    Parameters
    ----------
    heights, widths : int64 arrays of shape (N,)
        Sizes of the sources in pixels, at least 1.
    """

    def __init__(self, heights: Sizes, widths: Sizes) -> None:
        self._y = _Axis(heights)
        self._x = _Axis(widths)
        self._filter = np.full(heights.shape, -1)  # -1: not resampled
        self._fill = np.full(heights.shape, -1)  # -1: never padded
        self._python = np.zeros(heights.shape, np.bool_)
        self._reasons: list[str] = []

    @property
    def heights(self) -> Sizes:
        """Sizes as they are after the operations so far."""
        return self._y.out

    @property
    def widths(self) -> Sizes:
        """Sizes as they are after the operations so far."""
        return self._x.out

    def resample(self, heights: Sizes, widths: Sizes, number: int) -> None:
        """Resample whole images with filter `number`; those of the right size stay untouched."""
        change = (heights != self._y.out) | (widths != self._x.out)
        self._leave(change & (self._filter >= 0), "resampled twice")
        self._leave(change & (self._y.padded() | self._x.padded()), "resampled after padding")
        for axis, size in ((self._y, heights), (self._x, widths)):
            axis.resample(size, change)
            axis.out = size
        self._filter = np.where(change, number, self._filter)

    def window(self, top: Sizes, left: Sizes, height: int, width: int, fill: int) -> None:
        """Cut out a window, given in the images' coordinates; pixels outside take `fill`."""
        fresh = self._filter < 0
        axes = ((self._y, top, height), (self._x, left, width))
        padding = np.zeros_like(fresh)
        for axis, offset, length in axes:
            start, end = axis.win + offset, axis.win + offset + length
            padding |= (offset < 0) | (end > axis.end)
            # A window behind an edge that cut the image would show again what was cut off.
            hidden = ((axis.win > 0) & (offset < 0)) | ((axis.end < axis.size) & (end > axis.end))
            self._leave(hidden & ~fresh, "padded after a cut that follows resampling")
            self._leave((start >= axis.size) | (end <= 0), "cut down to padding alone")
            axis.cut(start, end, fresh)
            axis.win = np.where(fresh, axis.win, start)
            axis.out = np.full_like(axis.out, length)
        self._leave(padding & (self._fill >= 0) & (self._fill != fill), "padded with two values")
        self._fill = np.where(padding, fill, self._fill)

    def plan(self) -> StorePlan:
        """Return the outcome for every image."""
        filter_ = self._one_for_all(self._filter, FILTERS["bilinear"], "filter")
        fill = self._one_for_all(self._fill, 0, "padding value")
        y, x = self._y, self._x
        for axis, what in ((y, "high"), (x, "wide")):
            if axis.out.size and int(axis.out.max()) > _LARGEST:
                k = int(axis.out.argmax())
                raise ArgumentError(
                    f"store would make image {k} ({y.source[k]} x {x.source[k]}) {axis.out[k]} "
                    f"pixels {what}: give Resize a max_size, or leave that image out"
                )
        geometry = np.zeros(y.out.shape, GEOMETRY)
        for key, axis in (("h", y), ("w", x)):
            start = "y" if axis is y else "x"
            geometry[f"src_{key}"] = axis.source
            # A harmless resample of the whole stands where the core is not to be asked.
            geometry[f"crop_{start}"] = np.where(self._python, 0, axis.crop)
            geometry[f"crop_{key}"] = np.where(self._python, axis.source, axis.crop_n)
            geometry[f"size_{key}"] = np.where(self._python, axis.out, axis.size)
            geometry[f"win_{start}"] = np.where(self._python, 0, axis.win)
            geometry[f"out_{key}"] = axis.out
        return StorePlan(geometry, filter_, fill, y.out, x.out, self._python, self._why())

    def _leave(self, images: Flags, reason: str) -> None:
        new = images & ~self._python
        if new.any():
            self._reasons.append(f"{int(new.sum())} of {new.size} images would be {reason}")
            self._python = self._python | new

    def _one_for_all(self, values: npt.NDArray[np.int64], default: int, what: str) -> int:
        """Return the commonest value of those that count; leave images with another to Python."""
        counts = (values >= 0) & ~self._python
        if not counts.any():
            return default
        common = int(np.bincount(values[counts]).argmax())
        self._leave(counts & (values != common), f"in need of another {what} than the others")
        return common

    def _why(self) -> str:
        return "; ".join(self._reasons)


def compile_store(
    operations: Sequence[Operation], heights: npt.ArrayLike, widths: npt.ArrayLike
) -> StorePlan:
    """Plan a chain of operations for N images.

    Parameters
    ----------
    operations : sequence of Operation
        As :func:`~fastcache.transforms.normalize_store` returns them; empty: pixels are kept. For
        masks give ``store_for_masks(operations)``.
    heights, widths : array_like of int, shape (N,)
        Sizes of the (oriented) sources in pixels, at least 1.

    Returns
    -------
    StorePlan

    Raises
    ------
    ArgumentError
        For sizes below 1, and where an output would exceed 2**31 - 1 pixels on a side.
    """
    trace = Trace(*size_arrays(np.atleast_1d(heights), np.atleast_1d(widths)))
    for operation in operations:
        operation.trace(trace)
    return trace.plan()
