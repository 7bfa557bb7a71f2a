"""torchvision's transforms become ours, or stay in Python and say why."""

import numpy as np
import pytest
from PIL import Image
from torchvision_oracle import torchvision

from fastcache import transforms as T
from fastcache.errors import ArgumentError

torch = pytest.importorskip("torch")
tv = torchvision().transforms
v2 = tv.v2
pytestmark = pytest.mark.filterwarnings("ignore:The transform `ToTensor:UserWarning")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNIT = T.ToDtype("float32", scale=True)
NORMALIZE = T.Normalize(MEAN, STD)
both = pytest.mark.parametrize("kinds", [tv, v2], ids=["v1", "v2"])


def twins(*transforms, **given):
    """The operations of a chain of which nothing stays in Python."""
    chain = T.translate(list(transforms), **given)
    assert chain.callables == (), chain
    return list(chain.operations)


def kept_in_python(*transforms, match="", **given):
    """The chain of one of which something does, for this reason."""
    chain = T.translate(list(transforms), **given)
    assert chain.callables
    assert match in chain.why, chain.why
    return chain


# ---- the same parameters ------------------------------------------------------------------------


@both
def test_geometry(kinds):
    bicubic = kinds.InterpolationMode.BICUBIC
    assert twins(kinds.Resize(9), kinds.Resize((3, 4), bicubic), kinds.Resize(9, max_size=12)) == [
        T.Resize(9),
        T.Resize((3, 4), "bicubic"),
        T.Resize(9, max_size=12),
    ]
    assert twins(kinds.CenterCrop(4), kinds.CenterCrop((4, 5))) == [
        T.CenterCrop(4),
        T.CenterCrop((4, 5)),
    ]
    assert twins(kinds.RandomHorizontalFlip(0.2), kinds.RandomVerticalFlip()) == [
        T.RandomHorizontalFlip(0.2),
        T.RandomVerticalFlip(),
    ]
    assert twins(
        kinds.RandomResizedCrop(9), kinds.RandomResizedCrop((8, 9), (0.2, 1), (1, 2), bicubic)
    ) == [T.RandomResizedCrop(9), T.RandomResizedCrop((8, 9), (0.2, 1), (1, 2), "bicubic")]


@both
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"padding": 4},
        {"padding": 0},
        {"padding": [1, 2]},
        {"padding": (1, 2, 3, 4), "fill": 7},
        {"padding": 1, "fill": (1, 2, 3)},
        {"pad_if_needed": True, "padding_mode": "reflect"},
    ],
    ids=repr,
)
def test_random_crop(kinds, arguments):
    """v2 keeps its padding in another order."""
    assert twins(kinds.RandomCrop((5, 6), **arguments)) == [T.RandomCrop((5, 6), **arguments)]


@both
@pytest.mark.parametrize(
    "arguments", [(), (0.4, 0.3, 0.2, 0.1), ((0.5, 2), 0, (1, 1), (-0.1, 0.2))]
)
def test_colours(kinds, arguments):
    assert twins(kinds.ColorJitter(*arguments), kinds.Grayscale(3), kinds.RandomGrayscale(0.3)) == [
        T.ColorJitter(*arguments),
        T.Grayscale(3),
        T.RandomGrayscale(0.3),
    ]
    assert twins(kinds.Grayscale()) == [T.Grayscale()]


@both
@pytest.mark.parametrize("value", [0, 0.5, "random", (0.1, 0.2, 0.3), [0.25]], ids=repr)
def test_erasing(kinds, value):
    mine = T.RandomErasing(0.3, (0.1, 0.2), (0.5, 2), value)
    other = kinds.RandomErasing(0.3, (0.1, 0.2), (0.5, 2), value)
    assert twins(kinds.ToTensor(), kinds.Normalize(MEAN, STD), other) == [UNIT, NORMALIZE, mine]


@both
def test_conversions(kinds):
    assert twins(kinds.ToTensor()) == [UNIT]
    assert twins(kinds.PILToTensor(), kinds.ConvertImageDtype(torch.float32)) == [UNIT]
    assert twins(kinds.PILToTensor(), kinds.ConvertImageDtype(torch.uint8)) == [
        T.ToDtype("uint8", scale=True)
    ]
    assert twins(kinds.ToTensor(), kinds.Normalize(list(MEAN), torch.tensor(STD))) == [
        UNIT,
        T.Normalize(MEAN, torch.tensor(STD).tolist()),
    ]


def test_conversions_of_v2():
    assert twins(v2.ToImage(), v2.ToDtype(torch.float16), v2.ToPureTensor(), v2.Identity()) == [
        T.ToDtype("float16")
    ]
    assert twins(v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)) == [
        UNIT,
        NORMALIZE,
    ]
    assert twins(v2.ToTensor(), v2.ToTensor()) == [UNIT]
    assert twins(v2.Resize(None, max_size=9, interpolation="box")) == [
        T.Resize(None, "box", max_size=9)
    ]


