"""Samples that are arrays already: in memory, or mapped from .npy files."""

import os
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.schema import Array, Image
from fastcache.sources.base import Feed, Layout, Source, Values
from fastcache.sources.labels import label_column
from fastcache.sources.tensors import is_array, load_npy, native, to_numpy
from fastcache.sources.walk import path_of

_CHANNELS = (1, 3, 4)
_LAYOUTS = ("auto", "CHW", "HWC", None)


class Arrays(Source):
    """Samples along the first axis of an array.

    Parameters
    ----------
    x : array, tensor, or path of a .npy file
        Shape (N, …). Files are mapped, not loaded; pickled ones are refused.
    y : None, sequence, array, tensor, or path of a .npy file
        Labels, as for :class:`~fastcache.sources.Files`; of two or more axes: an array per sample.
    layout : "auto", "CHW", "HWC" or None
        Where the channels of images are. "auto": `x` is a column of images if it is uint8, of four
        axes, with 1, 3 or 4 on exactly one of the axes 1 (CHW) and 3 (HWC); it is an error if both
        fit, and otherwise, and for None, each sample is kept as a plain array.

    Raises
    ------
    ArgumentError
        For an unclear layout, one that does not fit, lengths that differ, pickled or unusable
        arrays.
    SourceNotFoundError
        For a missing file.

    Notes
    -----
    Columns: ``image`` (handed out C, H, W) or ``array``, and with `y` ``label``.
    """

    def __init__(
        self, x: Any, y: Any = None, layout: Literal["auto", "CHW", "HWC"] | None = "auto"
    ) -> None:
        if layout not in _LAYOUTS:
            raise ArgumentError(f"layout must be 'auto', 'CHW', 'HWC' or None, not {layout!r}")
        self._x = _array(x, "x")
        if self._x.ndim == 0 or len(self._x) == 0:
            raise ArgumentError(f"x has shape {self._x.shape}; its first axis must count samples")
        self._layout = _image_layout(self._x, layout)
        labels = load_npy(path_of(y, "y"), "y") if isinstance(y, str | os.PathLike) else y
        self._y: Values | None = None
        self._classes: list[str] | None = None
        if labels is not None:
            self._y, self._classes = label_column(labels, len(self._x))

    def __len__(self) -> int:
        return len(self._x)

    def layout(self) -> Layout:
        """Return ``image`` or ``array``, and ``label`` if there are labels."""
        shape = self._x.shape[1:]
        if self._layout == "CHW":
            channels, height, width = shape
            image = Image("uint8", channels, (height, width))
            name, column = "image", Values(self._x, image, axes=(1, 2, 0))
        elif self._layout == "HWC":
            height, width, channels = shape
            name, column = "image", Values(self._x, Image("uint8", channels, (height, width)))
        else:
            name, column = "array", Values(self._x, Array(str(self._x.dtype), shape))
        feeds: dict[str, Feed] = {name: column}
        if self._y is None:
            return Layout(name, feeds)
        attributes = {"classes": self._classes} if self._classes else {}
        return Layout((name, "label"), {**feeds, "label": self._y}, attributes)


def _array(x: Any, what: str) -> npt.NDArray[Any]:
    if isinstance(x, str | os.PathLike):
        return _usable(load_npy(path_of(x, what), what), what)
    if not is_array(x):
        raise ArgumentError(
            f"{what} must be an array, a tensor or the path of a .npy file, not "
            f"{type(x).__name__}; numpy.asarray makes an array of nested lists"
        )
    return _usable(x, what)


def _usable(x: Any, what: str) -> npt.NDArray[Any]:
    try:
        return native(x, what) if isinstance(x, np.ndarray) else to_numpy(x, what)
    except TypeError as error:  # SchemaError is one
        raise ArgumentError(str(error)) from error


def _image_layout(
    x: npt.NDArray[Any], layout: Literal["auto", "CHW", "HWC"] | None
) -> Literal["CHW", "HWC"] | None:
    if layout is None:
        return None
    rank4 = x.dtype == np.uint8 and x.ndim == 4
    chw = rank4 and x.shape[1] in _CHANNELS
    hwc = rank4 and x.shape[3] in _CHANNELS
    if layout == "auto":
        if chw and hwc:
            raise ArgumentError(
                f"x has shape {x.shape}: both axis 1 and axis 3 could be channels; say "
                "layout='CHW' or layout='HWC' (or None for plain arrays)"
            )
        return "CHW" if chw else "HWC" if hwc else None
    if not (chw if layout == "CHW" else hwc):
        axis = 1 if layout == "CHW" else 3
        raise ArgumentError(
            f"layout={layout!r} needs uint8 of four axes with 1, 3 or 4 on axis {axis}; x is "
            f"{x.dtype} of shape {x.shape}. layout=None keeps plain arrays"
        )
    return layout
