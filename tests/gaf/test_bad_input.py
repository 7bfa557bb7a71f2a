"""Input that is strange (right all the same) or wrong (a clear error of the builtin that fits)."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from fastcache.errors import FastcacheError, NoMemoryError
from fastcache.gaf import (
    FieldStack,
    GramianAngularField,
    MarkovTransitionField,
    RecurrencePlot,
    gramian_angular_field,
)
from fastcache.gaf.paa import size_of

FIELDS = [
    GramianAngularField(dtype="float64"),
    MarkovTransitionField(n_bins=3, dtype="float64"),
    RecurrencePlot(dimension=2, dtype="float64"),
    FieldStack(
        [GramianAngularField(dtype="float64"), MarkovTransitionField(n_bins=3, dtype="float64")]
    ),
]
every_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
X = np.array([[1, 5, 2, 4, 3, 6, 0], [7, 3, 9, 1, 8, 2, 5]], dtype=np.float64)


def refused(builtin: type[Exception], words: str, call, *arguments, **keywords) -> str:
    """Check that a call is refused with fastcache's error and the builtin; return its message."""
    with pytest.raises(FastcacheError, match=words) as info:
        call(*arguments, **keywords)
    assert isinstance(info.value, builtin)
    assert len(str(info.value)) > 15
    return str(info.value)


# ---- strange and right -------------------------------------------------------------------------


@every_field
@pytest.mark.parametrize(
    "strange",
    [
        X.tolist(),
        tuple(map(tuple, X.tolist())),
        list(X),
        X.astype(object),
        X.astype(int).astype(object),
        np.array([[Decimal(int(v)) for v in row] for row in X], dtype=object),
        np.array([[Fraction(int(v)) for v in row] for row in X], dtype=object),
        X.astype(np.int8),
        X.astype(np.uint8),
        X.astype(np.int32),
        X.astype(np.uint64),
        X.astype(np.float16),
        X.astype(np.float32),
        X.astype(np.longdouble),
        X.astype(">f8"),
        X.astype(">f4"),
        X.astype(">i2"),
        np.asfortranarray(X),
        X[:, ::-1].copy()[:, ::-1],
        X[::-1].copy()[::-1],
        np.repeat(np.repeat(X, 2, axis=1), 3, axis=0)[::3, ::2],
        np.frombuffer(bytes(3) + X.tobytes(), np.uint8)[3:].view(np.float64).reshape(X.shape),
        np.ma.array(X),
        memoryview(X),
        X.astype(str),  # as pyts takes it
        np.frombuffer(X.tobytes()).reshape(X.shape),  # read-only
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_every_way_to_give_the_same_numbers(field, strange):
    np.testing.assert_array_equal(field.transform(strange), field.transform(X))


@every_field
def test_three_axes_in_any_order(field):
    deep = np.stack([X, X[::-1], X * 2 + 1])
    expected = field.transform(deep)
    np.testing.assert_array_equal(field.transform(np.asfortranarray(deep)), expected)
    wide = np.ascontiguousarray(deep.transpose(0, 2, 1))  # (n, t, c), as many tools keep it
    np.testing.assert_array_equal(field.transform(wide.transpose(0, 2, 1)), expected)
    np.testing.assert_array_equal(field.transform(deep[::-1, :, ::-1][::-1, :, ::-1]), expected)


@every_field
def test_bools_are_numbers(field):
    on = np.array([[True, False, True, True, False]])
    np.testing.assert_array_equal(field.transform(on), field.transform(on.astype(float)))


@every_field
def test_broadcast_series(field):
    one = np.broadcast_to(X[0], (4, 7))  # stride 0
    np.testing.assert_array_equal(field.transform(one), field.transform(one.copy()))


def test_large_integers():
    """64 bits of an integer that float64 cannot hold are rounded, not wrapped."""
    big = np.array([[0, 2**63, 2**64 - 1, 2**62]], dtype=np.uint64)
    field = GramianAngularField(dtype="float64")
    np.testing.assert_array_equal(field.transform(big), field.transform(big.astype(np.float64)))


# ---- wrong series ------------------------------------------------------------------------------


@every_field
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (3.0, "0"),
        (X[0], "1"),
        (X[None, None], "4"),
        ([], "1|empty|0"),
        (np.empty((0, 7)), "0|empty"),
        (np.empty((3, 0)), "0|empty"),
        (np.empty((3, 0, 7)), "0|empty"),
        (np.empty((0, 2, 7)), "0|empty"),
        (np.empty((2, 2, 0)), "0|empty"),
        (np.where(X == 9, np.nan, X), "(?i)nan"),
        (np.where(X == 9, np.inf, X), "(?i)inf"),
        (np.where(X == 9, -np.inf, X), "(?i)inf"),
        (np.where(X == 9, np.nan, X).astype(np.float16), "(?i)nan"),
        (np.where(X == 9, None, X), "(?i)nan|none|number|float"),
        (X.astype(np.longdouble) * np.longdouble(2) ** 2000, "(?i)inf|large"),
        (X + 1j, "(?i)complex"),
        ((X + 1j).astype(object), "(?i)complex"),
        (np.array([[10**400, 1]], dtype=object), "float64"),
        ([[1, 2], [3]], "length|shape|ragged|inhomogeneous|number"),
    ],
    ids=lambda value: str(getattr(value, "shape", ""))[:20],
)
def test_wrong_values_and_shapes(field, wrong, words):
    refused(ValueError, words, field.transform, wrong)
    refused(ValueError, words, field.fit_transform, wrong)


