"""Recurrence plots against the slow definition: trajectories, thresholds, types, errors."""

import re

import numpy as np
import pytest
from series_reference import recurrence, rp

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf import RecurrencePlot

RELATIVE = {"float32": 1.2e-7, "float16": 4.9e-4 * 1.001, "float64": 0.0}
THRESHOLDS = [None, "point", "distance", 0.5, 2]


def walk(*shape: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng((seed, *shape)).normal(size=shape), axis=-1)


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("dimension", [1, 2, 3, 7])
def test_distances(dimension, dtype):
    """float64 is the definition to the bit; float32 and float16 have its digits."""
    for t in (1, 2, 8, 17, 33, 64, 70):
        for delay in (1, 2, 3):
            length = max(t + (dimension - 1) * delay, delay)
            X = walk(2, length)
            got = RecurrencePlot(dimension, delay, dtype=dtype).transform(X)
            expected = rp(X, dimension=dimension, time_delay=delay)
            assert got.shape == expected.shape and got.dtype == dtype
            tiny = 6e-8 if dtype == "float16" else 0
            error = np.abs(got.astype(np.float64) - expected)
            assert np.all(error <= RELATIVE[dtype] * expected + tiny)


@pytest.mark.parametrize("threshold", THRESHOLDS[1:])
@pytest.mark.parametrize("dimension", [1, 3])
def test_thresholds(dimension, threshold):
    """B5: the same pixels as the definition, ties of whole numbers among them, in every type."""
    for X in (walk(2, 40), np.rint(walk(2, 41)), np.full((1, 12), 0.3), walk(1, 3)):
        for percentage in (0, 10, 33.3, 50, 99.9, 100):
            parameters = {
                "dimension": dimension,
                "threshold": threshold,
                "percentage": percentage,
            }
            expected = rp(X, **parameters)
            for dtype, top in [("float32", 1), ("float64", 1), ("uint8", 255), ("uint16", 65535)]:
                got = RecurrencePlot(**parameters, dtype=dtype).transform(X)
                assert got.dtype == dtype
                np.testing.assert_array_equal(got, expected * top)
    got = RecurrencePlot(threshold=threshold, dtype="uint8", out_range=(7, 9)).transform(X)
    np.testing.assert_array_equal(got, 7 + 2 * rp(X, threshold=threshold))


@pytest.mark.parametrize("t", [255, 258, 300])
def test_percentiles_of_large_images(t):
    """Up to 256 time steps the distances of pairs are kept while the percentile is looked for."""
    for X in (walk(1, t), np.rint(walk(1, t)), np.exp(walk(1, t))):
        for percentage in (1, 10, 75):
            for dimension in (1, 2):
                parameters = (dimension, 1, "point", percentage)
                got = RecurrencePlot(*parameters).transform(X)[0]
                paths = np.stack([X[0, k : t - dimension + 1 + k] for k in range(dimension)])
                apart = paths[:, :, None] - paths[:, None, :]
                squares = sum(step * step for step in apart)
                distances = np.abs(apart[0]) if dimension == 1 else np.sqrt(squares)
                limit = np.percentile(distances, percentage)
                np.testing.assert_array_equal(got, distances < limit)


def test_shares_of_a_series():
    X = walk(3, 40)
    got = RecurrencePlot(0.1, 0.05, dtype="float64").transform(X)
    np.testing.assert_array_equal(got, rp(X, dimension=4, time_delay=2))
    assert RecurrencePlot(1, 1.0).transform(X).shape == (3, 40, 40)


def test_symmetry():
    images = RecurrencePlot(3, 2).transform(walk(4, 50))
    np.testing.assert_array_equal(images, np.swapaxes(images, 1, 2))
    assert not np.diagonal(images, axis1=1, axis2=2).any()


def test_channels_come_one_behind_the_other():
    X = walk(3, 4, 40)
    plot = RecurrencePlot(2)
    images = plot.transform(X)
    assert images.shape == (3, 4, 39, 39)
    for channel in range(4):
        np.testing.assert_array_equal(images[:, channel], plot.transform(X[:, channel]))
    flat = RecurrencePlot(2, flatten=True).transform(X)
    np.testing.assert_array_equal(flat, images.reshape(3, -1))
    out = np.empty_like(images)
    assert plot.transform(X, out=out) is out
    np.testing.assert_array_equal(out, images)


def test_threads_do_not_matter():
    X = walk(300, 70)
    for threshold in (None, "point"):
        alone = RecurrencePlot(3, threshold=threshold, n_jobs=1).transform(X)
        both = RecurrencePlot(3, threshold=threshold, n_jobs=2).transform(X)
        np.testing.assert_array_equal(both, alone)


# ---- numbers that float64 or float32 cannot hold -----------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("offset", [0, 2**53, 2**62])
def test_large_integers_keep_their_differences(dtype, offset):
    steps = np.array([[0, 1, 3, 2, 9, 4]])
    X = (steps + offset).astype(dtype)
    for dimension in (1, 2):
        got = RecurrencePlot(dimension, dtype="float64").transform(X)
        np.testing.assert_array_equal(got, rp(steps, dimension=dimension))
    noncontiguous = np.repeat(X, 2, axis=1)[:, ::-2]
    got = RecurrencePlot(dtype="float64").transform(noncontiguous)
    np.testing.assert_array_equal(got, rp(steps[:, ::-1]))


