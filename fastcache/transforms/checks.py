"""Checks of arguments that operations of a recipe share; all raise ArgumentError."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.transforms.operation import check_pixels, check_size

MOST_CHANNELS = 4
_LARGEST = float(np.finfo(np.float32).max)
_LEAST_RATIO = 1e-6  # of sides, in the C core


def check_number(value: object, what: str) -> float:
    """Return a finite number as a float."""
    # NumPy's scalars and torch's of no dimension are numbers to users, if not to `numbers`.
    if isinstance(value, Real) or (hasattr(value, "item") and getattr(value, "ndim", None) == 0):
        number = value if isinstance(value, Real) else value.item()
        if isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(number):
            return float(number)
    raise ArgumentError(f"{what} must be a finite number, not {value!r}")


def check_single(value: object, what: str) -> float:
    """Return a number that float32, in which C computes, has as well."""
    number = check_number(value, what)
    if abs(number) <= _LARGEST:
        return number
    raise ArgumentError(f"{what}: {value!r} is beyond the range of float32 (±{_LARGEST:.3g})")


def check_flag(value: object, what: str) -> bool:
    """Return a bool; numbers are not taken for one."""
    if isinstance(value, bool):
        return value
    raise ArgumentError(f"{what}={value!r}: give True or False")


def check_probability(value: object, what: str) -> float:
    """Return a number from 0 to 1."""
    number = check_number(value, what)
    if 0 <= number <= 1:
        return number
    raise ArgumentError(f"{what} must be a probability from 0 to 1, not {value!r}")


def check_range(
    value: object, what: str, least: float = -math.inf, most: float = math.inf
) -> tuple[float, float]:
    """Return (low, high), two numbers in this order from `least` to `most`."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or len(value) != 2:
        raise ArgumentError(f"{what} must be a pair (low, high), not {value!r}")
    low, high = (check_number(bound, what) for bound in value)
    if low > high:
        raise ArgumentError(f"{what}={value!r}: the lower bound comes first")
    if low < least or high > most:
        limits = f"from {least:g}" + (f" to {most:g}" if math.isfinite(most) else " upwards")
        raise ArgumentError(f"{what}={value!r} must lie {limits}")
    return low, high


def check_ratio(value: object, what: str) -> tuple[float, float]:
    """Return (low, high) of one side to the other."""
    return check_range(value, what, _LEAST_RATIO, 1 / _LEAST_RATIO)


def check_frame(size: object, what: str) -> tuple[int, int]:
    """Return (height, width) of a size that is a side of a square or a pair."""
    kept = check_size(size, what)
    return (kept, kept) if isinstance(kept, int) else kept


def check_padding(padding: object, what: str) -> tuple[int, int, int, int] | None:
    """Return (left, top, right, bottom) in pixels, or None for none at all.

    Parameters
    ----------
    padding : None, int or sequence of int
        Of all sides; of (left and right, top and bottom); or of left, top, right, bottom.
    what : str
        Its name in messages.
    """
    if padding is None:
        return None
    sides: tuple[Any, ...] = (padding,)
    if isinstance(padding, Sequence) and not isinstance(padding, str | bytes):
        sides = tuple(padding)
    if len(sides) not in (1, 2, 4):
        raise ArgumentError(
            f"{what}={padding!r}: give one number of pixels, (left and right, top and bottom), or "
            "(left, top, right, bottom)"
        )
    # Zero is a padding, if not a number of pixels that an image may have.
    pixels = [0 if _is_zero(side) else check_pixels(side, what) for side in sides]
    left, top, right, bottom = (pixels * 4)[:4]
    return (left, top, right, bottom) if any(pixels) else None


def check_fill(fill: object, what: str) -> int | tuple[int, ...]:
    """Return the pixel value of padding: one level for all channels, or one per channel."""
    if isinstance(fill, Sequence) and not isinstance(fill, str | bytes):
        if not 1 <= len(fill) <= MOST_CHANNELS:
            raise ArgumentError(f"{what}={fill!r}: give one number, or one per channel")
        levels = tuple(_level(value, what) for value in fill)
        return levels[0] if len(levels) == 1 else levels
    return _level(fill, what)


def check_channel_numbers(values: object, what: str) -> tuple[float, ...]:
    """Return one number per channel, at least one and at most four."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError(f"{what}={values!r}: give a sequence with one number per channel")
    numbers = tuple(check_single(value, what) for value in values)
    if 1 <= len(numbers) <= MOST_CHANNELS:
        return numbers
    raise ArgumentError(
        f"{what} has {len(numbers)} numbers: give one per channel (images have 1, 3 or 4), or one "
        "for all"
    )


def _is_zero(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == 0


def _level(value: object, what: str) -> int:
    number = check_number(value, what)
    if number.is_integer() and 0 <= number <= 255:
        return int(number)
    raise ArgumentError(f"{what}: {value!r} is no pixel value: give a whole number from 0 to 255")
