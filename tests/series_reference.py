"""Slow obvious images of time series in plain NumPy: the oracles of tests/gaf.

Every function follows the definition, in float64 and one series at a time.  ``exact_gaf`` is the
same in long double, from both ends of the range, for judging the tolerances themselves.
"""

import itertools
import math
import warnings
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

WHOLE_TYPE = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
TOLERANCE = {"float64": 1e-12, "float32": 5e-7, "float16": 2.5e-4}
DTYPES = ("float32", "float64", "float16", "uint16", "uint8")
METHODS = ("summation", "difference", "both")


# ---- piecewise aggregate approximation ---------------------------------------------------------


def size_of(image_size: float, length: int) -> int:
    """Return how many values are left of ``length``: a number, or a share rounded up."""
    return math.ceil(image_size * length) if isinstance(image_size, float) else int(image_size)


def segments(length: int, size: int, overlapping: bool = False) -> list[tuple[int, int]]:
    """Return start and end of each of ``size`` windows over ``length`` values."""
    if not overlapping:
        edges = np.linspace(0, length, size + 1).astype(np.int64)
        return [(int(start), int(end)) for start, end in itertools.pairwise(edges)]
    width = math.ceil(length / size)
    back = np.linspace(0, size * width - length, size).astype(np.int64)
    return [(i * width - int(back[i]), (i + 1) * width - int(back[i])) for i in range(size)]


def paa(x: np.ndarray, size: int, overlapping: bool = False) -> np.ndarray:
    """Return the mean of each window, added up from left to right in the type of ``x``."""
    if size == len(x):
        return x.copy()
    windows = [x[start:end] for start, end in segments(len(x), size, overlapping)]
    return np.array([np.cumsum(window)[-1] / len(window) for window in windows], dtype=x.dtype)


# ---- Gramian angular fields --------------------------------------------------------------------


def scaled(x: np.ndarray, means: np.ndarray, sample_range: tuple[float, float]) -> np.ndarray:
    """Return ``means`` of the series ``x`` brought to ``sample_range``, in float64."""
    a, b = (float(end) for end in sample_range)
    low, high = means.min(), means.max()
    if x.min() == x.max() or high - low < 10 * np.finfo(np.float64).eps:
        return np.full(len(means), a)
    scale = (b - a) / (high - low)
    if max(abs(low), abs(high)) * scale <= 64:
        c = means * scale + (a - low * scale)
    else:
        c = (means - low) * scale + a
    return np.clip(c, a, b)


def polar(x, image_size=1.0, sample_range=(-1, 1), overlapping=False):
    """Return cosines and sines of the angles of one series."""
    x = np.asarray(x, dtype=np.float64)
    c = paa(x, size_of(image_size, len(x)), overlapping)
    if sample_range is not None:
        c = scaled(x, c, sample_range)
    elif c.min() < -1 or c.max() > 1:
        raise ValueError("values outside [-1, 1]")
    return c, np.sqrt(np.clip(1 - c * c, 0, 1))


def exact_polar(x, image_size=1.0, sample_range=(-1, 1), overlapping=False):
    """Return the same in long double; 1 - c and 1 + c come from the end that each is near to."""
    x = np.asarray(x, dtype=np.longdouble)
    c = paa(x, size_of(image_size, len(x)), overlapping)
    if sample_range is None:
        return c, np.sqrt((1 - c) * (1 + c))
    a, b = (np.longdouble(end) for end in sample_range)
    low, high = c.min(), c.max()
    if x.min() == x.max() or low == high:
        c = np.full(len(c), a)
        return c, np.sqrt((1 - c) * (1 + c))
    up, down = (c - low) / (high - low), (high - c) / (high - low)
    c = np.where(up < down, a + (b - a) * up, b - (b - a) * down)
    return c, np.sqrt((1 - b + (b - a) * down) * (1 + a + (b - a) * up))


