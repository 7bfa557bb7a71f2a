"""Wrapped Datasets: which samples can be kept, and what a read gives back."""

import images
import numpy as np
import pytest
from map_style import Dataset

from fastcache.errors import DecodeError, SchemaError
from fastcache.schema import Array, Image, Mask, Nothing, Ragged, Scalar, Text
from fastcache.sources import Wrapped


def fields(source):
    return {name: feed.field for name, feed in source.layout().feeds.items()}


def one_field(value, **options):
    return fields(Wrapped(Dataset(lambda _: value), **options))["value"]


LEAVES = {
    "int": (3, Scalar("int64")),
    "numpy int": (np.uint8(3), Scalar("int64")),
    "float": (3.5, Scalar("float64")),
    "numpy float": (np.float32(3.5), Scalar("float64")),
    "bool": (True, Scalar("bool")),
    "numpy bool": (np.True_, Scalar("bool")),
    "none": (None, Nothing()),
    "array": (np.zeros((2, 3), np.int16), Array("int16", (2, 3))),
    "0-d array": (np.array(1.5, np.float16), Array("float16", ())),
    "empty array": (np.zeros((0, 3)), Array("float64", (0, 3))),
    "big-endian": (np.zeros(2, ">f4"), Array("float32", (2,))),
    "RGB": (images.photo(4, 6), Image("uint8", 3, (4, 6))),
    "RGBA": (images.photo(4, 6, "RGBA"), Image("uint8", 4, (4, 6))),
    "L": (images.photo(4, 6, "L"), Image("uint8", 1, (4, 6))),
    "1": (images.photo(4, 6, "1"), Image("uint8", 1, (4, 6))),
    "I;16": (images.photo(4, 6, "I;16"), Image("uint16", 1, (4, 6))),
    "P": (images.photo(4, 6, "P"), Mask("uint8", (4, 6))),
}


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("kind", LEAVES)
def test_leaves_have_fields(kind, infer):
    value, field = LEAVES[kind]
    source = Wrapped(Dataset(lambda _: value), infer=infer)
    assert fields(source) == {"value": field}
    assert source.layout().structure == "value"
    feed = source.layout().feeds["value"]
    if kind == "none":
        assert feed.rows.shape == (5, 0)
    else:
        assert feed.shapes is None
        assert feed.pil == isinstance(field, Image | Mask)
    got = source.read(4)["value"]
    expected = value.convert("L") if kind == "1" else value
    assert np.array_equal(np.asarray(got), np.asarray(expected))
    if isinstance(field, Scalar):
        assert type(got) is {"int64": int, "float64": float, "bool": bool}[field.dtype]


def test_black_and_white_images_are_read_as_grey():
    image = Wrapped(Dataset(lambda _: images.photo(4, 6, "1"))).read(0)["value"]
    assert image.mode == "L"
    assert set(np.unique(image)) <= {0, 255}


def test_tensors_become_arrays_of_the_same_type():
    torch = pytest.importorskip("torch")
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    for tensor in (base, base.t(), base.clone().requires_grad_(), base[:, ::2], base[0, 0]):
        source = Wrapped(Dataset(lambda _, tensor=tensor: {"x": tensor}))
        assert fields(source) == {"x": Array("float32", tuple(tensor.shape))}
        assert np.array_equal(source.read(0)["x"], tensor.detach().numpy())
    turned = torch.tensor([1 + 2j]).conj()
    assert Wrapped(Dataset(lambda _: turned)).read(0)["value"].tolist() == [1 - 2j]
    for dtype in (torch.uint8, torch.int64, torch.bool, torch.float16, torch.float64, torch.uint16):
        assert one_field(torch.zeros(3, dtype=dtype)).dtype == str(dtype).removeprefix("torch.")
    with pytest.raises(SchemaError, match=r"sample 0, column 'value'.*bfloat16.*\.float"):
        one_field(torch.zeros(3, dtype=torch.bfloat16))


def test_nested_samples_keep_their_structure():
    sample = (images.photo(4, 6), {"boxes": np.zeros((2, 4)), "meta": [1, (None, 0.5)]})
    layout = Wrapped(Dataset(lambda _: sample)).layout()
    assert layout.structure == (
        "0",
        {"boxes": "1.boxes", "meta": ["1.meta.0", ("1.meta.1.0", "1.meta.1.1")]},
    )
    assert list(layout.feeds) == ["0", "1.boxes", "1.meta.0", "1.meta.1.0", "1.meta.1.1"]


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1},
        object(),
        1j,
        Dataset,
        images.photo(4, 6, "CMYK"),
        images.photo(4, 6, "LA"),
        images.photo(4, 6, "F"),
        np.array(["a"]),
        np.array([{}]),
        2**64,
        {3: 4},
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_refused_by_place_and_type(value):
    with pytest.raises(SchemaError, match="sample 0"):
        Wrapped(Dataset(lambda _: (1, value))).layout()


def test_refusals_name_the_mode_of_an_image():
    with pytest.raises(SchemaError, match="mode CMYK"):
        one_field(images.photo(4, 6, "CMYK"))


# ---- infer="first" ------------------------------------------------------------------------------


