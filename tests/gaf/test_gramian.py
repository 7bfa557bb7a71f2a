"""Gramian angular fields against the slow definition: types, sizes, ranges, memory, shapes."""

import math

import numpy as np
import pytest
from series_reference import (
    DTYPES,
    METHODS,
    TOLERANCE,
    WHOLE_TYPE,
    assert_stored,
    exact_gaf,
    gaf,
    levels,
    segments,
    stored,
)

from fastcache.gaf import GramianAngularField, gramian_angular_field

SIZES = (1, 2, 3, 5, 7, 17, 61, 97, 101, 127, 129, 200, 255)
OUT_RANGES = {
    "float64": [(0.0, 1.0), (-3, 7.5), (0, 255)],
    "float32": [(0.0, 1.0), (-3, 7.5), (0, 255)],
    "float16": [(0.0, 1.0), (-3, 7.5), (0, 255)],
    "uint16": [(0, 65535), (0, 255), (100, 60000), (7, 8)],
    "uint8": [(0, 255), (0, 1), (16, 235), (254, 255)],
}


def walk(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random walks: neighbours are near each other, as in real series."""
    return np.cumsum(np.random.default_rng((seed, *shape)).normal(size=shape), axis=-1)


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_and_method(dtype, method):
    X = walk(3, 61)
    for image_size in (1.0, 0.37, 1, 2, 7, 50, 61):
        for overlapping in (False, True):
            for sample_range in ((-1, 1), (0, 1), (-0.5, 0.25), (-1.0, 0), None):
                series = X / np.abs(X).max() if sample_range is None else X
                parameters = (image_size, sample_range, method, overlapping)
                field = GramianAngularField(*parameters, dtype=dtype)
                assert_stored(field.transform(series), gaf(series, *parameters), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_range(dtype):
    X = walk(4, 43)
    expected = gaf(X, method="both")
    for out_range in OUT_RANGES[dtype]:
        field = GramianAngularField(method="both", dtype=dtype, out_range=out_range)
        assert_stored(field.transform(X), expected, dtype, out_range)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_sizes(size, dtype):
    """Vectors of every width and their rests."""
    X = walk(2, size)
    field = GramianAngularField(method="both", dtype=dtype)
    assert_stored(field.fit_transform(X), gaf(X, method="both"), dtype)


@pytest.mark.parametrize("overlapping", [False, True])
def test_windows_of_the_approximation_are_those_of_linspace(overlapping):
    """Integer arithmetic gives other windows than linspace for (30, 22) and 2% of all pairs."""
    for length, size in [(30, 22), (49, 41), (2, 1), (97, 96), (100, 33), (255, 254), (7, 4)]:
        X = walk(2, length)
        if (length, size) == (30, 22):
            floors = [(i * length // size, (i + 1) * length // size) for i in range(size)]
            assert segments(length, size) != floors
        for image_size in (size, size / length):
            field = GramianAngularField(image_size, overlapping=overlapping, dtype="float64")
            expected = gaf(X, image_size, overlapping=overlapping)
            assert_stored(field.transform(X), expected, "float64")


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint16", "uint8"])
def test_tolerances_hold_for_the_true_values(dtype):
    """Long double is the judge, not the float64 formula; offsets and trends are included."""
    offsets = np.array([0, 0.5, 7, -30, 1e3, -1e4, 1e6])[:, None]
    X = walk(len(offsets), 180) + offsets
    X = np.concatenate([X, X * 1e-6, X * 1e8, np.linspace(0, 1, 180)[None] + offsets])
    for sample_range in ((-1, 1), (0, 1), (-0.9, 0.9)):
        exact = exact_gaf(X, 128, sample_range, "both").astype(np.float64)
        field = GramianAngularField(128, sample_range, "both", dtype=dtype)
        assert_stored(field.transform(X), exact, dtype)


def test_half_way_levels_go_to_the_even_neighbour():
    """The zero diagonal of a difference field is level 127.5, and 1.5 in the range (1, 2)."""
    X = walk(2, 20)
    eye = np.eye(20, dtype=bool)
    for dtype, out_range, level in [
        ("uint8", None, 128),
        ("uint16", None, 32768),
        ("uint8", (1, 2), 2),
        ("uint8", (0, 1), 0),
        ("uint16", (4, 9), 6),
    ]:
        field = GramianAngularField(method="d", dtype=dtype, out_range=out_range)
        assert np.all(field.transform(X)[:, eye] == level)


# ---- numbers at the edges ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 0.1, 0.1 * 2.0**60, 1e-300, 5e-324, 1e16, -1e16, 1e308, -7]
)
@pytest.mark.parametrize("sample_range", [(-1, 1), (0, 1), (-0.3, 0.8)])
def test_constant_series(value, sample_range):
    """They give 2a^2 - 1 and 0 whatever the constant; also when windows are averaged."""
    X = np.full((2, 31), value)
    a = sample_range[0]
    for image_size in (31, 10, 1):
        for dtype in DTYPES:
            both = GramianAngularField(image_size, sample_range, "both", dtype=dtype).transform(X)
            expected = np.zeros((2, 2, image_size, image_size))
            expected[:, 0] = 2 * a * a - 1
            assert_stored(both, expected, dtype)
            assert np.all(both[:, 1] == stored(np.zeros(()), dtype))


def test_series_that_hardly_move_count_as_constant():
    """scikit-learn's limit, as in pyts: 10 eps; just above it the series is scaled."""
    eps = np.finfo(np.float64).eps
    X = np.array([[0, 9.9 * eps, 5 * eps], [0, 10.1 * eps, 5 * eps], [5e-324, 1e-323, 0]])
    fields = GramianAngularField(dtype="float64").transform(X)
    assert np.all(fields[[0, 2]] == 1)
    assert_stored(fields, gaf(X), "float64")
    assert fields[1].min() < -0.9


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_values(dtype):
    """The range of a series may be more than the largest float."""
    shape = walk(3, 40)
    shape /= np.abs(shape).max(axis=1, keepdims=True)
    X = np.concatenate([shape * 1.7e308, np.sign(shape) * 1.7e308, np.abs(shape) * 1.7e308])
    both = GramianAngularField(method="both", dtype=dtype).transform(X)
    assert_stored(both, gaf(X / 2**20, method="both"), dtype)


def test_means_of_huge_values():
    """A window's sum may be more than the largest float, its mean is not."""
    X = np.array([[1.5e308, 1.6e308, -1.7e308, -1.2e308, 1.0e308, 1.1e308, 0.0, 1.0]])
    both = GramianAngularField(4, method="both", dtype="float64").transform(X)
    halves = GramianAngularField(4, method="both", dtype="float64").transform(X / 2**10)
    np.testing.assert_allclose(both, halves, rtol=0, atol=1e-12)


def test_badly_scaled_series_keep_their_shape():
    """Small steps on a high base: the direct formula would lose them, float64 still has them."""
    step = np.array([[0, 1, 3, 1, 0, 2]])
    X = np.concatenate([step + base for base in (2.0**40, -(2.0**40), 2.0**50, 2.0**52)])
    both = GramianAngularField(method="both", dtype="float64").transform(X)
    expected = np.broadcast_to(gaf(step, method="both"), both.shape)
    np.testing.assert_allclose(both, expected, rtol=0, atol=1e-12)


def test_without_a_range_values_are_taken_as_they_are():
    X = np.array([[-1, -0.5, 0, 0.25, 1], [1, 1, 1, 1, 1], [0, -0.0, 0, -0.0, 0]])
    for method in METHODS:
        field = GramianAngularField(sample_range=None, method=method, dtype="float64")
        assert_stored(field.transform(X), gaf(X, 1.0, None, method), "float64")
    # What counts is the values that are left of averaging.
    outside = np.array([[-1.5, 0.5, 0.5, 1.25]])
    field = GramianAngularField(2, None, dtype="float64")
    assert_stored(field.transform(outside), gaf(outside, 2, None), "float64")
    with pytest.raises(ValueError, match="all the values of X must be between -1 and 1"):
        GramianAngularField(sample_range=None).transform(outside)


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_out_may_begin_at_any_element(dtype):
    """Whatever the alignment of out and of its rows, every byte is right and none beside it."""
    for size in (1, 2, 3, 5, 16, 17, 33, 67):
        for n in (1, 2, 3):
            X = walk(n, size, seed=n)
            field = GramianAngularField(method="both", dtype=dtype)
            expected = field.transform(X)
            for offset in (0, 1, 2, 3, 5, 7, 8, 13, 16, 31, 33, 63):
                room = np.full(offset + expected.size + 70, 77, dtype)
                out = room[offset : offset + expected.size].reshape(expected.shape)
                assert field.transform(X, out=out) is out
                assert out.tobytes() == expected.tobytes()
                assert np.all(room[:offset] == 77)
                assert np.all(room[offset + expected.size :] == 77)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint16"])
def test_out_may_begin_between_elements(dtype):
    """Arrays over parts of records and files are not aligned to their elements: all bytes count."""
    for n, size in [(1, 1), (2, 5), (3, 33), (700, 160)]:
        X = walk(n, size)
        expected = GramianAngularField(dtype=dtype).transform(X)
        for offset in (1, 3, 7):
            room = np.full(offset + expected.nbytes + 70, 77, np.uint8)
            out = room[offset : offset + expected.nbytes].view(dtype).reshape(expected.shape)
            GramianAngularField(dtype=dtype).transform(X, out=out)
            assert out.tobytes() == expected.tobytes()
            assert np.all(room[:offset] == 77) and np.all(room[offset + expected.nbytes :] == 77)


@pytest.mark.parametrize("offset", [0, 1, 3, 16, 21])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_outputs_are_small_ones_side_by_side(dtype, offset):
    """Outputs larger than the caches may be stored in another way: not one bit differs."""
    length = 129
    n = math.ceil((48 << 20) / (length * length * np.dtype(dtype).itemsize))
    X = walk(n, length)
    field = GramianAngularField(dtype=dtype)
    room = np.full(offset + n * length * length + 70, 77, dtype)
    out = room[offset : offset + n * length * length].reshape(n, length, length)
    field.transform(X, out=out)
    for start in range(0, n, 64):
        few = field.transform(X[start : start + 64])
        assert few.tobytes() == out[start : start + 64].tobytes()
    assert_stored(out[-2:], gaf(X[-2:]), dtype)
    assert np.all(room[:offset] == 77) and np.all(room[offset + out.size :] == 77)


def test_the_input_is_left_as_it_was():
    X = walk(5, 40)
    before = X.copy()
    X.flags.writeable = False
    GramianAngularField(20, overlapping=True).transform(X)
    np.testing.assert_array_equal(X, before)


def test_nan_in_out_is_overwritten():
    X = walk(3, 9)
    out = np.full((3, 9, 9), np.nan, np.float32)
    np.testing.assert_array_equal(
        GramianAngularField().transform(X, out=out), GramianAngularField().transform(X)
    )


# ---- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_channels(method, dtype):
    """One plane per channel and field: first all summation fields, then all difference fields."""
    X = walk(4, 3, 29)
    field = GramianAngularField(17, method=method, dtype=dtype)
    images = field.transform(X)
    assert images.shape == (4, 6 if method == "both" else 3, 17, 17)
    assert_stored(images, gaf(X, 17, method=method), dtype)
    singles = ["summation", "difference"] if method == "both" else [method]
    planes = [GramianAngularField(17, method=m, dtype=dtype).transform(X) for m in singles]
    assert np.concatenate(planes, axis=1).tobytes() == images.tobytes()
    for channel in range(3):
        flat = field.transform(X[:, channel]).reshape(4, len(singles), 17, 17)
        assert flat.tobytes() == np.ascontiguousarray(images[:, channel::3]).tobytes()


def test_shapes_of_both_fields_and_flat_ones():
    flat, channels = walk(5, 12), walk(5, 2, 12)
    for X, method, shape in [
        (flat, "s", (5, 12, 12)),
        (flat, "both", (5, 2, 12, 12)),
        (flat, "b", (5, 2, 12, 12)),
        (channels, "d", (5, 2, 12, 12)),
        (channels[:, :1], "d", (5, 1, 12, 12)),
        (channels, "both", (5, 4, 12, 12)),
    ]:
        images = GramianAngularField(method=method).transform(X)
        assert images.shape == shape
        rows = GramianAngularField(method=method, flatten=True).transform(X)
        assert rows.shape == (5, math.prod(shape[1:]))
        assert rows.tobytes() == images.tobytes()
        out = np.empty_like(rows)
        assert GramianAngularField(method=method, flatten=True).transform(X, out=out) is out
        assert out.tobytes() == rows.tobytes()


def test_short_names_of_the_methods():
    X = walk(2, 10)
    for short, long in (("s", "summation"), ("d", "difference"), ("b", "both")):
        np.testing.assert_array_equal(
            GramianAngularField(method=short).transform(X),
            GramianAngularField(method=long).transform(X),
        )


def test_the_function_behind_the_class():
    X = walk(4, 2, 50)
    parameters = {
        "image_size": 0.4,
        "sample_range": (0, 1),
        "method": "both",
        "overlapping": True,
        "flatten": True,
        "dtype": "uint8",
        "out_range": (10, 20),
        "n_jobs": 2,
    }
    expected = GramianAngularField(**parameters).transform(X)
    assert gramian_angular_field(X, **parameters).tobytes() == expected.tobytes()
    positional = gramian_angular_field(X, 0.4, (0, 1), "both", True, True, dtype="float64")
    assert_stored(positional, gaf(X, 0.4, (0, 1), "both", True).reshape(4, -1), "float64")
    out = np.empty_like(expected)
    assert gramian_angular_field(X, **parameters, out=out) is out
    assert out.tobytes() == expected.tobytes()


def test_ways_to_name_a_type():
    X = walk(2, 10)
    for dtype in DTYPES:
        expected = GramianAngularField(dtype=dtype).transform(X)
        for name in (np.dtype(dtype), np.dtype(dtype).type, np.dtype(dtype).str):
            images = GramianAngularField(dtype=name).transform(X)
            assert images.dtype == expected.dtype and images.tobytes() == expected.tobytes()


def test_what_a_plan_says():
    for method, planes in (("s", 1), ("both", 2)):
        plan = GramianAngularField(0.07, method=method, dtype="uint8").plan(100)
        assert (plan.size, plan.planes, plan.dtype) == (8, planes, "uint8")


def test_b5_every_type_is_written_directly():
    """B5: there is no conversion step; what stands there is the oracle's value in that type."""
    X = walk(6, 64)
    values = gaf(X)
    for dtype in DTYPES:
        images = GramianAngularField(dtype=dtype).transform(X)
        assert images.dtype == np.dtype(dtype) and images.flags.c_contiguous
        step = 1 if dtype in WHOLE_TYPE else TOLERANCE[dtype]
        assert np.max(np.abs(images - levels(values, dtype))) <= step
