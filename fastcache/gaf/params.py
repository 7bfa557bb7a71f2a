"""What estimators of this package are told, checked when they transform, as scikit-learn does."""

import sys
from typing import Any

import numpy as np

from fastcache._core import threads
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.paa import is_real

DTYPES = ("float32", "float64", "float16", "bfloat16", "uint16", "uint8")
_LARGEST = {
    "float64": sys.float_info.max / 4,
    "float32": float(np.finfo(np.float32).max) / 4,
    "float16": float(np.finfo(np.float16).max),
    "bfloat16": float(np.finfo(np.float32).max) / 4,
}


def dtype_name(dtype: Any) -> str:
    """Return the name of an element type: given as such, as NumPy's or as torch's.

    Raises
    ------
    ArgumentError
        For types that images cannot have.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES and dtype is not None:  # which NumPy takes for float64
        try:
            given = np.dtype(dtype)
            name = given.name if given.isnative else ""
        except TypeError:
            name = ""
    if name not in DTYPES:
        raise ArgumentError(f"dtype={dtype!r}: images can have {', '.join(DTYPES)}")
    return name


def output_range(out_range: Any, dtype: str, low: float) -> tuple[float, float]:
    """Return what the least and the largest possible value of an image become.

    Parameters
    ----------
    out_range : None or tuple (low, high)
        None: values as they are for floats, the whole of an integer type.
    dtype : str
    low : float
        Least possible value; the largest is 1.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        If it is no range, or leaves what the type can hold.
    """
    integer = dtype.startswith("uint")
    least, largest = (
        (0.0, float(np.iinfo(dtype).max)) if integer else (-_LARGEST[dtype], _LARGEST[dtype])
    )
    if out_range is None:
        return (least, largest) if integer else (low, 1.0)
    wrong = f"'out_range' must be None or a tuple (low, high), not {out_range!r}"
    if not isinstance(out_range, tuple):
        raise ArgumentTypeError(wrong)
    if len(out_range) != 2:
        raise ArgumentError(wrong)
    first, last = out_range
    if not (is_real(first) and is_real(last)):
        raise ArgumentTypeError(f"'out_range' must hold two numbers, not {out_range!r}")
    if not least <= first < last <= largest:
        raise ArgumentError(
            f"'out_range' must satisfy {least:g} <= low < high <= {largest:g} for {dtype}, "
            f"not {out_range!r}"
        )
    return float(first), float(last)


def resolve_jobs(n_jobs: Any) -> int:
    """Return the number of threads that `n_jobs` asks for; None and -1: every usable core."""
    if n_jobs is None:
        return threads.usable_cores()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer):
        raise ArgumentTypeError(f"'n_jobs' must be None or an integer, not {n_jobs!r}")
    if n_jobs != -1 and n_jobs < 1:
        raise ArgumentError(
            f"n_jobs={n_jobs}: give at least 1, or None or -1 for every usable core"
        )
    return threads.resolve_threads(int(n_jobs))
