"""Recipes: which orders are taken, what numbers come out, and what is refused at once."""

import numpy as np
import pytest

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.transforms.steps import ELEMENTS, KINDS, SCALINGS

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZE = T.Normalize(MEAN, STD)
CROP, FLIP, JITTER = T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ColorJitter(0.4, 0.4)
HALF, UNIT = T.ToDtype("float16"), T.ToDtype("float32", scale=True)
PLAIN = T.ToDtype("float32")
NOISE = T.RandomErasing(value="random")


def compiled(*operations, channels=3, dtype="uint8", size=None):
    return T.compile_recipe(operations, channels, dtype, size)


def emitted(plan):
    scaling = next(name for name, number in SCALINGS.items() if number == plan.emit["scaling"])
    element = next(name for name, number in ELEMENTS.items() if number == plan.emit["element"])
    assert element == plan.dtype
    return scaling, element


# ---- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operations", "scaling", "dtype"),
    [
        ([], "plain", "uint8"),
        ([T.ToDtype("uint8", scale=True)], "plain", "uint8"),
        ([PLAIN], "plain", "float32"),
        ([UNIT], "unit", "float32"),
        ([T.ToDtype("bfloat16", scale=True)], "unit", "bfloat16"),
        ([HALF], "plain", "float16"),
        ([NORMALIZE], "normalised", "float32"),
        ([NORMALIZE, HALF], "normalised", "float16"),
        ([NORMALIZE, T.ToDtype("bfloat16", scale=True)], "normalised", "bfloat16"),
        ([NORMALIZE, PLAIN], "normalised", "float32"),
        ([UNIT, NORMALIZE], "normalised", "float32"),
        ([UNIT, NORMALIZE, HALF], "normalised", "float16"),
        ([T.ToDtype("float16", scale=True), NORMALIZE], "normalised", "float16"),
        ([PLAIN, NORMALIZE], "normalised_plain", "float32"),
        ([PLAIN, UNIT], "plain", "float32"),  # a float is only cast, as in torchvision
        ([UNIT, HALF], "unit", "float16"),
        ([HALF, HALF], "plain", "float16"),
        ([T.ToDtype("uint8"), UNIT], "unit", "float32"),
    ],
)
def test_what_pixels_become(operations, scaling, dtype):
    """E4: scale and bias are one step of emission, whatever the order they were written in."""
    plan = compiled(CROP, *operations)
    assert emitted(plan) == (scaling, dtype)
    assert len(plan.steps) == 1
    normalised = scaling.startswith("normalised")
    assert plan.emit["mean"].tolist() == np.float32([*MEAN, 0] if normalised else [0] * 4).tolist()
    assert plan.emit["std"].tolist() == np.float32([*STD, 1] if normalised else [1] * 4).tolist()


def test_normalize_alone_is_that_of_scaled_pixels():
    one, other = compiled(CROP, NORMALIZE), compiled(CROP, UNIT, NORMALIZE)
    assert one.emit == other.emit
    assert np.array_equal(one.steps, other.steps)


def test_one_number_is_for_all_channels():
    plan = compiled(T.Normalize([0.5], [0.25]))
    assert plan.emit["mean"].tolist() == [0.5] * 4
    assert plan.emit["std"].tolist() == [0.25] * 4


@pytest.mark.parametrize("order", ["NCHW", "NHWC", "channels_last"])
def test_layouts(order):
    plan = compiled(CROP, T.Layout(order))
    assert plan.layout == order
    assert plan.emit["planar"] == (order == "NCHW")
    assert plan.shape == ((224, 224, 3) if order == "NHWC" else (3, 224, 224))
    assert compiled(CROP).layout == "channels_last"


def test_pixels_of_16_bits():
    plan = compiled(T.RandomCrop(5), FLIP, UNIT, channels=1, dtype=np.uint16)
    assert emitted(plan) == ("unit", "float32")
    assert "x / 65535" in repr(plan)
    assert emitted(compiled(channels=1, dtype="uint16")) == ("plain", "uint16")
    assert compiled(T.Resize(4, "nearest"), channels=1, dtype="uint16").dtype == "uint16"


# ---- order ---------------------------------------------------------------------------------------

