"""Operations of ``transform=`` alone: what they take, what they refuse, and what they ask of C."""

import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from fastcache import transforms as T
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.transforms.steps import ERASE_WITH, KINDS, PADDINGS, STEP

NAN, INF = float("nan"), float("inf")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

OPERATIONS = [
    T.Resize(256),
    T.Resize(256, fast_scale=True),
    T.CenterCrop(224),
    T.LetterBox(640),
    T.ToDtype("bfloat16", scale=True),
    T.RandomCrop(32),
    T.RandomCrop((32, 40), 4, True, 7, "reflect"),
    T.RandomCrop(32, (1, 2), fill=(1, 2, 3), padding_mode="edge"),
    T.RandomCrop([32], (1, 2, 3, 4)),
    T.RandomResizedCrop(224),
    T.RandomResizedCrop(224, fast_scale=True),
    T.RandomResizedCrop((5, 6), (0.2, 0.9), (0.5, 2), "bicubic", antialias=None),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(0.25),
    T.ColorJitter(),
    T.ColorJitter(0.4, (0.5, 2), 1.5, 0.1),
    T.ColorJitter(hue=(-0.2, 0.3)),
    T.Grayscale(),
    T.Grayscale(3),
    T.RandomGrayscale(),
    T.RandomErasing(),
    T.RandomErasing(1, (0.1, 0.2), (1, 2), "random"),
    T.RandomErasing(value=[1, 2, 3]),
    T.Normalize(MEAN, STD),
    T.Normalize([0.5], [np.float32(0.25)]),
    T.Layout("NHWC"),
    T.MixUp(),
    T.MixUp(0.2, 1000),
    T.CutMix(num_classes=10),
    T.MultiCrop([[T.RandomResizedCrop(224), T.RandomHorizontalFlip()], T.CenterCrop(96), []]),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_operations_are_values(operation):
    """What prints is what makes it again; equal ones are equal after a journey."""
    assert eval(repr(operation), vars(T)) == operation
    again = pickle.loads(pickle.dumps(operation))
    assert again == operation
    assert hash(again) == hash(operation)
    with pytest.raises(AttributeError):
        operation.name = "other"
    assert len({operation, *OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_every_operation_answers_with_steps(operation):
    steps = operation.steps()
    assert steps.dtype == STEP
    assert steps.ndim == 1


# ---- arguments that are refused ------------------------------------------------------------------

BAD_SIZES = [0, -1, 2.5, True, "224", (), (1, 2, 3), (4, 0), (4, None), b"4", None, 2**31]
NO_NUMBERS = ["x", None, NAN, INF, -INF, True, 1j, [1]]
BAD_PAIRS = [0.5, (0.5,), (0.1, 0.2, 0.3), "12", None, (0.9, 0.1), (NAN, 1), (0.1, INF), (0.1, "1")]
BAD_CHANCES = [-0.1, 1.1, *NO_NUMBERS]


@pytest.mark.parametrize("kind", [T.RandomCrop, T.RandomResizedCrop], ids=lambda k: k.name)
@pytest.mark.parametrize("size", BAD_SIZES, ids=repr)
def test_bad_sizes(kind, size):
    with pytest.raises(ArgumentError, match=f"{kind.name}: size"):
        kind(size)


CHANCES = [T.RandomHorizontalFlip, T.RandomVerticalFlip, T.RandomGrayscale, T.RandomErasing]


@pytest.mark.parametrize("kind", CHANCES, ids=lambda k: k.name)
@pytest.mark.parametrize("p", BAD_CHANCES, ids=repr)
def test_bad_probabilities(kind, p):
    with pytest.raises(ArgumentError, match=f"{kind.name}: p must be"):
        kind(p)


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("RandomResizedCrop: scale", lambda v: T.RandomResizedCrop(8, scale=v)),
        ("RandomResizedCrop: ratio", lambda v: T.RandomResizedCrop(8, ratio=v)),
        ("RandomErasing: scale", lambda v: T.RandomErasing(scale=v)),
        ("RandomErasing: ratio", lambda v: T.RandomErasing(ratio=v)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
@pytest.mark.parametrize("pair", [*BAD_PAIRS, (-0.1, 0.5)], ids=repr)
def test_bad_ranges(what, make, pair):
    with pytest.raises(ArgumentError, match=what):
        make(pair)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: T.RandomErasing(scale=(0.5, 1.01)), "from 0 to 1"),
        (lambda: T.RandomErasing(ratio=(0, 1)), "1e-06"),
        (lambda: T.RandomResizedCrop(8, ratio=(1, 1e7)), r"1e\+06"),
        (lambda: T.RandomResizedCrop(8, scale=(1, 1e7)), r"1e\+06"),
        (lambda: T.RandomResizedCrop(8, interpolation="cubic"), "bicubic"),
        (lambda: T.RandomResizedCrop(8, antialias=False), "always antialiased"),
        (lambda: T.RandomCrop(8, padding_mode="mirror"), "reflect"),
        (lambda: T.RandomCrop(8, padding_mode=["edge"]), "padding_mode"),
        (lambda: T.RandomCrop(8, pad_if_needed=1), "True or False"),
        (lambda: T.Grayscale(2), "1 or 3"),
        (lambda: T.Grayscale(True), "1 or 3"),
        (lambda: T.Grayscale("3"), "1 or 3"),
        (lambda: T.Layout("CHW"), "channels_last"),
        (lambda: T.Layout(None), "channels_last"),
        (lambda: T.MixUp(0), "alpha"),
        (lambda: T.MixUp(NAN), "alpha"),
        (lambda: T.CutMix(1e9), "alpha"),
        (lambda: T.CutMix(1.0, 0), "num_classes=0"),
        (lambda: T.MixUp(1.0, 2.5), "num_classes=2.5"),
        (lambda: T.MixUp(1.0, True), "num_classes=True"),
    ],
)
def test_other_bad_arguments(make, match):
    with pytest.raises(ArgumentError, match=match):
        make()


@pytest.mark.parametrize("padding", [-1, 1.5, "4", (), (1, 2, 3), (1, -2), (1, None), 2**31, True])
def test_bad_paddings(padding):
    with pytest.raises(ArgumentError, match="RandomCrop: padding"):
        T.RandomCrop(8, padding)


@pytest.mark.parametrize(
    "fill", [-1, 256, 0.5, "0", None, (), (1, 2, 3, 4, 5), (1, 300, 2), {0: 1}]
)
def test_bad_fills(fill):
    with pytest.raises(ArgumentError, match="RandomCrop: fill"):
        T.RandomCrop(8, 1, fill=fill)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
@pytest.mark.parametrize(
    "value", [-0.1, NAN, INF, "x", True, (1,), (1, 2, 3), (2, 1), (-1, 1), (NAN, 1), (0, INF), {}]
)
def test_bad_jitters(name, value):
    with pytest.raises(ArgumentError, match=f"ColorJitter: {name}"):
        T.ColorJitter(**{name: value})


@pytest.mark.parametrize("hue", [0.51, (-0.6, 0), (0, 0.6)])
def test_hues_turn_half_the_circle_at_most(hue):
    with pytest.raises(ArgumentError, match="-0.5 to 0.5"):
        T.ColorJitter(hue=hue)


@pytest.mark.parametrize(
    "value", ["noise", None, NAN, INF, 1e39, (), (1, 2, 3, 4, 5), (1, "x"), True]
)
def test_bad_values_of_erasing(value):
    with pytest.raises(ArgumentError, match="RandomErasing: value"):
        T.RandomErasing(value=value)


@pytest.mark.parametrize(
    ("mean", "std", "match"),
    [
        ([NAN], [1], "mean must be a finite"),
        ([0], [INF], "std must be a finite"),
        (["x"], [1], "mean"),
        (0.5, [1], "mean=0.5"),
        ([0.5], 1, "std=1"),
        ("0", "1", "mean='0'"),
        ([], [], "0 numbers"),
        ([0] * 5, [1] * 5, "5 numbers"),
        ([0] * 3, [1], "3 numbers and std 1"),
        ([0] * 3, [1, 0, 1], "holds a zero"),
        ([0], [1e-50], "holds a zero"),
        ([1e39], [1], "beyond the range of float32"),
    ],
)
def test_bad_normalisations(mean, std, match):
    with pytest.raises(ArgumentError, match=match):
        T.Normalize(mean, std)


@pytest.mark.parametrize(
    ("views", "match"),
    [
        ([], "0 views"),
        ([[]] * 65, "65 views"),
        (T.CenterCrop(4), "views="),
        ("ab", "views="),
        (None, "views="),
        ([len], "view 0 holds"),
        ([[], [T.CenterCrop(4), None]], "view 1 holds None"),
        ([T.MixUp()], "not for one view"),
        ([T.MultiCrop([[]])], "not for one view"),
    ],
)
def test_bad_views(views, match):
    with pytest.raises(ArgumentError, match=match):
        T.MultiCrop(views)


def test_store_takes_no_random_operations():
    for operation in (T.RandomCrop(4), T.Normalize(MEAN, STD), T.MixUp(), T.Layout("NCHW")):
        with pytest.raises(ArgumentError, match="transform="):
            T.normalize_store([T.Resize(8), operation])


# ---- arguments that are taken --------------------------------------------------------------------


def test_arguments_are_brought_into_one_form():
    assert T.RandomCrop(8, 0) == T.RandomCrop((8, 8), (0, 0, 0, 0)) == T.RandomCrop([8])
    assert T.RandomCrop(8, 2).padding == (2, 2, 2, 2)
    assert T.RandomCrop(8, [1, 2]).padding == (1, 2, 1, 2)
    assert T.RandomCrop(8, [1, 2, 3, 0]).padding == (1, 2, 3, 0)
    assert T.RandomCrop(8, fill=[7.0]) == T.RandomCrop(8, fill=7)
    assert T.RandomErasing(value=(2,)) == T.RandomErasing(value=2.0)
    assert T.Normalize(np.array(MEAN), list(STD)) == T.Normalize(MEAN, STD)
    assert T.RandomHorizontalFlip(np.float64(0.5)) == T.RandomHorizontalFlip()
    assert T.MultiCrop([T.CenterCrop(4)] * 2) == T.MultiCrop(
        [[T.CenterCrop(4)], [[T.CenterCrop(4)]]]
    )


def test_jitters_of_nothing_are_left_out():
    jitter = T.ColorJitter(0, (1, 1), 2, hue=0)
    assert (jitter.brightness, jitter.contrast, jitter.hue) == (None, None, None)
    assert jitter.saturation == (0, 3)
    assert jitter.changes == 1
    assert len(T.ColorJitter(0).steps()) == 0


# ---- what they ask of C --------------------------------------------------------------------------


def only(operation):
    (step,) = operation.steps()
    return step


def test_steps_of_geometry():
    step = only(T.Resize((3, 4), "bicubic"))
    assert (step["kind"], step["filter"]) == (KINDS["resize"], T.FILTERS["bicubic"])
    assert step["number"][:2].tolist() == [3, 4]
    assert only(T.Resize(9, max_size=12))["number"][:2].tolist() == [9, 12]
    assert only(T.Resize(9))["number"][:2].tolist() == [9, 0]
    step = only(T.Resize(None, max_size=12))
    assert step["kind"] == KINDS["resize_short"]
    assert step["number"][:2].tolist() == [0, 12]
    assert only(T.CenterCrop((3, 4)))["number"][:2].tolist() == [3, 4]
    step = only(T.LetterBox((5, 6), scaleup=False))
    assert step["number"][:3].tolist() == [5, 6, 0]
    assert step["fill"].tolist() == [114] * 4
    step = only(T.RandomCrop((3, 4), (1, 2, 5, 6), True, (7, 8, 9), "symmetric"))
    assert step["number"].tolist() == [3, 4, 1, 2, 5, 6, PADDINGS["symmetric"], 1]
    assert step["fill"].tolist() == [7, 8, 9, 0]
    step = only(T.RandomResizedCrop((3, 4), (0.1, 0.2), (0.5, 2), "lanczos"))
    assert (step["kind"], step["filter"]) == (KINDS["random_resized_crop"], T.FILTERS["lanczos"])
    assert step["number"][:2].tolist() == [3, 4]
    assert step["real"][:4].tolist() == [0.1, 0.2, 0.5, 2]


def test_steps_of_flips_colours_and_erasing():
    assert only(T.RandomHorizontalFlip(0.3))["kind"] == KINDS["flip_x"]
    assert only(T.RandomVerticalFlip(0.3))["real"][0] == 0.3
    assert only(T.RandomVerticalFlip(0.3))["kind"] == KINDS["flip_y"]
    step = only(T.ColorJitter(0.5, None, (0.5, 2), 0.1))
    assert step["real"].tolist() == [0.5, 1.5, 1, 0, 0.5, 2, -0.1, 0.1]
    assert only(T.Grayscale())["real"][0] == 1
    assert only(T.RandomGrayscale(0.2))["real"][0] == 0.2
    step = only(T.RandomErasing(0.1, (0.2, 0.3), (0.4, 5), 7))
    assert step["real"][:5].tolist() == [0.1, 0.2, 0.3, 0.4, 5]
    assert step["value"].tolist() == [7] * 4
    assert step["number"][0] == ERASE_WITH["value"]
    assert only(T.RandomErasing(value="random"))["number"][0] == ERASE_WITH["normal"]


# ---- called on images ----------------------------------------------------------------------------


def picture(mode="RGB"):
    values = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def test_flips_that_are_certain_can_be_called():
    image = picture()
    for kind, twin in (
        (T.RandomHorizontalFlip, ImageOps.mirror),
        (T.RandomVerticalFlip, ImageOps.flip),
    ):
        assert np.array_equal(np.asarray(kind(1)(image)), np.asarray(twin(image)))
        assert kind(0)(image) is image
        assert kind(1).on_images
        assert not kind(0.5).on_images


def test_grey_can_be_called():
    image = picture()
    grey = T.Grayscale()(image)
    assert grey.mode == "L"
    assert np.array_equal(np.asarray(grey), np.asarray(image.convert("L")))
    assert np.array_equal(np.asarray(T.Grayscale(3)(image)), np.asarray(grey.convert("RGB")))


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if not (o.on_images or isinstance(o, T.ToDtype))], ids=repr
)
def test_what_needs_random_numbers_or_batches_says_so(operation):
    with pytest.raises(ArgumentTypeError, match=rf"transform=\[{operation.name}"):
        operation(picture())