@every_field
def test_one_bad_value_among_many_is_found_anywhere(field):
    """Also in rows that other threads do, and in series of which windows take the mean."""
    rng = np.random.default_rng(0)
    for n, t in [(1, 2), (1, 9), (3, 70), (200, 33)]:
        for _ in range(6):
            series = rng.normal(size=(n, t))
            series.flat[rng.integers(series.size)] = rng.choice([np.nan, np.inf, -np.inf])
            for copy in (series, series.astype(np.float32), np.asfortranarray(series)):
                refused(ValueError, "(?i)nan|inf", field.transform, copy)


@every_field
@pytest.mark.parametrize(
    "text",
    [
        [["a", "b"], ["c", "d"]],
        np.array([["1", "x"], ["3", "4"]]),
        np.array([["1", "x"], ["3", "4"]], dtype=object),
        np.array([[b"1", b"x"]]),
        np.array([[{}, []]], dtype=object),
        np.array([["2020-01-01", "2021-01-01"]], dtype="M8[D]"),
        np.array([[1, 2]], dtype="m8[s]"),
        np.array([[(1, 2)]], dtype=[("a", "f8"), ("b", "f8")]),
        "series",
        None,
        {"a": 1},
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}"[:40],
)
def test_what_is_no_number(field, text):
    with pytest.raises(FastcacheError) as info:
        field.transform(text)
    assert isinstance(info.value, ValueError | TypeError)


@every_field
def test_sparse_matrices(field):
    sparse = pytest.importorskip("scipy.sparse")
    for made in (sparse.csr_matrix(X), sparse.csr_array(X), sparse.coo_matrix(X)):
        refused(TypeError, "(?i)sparse", field.transform, made)


# ---- wrong outputs -----------------------------------------------------------------------------


@every_field
def test_wrong_outputs(field):
    right = field.transform(X)
    frozen = np.empty_like(right)
    frozen.flags.writeable = False
    refused(ValueError, "read-only|writ", field.transform, X, out=frozen)
    shape = right.shape
    for wrong in [
        np.empty((3, *shape[1:])),
        np.empty(shape[1:]),
        np.empty((*shape, 1)),
        np.empty((len(X), right[0].size)),
        np.empty((*shape[:-1], shape[-1] - 1)),
        np.empty(0),
    ]:
        message = refused(ValueError, "shape", field.transform, X, out=wrong)
        assert str(shape) in message and str(wrong.shape) in message
    for dtype in ("float32", "int64", "uint8", "complex128", "O", ">f8"):
        refused((ValueError, TypeError), "float64", field.transform, X, out=np.empty(shape, dtype))
    for strided in (
        np.empty(shape, order="F"),
        np.empty((*shape[:-1], shape[-1] * 2))[..., ::2],
        np.empty(shape)[::-1],
    ):
        refused(ValueError, "contiguous", field.transform, X, out=strided)
    for other in (right.tolist(), "out", 5, bytearray(right.nbytes)):
        refused(TypeError, "out", field.transform, X, out=other)