ORDERS = [
    ([NORMALIZE, CROP], "RandomResizedCrop.*put RandomResizedCrop before Normalize"),
    ([NORMALIZE, FLIP], "put RandomHorizontalFlip before Normalize"),
    ([NORMALIZE, T.LetterBox(4)], "put LetterBox before Normalize"),
    ([NORMALIZE, JITTER], "put ColorJitter before Normalize"),
    ([UNIT, JITTER], "put ColorJitter before ToDtype"),
    ([UNIT, T.Grayscale()], "put Grayscale before ToDtype"),
    ([PLAIN, NORMALIZE, T.RandomGrayscale()], "put RandomGrayscale before ToDtype"),
    ([NORMALIZE, NORMALIZE], "give one Normalize"),
    ([UNIT, NORMALIZE, UNIT, NORMALIZE], "give one Normalize"),
    ([HALF, PLAIN], "would widen"),
    ([T.ToDtype("bfloat16"), HALF], "would widen"),
    ([UNIT, T.ToDtype("uint8")], "made floats"),
    ([NORMALIZE, T.ToDtype("uint8")], "made floats"),
    ([T.ToDtype("float64")], "uint8, float32, float16 or bfloat16"),
    ([T.Layout("NCHW"), CROP], "put Layout last"),
    ([T.Layout("NCHW"), NORMALIZE], "put Layout last"),
    ([T.Layout("NCHW"), T.Layout("NHWC")], "give one, at the end"),
    ([CROP, NORMALIZE, T.MixUp(), FLIP], "put MixUp last"),
    ([CROP, T.CutMix(), NORMALIZE], "put CutMix last"),
    ([CROP, NORMALIZE, T.MixUp(), T.CutMix()], "mixed once"),
    ([CROP, T.MixUp()], "MixUp.*blends floats"),
    ([NOISE], "put it behind ToDtype or Normalize"),
    ([UNIT, NOISE, NORMALIZE], "put RandomErasing behind Normalize"),
    ([T.RandomErasing(value=0.5)], "0.5 is no uint8"),
    ([T.RandomErasing(value=(0, 256, 0))], "256 is no uint8"),
    ([T.RandomErasing(), CROP], "put RandomErasing behind RandomResizedCrop"),
    ([T.RandomErasing(), JITTER], "put RandomErasing behind ColorJitter"),
    ([T.RandomErasing(), T.RandomCrop(4, 1, padding_mode="edge")], "behind RandomCrop"),
    ([T.RandomErasing()] * 5, "which is most"),
    ([T.ColorJitter(1, 1, 1, 0.5)] * 3, "12 changes of colour"),
    ([T.Resize(9), T.Resize(8)] * 2 + [CROP], "resampled 5 times"),
    ([T.MultiCrop([[]]), T.MultiCrop([[]])], "two MultiCrops"),
    ([T.MultiCrop([CROP]), NORMALIZE, T.MixUp()], "leave one of them out"),
    ([T.MultiCrop([[NORMALIZE], []]), FLIP], "put RandomHorizontalFlip before Normalize"),
]


@pytest.mark.parametrize(("operations", "match"), ORDERS, ids=[match for _, match in ORDERS])
def test_impossible_orders_say_what_to_move(operations, match):
    with pytest.raises(ArgumentError, match=match):
        T.compile_recipes(operations, 3)


@pytest.mark.parametrize(
    "operations",
    [
        [UNIT, CROP, FLIP, NORMALIZE],  # pixels are converted at the end, wherever it is written
        [CROP, NORMALIZE, T.RandomErasing(value=0.3), HALF, T.Layout("NCHW"), T.MixUp()],
        [CROP, T.CutMix(), T.Layout("NHWC")],
        [T.RandomErasing(), FLIP, T.RandomCrop(4), NORMALIZE],
        [JITTER, CROP, JITTER, T.RandomGrayscale(), NORMALIZE, NOISE],
        [T.ColorJitter(1, 1, 1, 0.5)] * 2,
        [T.Resize(9), T.Resize(8), CROP, JITTER, T.Resize(4)],
        [T.ColorJitter(1, 1, 1, 0.5)] * 2 + [CROP, JITTER],
    ],
    ids=repr,
)
def test_possible_orders(operations):
    assert compiled(*operations).operations == tuple(operations)


# ---- erased values -------------------------------------------------------------------------------


def erased(*operations, dtype="uint8", channels=3):
    plan = T.compile_recipe(operations, channels, dtype)
    return plan.steps["value"][plan.steps["kind"] == KINDS["erase"]][:, :channels]


