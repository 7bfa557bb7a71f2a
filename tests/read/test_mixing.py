"""MixUp and CutMix of batches, against torchvision's."""

import math

import numpy as np
import pytest
import torch
from torchvision_oracle import torchvision

from fastcache.errors import ArgumentError
from fastcache.read.recipes.mixing import Mix, Mixer
from fastcache.read.sampling.keys import KeyArrays
from fastcache.transforms.mixing import CutMix, MixUp

DRAWS = 100_000
LIMIT = math.sqrt(-math.log(1e-9 / 2) / 2)  # of a right build passed with all but certainty
CLASSES = 7


def keys(count, seed=3, epoch=0, first=0, occurrence=0):
    """Return keys of `count` samples that follow one another."""
    samples = np.arange(first, first + count, dtype=np.uint64)
    return KeyArrays(
        seed,
        np.full(count, epoch, np.uint64),
        samples,
        np.full(count, occurrence, np.uint32),
    )


def batch(count=5, size=(9, 13), dtype=torch.float32, order="channels_last"):
    """Return images and labels."""
    random = torch.Generator().manual_seed(4)
    images = torch.rand(count, 3, *size, generator=random) * 255
    images = images.to(dtype)
    if order == "channels_last":
        images = images.contiguous(memory_format=torch.channels_last)
    if order == "strided":
        images = images.repeat(1, 2, 1, 1)[:, ::2]
    return images, torch.randint(CLASSES, (count,), generator=random)


def theirs(operation, images, labels, drawn):
    """Return what torchvision makes of a batch if it draws the same."""
    v2 = torchvision().transforms.v2
    made = getattr(v2, operation.name)(alpha=operation.alpha, num_classes=operation.num_classes)
    share = {"lam": drawn.share} if drawn.box is None else {"lam_adjusted": drawn.share}
    made.make_params = lambda _: {**share, "box": drawn.box}
    return made(images, labels)


def plainly(images, labels, drawn, classes=CLASSES):
    """Do the same, slow and obvious."""
    images, share = images.clone(), drawn.share
    before = images[[len(images) - 1, *range(len(images) - 1)]]
    if drawn.box is None:
        images = before * (1 - share) + images * share
    else:
        left, top, right, bottom = drawn.box
        for y in range(top, bottom):
            for x in range(left, right):
                images[:, :, y, x] = before[:, :, y, x]
    soft = labels
    if labels.ndim == 1:
        soft = torch.zeros(len(labels), classes)
        for k, label in enumerate(labels.tolist()):
            soft[k, label] = 1
    return images, soft[[len(soft) - 1, *range(len(soft) - 1)]] * (1 - share) + soft * share


ALL = [
    (MixUp, dtype, order)
    for dtype in (torch.float32, torch.float16, torch.bfloat16)
    for order in ("channels_last", "contiguous", "strided")
]
ALL += [
    (CutMix, dtype, order)
    for dtype in (torch.uint8, torch.float32, torch.float16)
    for order in ("channels_last", "contiguous", "strided")
]


@pytest.mark.parametrize("oracle", [plainly, theirs])
@pytest.mark.parametrize(("kind", "dtype", "order"), ALL, ids=str)
def test_batches_are_mixed_as_torchvision_mixes_them(oracle, kind, dtype, order):
    """Issue 6, 1: bit for bit, in the batch's own memory and order."""
    operation = kind(0.7, CLASSES)
    mixer = Mixer(operation)
    for count in (1, 2, 5):
        for first in range(4):
            images, labels = batch(count, dtype=dtype, order=order)
            whose = keys(count, first=first)
            drawn = mixer.draw(whose, 9, 13)
            if oracle is theirs:
                wanted = theirs(operation, images.clone(), labels, drawn)
            else:
                wanted = plainly(images, labels, drawn)
            place, strides = images.data_ptr(), images.stride()
            got, soft = mixer.mix(images, labels, whose)
            assert (got.data_ptr(), got.stride()) == (place, strides)
            assert torch.equal(got, wanted[0])
            assert soft.dtype == torch.float32
            assert torch.equal(soft, wanted[1])


def test_images_of_which_channels_come_last_are_cut_alike():
    operation, (images, labels) = CutMix(1.0, CLASSES), batch()
    wanted = Mixer(operation).mix(images.clone(), labels, keys(5))[0]
    got = Mixer(operation, nhwc=True).mix(images.permute(0, 2, 3, 1).clone(), labels, keys(5))[0]
    assert torch.equal(got.permute(0, 3, 1, 2), wanted)
    assert not torch.equal(wanted, images)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_soft_labels_are_mixed_again(kind):
    """What one operation made is mixed by another; integers become float32, float64 stays."""
    images = batch()[0]
    soft = torch.rand(5, 4, generator=torch.Generator().manual_seed(1))
    for labels in (soft, soft.double(), (soft * 9).int()):
        mixer = Mixer(kind(), CLASSES)
        drawn = mixer.draw(keys(5), 9, 13)
        got = mixer.mix(images.clone(), labels, keys(5))[1]
        wanted = labels if labels.is_floating_point() else labels.float()
        assert torch.equal(got, plainly(images, wanted, drawn)[1])
        assert got.dtype == wanted.dtype