def test_a_refused_parameter_leaves_the_output_alone():
    out = np.full((2, 7, 7), 7, np.float32)
    refused(ValueError, "dtype", GramianAngularField(dtype="f4x").transform, X, out=out)
    refused(ValueError, "image_size", GramianAngularField(9).transform, X, out=out)
    assert np.all(out == 7)


def test_out_that_is_the_input():
    """The images of one series would overwrite others that are still to be read."""
    series = np.array([[0.5], [-3.0]])
    whole = np.zeros(2 * 9)
    field = GramianAngularField(dtype="float64")
    refused(ValueError, "memory", field.transform, series, out=series.reshape(2, 1, 1))
    refused(
        ValueError, "memory", field.transform, whole[:6].reshape(2, 3), out=whole.reshape(2, 3, 3)
    )


# ---- wrong parameters --------------------------------------------------------------------------


def numbered(cases: list[tuple[object, ...]]) -> list[str]:
    """Return short names for cases whose texts are long: what is given."""
    return [f"{k}-{case[-1]}"[:50] for k, case in enumerate(cases)]


PARAMETERS = [
    (ValueError, "n_jobs", {"n_jobs": 0}),
    (ValueError, "n_jobs", {"n_jobs": -3}),
    ((TypeError, ValueError), "n_jobs", {"n_jobs": True}),
    ((TypeError, ValueError), "n_jobs", {"n_jobs": "x"}),
    ((TypeError, ValueError), "n_jobs", {"n_jobs": 1.5}),
    (ValueError, "dtype", {"dtype": "float8"}),
    (ValueError, "dtype", {"dtype": "int64"}),
    (ValueError, "dtype", {"dtype": ">f4"}),
    (ValueError, "bfloat16", {"dtype": "bfloat16"}),
    ((TypeError, ValueError), "dtype", {"dtype": 7}),
    (ValueError, "out_range", {"out_range": (1, 0)}),
    (ValueError, "out_range", {"out_range": (1, 1)}),
    (ValueError, "out_range", {"out_range": (0, 1, 2)}),
    (ValueError, "out_range", {"out_range": (0, np.nan)}),
    (ValueError, "out_range", {"out_range": (-np.inf, 0)}),
    (ValueError, "out_range", {"out_range": (0, 256), "dtype": "uint8"}),
    (ValueError, "out_range", {"out_range": (-1, 10), "dtype": "uint8"}),
    (ValueError, "out_range", {"out_range": (0, 65536), "dtype": "uint16"}),
    (ValueError, "out_range", {"out_range": (0, 1e5), "dtype": "float16"}),
    (ValueError, "out_range", {"out_range": (0, 1e39), "dtype": "float32"}),
    ((TypeError, ValueError), "out_range", {"out_range": 5}),
    (TypeError, "out_range", {"out_range": ("a", "b")}),
    (TypeError, "out_range", {"out_range": ("0", "1")}),
    (TypeError, "out_range", {"out_range": (0, 1j)}),
    (ValueError, "out_range", {"out_range": (0, 10**400)}),
    (ValueError, "dtype", {"dtype": None}),
]


@pytest.mark.parametrize(("builtin", "words", "wrong"), PARAMETERS, ids=numbered(PARAMETERS))
@pytest.mark.parametrize("kind", [GramianAngularField, MarkovTransitionField, RecurrencePlot])
def test_wrong_parameters_of_every_field(kind, builtin, words, wrong):
    """B3: n_jobs of 0 and nonsense are errors: when the field is used, not when it is made."""
    wrong = {"threshold": 1.0, **wrong} if kind is RecurrencePlot else wrong
    refused(builtin, words, kind(**wrong).transform, X)


SIZE_INT = (
    "If 'image_size' is an integer, it must be greater than or equal to 1 and lower than or "
    "equal to n_timestamps (got {})."
)
SIZE_FLOAT = (
    "If 'image_size' is a float, it must be greater than 0 and lower than or equal to 1 (got {})."
)
SIZES = [
    (ValueError, SIZE_INT.format(0), 0),
    (ValueError, SIZE_INT.format(-1), -1),
    (ValueError, SIZE_INT.format(8), 8),
    (ValueError, SIZE_INT.format(10**30), 10**30),
    (ValueError, SIZE_INT.format(9), np.int16(9)),
    (ValueError, SIZE_FLOAT.format(0.0), 0.0),
    (ValueError, SIZE_FLOAT.format(2.0), 2.0),
    (ValueError, SIZE_FLOAT.format(-0.5), -0.5),
    (ValueError, SIZE_FLOAT.format("nan"), float("nan")),
    (ValueError, SIZE_FLOAT.format("inf"), float("inf")),
    (TypeError, "'image_size' must be an integer or a float.", "4"),
    (TypeError, "'image_size' must be an integer or a float.", None),
    (TypeError, "'image_size' must be an integer or a float.", (3, 3)),
    (TypeError, "'image_size' must be an integer or a float.", 1j),
]