def test_erased_values_become_numbers_of_the_batch():
    """As torch computes with the pixels beside them."""
    mean, std = np.float32(MEAN), np.float32(STD)
    value = (10, 20, 250)
    there = np.float32(value)
    scaled = there / np.float32(255)
    erase = T.RandomErasing(value=value)
    assert np.array_equal(erased(erase), [there])
    assert np.array_equal(erased(erase, PLAIN), [there])
    assert np.array_equal(erased(erase, UNIT), [scaled])
    assert np.array_equal(erased(erase, NORMALIZE), [(scaled - mean) / std])
    assert np.array_equal(erased(erase, UNIT, NORMALIZE), [(scaled - mean) / std])
    assert np.array_equal(erased(erase, PLAIN, NORMALIZE), [(there - mean) / std])
    share = T.RandomErasing(value=(0.1, 0.2, 0.3))
    assert np.array_equal(erased(UNIT, share), [np.float32([0.1, 0.2, 0.3])])
    expected = (np.float32([0.1, 0.2, 0.3]) - mean) / std
    assert np.array_equal(erased(UNIT, share, NORMALIZE, HALF), [expected])
    assert np.array_equal(erased(NORMALIZE, share), [np.float32([0.1, 0.2, 0.3])])
    assert np.array_equal(erased(NORMALIZE, HALF, share), [np.float32([0.1, 0.2, 0.3])])
    assert erased(T.RandomErasing(value=1000), UNIT, dtype="uint16", channels=1) == np.float32(
        1000
    ) / np.float32(65535)


def test_several_erasings_keep_their_order():
    one, two = T.RandomErasing(value=255), T.RandomErasing(value=2)
    assert erased(one, UNIT, two)[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("operations", "dtype"),
    [
        ([HALF, T.RandomErasing(value=-65505)], "float16"),
        ([UNIT, T.RandomErasing(value=3e38), T.Normalize([0], [1e-3])], "float32"),
        ([UNIT, T.RandomErasing(value=1), T.Normalize([0], [1e-5]), HALF], "float16"),
    ],
)
def test_erased_values_beyond_the_range(operations, dtype):
    with pytest.raises(ArgumentError, match=f"beyond the range of {dtype}"):
        compiled(*operations)


# ---- channels and sizes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operations", "channels", "match"),
    [
        ([NORMALIZE], 1, "mean and std has 3 numbers, and images have 1 channel there"),
        ([NORMALIZE], 4, "images have 4 channels"),
        ([T.Grayscale(), NORMALIZE], 3, "images have 1 channel there"),
        ([T.RandomErasing(value=(1, 2, 3))], 4, "value has 3 numbers"),
        ([T.RandomCrop(4, 1, fill=(1, 2, 3, 4))], 3, "fill has 4 numbers"),
        ([T.Grayscale()], 4, "opacity"),
        ([], 2, "2 channels of uint8"),
        ([], 0, "0 channels"),
    ],
)
def test_channels_that_do_not_fit(operations, channels, match):
    with pytest.raises(ArgumentError, match=match):
        compiled(*operations, channels=channels)


@pytest.mark.parametrize(("channels", "dtype"), [(3, "uint16"), (1, "float32"), (3, np.int8)])
def test_types_that_c_does_not_make_batches_of(channels, dtype):
    with pytest.raises(ArgumentError, match="are not for operations"):
        compiled(FLIP, channels=channels, dtype=dtype)


@pytest.mark.parametrize(
    "operation",
    [JITTER, T.RandomGrayscale(), T.Resize(8), CROP, T.RandomCrop(4, 1, fill=1), T.LetterBox(4)],
    ids=repr,
)
def test_what_16_bits_cannot_have(operation):
    with pytest.raises(ArgumentError, match="uint16"):
        compiled(operation, channels=1, dtype="uint16")


def test_grey_changes_the_channels():
    plan = compiled(T.Grayscale(), T.Normalize([0.5], [0.5]))
    assert (plan.channels, plan.emit["channels"]) == (3, 1)
    assert plan.steps["kind"].tolist() == [KINDS["greyscale"]]
    assert compiled(T.Grayscale(3)).emit["channels"] == 3
    grown = compiled(T.Grayscale(3), channels=1)
    assert (grown.channels, grown.emit["channels"], len(grown.steps)) == (1, 3, 0)
    # One channel has neither saturation nor hue.
    plan = compiled(T.Grayscale(), T.ColorJitter(0.5, 0.5, 0.5, 0.5))
    assert plan.steps["real"][1].tolist() == [0.5, 1.5, 0.5, 1.5, 1, 0, 1, 0]
    assert len(compiled(T.ColorJitter(hue=0.5), channels=1).steps) == 0


