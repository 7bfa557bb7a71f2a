"""Markov transition fields with pyts's parameters."""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import field_specs as core
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.estimator import SeriesTransform
from fastcache.gaf.expand import Plan
from fastcache.gaf.paa import is_integer, segments, size_of
from fastcache.gaf.params import dtype_name, output_range

_STRATEGIES = {"quantile": core.QUANTILE, "uniform": core.UNIFORM, "normal": core.FIXED}
# More bins than time steps tell nothing; a thread needs 24 bytes for each.
_MOST_BINS = 1_000_000


class MarkovTransitionField(SeriesTransform):
    """Markov transition field: how often the bin of one value follows that of another.

    The values of a series are put into bins, and each step of the series leads from one bin to
    another. Pixel (i, j) is the share of the steps out of the bin of value i that lead into the bin
    of value j.

    Parameters
    ----------
    image_size : int or float
        Rows and columns of an image: an integer of at most the length of the series, or a share of
        it in (0, 1]. A pixel of a smaller image is the mean over the values of two segments.
    n_bins : int
        Number of bins, at least 2.
    strategy : {"quantile", "uniform", "normal"}
        Bins of equally many values, of equal width, or between quantiles of the standard normal
        distribution, for which series have to be standardised.
    overlapping : bool
        Whether the segments of a smaller image may overlap, and then all have one length.
    flatten : bool
        Whether the images of a sample become one row.
    dtype : {"float32", "float64", "float16", "bfloat16", "uint16", "uint8"}
        Of the pixels, written directly. "bfloat16" only where torch tensors are made.
    out_range : None or tuple (low, high)
        What [0, 1] becomes, linearly. None: itself for floats, all of the type for integers, which
        are rounded half to even.
    n_jobs : int, optional
        Threads. None and -1: every usable core. Results do not depend on it.

    Warns
    -----
    UserWarning
        Quantiles of some series are less than 1e-8 apart, which makes them one edge: there are
        fewer bins. Batches of an ArenaDataset do not warn.

    Notes
    -----
    pyts's class with other defaults of type: float32 instead of float64. Bins, shares and means are
    computed in float64; ``dtype="float64"`` agrees with pyts within 1e-12. A bin that no step leads
    out of, that of a last value that occurs once, has the share 0 for every bin.

    References
    ----------
    Z. Wang and T. Oates, "Encoding Time Series as Images for Visual Inspection and Classification
    Using Tiled Convolutional Neural Networks", AAAI Workshops, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcache.gaf import MarkovTransitionField
    >>> x = np.sin(np.linspace(0, 9, 96)).reshape(1, 96)
    >>> MarkovTransitionField(image_size=24).transform(x).shape
    (1, 24, 24)
    """

    def __init__(
        self,
        image_size: int | float = 1.0,
        n_bins: int = 8,
        strategy: str = "quantile",
        overlapping: bool = False,
        flatten: bool = False,
        *,
        dtype: Any = "float32",
        out_range: tuple[float, float] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.image_size = image_size
        self.n_bins = n_bins
        self.strategy = strategy
        self.overlapping = overlapping
        self.flatten = flatten
        self.dtype = dtype
        self.out_range = out_range
        self.n_jobs = n_jobs

    def plan(self, length: int) -> Plan:
        size = size_of(self.image_size, length)
        _check_bins(self.n_bins)
        if not isinstance(self.strategy, str) or self.strategy not in _STRATEGIES:
            raise ArgumentError(
                f"'strategy' must be 'uniform', 'quantile' or 'normal'. It is {self.strategy!r}."
            )
        dtype = dtype_name(self.dtype)
        low, high = output_range(self.out_range, dtype, 0.0)
        start, end = segments(length, size, self.overlapping) if size < length else (None, None)
        bins = int(self.n_bins)
        spec = core.FieldSpec(
            core.MTF,
            dtype,
            size,
            start=start,
            end=end,
            bins=(bins, _STRATEGIES[self.strategy], _points(bins, self.strategy)),
            out_low=low,
            out_high=high,
        )
        return Plan(size, dtype, (spec,))


def _check_bins(n_bins: Any) -> None:
    if not is_integer(n_bins):
        raise ArgumentTypeError(f"'n_bins' must be an integer. It is {n_bins!r}.")
    if not n_bins >= 2:
        raise ArgumentError(f"'n_bins' must be greater than or equal to 2. It is {n_bins}.")
    if n_bins > _MOST_BINS:
        raise ArgumentError(f"'n_bins' must be at most {_MOST_BINS}. It is {n_bins}.")


def _points(bins: int, strategy: str) -> npt.NDArray[np.float64] | None:
    """Return what separates the bins: quantiles, or edges; nothing where C knows by itself."""
    if strategy == "quantile":  # NumPy's percentiles: other roundings are other bins
        quantiles: npt.NDArray[np.float64] = np.linspace(0, 100, bins + 1)[1:-1] / 100
        return quantiles
    if strategy == "normal":
        standard = NormalDist()
        return np.array([standard.inv_cdf(share) for share in np.linspace(0, 1, bins + 1)[1:-1]])
    return None


__all__ = ["MarkovTransitionField"]