@pytest.mark.parametrize(("builtin", "text", "image_size"), SIZES, ids=numbered(SIZES))
@pytest.mark.parametrize("kind", [GramianAngularField, MarkovTransitionField])
def test_image_sizes(kind, builtin, text, image_size):
    """pyts's texts, word for word."""
    refused(builtin, re.escape(text), kind(image_size).transform, X)
    refused(builtin, re.escape(text), kind(image_size).plan, 7)


RANGE = (
    "If 'sample_range' is a tuple, it must satisfy -1 <= sample_range[0] < sample_range[1] <= 1."
)


GRAMIAN = [
    (TypeError, "'sample_range' must be None or a tuple.", {"sample_range": [0, 1]}),
    (TypeError, "'sample_range' must be None or a tuple.", {"sample_range": np.array([0, 1])}),
    (TypeError, "'sample_range' must be None or a tuple.", {"sample_range": "ab"}),
    (TypeError, "'sample_range' must be None or a tuple.", {"sample_range": 1}),
    (
        ValueError,
        "If 'sample_range' is a tuple, its length must be equal to 2.",
        {"sample_range": (-1, 0, 1)},
    ),
    (TypeError, "'sample_range' must hold two numbers", {"sample_range": ("a", "b")}),
    (TypeError, "'sample_range' must hold two numbers", {"sample_range": (None, 1)}),
    (TypeError, "'sample_range' must hold two numbers", {"sample_range": (np.zeros(2), 1)}),
    (ValueError, RANGE, {"sample_range": (-2, 2)}),
    (ValueError, RANGE, {"sample_range": (0.5, 0.5)}),
    (ValueError, RANGE, {"sample_range": (1, -1)}),
    (ValueError, RANGE, {"sample_range": (float("nan"), 1)}),
    (ValueError, RANGE, {"sample_range": (0, float("nan"))}),
    (ValueError, "'method' must be either 'summation', 's', 'difference'", {"method": "a"}),
    ((ValueError, TypeError), "'method' must be either", {"method": None}),
    ((ValueError, TypeError), "'method' must be either", {"method": ["s"]}),
    (
        ValueError,
        "If 'sample_range' is None, all the values of X must be between -1 and 1.",
        {"sample_range": None},
    ),
]


@pytest.mark.parametrize(("builtin", "text", "wrong"), GRAMIAN, ids=numbered(GRAMIAN))
def test_parameters_of_gramian_fields(builtin, text, wrong):
    """pyts's texts, word for word."""
    refused(builtin, re.escape(text), GramianAngularField(**wrong).transform, X)
    refused(builtin, re.escape(text), gramian_angular_field, X, **wrong)


@pytest.mark.parametrize("shape", [(4, 1 << 22), (1 << 10, 1 << 30)])
def test_images_that_no_memory_can_hold(shape):
    """A10: what is too large for the machine, and what is too large for any."""
    x = np.broadcast_to(np.float32(0.5), shape)
    with pytest.raises(NoMemoryError, match="no memory for images of shape") as raised:
        GramianAngularField(dtype="float64").transform(x)
    assert isinstance(raised.value, MemoryError)


