"""Whatever scikit-learn's users call X as an array that the C core can read."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core.field_specs import ELEMENTS
from fastcache.errors import ArgumentError, ArgumentTypeError

Array = npt.NDArray[Any]

_LONGEST = 2**31 - 1  # of what the C core takes


def as_series(x: Any) -> Array:
    """Return series as an array of shape (n, t) or (n, channels, t), copied only if it must be.

    Parameters
    ----------
    x : array-like
        Real numbers, on two or three axes. Any strides and any byte order.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        With the words of scikit-learn's ``check_array`` where that has any.
    """
    if hasattr(x, "toarray") and hasattr(x, "tocsr"):
        raise ArgumentTypeError(
            "Sparse data was passed, but dense data is required. Use '.toarray()' to convert to a "
            "dense numpy array."
        )
    array = as_array(x)
    if array.ndim < 2:
        raise ArgumentError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data with "
            "array.reshape(1, -1) if it is a single series; several channels make (n, channels, t)."
        )
    if array.ndim > 3:
        raise ArgumentError(
            f"Found array with dim {array.ndim}: series have the shape (n, t) or (n, channels, t)"
        )
    if len(array) == 0:
        raise ArgumentError(
            f"Found array with 0 sample(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    if array.size == 0:
        raise ArgumentError(
            f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    if array.shape[-1] > _LONGEST:
        raise ArgumentError(
            f"the series have {array.shape[-1]:,} time steps, images are made of at most "
            f"{_LONGEST:,}: cut them into windows"
        )
    return array


def as_array(x: Any) -> Array:
    """Return numbers as an array of any shape, of a type that C reads."""
    if np.ma.is_masked(x):
        raise ArgumentError("X is a masked array: fill in what is masked, e.g. X.filled(0)")
    try:
        array = np.asarray(x)
    except ValueError as error:  # nested lists whose lengths differ
        raise ArgumentError(f"X is no array of numbers: {error}") from error
    except (TypeError, RuntimeError) as error:  # torch's tensors that NumPy cannot look at
        raise ArgumentTypeError(f"X cannot be read as an array: {error}") from error
    kind = array.dtype.kind
    if kind == "c":
        raise ArgumentError("Complex data not supported: give real series")
    if kind in "OSU" or array.dtype.itemsize > 8:
        array = _as_floats(array)
    if array.dtype.newbyteorder("=").name not in ELEMENTS:
        raise ArgumentError(f"X has dtype {array.dtype}; give numbers")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _as_floats(array: Array) -> Array:
    """Return numbers that are kept as objects, as text or in more than 8 bytes as float64."""
    try:
        with np.errstate(over="ignore"):  # what is too large for float64 is refused as infinite
            return array.astype(np.float64)
    except TypeError as error:
        if "complex" in str(error):
            raise ArgumentError("Complex data not supported: give real series") from error
        raise ArgumentTypeError(f"X holds what is no number: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ArgumentError(f"X holds what is no number for float64: {error}") from error


def check_finite(series: Array) -> None:
    """Raise ArgumentError for NaN and infinity: what `transform` finds while it works."""
    if series.dtype.kind == "f" and not np.isfinite(series).all():
        raise ArgumentError(why_not_finite(series))


def why_not_finite(row: Array) -> str:
    """Return what is wrong with a series that is not finite, in scikit-learn's words."""
    if np.isnan(row).any():
        return "Input X contains NaN."
    return f"Input X contains infinity or a value too large for {row.dtype!r}."