@pytest.mark.parametrize(
    ("operations", "size", "expected"),
    [
        ([], None, None),
        ([], (5, 6), (5, 6)),
        ([FLIP, JITTER, NORMALIZE], (5, 6), (5, 6)),
        ([T.Resize(10)], None, None),
        ([T.Resize(10)], (20, 40), (10, 20)),
        ([T.Resize((3, 4))], None, (3, 4)),
        ([T.Resize(10), T.CenterCrop(8)], None, (8, 8)),
        ([T.LetterBox((5, 9))], None, (5, 9)),
        ([T.RandomCrop((5, 9), 2)], (3, 5), (5, 9)),
        ([CROP], (3, 5), (224, 224)),
        ([CROP, T.Resize(None, max_size=7)], None, (7, 7)),
    ],
    ids=repr,
)
def test_sizes_that_are_known(operations, size, expected):
    plan = compiled(*operations, size=size)
    assert plan.size == expected
    assert plan.shape == (None if expected is None else (3, *expected))


@pytest.mark.parametrize(
    ("operations", "match"),
    [
        ([T.RandomCrop(8)], "at least 8 x 8 pixels, and these are 7 x 9"),
        ([T.RandomCrop(10, 1)], "these are 9 x 11 with padding"),
        ([T.RandomCrop(10, (3, 0, 4, 0))], "these are 7 x 16 with padding"),
        ([T.RandomCrop(11, (0, 3, 0, 4))], "these are 14 x 9 with padding"),
        ([T.CenterCrop(4), T.RandomCrop(5)], "these are 4 x 4"),
    ],
)
def test_crops_larger_than_a_known_size(operations, match):
    with pytest.raises(ArgumentError, match=match):
        compiled(*operations, size=(7, 9))
    assert compiled(*operations[:-1], T.RandomCrop(99, pad_if_needed=True), size=(7, 9)).size


@pytest.mark.parametrize("mix", [T.MixUp(), T.CutMix()], ids=repr)
def test_batches_are_mixed_of_images_of_one_size(mix):
    with pytest.raises(ArgumentError, match="images of one size"):
        compiled(T.Resize(8), UNIT, mix)
    assert compiled(T.Resize(8), UNIT, mix, size=(9, 9)).batch_step == mix


# ---- views ---------------------------------------------------------------------------------------


def test_views_share_what_comes_before_and_draw_the_rest_for_themselves():
    small = T.RandomResizedCrop(96)
    operations = [FLIP, T.MultiCrop([[CROP, JITTER], small, []]), T.RandomVerticalFlip(), NORMALIZE]
    large, second, plain = T.compile_recipes(operations, 3)
    kinds = [
        [KINDS[name] for name in names]
        for names in (
            ("flip_x", "random_resized_crop", "colour_jitter", "flip_y"),
            ("flip_x", "flip_x", "flip_x", "flip_x", "random_resized_crop", "flip_y"),
            ("flip_x",) + ("flip_x",) * 5 + ("flip_y",),
        )
    ]
    assert [view.steps["kind"].tolist() for view in (large, second, plain)] == kinds
    # What only keeps a place never happens; the number of a step is whose random numbers it has.
    assert second.steps["real"][1:4].max() == 0
    assert all(view.steps["real"][0, 0] == 0.5 for view in (large, second, plain))
    assert [view.size for view in (large, second, plain)] == [(224, 224), (96, 96), None]
    assert second.operations == (FLIP, small, T.RandomVerticalFlip(), NORMALIZE)
    assert emitted(plain) == ("normalised", "float32")
    with pytest.raises(ArgumentError, match="3 views"):
        T.compile_recipe(operations, 3)


def test_a_plan_prints_what_runs():
    text = repr(compiled(CROP, NORMALIZE, HALF, T.MixUp(0.2)))
    assert text.splitlines()[0] == "RecipePlan: 3 x uint8 → float16, (3, 224, 224), channels_last"
    for operation in (CROP, NORMALIZE, HALF):
        assert f"  in C: {operation!r}" in text
    assert f"  per batch: {T.MixUp(0.2)!r}" in text
    assert "numbers: (x / 255 - mean) / std in float32, rounded to float16" in text
    assert "sizes that differ" in repr(compiled(FLIP))
    assert "numbers: x as uint8" in repr(compiled(FLIP))
    assert "numbers: (x - mean) / std as float32" in repr(compiled(PLAIN, NORMALIZE))