def test_batches():
    chain = twins(tv.ToTensor(), v2.MixUp(alpha=0.2, num_classes=10))
    assert chain == [UNIT, T.MixUp(0.2, 10)]
    assert twins(v2.CutMix(num_classes=10)) == [T.CutMix(1.0, 10)]
    kept_in_python(v2.CutMix(labels_getter=len), match="labels_getter=")


@both
def test_chances_of_chances(kinds):
    apply = kinds.RandomApply
    assert twins(
        apply([kinds.RandomHorizontalFlip(0.5)], p=0.5),
        apply([kinds.RandomGrayscale(0.2)], p=0.5),
        apply([kinds.Grayscale(3)], p=0.25),
    ) == [T.RandomHorizontalFlip(0.25), T.RandomGrayscale(0.1), T.RandomGrayscale(0.25)]
    assert twins(apply([kinds.RandomErasing(0.5, value=7)], p=0.5)) == [
        T.RandomErasing(0.25, value=7)
    ]
    for other in ([kinds.ColorJitter(0.4)], [kinds.RandomVerticalFlip()] * 2, [len]):
        kept_in_python(apply(other, p=0.5), match="RandomApply runs in C only around one of")


@both
def test_lists_and_composes_mean_the_same(kinds):
    flip, crop = kinds.RandomHorizontalFlip(), kinds.CenterCrop(4)
    expected = [T.RandomHorizontalFlip(), T.CenterCrop(4), NORMALIZE]
    inner = torch.nn.Sequential(flip, torch.nn.Identity(), crop)
    for nested in (
        [flip, crop, NORMALIZE],
        kinds.Compose([flip, kinds.Compose([crop]), NORMALIZE]),
        [[flip, None], (crop,), [kinds.Compose([NORMALIZE])]],
        [inner, NORMALIZE],
    ):
        assert twins(nested) == expected
    assert T.translate(None) == T.translate([]) == T.Chain()
    assert repr(T.Chain()) == "nothing"


# ---- what stays in Python -----------------------------------------------------------------------


@both
def test_everything_behind_a_callable_stays(kinds):
    flip, crop = kinds.RandomHorizontalFlip(), kinds.CenterCrop(4)
    chain = kept_in_python(flip, len, crop, match="no operation of fastcache.transforms")
    assert chain.operations == (T.RandomHorizontalFlip(),)
    assert chain.callables == (len, crop)
    assert not chain.hands_tensors
    chain = kept_in_python(kinds.GaussianBlur(3), flip, match="GaussianBlur is no operation")
    assert chain.operations == ()


class MyFlip(v2.RandomHorizontalFlip):
    def transform(self, inpt, params):
        return inpt


class MyCrop(tv.CenterCrop):
    pass


def test_derived_classes_and_hooks_may_do_anything():
    chain = kept_in_python(MyFlip(), match="derived from torchvision's RandomHorizontalFlip")
    assert isinstance(chain.callables[0], MyFlip)
    kept_in_python(MyCrop(3), match="derived from torchvision's CenterCrop")
    hooked = v2.CenterCrop(4)
    hooked.register_forward_hook(lambda module, given, made: made)
    kept_in_python(hooked, match="hooks")
    patched = tv.CenterCrop(4)
    patched.forward = len
    kept_in_python(patched, match="hooks")
    compose = v2.Compose([v2.CenterCrop(4)])
    compose.register_forward_pre_hook(lambda module, given: given)
    assert kept_in_python(compose, match="hooks").callables == (compose,)


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge", "constant"])
def test_padding_that_is_mirrored_twice(mode):
    """v1 pads for `padding`, and that once more for `pad_if_needed`; v2 pads once."""
    arguments = {"size": 13, "padding": 1, "pad_if_needed": True, "padding_mode": mode}
    image = Image.fromarray(np.arange(25, dtype=np.uint8).reshape(5, 5))
    pad = tv.functional.pad
    twice = np.asarray(pad(pad(image, 1, 0, mode), 6, 0, mode))
    once = np.asarray(pad(image, 7, 0, mode))
    differ = not np.array_equal(twice, once)
    assert differ == (mode in ("reflect", "symmetric"))
    if differ:
        kept_in_python(tv.RandomCrop(**arguments), match="mirrored already")
    else:
        assert twins(tv.RandomCrop(**arguments)) == [T.RandomCrop(**arguments)]
    assert twins(v2.RandomCrop(**arguments)) == [T.RandomCrop(**arguments)]
    assert twins(tv.RandomCrop(**{**arguments, "padding": None})) == [
        T.RandomCrop(**{**arguments, "padding": None})
    ]


