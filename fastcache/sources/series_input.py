"""Series as users have them, as one list of arrays (channels, steps) or one (series, …) array."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SchemaError
from fastcache.sources.series_windows import Ints, Place
from fastcache.sources.tensors import is_array, is_tensor, load_npy, to_numpy
from fastcache.sources.walk import path_of

Numbers: TypeAlias = npt.NDArray[Any]

_CHUNK = 1 << 20  # values that are looked at together


@dataclass(frozen=True)
class SeriesData:
    """Series that share channels and element type.

    Attributes
    ----------
    parts : tuple of arrays
        (C, T_k) each; or a single (n, C, T), which is a *block*. Nothing is copied: they may be
        mapped, strided and of foreign byte order.
    many : bool
        Whether the user gave several series, of which each can have a label.
    """

    parts: tuple[Numbers, ...]
    many: bool

    @property
    def is_block(self) -> bool:
        """Whether it is one array of series of one length."""
        return self.parts[0].ndim == 3

    def __len__(self) -> int:
        return len(self.parts[0]) if self.is_block else len(self.parts)

    @property
    def channels(self) -> int:
        """Channels of every series."""
        return int(self.parts[0].shape[-2])

    @property
    def dtype(self) -> str:
        """Element type in native byte order."""
        return str(self.parts[0].dtype.newbyteorder("="))

    @property
    def lengths(self) -> Ints:
        """Steps of each series."""
        if self.is_block:
            return np.broadcast_to(np.int64(self.parts[0].shape[-1]), (len(self),))  # no memory
        return np.array([part.shape[-1] for part in self.parts], np.int64)

    @property
    def extent(self) -> Ints | tuple[int, int]:
        """Steps of each series; of a block their number, and the steps of all."""
        return (len(self), int(self.parts[0].shape[-1])) if self.is_block else self.lengths

    def place(self) -> Place:
        """Return where each series begins once the parts lie behind each other."""
        if self.is_block:
            return Place(pitch=self.channels * self.parts[0].shape[-1])
        return Place(starts=_begins(self.lengths))

    def place_of_steps(self) -> Place:
        """Return the same for an array that has one element per step."""
        if self.is_block:
            return Place(pitch=self.parts[0].shape[-1])
        return Place(starts=_begins(self.lengths))

    def chunks(self) -> Iterator[tuple[int, int, Numbers]]:
        """Yield first series, first step and values (series, C, steps), in the order of time."""
        first = self.parts[0]
        if self.is_block and first[:1].size <= _CHUNK:
            each = max(1, _CHUNK // max(first[:1].size, 1))
            for k in range(0, len(first), each):
                yield k, 0, first[k : k + each]
            return
        for k, part in enumerate(first if self.is_block else self.parts):
            each = max(1, _CHUNK // len(part))
            for step in range(0, part.shape[-1], each):
                yield k, step, part[None, :, step : step + each]

    def between(self, begins: Ints, ends: Ints) -> "SeriesData":
        """Return each series from one step to before another; of a block these agree."""
        if self.is_block:
            return SeriesData((self.parts[0][..., begins[0] : ends[0]],), self.many)
        parts = zip(self.parts, begins, ends, strict=True)
        return SeriesData(tuple(part[:, a:b] for part, a, b in parts), self.many)


def _begins(lengths: Ints) -> Ints:
    begins: Ints = np.cumsum(lengths) - lengths
    return begins


def read_series(x: Any, time_axis: int) -> SeriesData:
    """Return series out of anything that :class:`~fastcache.sources.Series` takes as `x`.

    Raises
    ------
    ArgumentError
        For what holds no numbers, has another number of axes, is empty, or disagrees.
    """
    if isinstance(x, list | tuple):
        return _several(x, time_axis)
    array, axis = _numbers(x, "x", time_axis)
    if array.ndim not in (1, 2, 3):
        raise ArgumentError(
            f"x has shape {array.shape}: give (T,), (channels, T), (series, channels, T) or a list "
            "of the first two"
        )
    if not array.size:
        raise ArgumentError(f"x is empty, its shape is {array.shape}: give at least one value")
    return SeriesData((_oriented(array, "x", axis),), array.ndim == 3)


def _several(x: Any, time_axis: int) -> SeriesData:
    if not x:
        raise ArgumentError("x is an empty list: give at least one series")
    parts = []
    for k, series in enumerate(x):
        what = f"series {k} of x"
        array, axis = _numbers(series, what, time_axis)
        if array.ndim not in (1, 2):
            raise ArgumentError(
                f"{what} has shape {array.shape}: give (T,) or (channels, T) each, or all as one "
                "array (series, channels, T)"
            )
        parts.append(_oriented(array, what, axis))
    data = SeriesData(tuple(parts), True)
    for k, part in enumerate(parts):
        if len(part) != data.channels or str(part.dtype.newbyteorder("=")) != data.dtype:
            raise ArgumentError(
                f"series {k} of x has {len(part)} channels of {part.dtype}, series 0 has "
                f"{data.channels} of {parts[0].dtype}: all need the same (numpy's astype converts)"
            )
    if not data.channels or not data.lengths.any():
        raise ArgumentError(f"x holds {len(parts)} series without a value: give at least one value")
    return data


def _numbers(x: Any, what: str, time_axis: int) -> tuple[Numbers, int]:
    """Return an array of numbers, and the axis of time in it."""
    if isinstance(x, str | os.PathLike):
        return _usable(load_npy(path_of(x, what), what), what), time_axis
    if not is_array(x):
        raise ArgumentError(
            f"{what} must be an array, a tensor, a DataFrame, the path of a .npy file or a list of "
            f"such, not {type(x).__name__}; numpy.asarray makes an array of a list of numbers"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise ArgumentError(f"{what} is a masked array: fill it, e.g. x.filled(numpy.nan)")
    try:
        array = to_numpy(x, what) if is_tensor(x) else np.asarray(x)
    except SchemaError as error:
        raise ArgumentError(str(error)) from error
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} cannot be read as an array: {error}") from error
    is_table = hasattr(x, "columns") and array.ndim == 2  # a DataFrame of whatever library
    return _usable(array, what), 0 if is_table else time_axis


def _usable(array: Numbers, what: str) -> Numbers:
    """Return the array, as numbers if it holds these as objects; byte order does not matter."""
    if array.dtype.kind == "O":
        array = _of_objects(array, what)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ArgumentError(
            f"{what} has dtype {array.dtype}: series hold bool, int8..int64, uint8..uint64 or "
            "float16..float64; convert it with astype"
        )
    return array


def _of_objects(array: Numbers, what: str) -> Numbers:
    kinds = (bool, int, float, np.bool_, np.integer, np.floating)
    for position, value in zip(np.ndindex(array.shape), array.flat, strict=True):
        if not isinstance(value, kinds):
            at = position[0] if array.ndim == 1 else position
            raise ArgumentError(
                f"{what} is an array of objects, and the one at {at} is {value!r}: make all of "
                "them numbers (numpy.nan where one is missing)"
            )
    made = np.array(array.tolist())
    if made.dtype.kind == "O":
        raise ArgumentError(f"{what} holds integers that do not fit into 64 bits")
    return made.reshape(array.shape)


def _oriented(array: Numbers, what: str, time_axis: int) -> Numbers:
    """Return (C, T) or (n, C, T)."""
    if isinstance(time_axis, bool) or not isinstance(time_axis, int | np.integer):
        raise ArgumentError(f"time_axis={time_axis!r}: give the number of an axis")
    axis = int(time_axis) + array.ndim if time_axis < 0 else int(time_axis)
    first = 1 if array.ndim == 3 else 0
    if not first <= axis < array.ndim:
        raise ArgumentError(
            f"time_axis={time_axis}: {what} has shape {array.shape}, so time lies on one of the "
            f"axes {', '.join(map(str, range(first, array.ndim)))}"
        )
    return array[None] if array.ndim == 1 else np.moveaxis(array, axis, -1)
