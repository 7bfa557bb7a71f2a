"""ToDtype: what it takes, what it refuses, and its numbers (row D6)."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from torchvision_oracle import torchvision

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.transforms.to_dtype import conversion_of


class Named:
    """Prints as torch's types do."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


def put(values, dtype, scale=False):
    made = np.empty(values.shape, dtype)
    T.ToDtype(dtype, scale).put(values, made, lambda k: f"row {k}")
    return made


GIVEN = [
    ("float16", "float16"),
    (np.float16, "float16"),
    (np.dtype(">f4"), "float32"),
    ("f8", "float64"),
    (float, "float64"),
    (Named("torch.float16"), "float16"),
    (Named("torch.float64"), "float64"),
    ("torch.float32", "float32"),
    (np.uint8, "uint8"),
    ("bfloat16", "bfloat16"),
    (Named("torch.bfloat16"), "bfloat16"),
]


@pytest.mark.parametrize(("dtype", "name"), GIVEN, ids=str)
def test_types_by_any_name(dtype, name):
    """D6: torch's, NumPy's, and their names."""
    assert T.ToDtype(dtype).dtype == name
    assert T.ToDtype(dtype) == T.ToDtype(name, scale=False)


def test_types_of_torch():
    """D6: the module knows them without an import of torch."""
    torch = pytest.importorskip("torch")
    assert T.ToDtype(torch.float16) == T.ToDtype(torch.half) == T.ToDtype("float16")
    assert T.ToDtype(torch.bfloat16) == T.ToDtype("bfloat16")
    assert T.ToDtype(torch.uint8) == T.ToDtype("uint8")
    with pytest.raises(ArgumentError, match="cut the fractions"):
        T.ToDtype(torch.int16)
    assert "torch" not in sys.modules["fastcache.transforms.to_dtype"].__dict__


REFUSED = [
    ("int64", "cut the fractions"),
    (bool, "cut the fractions"),
    (Named("torch.float8_e4m3fn"), "give float16, float32 or float64"),
    ("complex64", "give float16, float32 or float64"),
    ("nonsense", "give float16, float32 or float64"),
    (None, "give float16, float32 or float64"),
    ({"image": "float16"}, "give float16, float32 or float64"),
]


@pytest.mark.parametrize(("dtype", "message"), REFUSED, ids=str)
def test_types_that_are_refused(dtype, message):
    """D6: and what to do."""
    with pytest.raises(ArgumentError, match=message):
        T.ToDtype(dtype)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [("bfloat16", r"as transform=, or call .bfloat16\(\) on"), ("uint8", "cut the fractions")],
)
def test_types_of_batches_only(dtype, message):
    """D6: arenas have no such arrays; nor do catalogues name them."""
    for store in (T.ToDtype(dtype), [T.CenterCrop(4), T.ToDtype(dtype)]):
        with pytest.raises(ArgumentError, match=message):
            T.normalize_store(store)
    with pytest.raises(ArgumentError, match=message):
        T.store_from_json(T.store_to_json([T.ToDtype(dtype)]))


def test_scale_is_a_bool():
    """D6."""
    with pytest.raises(ArgumentError, match="scale=1"):
        T.ToDtype("float16", 1)


def test_it_comes_last():
    """D6: alone, or after the geometry, in any nesting."""
    half, crop = T.ToDtype("float16"), T.CenterCrop(8)
    assert T.normalize_store(half) == (half,)
    assert T.normalize_store([crop, [half]]) == (crop, half)
    for wrong in ([half, crop], [[half], crop], [[crop, half], half], [half, half]):
        with pytest.raises(ArgumentError, match="give it last"):
            T.normalize_store(wrong)
    assert conversion_of((crop, half)) is half
    assert conversion_of((crop,)) is conversion_of(()) is None


def test_geometry_is_as_without_it():
    """D6: no pixel moves; masks know nothing of it; it travels as JSON."""
    store = (T.Resize(20), T.CenterCrop(16), T.ToDtype("float16", scale=True))
    one, other = (T.compile_store(s, [30, 40], [50, 20]) for s in (store, store[:-1]))
    assert np.array_equal(one.geometry, other.geometry)
    assert one.in_c
    assert T.store_for_masks(store) == T.store_for_masks(store[:-1])
    assert T.store_from_json(T.store_to_json(store)) == store
    image = Image.new("RGB", (7, 5))
    assert store[-1](image) is image
    assert store[-1].output_size(image) == (5, 7)
    with pytest.raises(ArgumentError, match="is the class"):
        T.normalize_store(T.ToDtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(
    arrays.arrays(
        st.sampled_from(["<f2", "<f4", "<f8", ">f4", "|u1"]),
        (3, 4),
        elements={"min_value": 0, "max_value": 255},
    )
)
def test_values_are_those_of_astype(dtype, values):
    """D6: to the nearest, halves to even."""
    assert np.array_equal(put(values, dtype), values.astype(dtype))


def test_rounding_and_what_is_not_finite():
    """D6: halves to even, subnormals, and infinities that were there before."""
    values = np.array([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, -0.0, 65519.9, np.inf, -np.inf, np.nan])
    made = put(values, "float16")
    assert made[:2].tolist() == [1.0, 1 + 2**-9]
    assert made[4] == 65504
    assert np.array_equal(made, values.astype(np.float16), equal_nan=True)


@pytest.mark.parametrize("value", [65520.0, -1e6, 1e300])
def test_values_beyond_the_range(value):
    """D6: the first row that holds one is named, and the value."""
    values = np.ones((5, 3))
    values[2, 1] = values[4, 0] = value
    with pytest.raises(ArgumentError, match=rf"^row 2 holds {re.escape(str(value))},.*65,504"):
        put(values, "float16")
    with pytest.raises(ArgumentError, match="row 1 holds 65535"):
        put(np.array([[1], [65535]], np.uint16), "float16")
    assert put(values, "float64")[2, 1] == value


@pytest.mark.parametrize("pixel", ["uint8", "uint16"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_scaled_levels_round_right(pixel, dtype):
    """D6: every level, against quotients of long doubles."""
    most = np.iinfo(pixel).max
    levels = np.arange(most + 1).astype(pixel)
    exact = levels.astype(np.longdouble) / most
    made = put(levels, dtype, scale=True)
    assert made[0] == 0
    assert made[-1] == 1
    nearest = np.abs(made.astype(np.longdouble) - exact)
    for towards in (-1, 2):
        other = np.nextafter(made, np.asarray(towards, dtype)).astype(np.longdouble)
        assert (nearest <= np.abs(other - exact)).all()
    floats = np.array([0.1, 200.0])
    assert np.array_equal(put(floats, dtype, scale=True), floats.astype(dtype))


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_of_torchvision(dtype, scale):
    """D6: its class is translated; its numbers are ours, but for the last bit of some quotients."""
    v2 = torchvision().transforms.v2
    torch = pytest.importorskip("torch")
    theirs = v2.ToDtype(getattr(torch, dtype), scale=scale)
    assert T.normalize_store(v2.Compose([v2.CenterCrop(4), theirs])) == (
        T.CenterCrop(4),
        T.ToDtype(dtype, scale),
    )
    levels = torch.arange(256, dtype=torch.uint8)
    mine, other = put(levels.numpy(), dtype, scale), theirs(levels).numpy()
    if scale:
        np.testing.assert_array_max_ulp(mine, other, maxulp=1)
    else:
        assert np.array_equal(mine, other)
    with pytest.raises(ArgumentError, match="give float16, float32 or float64"):
        T.normalize_store(v2.ToDtype({torch.Tensor: torch.float16}))