def summation(c: np.ndarray, s: np.ndarray) -> np.ndarray:
    """cos(phi_i + phi_j)"""
    return np.outer(c, c) - np.outer(s, s)


def difference(c: np.ndarray, s: np.ndarray) -> np.ndarray:
    """sin(phi_i - phi_j)"""
    return np.outer(s, c) - np.outer(c, s)


FIELDS: dict[str, tuple[Callable[..., np.ndarray], ...]] = {
    "summation": (summation,),
    "difference": (difference,),
    "both": (summation, difference),
}
FIELDS |= {"s": FIELDS["summation"], "d": FIELDS["difference"], "b": FIELDS["both"]}


def gaf(X, image_size=1.0, sample_range=(-1, 1), method="summation", overlapping=False):
    """Gramian angular fields in float64 of X (n, t) or (n, c, t): arranged, not yet stored."""

    def planes(x: np.ndarray) -> list[np.ndarray]:
        angles = polar(x, image_size, sample_range, overlapping)
        return [field(*angles) for field in FIELDS[method]]

    return arranged(X, planes)


def exact_gaf(X, image_size=1.0, sample_range=(-1, 1), method="summation", overlapping=False):
    """The same in long double."""

    def planes(x: np.ndarray) -> list[np.ndarray]:
        angles = exact_polar(x, image_size, sample_range, overlapping)
        return [field(*angles) for field in FIELDS[method]]

    return arranged(X, planes)


# ---- Markov transition fields ------------------------------------------------------------------


def edges_of(x: np.ndarray, n_bins: int, strategy: str) -> np.ndarray:
    """Return the inner edges of the bins; quantiles that are equal count once, with a warning."""
    if strategy == "normal":
        shares = np.linspace(0, 1, n_bins + 1)[1:-1]
        return np.array([NormalDist().inv_cdf(share) for share in shares])
    if strategy == "uniform":
        return np.linspace(x.min(), x.max(), n_bins + 1)[1:-1]
    edges = np.percentile(x, np.linspace(0, 100, n_bins + 1)[1:-1])
    kept = [k for k in range(len(edges)) if k + 1 == len(edges) or edges[k + 1] - edges[k] > 1e-8]
    if len(kept) < len(edges):
        warnings.warn("Some quantiles are equal.", UserWarning, stacklevel=2)
    return edges[kept]


def markov(x: np.ndarray, size: int, n_bins: int, strategy: str, overlapping: bool) -> np.ndarray:
    """Return the field of one series: how often the bin of i was followed by the bin of j."""
    edges = edges_of(x, n_bins, strategy)
    bins = [int(np.sum(edges < value)) for value in x]
    counts = np.zeros((n_bins, n_bins))
    for now, then in itertools.pairwise(bins):
        counts[now, then] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    whole = shares[np.ix_(bins, bins)]
    if size == len(x):
        return whole
    field = np.empty((size, size))
    windows = segments(len(x), size, overlapping)
    for i, (top, bottom) in enumerate(windows):
        for j, (left, right) in enumerate(windows):
            field[i, j] = whole[top:bottom, left:right].mean()
    return field


def mtf(X, image_size=1.0, n_bins=8, strategy="quantile", overlapping=False):
    """Markov transition fields in float64 of X (n, t) or (n, c, t), in [0, 1]."""
    size = size_of(image_size, np.shape(X)[-1])
    return arranged(X, lambda x: [markov(x, size, n_bins, strategy, overlapping)])


# ---- recurrence plots --------------------------------------------------------------------------


