"""What holds for every Gramian angular field: bounds, symmetry, invariance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from series_reference import DTYPES, TOLERANCE

from fastcache.gaf import GramianAngularField

EPS = np.finfo(np.float64).eps
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
MODEST = st.floats(-1e6, 1e6, allow_subnormal=False)


def series(values: st.SearchStrategy[float], shortest: int = 1) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 3), st.integers(shortest, 40))
    return npst.arrays(np.float64, shapes, elements=values)


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, object]:
    a, b = sorted(draw(st.lists(st.floats(-1, 1), min_size=2, max_size=2, unique=True)))
    return {
        "image_size": draw(st.one_of(st.just(1.0), st.floats(0.01, 1.0))),
        "sample_range": draw(st.sampled_from([(-1, 1), (0, 1), (a, b)])),
        "overlapping": draw(st.booleans()),
    }


@settings(max_examples=200, deadline=None)
@given(X=series(FINITE), chosen=parameters(), dtype=st.sampled_from(DTYPES))
def test_bounds_and_symmetry(X, chosen, dtype):
    """Every finite series: |g| <= 1; bit for bit GASF is symmetric and GADF antisymmetric."""
    both = GramianAngularField(**chosen, method="both", dtype=dtype, out_range=None).transform(X)
    sums, differences = both[:, 0], both[:, 1]
    assert sums.tobytes() == np.ascontiguousarray(sums.transpose(0, 2, 1)).tobytes()
    mirrored = differences.transpose(0, 2, 1)
    if np.dtype(dtype).kind == "f":
        assert np.all(np.isfinite(both)) and np.all(np.abs(both) <= 1)
        np.testing.assert_array_equal(differences, -mirrored)
        assert np.all(np.diagonal(differences, axis1=1, axis2=2) == 0)
    else:  # levels are mirrored about the middle; a tie may go up on both sides of it
        top = np.iinfo(dtype).max
        assert np.all(np.abs(differences.astype(int) + mirrored - top) <= 1)


@settings(max_examples=150, deadline=None)
@given(X=series(MODEST, 2), factor=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_affine_invariance(X, factor, shift):
    """A positive scale and a shift change nothing but rounding.

    Each value of the moved series carries a relative error of some eps of the larger of |x| and
    the shift; in units of the range that is d.  The cosines move by d, the sines by up to
    sqrt(2 d) beside +-1, where their slope has no bound, and a field by twice both.
    """
    moved = X * factor + shift
    extent = np.ptp(X, axis=1)
    size = np.abs(X).max(axis=1) + abs(shift) / factor
    keep = (extent > 1e-9 * size) & (extent * min(factor, 1) > 1e-12)
    field = GramianAngularField(method="both", dtype="float64")
    before, after = field.transform(X)[keep], field.transform(moved)[keep]
    d = 32 * EPS * (1 + size[keep] / extent[keep])
    allowed = 2 * (d + np.sqrt(2 * d))
    assert np.all(np.abs(after - before) <= allowed[:, None, None, None])


@settings(max_examples=100, deadline=None)
@given(X=series(MODEST, 2), power=st.integers(-6, 60), dtype=st.sampled_from(DTYPES))
def test_powers_of_two_change_no_bit(X, power, dtype):
    X = X[np.ptp(X, axis=1) > 1e-6]
    if len(X):
        field = GramianAngularField(method="both", dtype=dtype)
        assert field.transform(X * 2.0**power).tobytes() == field.transform(X).tobytes()


@settings(max_examples=100, deadline=None)
@given(X=series(MODEST, 2))
def test_reversed_series_give_reversed_images(X):
    field = GramianAngularField(method="both")
    turned = field.transform(np.ascontiguousarray(X[:, ::-1]))
    assert turned.tobytes() == np.ascontiguousarray(field.transform(X)[..., ::-1, ::-1]).tobytes()


@settings(max_examples=100, deadline=None)
@given(X=series(MODEST, 2), dtype=st.sampled_from(["float32", "float64"]))
def test_the_diagonal_gives_the_series_back(X, dtype):
    """With a range of (0, 1) the diagonal is 2 c^2 - 1, from which the scaled series follows."""
    X = X[np.ptp(X, axis=1) > 1e-3]
    if not len(X):
        return
    low, high = X.min(axis=1, keepdims=True), X.max(axis=1, keepdims=True)
    field = GramianAngularField(sample_range=(0, 1), dtype=dtype).transform(X)
    diagonal = np.diagonal(field, axis1=1, axis2=2).astype(np.float64)
    back = (diagonal + 1) / 2
    allowed = TOLERANCE[dtype] + 1e-13 * np.abs(X).max() / 1e-3
    np.testing.assert_allclose(back, ((X - low) / (high - low)) ** 2, rtol=0, atol=allowed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_are_reached_and_not_passed(dtype):
    """Rounding may not lead past the ends of a range: the output would wrap or leave [-1, 1]."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 23)) * 10.0 ** rng.integers(-6, 7, (400, 1))
    top, bottom = (1, -1) if np.dtype(dtype).kind == "f" else (np.iinfo(dtype).max, 0)
    sums = GramianAngularField(dtype=dtype).transform(X)
    assert sums.max() <= top and sums.min() >= bottom
    rows, lowest, highest = np.arange(len(X)), X.argmin(axis=1), X.argmax(axis=1)
    allowed = TOLERANCE[dtype] if dtype == "float64" else 0
    assert np.all(np.abs(sums[rows, lowest, lowest] - float(top)) <= allowed)
    assert np.all(np.abs(sums[rows, lowest, highest] - float(bottom)) <= allowed)