def test_differences_of_any_integers_are_rounded_once():
    rng = np.random.default_rng(0)
    X = rng.integers(-(2**63), 2**63 - 1, (1, 30), dtype=np.int64)
    X[0, :2] = -(2**63), 2**63 - 1
    values = [int(value) for value in X[0]]
    expected = [[float(abs(a - b)) for b in values] for a in values]
    got = RecurrencePlot(dtype="float64").transform(X)[0]
    np.testing.assert_array_equal(got, expected)


def test_distances_beyond_a_type_are_infinite():
    X = np.array([[0.0, 1e30, -1e39, 1e200]])
    for dtype in ("float32", "float16", "float64"):
        for dimension in (1, 2):
            with np.errstate(over="ignore"):
                expected = rp(X, dimension=dimension).astype(dtype)
            got = RecurrencePlot(dimension, dtype=dtype).transform(X)[0]
            np.testing.assert_allclose(got, expected[0], rtol=1e-6)
            assert np.isinf(got).any() == (dtype != "float64" or dimension == 2)


def test_series_of_every_type():
    X = np.random.default_rng(5).integers(0, 100, (3, 30))
    expected = RecurrencePlot(3).transform(X.astype(np.float64))
    for dtype in (
        "bool",
        "int8",
        "uint8",
        "int16",
        ">i4",
        "uint32",
        "float16",
        ">f8",
        "longdouble",
    ):
        given = X % 2 if dtype == "bool" else X
        wanted = RecurrencePlot(3).transform(given.astype(np.float64))
        np.testing.assert_array_equal(RecurrencePlot(3).transform(given.astype(dtype)), wanted)
    np.testing.assert_array_equal(RecurrencePlot(3).transform(X.tolist()), expected)


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"dimension": "3"}, ArgumentTypeError, "'dimension' must be an integer or a float."),
        ({"time_delay": "3"}, ArgumentTypeError, "'time_delay' must be an integer or a float."),
        (
            {"threshold": "3"},
            ArgumentTypeError,
            "'threshold' must be either None, 'point', 'distance', a float or an integer.",
        ),
        ({"threshold": [1]}, ArgumentTypeError, "'threshold' must be either None"),
        (
            {"percentage": "3"},
            ArgumentTypeError,
            "'percentage' must be a float or an integer.",
        ),
        (
            {"dimension": 10},
            ArgumentError,
            (
                "If 'dimension' is an integer, it must be greater than or equal to 1 and lower "
                "than or equal to n_timestamps (got 10)."
            ),
        ),
        (
            {"dimension": 2.0},
            ArgumentError,
            (
                "If 'dimension' is a float, it must be greater than 0 and lower than or equal to 1 "
                "(got 2.0)."
            ),
        ),
        ({"time_delay": 12}, ArgumentError, "equal to n_timestamps (got 12)."),
        ({"time_delay": 2.0}, ArgumentError, "lower than or equal to 1 (got 2.0)."),
        (
            {"time_delay": 3, "dimension": 4},
            ArgumentError,
            (
                "The number of trajectories must be positive. Consider trying with smaller values "
                "for 'dimension' and 'time_delay'."
            ),
        ),
        (
            {"threshold": -1},
            ArgumentError,
            "If 'threshold' is a float or an integer, it must be greater than 0.",
        ),
        ({"threshold": float("nan")}, ArgumentError, "it must be greater than 0."),
        ({"percentage": 200}, ArgumentError, "'percentage' must be between 0 and 100."),
        ({"percentage": float("nan")}, ArgumentError, "'percentage' must be between 0 and 100."),
        ({"dtype": "uint8"}, ArgumentError, "dtype=uint8: distances are unbounded"),
        ({"out_range": (0, 1)}, ArgumentError, "out_range=(0, 1): distances are unbounded"),
        ({"threshold": 1, "out_range": (1, 0)}, ArgumentError, "'out_range'"),
    ],
)
def test_wrong_parameters(parameters, error, text):
    with pytest.raises(error, match=re.escape(text)):
        RecurrencePlot(**parameters).transform(walk(2, 9))


def test_wrong_values():
    X = walk(3, 20)
    X[1, 5] = np.inf
    with pytest.raises(ArgumentError, match=r"Input X contains infinity.*Sample 1 does"):
        RecurrencePlot().transform(X)


def test_thresholds_beyond_every_float():
    X = walk(1, 9)
    np.testing.assert_array_equal(RecurrencePlot(threshold=10**400).transform(X), 1)
    np.testing.assert_array_equal(RecurrencePlot(2, threshold=float("inf")).transform(X), 1)


def test_the_oracle_itself():
    """Distances of a few numbers, by hand."""
    np.testing.assert_array_equal(
        recurrence(np.array([0.0, 3, 1])), [[0, 3, 1], [3, 0, 2], [1, 2, 0]]
    )
    np.testing.assert_array_equal(recurrence(np.array([0.0, 3, 7]), 2), [[0, 5], [5, 0]])


def test_at_the_top():
    assert fc.RecurrencePlot is RecurrencePlot
