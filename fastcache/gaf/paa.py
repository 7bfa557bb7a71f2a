"""Piecewise aggregate approximation: which values each mean is taken of.

E. Keogh, K. Chakrabarti, M. Pazzani and S. Mehrotra, "Dimensionality Reduction for Fast Similarity
Search in Large Time Series Databases", Knowledge and Information Systems 3(3), 2001. The bounds of
the segments are those of pyts, to the last index.
"""

from math import ceil, isfinite

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, ArgumentTypeError

Segments = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def is_integer(value: object) -> bool:
    """Whether a parameter is an integer; booleans are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether a parameter is an integer or a float."""
    return is_integer(value) or isinstance(value, float | np.floating)


def share_of(name: str, value: object, length: int) -> int:
    """Return a number of time steps that was given as such or as a share of a series.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    value : int or float
        An integer in [1, length], or a share in (0, 1], of which the ceiling is taken.
    length : int
        Time steps of a series.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        With pyts's texts.
    """
    if is_integer(value):
        assert isinstance(value, int | np.integer)
        if not 1 <= value <= length:
            raise ArgumentError(
                f"If '{name}' is an integer, it must be greater than or equal to 1 and lower than "
                f"or equal to n_timestamps (got {value}). The series have {length} time steps."
            )
        return int(value)
    if isinstance(value, float | np.floating):
        if not 0 < value <= 1:
            raise ArgumentError(
                f"If '{name}' is a float, it must be greater than 0 and lower than or equal to 1 "
                f"(got {value})."
            )
        with np.errstate(over="ignore"):
            steps = value * length
        if not isfinite(steps):  # beyond float16
            steps = float(value) * length
        return min(ceil(steps), length)  # float32 may have rounded up
    raise ArgumentTypeError(f"'{name}' must be an integer or a float. It is {value!r}.")


def size_of(image_size: int | float, length: int) -> int:
    """Return the rows and columns of an image of series of `length` time steps.

    Parameters
    ----------
    image_size : int or float
        As for :class:`GramianAngularField`.
    length : int

    Raises
    ------
    ArgumentTypeError, ArgumentError
        With pyts's texts.
    """
    return share_of("image_size", image_size, length)


def segments(length: int, size: int, overlapping: bool) -> Segments:
    """Return where the segments begin and end that a series is reduced to.

    Parameters
    ----------
    length : int
        Time steps of a series.
    size : int
        Number of segments, at most `length`.
    overlapping : bool
        True: all segments have the length of the longest; False: they share no value.

    Returns
    -------
    start, end : int64 arrays of shape (size,)
        Segment k is [start[k], end[k]).
    """
    if not overlapping:
        bounds = np.linspace(0, length, size + 1).astype(np.int64)
        return bounds[:-1].copy(), bounds[1:].copy()
    width = -(-length // size)
    shifts = np.linspace(0, size * width - length, size).astype(np.int64)
    start = np.arange(size, dtype=np.int64) * width - shifts
    return start, start + width