@both
def test_options_that_would_give_other_pixels(kinds):
    nearest = kinds.InterpolationMode.NEAREST
    assert twins(kinds.Resize(8, nearest)) == [T.Resize(8, "nearest")]
    exact = kinds.InterpolationMode.NEAREST_EXACT
    assert twins(kinds.Resize(8, exact)) == [T.Resize(8, "nearest")]
    for mode in (nearest, exact):
        kept_in_python(kinds.PILToTensor(), kinds.Resize(8, mode), match="takes other pixels of")
    # Of PIL images torchvision ignores it.
    assert twins(kinds.RandomResizedCrop(8, antialias=False)) == [T.RandomResizedCrop(8)]
    for resize in (kinds.RandomResizedCrop(8, antialias=False), kinds.Resize(8, antialias=False)):
        kept_in_python(kinds.PILToTensor(), resize, match="antialias=False on tensors")
        kept_in_python(resize, tensors=True, match="antialias=False on tensors")
    kept_in_python(kinds.RandomCrop(4, fill=0.5), match="whole number")
    kept_in_python(kinds.CenterCrop(0), match="size")


def test_options_of_v2():
    kept_in_python(v2.RandomCrop(4, fill={torch.Tensor: 1}), match="by type of image")
    kept_in_python(v2.ToDtype({torch.Tensor: torch.float32}), match="by type of image")
    kept_in_python(v2.ToImage(), v2.ToDtype(torch.float64), match="uint8, float32")
    kept_in_python(
        *(v2.ToImage(), v2.ToDtype(torch.float16, scale=True), v2.Normalize(MEAN, STD)),
        match="normalises float16",
    )


@both
def test_orders_that_ours_do_not_have(kinds):
    chain = kept_in_python(
        *(kinds.ToTensor(), kinds.Normalize(MEAN, STD), kinds.RandomHorizontalFlip()),
        match="put RandomHorizontalFlip before Normalize",
    )
    assert chain.operations == (UNIT, NORMALIZE)
    assert chain.hands_tensors
    kept_in_python(kinds.ToTensor(), kinds.ColorJitter(0.4), match="put ColorJitter before")
    noise = kinds.RandomErasing(value="random")
    chain = kept_in_python(kinds.ToTensor(), noise, kinds.Normalize(MEAN, STD), match="behind Norm")
    assert chain.operations == (UNIT, T.RandomErasing(value="random"))
    kept_in_python(kinds.ToTensor(), *[kinds.Normalize(MEAN, STD)] * 2, match="give one Normalize")
    kept_in_python(
        kinds.ToTensor(), kinds.ConvertImageDtype(torch.uint8), match="made floats of the pixels"
    )


@both
def test_fills_of_floats_are_shares(kinds):
    """Behind ToTensor a fill is a share of 1; it must be a whole level."""
    for share, level in ((0, 0), (1.0, 255), (114 / 255, 114)):
        crop = kinds.RandomCrop(8, 2, fill=share)
        assert twins(kinds.ToTensor(), crop) == [UNIT, T.RandomCrop(8, 2, fill=level)]
    kept_in_python(kinds.ToTensor(), kinds.RandomCrop(8, 2, fill=0.5), match="127.5")


# ---- what callables get -------------------------------------------------------------------------


def test_callables_get_what_torchvision_would_hand_on():
    """Its conversions are run again where C hands on something else."""
    image, tensor, pure = v2.ToImage(), tv.PILToTensor(), v2.ToPureTensor()
    to_float = v2.ToDtype(torch.float32, scale=True)

    def handed(*chain, **given):
        found = kept_in_python(*chain, len, match="no operation", **given)
        assert found.callables[-1] is len
        assert f"in Python: {found.lines()[-1].split(': ')[1]}" == found.lines()[-1]
        assert found.lines()[-1].startswith("in Python: len (")
        return list(found.callables[:-1]), found.hands_tensors

    assert handed() == ([], False)
    assert handed(tensors=True) == ([], True)
    assert handed(image) == ([image], False)
    assert handed(image, tensors=True) == ([image], True)
    assert handed(image, to_float) == ([image], True)
    assert handed(image, pure) == ([image, pure], False)
    assert handed(image, to_float, pure) == ([], True)
    assert handed(tensor) == ([tensor], False)
    assert handed(tensor, to_float) == ([], True)
    assert handed(tv.ToTensor()) == ([], True)
    assert handed(tv.ToTensor(), image) == ([image], True)


