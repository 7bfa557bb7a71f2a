"""Gramian angular fields with pyts's parameters."""

from typing import Any

import numpy.typing as npt

from fastcache._core import fields as core
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.estimator import SeriesTransform
from fastcache.gaf.expand import Plan
from fastcache.gaf.paa import is_real, segments, size_of
from fastcache.gaf.params import dtype_name, output_range

_KINDS = {
    "s": core.GASF,
    "summation": core.GASF,
    "d": core.GADF,
    "difference": core.GADF,
    "b": core.GAF_BOTH,
    "both": core.GAF_BOTH,
}


class GramianAngularField(SeriesTransform):
    """Gramian angular field: the cosines of sums, or the sines of differences, of angles.

    A series is reduced to `image_size` means, scaled to `sample_range`, and each value x taken as
    the angle arccos(x). The summation field is cos(a_i + a_j), the difference field sin(a_i - a_j).

    Parameters
    ----------
    image_size : int or float
        Rows and columns of an image: an integer of at most the length of the series, or a share of
        it in (0, 1].
    sample_range : None or tuple (min, max)
        What each series is scaled to; within [-1, 1]. None: the series are taken as they are, and
        must lie in [-1, 1].
    method : {"summation", "difference", "both"}
        Which field; "s", "d" and "b" for short. "both" makes two images of one preparation.
    overlapping : bool
        Whether the segments of the means may overlap, and then all have one length.
    flatten : bool
        Whether the images of a sample become one row.
    dtype : {"float32", "float64", "float16", "bfloat16", "uint16", "uint8"}
        Of the pixels, written directly. "bfloat16" only where torch tensors are made.
    out_range : None or tuple (low, high)
        What [-1, 1] becomes, linearly. None: itself for floats, all of the type for integers, which
        are rounded half to even: uint8 is rint((g + 1) * 127.5).
    n_jobs : int, optional
        Threads. None and -1: every usable core. Results do not depend on it.

    Notes
    -----
    pyts's class with other defaults of type: float32 instead of float64. Means, scaling and sines
    are computed in float64; pixels are products of float32 numbers, and off by at most 5e-7, or of
    float64 for ``dtype="float64"``, where they are pyts's.

    A constant series becomes the lower end a of the range: 2a² - 1 in the summation field, 0 in the
    difference field. As for scikit-learn, ranges below 10 times the machine's epsilon are constant.

    Each series is scaled by itself: amplitudes do not show in the images. To keep them, scale the
    data together and pass ``sample_range=None``.

    References
    ----------
    Z. Wang and T. Oates, "Encoding Time Series as Images for Visual Inspection and Classification
    Using Tiled Convolutional Neural Networks", AAAI Workshops, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcache.gaf import GramianAngularField
    >>> x = np.sin(np.linspace(0, 9, 96)).reshape(1, 96)
    >>> GramianAngularField(image_size=24).transform(x).shape
    (1, 24, 24)
    """

    def __init__(
        self,
        image_size: int | float = 1.0,
        sample_range: tuple[float, float] | None = (-1, 1),
        method: str = "summation",
        overlapping: bool = False,
        flatten: bool = False,
        *,
        dtype: Any = "float32",
        out_range: tuple[float, float] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.image_size = image_size
        self.sample_range = sample_range
        self.method = method
        self.overlapping = overlapping
        self.flatten = flatten
        self.dtype = dtype
        self.out_range = out_range
        self.n_jobs = n_jobs

    def plan(self, length: int) -> Plan:
        size = size_of(self.image_size, length)
        _check_range(self.sample_range)
        if not isinstance(self.method, str) or self.method not in _KINDS:
            raise ArgumentError(
                "'method' must be either 'summation', 's', 'difference' or 'd'. "
                f"'both' and 'b' make both fields. It is {self.method!r}."
            )
        dtype = dtype_name(self.dtype)
        low, high = output_range(self.out_range, dtype, -1.0)
        start, end = segments(length, size, self.overlapping) if size < length else (None, None)
        spec = core.FieldSpec(
            _KINDS[self.method],
            dtype,
            size,
            start=start,
            end=end,
            sample_range=self.sample_range,
            out_low=low,
            out_high=high,
        )
        return Plan(size, dtype, (spec,))


def _check_range(sample_range: Any) -> None:
    """Refuse what is no range within [-1, 1], in pyts's words."""
    if sample_range is None:
        return
    if not isinstance(sample_range, tuple):
        raise ArgumentTypeError(f"'sample_range' must be None or a tuple. It is {sample_range!r}.")
    if len(sample_range) != 2:
        raise ArgumentError("If 'sample_range' is a tuple, its length must be equal to 2.")
    if not all(map(is_real, sample_range)):
        raise ArgumentTypeError(f"'sample_range' must hold two numbers. It is {sample_range!r}.")
    if not -1 <= sample_range[0] < sample_range[1] <= 1:
        raise ArgumentError(
            "If 'sample_range' is a tuple, it must satisfy -1 <= sample_range[0] < "
            f"sample_range[1] <= 1. It is {sample_range!r}."
        )


def gramian_angular_field(
    x: Any,
    image_size: int | float = 1.0,
    sample_range: tuple[float, float] | None = (-1, 1),
    method: str = "summation",
    overlapping: bool = False,
    flatten: bool = False,
    *,
    dtype: Any = "float32",
    out_range: tuple[float, float] | None = None,
    n_jobs: int | None = None,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Return Gramian angular fields of series: :class:`GramianAngularField` as a function.

    Parameters
    ----------
    x : array-like of shape (n, t) or (n, channels, t)
        Series of real numbers, of any type, strides and byte order.
    image_size, sample_range, method, overlapping, flatten, dtype, out_range, n_jobs
        As for :class:`GramianAngularField`.
    out : ndarray, optional
        Where to write the images: C-contiguous, of their shape and dtype.

    Returns
    -------
    ndarray
        Of shape (n, m, m), (n, 2, m, m) for both fields, (n, channels, m, m) or (n, 2 channels, m,
        m): first all summation fields, then all difference fields. (n, everything else) if
        flattened. `out` if that was given.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        For values that cannot be used (ValueError, TypeError), and for series that are empty, not
        finite, or not of two or three axes.
    """
    transform = GramianAngularField(
        image_size,
        sample_range,
        method,
        overlapping,
        flatten,
        dtype=dtype,
        out_range=out_range,
        n_jobs=n_jobs,
    )
    images: npt.NDArray[Any] = transform.transform(x, out=out)
    return images


__all__ = ["GramianAngularField", "gramian_angular_field"]