def test_strings_need_a_scan():
    with pytest.raises(SchemaError, match=r"column '1' holds strings.*infer=\"scan\""):
        Wrapped(Dataset(lambda i: (i, f"name {i}"))).layout()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda i: np.zeros(3 + (i == 4)), r"shape \(4,\).*shape \(3,\).*infer=\"scan\""),
        (lambda i: np.zeros(3, "f4" if i == 4 else "f8"), "float32.*float64.*one type"),
        (lambda i: np.zeros((3,) * (1 + (i == 4))), "one type"),
        (lambda i: 1.0 if i == 4 else 1, "a float.*an int"),
        (lambda i: None if i == 4 else 1, "None.*an int"),
        (lambda i: 1 if i == 4 else None, "an int.*None"),
        (lambda i: True if i == 4 else 1, "a bool.*an int"),
        (lambda i: "text" if i == 4 else 1, "a str.*an int"),
        (lambda i: images.photo(4, 6, "L" if i == 4 else "RGB"), "1 channels.*3 channels"),
    ],
)
def test_samples_that_do_not_fit_are_refused_by_place(make, match):
    source = Wrapped(Dataset(make), frozen=True)
    source.layout()
    with pytest.raises(SchemaError, match=rf"sample 4, column 'value'.*{match}"):
        source.read(4)
    source.read(3)


def test_sizes_of_pil_images_are_left_to_store():
    source = Wrapped(Dataset(lambda i: images.photo(4 + i, 6)))
    assert fields(source) == {"value": Image("uint8", 3, (4, 6))}
    assert source.read(3)["value"].size == (6, 7)


def test_samples_built_differently_are_refused():
    with pytest.raises(SchemaError, match="sample 4 is built differently"):
        Wrapped(Dataset(lambda i: {"a": 1} if i < 4 else {"b": 1})).layout()


# ---- infer="scan" -------------------------------------------------------------------------------


def test_a_scan_finds_all_shapes():
    def make(i):
        return {
            "image": images.photo(4 + i, 6),
            "mask": images.photo(4, 6 + i, "P"),
            "boxes": np.zeros((i, 4), np.float32),
            "name": "é" * i,
            "same": np.zeros((2, 2)),
            "number": i,
        }

    source = Wrapped(Dataset(make), infer="scan")
    assert fields(source) == {
        "image": Image("uint8", 3, None),
        "mask": Mask("uint8", None),
        "boxes": Ragged("float32", 2),
        "name": Text(),
        "same": Array("float64", (2, 2)),
        "number": Scalar("int64"),
    }
    feeds = source.layout().feeds
    assert feeds["image"].shapes.tolist() == [[4 + i, 6, 3] for i in range(5)]
    assert feeds["mask"].shapes.tolist() == [[4, 6 + i] for i in range(5)]
    assert feeds["boxes"].shapes.tolist() == [[i, 4] for i in range(5)]
    assert feeds["name"].shapes.tolist() == [[2 * i] for i in range(5)]
    assert feeds["boxes"].shapes.dtype == np.int64
    assert feeds["same"].shapes is None
    assert source.read(3)["name"] == "ééé"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda i: np.zeros(3, "f4" if i == 4 else "f8"), "float64.*sample 0.*float32.*sample 4"),
        (lambda i: np.zeros((3,) * (1 + (i == 4))), "number of axes"),
        (lambda i: None if i == 4 else 1, "an int in sample 0 and None in sample 4"),
        (lambda i: images.photo(4, 6, "P" if i == 4 else "RGB"), "a mask of uint8 in sample 4"),
        (lambda i: np.zeros((4, 6, 3), "u1") if i == 4 else images.photo(4, 6), "an image.*array"),
    ],
)
def test_a_scan_refuses_samples_that_share_no_column(make, match):
    with pytest.raises(SchemaError, match=match):
        Wrapped(Dataset(make), infer="scan", frozen=True).layout()


def test_shapes_that_change_after_a_scan_are_refused_even_if_frozen():
    grown = [0]
    source = Wrapped(Dataset(lambda i: np.zeros(i + grown[0])), infer="scan", frozen=True)
    source.layout()
    assert source.read(2)["value"].shape == (2,)
    grown[0] = 1
    with pytest.raises(SchemaError, match=r"sample 2.*another shape"):
        source.read(2)


def test_text_that_is_none_is_refused_and_odd_file_names_are_kept():
    source = Wrapped([("a\udcff",), ("b",)], infer="scan")
    assert source.layout().feeds["0"].shapes.tolist() == [[2], [1]]
    with pytest.raises(SchemaError, match="no valid text"):
        Wrapped(["\ud800"], infer="scan").layout()


# ---- Datasets that raise ------------------------------------------------------------------------


def raising(*bad):
    def make(i):
        if i in bad:
            raise KeyError(f"lost {i}")
        return (np.full(3, i), "x" * i)

    return make


def test_a_dataset_that_raises_at_the_first_sample():
    with pytest.raises(DecodeError, match=r"sample 0.*lost 0") as caught:
        Wrapped(Dataset(raising(0))).layout()
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.failed == [("sample 0", "KeyError: 'lost 0'")]


def test_a_dataset_that_raises_later_is_left_to_the_fill():
    source = Wrapped(Dataset(lambda i: raising(2)(i)[0]))
    assert fields(source) == {"value": Array("int64", (3,))}
    with pytest.raises(KeyError, match="lost 2"):
        source.read(2)


def test_a_scan_passes_over_samples_that_raise():
    source = Wrapped(Dataset(raising(0, 3)), infer="scan")
    assert fields(source) == {"0": Array("int64", (3,)), "1": Text()}
    assert source.layout().feeds["1"].shapes.tolist() == [[0], [1], [2], [0], [4]]
    with pytest.raises(KeyError):
        source.read(3)
    pictures = Wrapped(
        Dataset(lambda i: images.photo(2 + i, 3) if i else 1 / 0), infer="scan"
    ).layout()
    assert pictures.feeds["value"].shapes[0].tolist() == [1, 1, 3]


def test_a_scan_in_which_everything_raises():
    with pytest.raises(DecodeError, match="each of its 5 samples; at sample 0"):
        Wrapped(Dataset(raising(*range(5))), infer="scan").layout()