NEIGHBOURS = [
    (MarkovTransitionField, TypeError, "'n_bins' must be an integer.", {"n_bins": [0, 1]}),
    (MarkovTransitionField, TypeError, "'n_bins' must be an integer.", {"n_bins": 2.0}),
    (
        MarkovTransitionField,
        ValueError,
        "'n_bins' must be greater than or equal to 2.",
        {"n_bins": 1},
    ),
    (
        MarkovTransitionField,
        ValueError,
        "'strategy' must be 'uniform', 'quantile' or 'normal'.",
        {"strategy": "whoops"},
    ),
    (
        MarkovTransitionField,
        (ValueError, TypeError),
        "'strategy' must be 'uniform', 'quantile' or 'normal'.",
        {"strategy": []},
    ),
    (
        RecurrencePlot,
        TypeError,
        "'dimension' must be an integer or a float.",
        {"dimension": "3"},
    ),
    (
        RecurrencePlot,
        ValueError,
        (
            "If 'dimension' is an integer, it must be greater than or equal to 1 and lower "
            "than or equal to n_timestamps (got 8)."
        ),
        {"dimension": 8},
    ),
    (
        RecurrencePlot,
        ValueError,
        (
            "If 'time_delay' is a float, it must be greater than 0 and lower than or equal "
            "to 1 (got 2.0)."
        ),
        {"time_delay": 2.0},
    ),
    (
        RecurrencePlot,
        ValueError,
        (
            "The number of trajectories must be positive. Consider trying with smaller values "
            "for 'dimension' and 'time_delay'."
        ),
        {"dimension": 4, "time_delay": 3},
    ),
    (
        RecurrencePlot,
        TypeError,
        "'threshold' must be either None, 'point', 'distance', a float or an integer.",
        {"threshold": "3"},
    ),
    (
        RecurrencePlot,
        ValueError,
        "If 'threshold' is a float or an integer, it must be greater than 0.",
        {"threshold": 0},
    ),
    (
        RecurrencePlot,
        ValueError,
        "'percentage' must be between 0 and 100.",
        {"threshold": "point", "percentage": float("nan")},
    ),
    (
        RecurrencePlot,
        TypeError,
        "'percentage' must be a float or an integer.",
        {"percentage": "3"},
    ),
]


@pytest.mark.parametrize(("kind", "builtin", "text", "wrong"), NEIGHBOURS, ids=numbered(NEIGHBOURS))
def test_parameters_of_the_neighbours(kind, builtin, text, wrong):
    """pyts's texts, word for word."""
    refused(builtin, re.escape(text), kind(**wrong).transform, X)


def test_distances_have_no_place_in_whole_numbers():
    """Without a threshold a recurrence plot has no upper end that an integer could stand for."""
    for dtype in ("uint8", "uint16"):
        refused(ValueError, "threshold", RecurrencePlot(dtype=dtype).transform, X)
    binary = RecurrencePlot(threshold=2.0, dtype="uint8").transform(X)
    assert set(np.unique(binary)) == {0, 255}


@pytest.mark.parametrize("fields", [[], None, [3], ["GramianAngularField"], [GramianAngularField]])
def test_stacks_of_nothing_or_of_something_else(fields):
    refused((ValueError, TypeError), "field", FieldStack(fields).transform, X)


def test_stacks_whose_fields_do_not_fit_together():
    sizes = FieldStack([GramianAngularField(5), MarkovTransitionField(4)])
    refused(ValueError, "size", sizes.transform, X)
    types = FieldStack([GramianAngularField(), MarkovTransitionField(dtype="uint8")])
    refused(ValueError, "dtype", types.transform, X)


def test_shares_of_few_bits():
    """float16 has no 70,000, and float32 rounds odd numbers beyond 2 ** 24 up."""
    assert size_of(np.float16(1.0), 70_000) == 70_000
    assert size_of(np.float16(0.5), 70_000) == 35_000
    assert size_of(np.float32(1.0), 16_777_219) == 16_777_219


@every_field
def test_series_that_are_too_long(field):
    refused(ValueError, "at most 2,147,483,647", field.transform, np.broadcast_to(1.0, (1, 2**31)))


@every_field
def test_masked_arrays(field):
    hidden = np.ma.masked_array(X, X > 5)
    refused(ValueError, "masked", field.transform, hidden)
    nothing = np.ma.masked_array(X, np.zeros(X.shape, bool))
    np.testing.assert_array_equal(field.transform(nothing), field.transform(X))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.requires_grad_(),
        lambda x: x.bfloat16(),
        lambda x: x.to_sparse(),
        lambda x: x.to("meta"),
        lambda x: [*x.requires_grad_()],
    ],
)
def test_tensors_that_numpy_cannot_look_at(change):
    torch = pytest.importorskip("torch")
    x = change(torch.from_numpy(X.copy()))
    refused(TypeError, "cannot be read", GramianAngularField().transform, x)
