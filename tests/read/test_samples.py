"""``ds[i]``: every kind of field, every kind of index, and the user's callables."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from reading import (
    Expected,
    add_one,
    assert_equal,
    darker,
    every_field,
    make_arena,
    photo_set,
    photos,
    rows_of_sizes,
)

from fastcache import transforms as T
from fastcache.errors import ArgumentError, ClosedError, FastcacheError
from fastcache.read.view import ArenaView
from fastcache.schema import Array, Image, Mask, Nothing, Ragged, Scalar, Text


def test_every_field_comes_back_as_itself():
    structure, columns = every_field()
    ds, wanted = ArenaView(make_arena(structure, columns)), Expected(structure, columns)
    assert len(ds) == len(wanted)
    for k in range(len(wanted)):
        assert_equal(ds[k], wanted[k])


@pytest.mark.parametrize(
    ("field", "rows", "wanted"),
    [
        (Scalar("int64"), np.array([3, 4]), 4),
        (Text(), ["a", "β"], "β"),
        (Nothing(), [None, None], None),
        (Scalar("bool"), np.array([False, True]), True),
        (Scalar("uint64"), np.array([0, 2**64 - 1], np.uint64), 2**64 - 1),
    ],
)
def test_a_sample_that_is_one_leaf(field, rows, wanted):
    ds = ArenaView(make_arena("value", {"value": (field, rows)}))
    assert ds[1] == wanted
    assert type(ds[1]) is type(wanted)


@pytest.mark.parametrize(
    "index", [2, np.int64(2), np.uint8(2), torch.tensor(2), -5, np.int32(-5), torch.tensor(-5)]
)
def test_index_types(index):
    ds, wanted = photo_set(7), Expected(*photos(7))
    assert_equal(ds[index], wanted[2])


@pytest.mark.parametrize("index", [7, -8, 10**30, np.int64(7)])
def test_beyond_the_end(index):
    with pytest.raises(IndexError, match="of 7"):
        photo_set(7)[index]


@pytest.mark.parametrize("index", [1.0, "1", None, slice(0, 2), [0], np.array([0, 1])])
def test_what_is_no_index(index):
    with pytest.raises(TypeError):
        photo_set(7)[index]


def test_iteration_ends():
    ds, wanted = photo_set(5), Expected(*photos(5))
    seen = list(ds)
    assert len(seen) == 5
    for got, expected in zip(seen, wanted, strict=True):
        assert_equal(got, expected)


def test_samples_own_their_memory():
    structure, columns = every_field()
    ds, wanted = ArenaView(make_arena(structure, columns)), Expected(structure, columns)
    first = ds[0]
    first[0].zero_()
    first[1]["both"][0].zero_()
    first[2][1].zero_()
    assert_equal(ds[0], wanted[0])


def test_rows_that_are_not_shown():
    structure, columns = photos(6)
    ds, wanted = (
        ArenaView(make_arena(structure, columns, shown=[0, 2, 5])),
        Expected(structure, columns),
    )
    assert len(ds) == 3
    for k, row in enumerate((0, 2, 5)):
        assert_equal(ds[k], wanted[row])
    assert len(ds.arrays["label"]) == 6


def test_output_dict():
    structure, columns = every_field(3)
    arena = make_arena(structure, columns)
    ds = ArenaView(arena, output="dict")
    sample = ds[1]
    assert type(sample) is dict
    assert list(sample) == list(columns)
    wanted = Expected(structure, columns)
    for name, value in sample.items():
        assert_equal(value, wanted.value(name, 1))
    of_dict = make_arena({"b": "label", "a": ("image",)}, photos(3)[1])
    assert list(ArenaView(of_dict, output="dict")[0]) == ["b", "a"]


# -- transforms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "channels", "mode"),
    [("uint8", 1, "L"), ("uint8", 3, "RGB"), ("uint8", 4, "RGBA"), ("uint16", 1, "I;16")],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_transform_gets_pil_images(dtype, channels, mode, ragged):
    sizes = [(4 + k * ragged, 6, channels) for k in range(3)]
    rows = rows_of_sizes(sizes, dtype)
    field = Image(dtype, channels, None if ragged else (4, 6))
    columns = {"image": (field, rows), "label": (Scalar("int64"), np.arange(3))}
    ds = ArenaView(make_arena(("image", "label"), columns), transform=lambda image: image)
    for k in range(3):
        image, label = ds[k]
        assert isinstance(image, Pillow.Image)
        assert image.mode == mode
        assert image.size == (6, sizes[k][0])
        assert np.array_equal(np.asarray(image).reshape(sizes[k]), rows[k])
        assert label == k
        image.putpixel((0, 0), 0 if channels == 1 else (0,) * channels)
        assert np.array_equal(ds.arrays["image"][k], rows[k])


def test_transform_input_tensor():
    ds, wanted = photo_set(4, transform=lambda t: t + 0, transform_input="tensor"), photos(4)
    image, _ = ds[2]
    assert_equal(image, Expected(*wanted)[2][0])
    ds.transform = torch.Tensor.zero_
    assert not ds[2][0].any()
    ds.transform = None
    assert_equal(ds[2], Expected(*wanted)[2])


def test_transforms_can_be_lists_and_operations_of_ours():
    ds = photo_set(4, (12, 10), transform=[T.Resize(6), T.CenterCrop(4), np.asarray])
    image, _ = ds[1]
    pixels = photos(4)[1]["image"][1][1]
    wanted = T.CenterCrop(4)(T.Resize(6)(Pillow.fromarray(pixels)))
    assert np.array_equal(image, np.asarray(wanted))


def test_assigned_transforms_take_effect():
    ds = photo_set(4)
    plain = ds[1]
    ds.transform, ds.target_transform = darker, add_one
    assert ds.transform is darker
    assert ds.target_transform is add_one
    assert torch.equal(ds[1][0], (plain[0] // 2).permute(1, 2, 0))
    assert ds[1][1] == plain[1] + 1
    ds.transform = ds.target_transform = None
    assert_equal(ds[1], plain)


def test_with_transform_shares_the_arena():
    ds = photo_set(4)
    other = ds.with_transform(darker, target_transform=add_one)
    assert other.transform is darker
    assert ds.transform is None
    assert other[0][1] == ds[0][1] + 1
    assert other.with_transform(None).target_transform is add_one
    assert other.with_transform(None, target_transform=None).target_transform is None
    assert np.shares_memory(other.arrays["image"], ds.arrays["image"])
    assert type(other) is type(ds)


def test_a_mask_reaches_target_transform_as_an_image():
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (3, 4, 5, 3), np.uint8), rng.integers(0, 9, (3, 4, 5))
    columns = {
        "image": (Image("uint8", 3, (4, 5)), images),
        "mask": (Mask("uint8", (4, 5)), masks.astype(np.uint8)),
    }
    ds = ArenaView(make_arena(("image", "mask"), columns))
    image, mask = ds[1]
    assert (image.shape, mask.shape) == ((3, 4, 5), (4, 5))
    ds.target_transform = lambda mask: mask
    assert ds[1][1].mode == "L"
    assert np.array_equal(np.asarray(ds[1][1]), masks[1])
    assert isinstance(ds[1][0], torch.Tensor)


def test_two_images_the_one_called_image_is_transformed():
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    field = Image("uint8", 3, (4, 4))
    columns = {"image": (field, pixels), "target": (field, pixels)}
    ds = ArenaView(make_arena(("image", "target"), columns), transform=lambda i: "seen")
    assert ds[0][0] == "seen"
    assert isinstance(ds[0][1], torch.Tensor)
    ds.target_transform = lambda i: i.mode
    assert ds[0] == ("seen", "RGB")


def test_a_target_may_be_a_part_with_parts():
    columns = {
        "0": (Image("uint8", 3, (2, 2)), np.zeros((2, 2, 2, 3), np.uint8)),
        "1.boxes": (Ragged("float32", 2), rows_of_sizes([(1, 4), (3, 4)], "float32")),
        "1.id": (Scalar("int64"), np.arange(2)),
    }
    structure = ("0", {"boxes": "1.boxes", "id": "1.id"})
    ds = ArenaView(make_arena(structure, columns), target_transform=sorted)
    assert ds[1][1] == ["boxes", "id"]


def test_arrays_take_the_images_place_where_there_are_none():
    columns = {
        "array": (Array("float32", (5,)), np.ones((2, 5), np.float32)),
        "label": (Scalar("int64"), np.arange(2)),
    }
    ds = ArenaView(make_arena(("array", "label"), columns), transform=torch.sum)
    assert float(ds[0][0]) == 5


AMBIGUOUS = {
    "a": (Image("uint8", 3, (2, 2)), np.zeros((2, 2, 2, 3), np.uint8)),
    "b": (Image("uint8", 3, (2, 2)), np.zeros((2, 2, 2, 3), np.uint8)),
    "c": (Scalar("int64"), np.arange(2)),
}


def test_unclear_roles_are_refused():
    arena = make_arena(("a", "b", "c"), AMBIGUOUS)
    for name in ("transform", "target_transform"):
        with pytest.raises(ArgumentError, match=rf"{name}=.*a, b, c"):
            ArenaView(arena, **{name: add_one})
    ds = ArenaView(arena)
    with pytest.raises(ArgumentError):
        ds.transform = add_one
    assert ds.transform is None
    assert len(ds[0]) == 3


@pytest.mark.parametrize("wrong", [3, "resize", [add_one, 3], T.Resize, object()])
@pytest.mark.parametrize("name", ["transform", "target_transform"])
def test_what_cannot_be_called(name, wrong):
    with pytest.raises(ArgumentError, match=name):
        photo_set(2, **{name: wrong})


def test_images_that_pil_does_not_have():
    columns = {
        "image": (Image("uint16", 3, (2, 2)), np.zeros((2, 2, 2, 3), np.uint16)),
        "label": (Scalar("int64"), np.arange(2)),
    }
    arena = make_arena(("image", "label"), columns)
    with pytest.raises(ArgumentError, match="transform_input='tensor'"):
        ArenaView(arena, transform=add_one)
    ds = ArenaView(arena, transform=lambda t: t.dtype, transform_input="tensor")
    assert ds[0][0] == torch.uint16


@pytest.mark.parametrize(
    ("name", "value"), [("transform_input", "np"), ("output", "list"), ("threads", 0)]
)
def test_bad_arguments(name, value):
    with pytest.raises(ArgumentError, match=name):
        photo_set(2, **{name: value})


def test_errors_of_a_transform_are_the_users_own():
    def broken(image):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        photo_set(2, transform=broken)[0]


# -- the arena ----------------------------------------------------------------------------------


def test_arrays_are_the_arena_itself():
    structure, columns = every_field()
    arena = make_arena(structure, columns)
    ds = ArenaView(arena)
    pixels = ds.arrays["image"]
    assert pixels.__array_interface__["data"][0] == (
        arena.base_address + arena.column("image").offset
    )
    assert not pixels.flags.writeable
    assert np.array_equal(pixels, columns["image"][1])
    assert np.array_equal(ds.arrays["boxes"][2], columns["boxes"][1][2])
    assert set(ds.arrays) == set(columns) - {"none"}
    with pytest.raises(TypeError):
        ds.arrays["image"] = pixels


def test_close():
    """C1: the memory can be given back; what was read lives on."""
    ds = photo_set(5)
    twin = ds.with_transform(None)
    sample, batch = ds[0], ds.__getitems__([0, 1])[0]
    kept = copy.deepcopy((sample, batch))
    held = ds.arrays["image"]
    with pytest.raises(BufferError):
        ds.close()
    assert_equal(ds[0], kept[0])
    del held
    ds.close()
    ds.close()
    assert_equal(tuple(sample), kept[0])
    assert_equal(tuple(batch), tuple(kept[1]))
    for closed in (ds, twin):
        with pytest.raises(ClosedError):
            closed[0]
        with pytest.raises(ClosedError):
            len(closed)
        with pytest.raises(ClosedError):
            closed.__getitems__([0])
        with pytest.raises(ClosedError):
            _ = closed.arrays
        with pytest.raises(FastcacheError):
            pickle.dumps(closed)
        assert "closed" in repr(closed)


def test_context_manager():
    with photo_set(5) as ds:
        assert len(ds) == 5
    with pytest.raises(ClosedError):
        ds[0]


def test_pickles_are_small_and_equal():
    """B1: a pickle is a handle of a few KB, whatever the arena holds."""
    ds = photo_set(5000, (8, 8), transform=darker, target_transform=add_one)
    text = pickle.dumps(ds)
    assert len(text) < 4096
    again = pickle.loads(text)
    assert_equal(again[4999], ds[4999])
    assert again.transform is darker
    shallow, deep = copy.copy(ds), copy.deepcopy(ds)
    assert_equal(shallow[3], ds[3])
    assert_equal(deep[3], ds[3])
    assert np.shares_memory(deep.arrays["image"], ds.arrays["image"])


def test_another_process_opens_a_pickle(tmp_path):
    ds = photo_set(5)
    (tmp_path / "ds.pkl").write_bytes(pickle.dumps(ds))
    code = "import pickle, sys; print(int(pickle.load(open(sys.argv[1], 'rb'))[4][0].sum()))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ds.pkl")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert int(done.stdout) == int(ds[4][0].sum())


def test_repr_names_what_there_is():
    text = repr(photo_set(7, transform=darker))
    assert text.startswith("Dataset ArenaView\n    Number of datapoints: 7\n")
    assert "Transform: <function darker" in text
