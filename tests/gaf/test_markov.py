"""Markov transition fields against the slow definition: bins, means, types, errors, warnings."""

import re
import warnings

import numpy as np
import pytest
from series_reference import DTYPES, assert_stored, mtf

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf import MarkovTransitionField

STRATEGIES = ("quantile", "uniform", "normal")


def walk(*shape: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng((seed, *shape)).normal(size=shape), axis=-1)


@pytest.fixture(autouse=True)
def _without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_strategy(dtype, strategy):
    """B5: within 1e-12 in float64, within the tolerance of each other type."""
    X = walk(3, 61)
    for image_size in (1.0, 0.37, 1, 2, 7, 30, 50, 61):
        for overlapping in (False, True):
            for n_bins in (2, 3, 8, 40, 100):
                parameters = (image_size, n_bins, strategy, overlapping)
                field = MarkovTransitionField(*parameters, dtype=dtype)
                assert_stored(field.transform(X), mtf(X, *parameters), dtype, bounds=(0.0, 1.0))


@pytest.mark.parametrize("t", [1, 2, 3, 7, 8, 9, 31, 64, 127, 130])
def test_lengths(t):
    for strategy in STRATEGIES:
        for X in (walk(2, t), np.rint(walk(2, t)), np.full((2, t), 0.1)):
            got = MarkovTransitionField(strategy=strategy, dtype="float64").transform(X)
            np.testing.assert_allclose(got, mtf(X, strategy=strategy), rtol=0, atol=1e-12)


def test_out_range():
    X = walk(4, 43)
    for dtype, out_range in [("float32", (-1, 1)), ("uint8", (16, 235)), ("float64", (3, 7.5))]:
        field = MarkovTransitionField(0.5, dtype=dtype, out_range=out_range)
        assert_stored(field.transform(X), mtf(X, 0.5), dtype, out_range, (0.0, 1.0))


def test_rows_are_shares():
    """Unless it is that of a bin which nothing follows, a row's different columns add up to 1."""
    X = walk(5, 90)
    for image in MarkovTransitionField(dtype="float64").transform(X):
        for row in np.unique(image, axis=0):
            columns = np.unique(image, axis=1, return_index=True)[1]
            assert row.min() >= 0 and row.max() <= 1
            assert row[columns].sum() <= 1 + 1e-12 or len(columns) > 8


def test_bins_depend_on_order_only():
    """Quantile bins of a series and of any increasing map of it that keeps the gaps apart."""
    X = walk(2, 65)
    ranks = np.argsort(np.argsort(X, axis=1), axis=1).astype(np.float64)
    field = MarkovTransitionField(n_bins=8, dtype="float64")  # 64 steps / 8: edges are values
    np.testing.assert_array_equal(field.transform(X), field.transform(ranks))
    np.testing.assert_array_equal(field.transform(X * 4 - 7), field.transform(ranks))


def test_channels_come_one_behind_the_other():
    X = walk(3, 4, 40)
    field = MarkovTransitionField(16)
    images = field.transform(X)
    assert images.shape == (3, 4, 16, 16)
    for channel in range(4):
        np.testing.assert_array_equal(images[:, channel], field.transform(X[:, channel]))
    flat = MarkovTransitionField(16, flatten=True).transform(X)
    np.testing.assert_array_equal(flat, images.reshape(3, -1))
    out = np.empty_like(images)
    assert field.transform(X, out=out) is out
    np.testing.assert_array_equal(out, images)


def test_threads_do_not_matter():
    X = walk(300, 70)
    alone = MarkovTransitionField(n_jobs=1).transform(X)
    np.testing.assert_array_equal(MarkovTransitionField(n_jobs=2).transform(X), alone)


def test_huge_values_have_bins():
    """Differences of such values overflow; the bins are those of the same series made smaller."""
    X = walk(2, 50)
    for strategy in ("quantile", "uniform"):
        field = MarkovTransitionField(strategy=strategy)
        np.testing.assert_array_equal(field.transform(X * 2.0**1015), field.transform(X))


def test_more_bins_than_fit_a_table():
    X = walk(1, 700)
    for image_size in (1.0, 300):
        got = MarkovTransitionField(image_size, 5000, dtype="float64").transform(X)
        np.testing.assert_allclose(got, mtf(X, image_size, 5000), rtol=0, atol=1e-12)


# ---- equal quantiles ---------------------------------------------------------------------------


def test_equal_quantiles_warn_once_and_name_the_samples():
    X = walk(5, 40)
    X[1] = 3.0
    X[4, :30] = 0
    text = (
        "Some quantiles are equal. The number of bins will be smaller for sample [1 4]. Consider "
        "decreasing the number of bins or removing these samples."
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        MarkovTransitionField().transform(X)
        MarkovTransitionField().transform(np.stack([X, X], axis=1))  # of a sample's channels, once
        MarkovTransitionField(strategy="uniform").transform(X)
        MarkovTransitionField(n_bins=2).transform(X)
        MarkovTransitionField().transform(X[[0, 2, 3]])
    assert [str(one.message) for one in seen] == [text, text]
    assert all(one.category is UserWarning and one.filename == __file__ for one in seen)


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"image_size": "4"}, ArgumentTypeError, "'image_size' must be an integer or a float."),
        ({"image_size": 0}, ArgumentError, "lower than or equal to n_timestamps (got 0)."),
        ({"image_size": 2.0}, ArgumentError, "lower than or equal to 1 (got 2.0)."),
        ({"n_bins": [0, 1]}, ArgumentTypeError, "'n_bins' must be an integer."),
        ({"n_bins": 2.0}, ArgumentTypeError, "'n_bins' must be an integer."),
        ({"n_bins": True}, ArgumentTypeError, "'n_bins' must be an integer."),
        ({"n_bins": 1}, ArgumentError, "'n_bins' must be greater than or equal to 2."),
        ({"n_bins": 10**7}, ArgumentError, "'n_bins' must be at most 1000000."),
        ({"strategy": "q"}, ArgumentError, "'strategy' must be 'uniform', 'quantile' or 'normal'."),
        ({"strategy": ["q"]}, ArgumentError, "'strategy' must be 'uniform', 'quantile' or"),
        ({"dtype": "int8"}, ArgumentError, "dtype='int8'"),
        ({"dtype": "uint8", "out_range": (0, 256)}, ArgumentError, "'out_range'"),
        ({"n_jobs": 0}, ArgumentError, "n_jobs=0"),
    ],
)
def test_wrong_parameters(parameters, error, text):
    with pytest.raises(error, match=re.escape(text)):
        MarkovTransitionField(**parameters).transform(walk(2, 9))


def test_wrong_values():
    X = walk(3, 20)
    X[2, 5] = np.nan
    with pytest.raises(ArgumentError, match=r"Input X contains NaN\. Sample 2 does"):
        MarkovTransitionField().transform(X)
    with pytest.raises(ArgumentError, match="Expected 2D array"):
        MarkovTransitionField().transform(X[0])


def test_at_the_top():
    assert fc.MarkovTransitionField is MarkovTransitionField