def test_classes_are_those_of_the_operation_or_the_dataset():
    images, labels = batch()
    assert Mixer(MixUp(), 9).mix(images, labels, keys(5))[1].shape == (5, 9)
    assert Mixer(MixUp(num_classes=8), 9).mix(images, labels, keys(5))[1].shape == (5, 8)
    for dtype in (torch.uint8, torch.int32):
        assert Mixer(MixUp(), 9).mix(images, labels.to(dtype), keys(5))[1].shape == (5, 9)
    empty = Mixer(MixUp(), 9).mix(images[:0], labels[:0], keys(0))
    assert (len(empty[0]), empty[1].shape) == (0, (0, 9))


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_what_is_drawn_is_the_first_samples(kind):
    """Issue 6, 3: by seed, epoch, sample and occurrence, whatever follows in the batch."""
    mixer = Mixer(kind(), CLASSES)
    alone = mixer.draw(keys(1), 200, 300)
    assert mixer.draw(keys(9), 200, 300) == alone
    others = [
        keys(9, **other) for other in ({"seed": 4}, {"epoch": 1}, {"first": 1}, {"occurrence": 1})
    ]
    drawn = {mixer.draw(other, 200, 300) for other in others}
    assert len(drawn | {alone}) == 5


def many(mixer, height=60, width=90):
    whose = keys(DRAWS)
    ends = (KeyArrays(3, whose.epoch, whose.sample[k:], whose.occurrence) for k in range(DRAWS))
    return [mixer.draw(one, height, width) for one in ends]


def distance(ours, wanted):
    """Return Kolmogorov's and Smirnov's distance of two samples, scaled: compare with LIMIT."""
    ours, wanted = np.sort(ours), np.sort(wanted)
    every = np.concatenate([ours, wanted])
    below = [np.searchsorted(one, every, side="right") / one.size for one in (ours, wanted)]
    n, m = ours.size, wanted.size
    return np.abs(below[0] - below[1]).max() * math.sqrt(n * m / (n + m))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_are_distributed_as_they_should(alpha):
    """Issue 6, 1: Kolmogorov-Smirnov against NumPy's beta distribution, 100,000 draws."""
    shares = np.array([drawn.share for drawn in many(Mixer(MixUp(alpha)))])
    wanted = np.random.default_rng(2).beta(alpha, alpha, DRAWS)
    assert distance(shares, wanted) < LIMIT
    assert abs(np.corrcoef(shares[1:], shares[:-1])[0, 1]) < 0.02
    assert distance(shares, wanted**1.2) > LIMIT  # it can tell


def test_boxes_are_distributed_as_they_should():
    """Issue 6, 1: against the formula of torchvision, drawn with NumPy."""
    drawn = many(Mixer(CutMix(1.0)))
    random = np.random.default_rng(2)
    half = 0.5 * np.sqrt(1 - random.beta(1.0, 1.0, DRAWS))
    edges = []
    for size in (90, 60):
        centre, reach = random.integers(0, size, DRAWS), (half * size).astype(int)
        edges.append((np.maximum(centre - reach, 0), np.minimum(centre + reach, size)))
    (left, right), (top, bottom) = edges
    boxes = np.array([one.box for one in drawn]).T
    for ours, wanted in zip(boxes, (left, top, right, bottom), strict=True):
        assert distance(ours, wanted) < LIMIT
    area = (right - left) * (bottom - top) / (60 * 90)
    assert distance(np.array([one.share for one in drawn]), 1 - area) < LIMIT
    x0, y0, x1, y1 = boxes
    assert ((x0 >= 0) & (x0 <= x1) & (x1 <= 90) & (y0 >= 0) & (y0 <= y1) & (y1 <= 60)).all()
    assert drawn[0] == Mix(1 - int((x1 - x0)[0] * (y1 - y0)[0]) / (60 * 90), drawn[0].box)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (MixUp, {"images": None}, "MixUp mixes images of one size .* got nothing"),
        (CutMix, {"images": [torch.zeros(3, 2, 2)] * 5}, "CutMix mixes images .* got a list"),
        (MixUp, {"images": torch.zeros(5, 3, 2)}, r"got a tensor of shape \(5, 3, 2\)"),
        (MixUp, {"images": torch.zeros(5, 3, 2, 2, dtype=torch.uint8)}, "ToDtype or Normalize"),
        (MixUp, {"labels": None}, "mixes labels too, .* got nothing"),
        (MixUp, {"labels": ["a"] * 5}, "got a list"),
        (MixUp, {"labels": torch.zeros(5, 2, 2)}, r"got a tensor of shape \(5, 2, 2\)"),
        (CutMix, {"labels": torch.zeros(4, dtype=torch.int64)}, "5 images, but 4 labels"),
        (CutMix, {"labels": torch.zeros(5)}, "are class numbers, and these torch.float32"),
        (CutMix, {"labels": torch.zeros(5, 6)}, "of 6 classes, but num_classes=7"),
        (MixUp, {"labels": torch.tensor([0, 6, 7, 8, 0])}, "sample 2 of the batch has the label 7"),
        (MixUp, {"labels": torch.tensor([0, -1, 0, 0, 0])}, "sample 1 .* the label -1, .* 7 class"),
    ],
)
def test_what_cannot_be_mixed_is_refused(kind, change, message):
    images, labels = batch()
    given = {"images": images, "labels": labels, **change}
    before = images.clone()
    with pytest.raises(ArgumentError, match=message):
        Mixer(kind(1.0, CLASSES)).mix(**given, keys=keys(5))
    assert torch.equal(images, before)


def test_class_numbers_need_a_number_of_classes():
    with pytest.raises(ArgumentError, match="how many classes are there"):
        Mixer(MixUp()).mix(*batch(), keys(5))
    with pytest.raises(ArgumentError, match="give MixUp or CutMix"):
        Mixer("MixUp")