def recurrence(x, dimension=1, time_delay=1, threshold=None, percentage=10) -> np.ndarray:
    """Return the distances of one series' trajectories, or 1 where they are below a threshold."""
    dimension, delay = size_of(dimension, len(x)), size_of(time_delay, len(x))
    count = len(x) - (dimension - 1) * delay
    paths = np.array([[x[i + k * delay] for k in range(dimension)] for i in range(count)])
    distances = np.empty((count, count))
    for i in range(count):
        for j in range(count):
            steps = paths[i] - paths[j]
            square = np.cumsum(steps * steps)[-1]
            distances[i, j] = np.sqrt(square) if dimension > 1 else abs(steps[0])
    if threshold is None:
        return distances
    if threshold == "point":
        threshold = np.percentile(distances, percentage)
    elif threshold == "distance":
        threshold = percentage / 100 * distances.max()
    return (distances < threshold).astype(np.float64)


def rp(X, **parameters):
    """Recurrence plots in float64 of X (n, t) or (n, c, t)."""
    return arranged(X, lambda x: [recurrence(x, **parameters)])


# ---- arrangement and storage -------------------------------------------------------------------


def arranged(X, planes: Callable[[np.ndarray], list[np.ndarray]]) -> np.ndarray:
    """Return (n, m, m), or with several planes (n, planes, m, m): all of one field together."""
    X = np.asarray(X, dtype=np.float64)
    channels = X if X.ndim == 3 else X[:, None]
    images = [[planes(x) for x in sample] for sample in channels]  # (n, c, fields, m, m)
    result = np.swapaxes(np.array(images), 1, 2)
    result = result.reshape(len(X), -1, *result.shape[3:])
    return result[:, 0] if X.ndim == 2 and result.shape[1] == 1 else result


def levels(values, dtype: str, out_range=None, bounds=(-1.0, 1.0)) -> np.ndarray:
    """Return ``values`` within ``bounds`` mapped to ``out_range``, before they are rounded."""
    low, high = limits(dtype, out_range, bounds)
    if (low, high) == bounds:
        return np.clip(values, low, high)
    share = (values - bounds[0]) / (bounds[1] - bounds[0])
    return np.clip(low + share * (high - low), low, high)


def limits(dtype: str, out_range=None, bounds=(-1.0, 1.0)) -> tuple[float, float]:
    """Return what the bounds of a field become."""
    low, high = out_range if out_range is not None else WHOLE_TYPE.get(dtype, bounds)
    return float(low), float(high)


def stored(values, dtype: str, out_range=None, bounds=(-1.0, 1.0)) -> np.ndarray:
    """Return ``values`` as they stand in an output of ``dtype``: integers rounded half to even."""
    mapped = levels(values, dtype, out_range, bounds)
    return (np.rint(mapped) if dtype in WHOLE_TYPE else mapped).astype(dtype)


def assert_stored(actual, values, dtype: str, out_range=None, bounds=(-1.0, 1.0)) -> None:
    """Check ``actual`` against the oracle's ``values``: type, shape, range and tolerance.

    The tolerances hold for [-1, 1] and grow with ``out_range``.  A wide range costs a float type
    half a unit in its last place more.  Integers are exact but where the level is so near a tie
    that the float32 of the outer product may fall on its other side.
    """
    assert actual.dtype == np.dtype(dtype)
    assert actual.shape == values.shape
    low, high = limits(dtype, out_range, bounds)
    expected = levels(values, dtype, out_range, bounds)
    got = actual.astype(np.float64)
    assert got.size == 0 or (got.min() >= np.dtype(dtype).type(low) and got.max() <= high)
    reach = (high - low) / 2
    if dtype in WHOLE_TYPE:
        nearness = np.abs(expected - np.floor(expected) - 0.5)
        may_differ = nearness < max(1e-3, TOLERANCE["float32"] * reach)
        error = np.abs(got - np.rint(expected))
        assert np.all(error <= may_differ), f"{np.max(error)} levels off"
        return
    tolerance = TOLERANCE[dtype] * max(reach, 1.0)
    if out_range is not None:
        tolerance += float(np.spacing(np.dtype(dtype).type(max(abs(low), abs(high))))) / 2
    error = np.max(np.abs(got - expected), initial=0.0)
    assert error <= tolerance, f"{error} off, {tolerance} allowed"