def test_callables_see_what_they_see_in_torchvision():
    """What C does here is nothing, or one division."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    to_float = v2.ToDtype(torch.float32, scale=True)
    for chain in ([v2.ToImage()], [v2.ToImage(), v2.ToPureTensor()], [v2.ToImage(), to_float], []):
        seen = []
        expected = v2.Compose([*chain, v2.Lambda(seen.append)])
        expected(picture)
        found = T.translate([*chain, seen.append])
        value = picture
        if found.hands_tensors:
            value = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255)
        for step in found.callables:
            value = step(value)
        assert type(seen[0]) is type(seen[1])
        np.testing.assert_allclose(np.asarray(seen[0]), np.asarray(seen[1]), rtol=1e-6)


def test_our_operations_behind_callables():
    resize, flip = T.Resize(4), T.RandomHorizontalFlip(1)
    chain = T.translate([len, resize, flip, T.Grayscale()])
    assert chain.callables == (len, resize, flip, T.Grayscale())
    for operation in (T.RandomHorizontalFlip(), NORMALIZE, UNIT, T.MixUp(), T.MultiCrop([[]])):
        with pytest.raises(ArgumentError, match="comes after len, which runs in Python .*before"):
            T.translate([len, operation])


@pytest.mark.parametrize(
    "operations",
    [[T.Layout("NCHW")], [UNIT, T.MixUp()], [T.CutMix()], [T.MultiCrop([T.CenterCrop(4)])]],
    ids=repr,
)
def test_callables_behind_batches_and_views(operations):
    with pytest.raises(ArgumentError, match="len comes after .* leave one of them out"):
        T.translate([*operations, len])


def test_our_operations_in_a_wrong_order_are_errors():
    with pytest.raises(ArgumentError, match="before Normalize"):
        T.translate([NORMALIZE, T.RandomCrop(4)])
    with pytest.raises(ArgumentError, match="before Normalize"):
        T.translate([T.MultiCrop([[NORMALIZE], []]), T.RandomCrop(4)])


@pytest.mark.parametrize(
    ("transform", "match"),
    [
        (T.CenterCrop, "CenterCrop is the class"),
        ([len, v2.CenterCrop], "CenterCrop is the class"),
        (3, "transform=3"),
        ("flip", "transform='flip'"),
        ([None, {1: 2}], "give a callable"),
    ],
)
def test_what_cannot_be_called(transform, match):
    with pytest.raises(ArgumentError, match=match):
        T.translate(transform)


def test_nothing_runs_in_c_for_a_reason():
    why = "images are float32"
    chain = T.translate([v2.ToImage(), T.CenterCrop(4), len], why_python=why, tensors=True)
    assert len(chain.callables) == 3
    assert (chain.why, chain.hands_tensors) == (why, True)
    with pytest.raises(ArgumentError, match="cannot be: images are float32"):
        T.translate([NORMALIZE], why_python=why)


def test_images_of_16_bits():
    """Pillow resizes them, and torchvision's ToTensor does not scale them."""
    chain = T.translate([T.RandomCrop(4), T.Resize(8), v2.ToImage()], kept="uint16")
    assert chain.operations == (T.RandomCrop(4),)
    assert chain.callables[0] == T.Resize(8)
    assert "C does not blend" in chain.why
    assert twins(tv.RandomCrop(4), UNIT, kept="uint16") == [T.RandomCrop(4), UNIT]
    kept_in_python(tv.ToTensor(), match="does not scale uint16", kept="uint16")
    kept_in_python(tv.Resize(8), match="C does not blend", kept="uint16")
    with pytest.raises(ArgumentError, match="only uint8 has colours"):
        T.translate([T.ColorJitter(0.4)], kept="uint16")
    with pytest.raises(ArgumentError, match="before Normalize"):
        T.translate([T.Normalize([0.5], [0.5]), T.CenterCrop(4)], kept="uint16")


# ---- told ---------------------------------------------------------------------------------------


def test_what_runs_where_is_told():
    def mine(image):
        return image

    chain = [v2.RandomResizedCrop(8), v2.Compose([tv.ToTensor(), mine]), v2.Normalize(MEAN, STD)]
    lines = T.describe(chain)
    assert lines[:2] == [f"in C: {T.RandomResizedCrop(8)!r}", f"in C: {UNIT!r}"]
    why = "it is no operation of fastcache.transforms"
    assert lines[2] == f"in Python: test_what_runs_where_is_told.<locals>.mine ({why})"
    assert len(lines) == 4
    assert lines[3].startswith("in Python: Normalize(")
    assert repr(T.translate(chain)) == "\n".join(lines)
    views = T.describe([T.MultiCrop([T.CenterCrop(4), []]), UNIT, T.Layout("NCHW")])
    assert views[:3] == [
        "in C: MultiCrop, 2 views:",
        f"in C:   view 0: {T.CenterCrop(4)!r}",
        "in C:   view 1: the image as it is",
    ]
    assert T.describe([UNIT, T.MixUp()])[1] == f"per batch: {T.MixUp()!r}"
