"""Boxes that follow images, against a loop over single boxes and against painted pixels."""

import numpy as np
import pytest
from detection import area, follow_store
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.transforms.boxes import counts_kept, follow, store_map
from fastcache.transforms.drawn import draw_steps, drawn_maps
from fastcache.transforms.steps import MAP

CHAINS = [
    [],
    [T.Resize(40)],
    [T.Resize((31, 77))],
    [T.Resize(64), T.CenterCrop(48)],
    [T.CenterCrop((20, 90)), T.Resize(33)],
    [T.LetterBox(64)],
    [T.LetterBox((40, 90), scaleup=False)],
    [T.Resize(50), T.Resize(20), T.CenterCrop(64), T.CenterCrop(10)],  # not one geometry for C
    [T.CenterCrop(16), T.CenterCrop(64)],  # shows padding where the image was cut
]
SIZES = [(1, 1), (17, 40), (40, 17), (64, 64), (101, 33)]


def boxes_on(rng, height, width, count):
    corners = np.sort(rng.uniform(-0.1, 1.1, (count, 2, 2)), axis=1).reshape(count, 4)
    return corners * (width, height, width, height)


@pytest.mark.parametrize("least", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("chain", CHAINS, ids=repr)
def test_store_moves_boxes_as_a_loop_does(chain, least):
    """D7: letterbox, resize and crop, box by box."""
    rng = np.random.default_rng(3)
    counts = np.array([7, 0, 12, 30, 1])
    boxes = [boxes_on(rng, *size, n) for size, n in zip(SIZES, counts, strict=True)]
    maps = store_map(chain, *zip(*SIZES, strict=True))
    moved, kept = follow(np.concatenate(boxes), counts, maps, least)
    want, stays = [], []
    for size, some in zip(SIZES, boxes, strict=True):
        for box in some.tolist():
            whole, cut, final = follow_store(tuple(box), *size, chain)
            stays.append(area(cut) > 0 and area(cut) >= least * area(whole) * (1 - 1e-9))
            if stays[-1]:
                want.append(cut)
    assert (maps["h"][-1], maps["w"][-1]) == final
    assert kept.tolist() == stays
    np.testing.assert_allclose(moved, np.reshape(want, (-1, 4)), rtol=1e-5, atol=1e-4)
    assert len(want) > 0
    assert moved.dtype == np.float32
    assert moved.shape == (kept.sum(), 4)


@pytest.mark.parametrize("chain", CHAINS[1:7], ids=repr)
def test_boxes_lie_where_the_painted_pixels_do(chain):
    """D7: the box around what Pillow has made of a painted rectangle, to a pixel of the image."""
    box, (height, width) = (20, 12, 44, 30), (60, 70)
    image = Image.new("L", (width, height))
    image.paste(255, box)
    shown = np.asarray(T.apply_store(T.store_for_masks(chain), image))
    ys, xs = np.nonzero(shown == 255)
    maps = store_map(chain, [height], [width])
    moved, _ = follow(np.array([box], float), np.array([1]), maps, 0.1)
    found = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    np.testing.assert_allclose(moved[0], found, atol=1.0)


def test_read_jobs_maps_with_flips_and_crops():
    """D7: what the C core says of a drawn recipe, box by box."""
    rng = np.random.default_rng(5)
    recipe = [T.RandomResizedCrop(32), T.RandomHorizontalFlip(), T.RandomVerticalFlip()]
    count, (height, width) = 50, (48, 64)
    steps = np.concatenate([operation.steps() for operation in recipe])
    sizes = np.full(count, height), np.full(count, width)
    drawn = draw_steps(steps, *sizes, seed=1, epoch=0, sample=np.arange(count))
    maps = drawn_maps(drawn)
    assert (maps["scale_x"] < 0).any()
    assert (maps["scale_y"] < 0).any()
    counts = rng.integers(0, 5, count)
    boxes = boxes_on(rng, height, width, counts.sum()).clip(0, 48)
    moved, kept = follow(boxes, counts, maps, 0.3)
    at, want, stays = 0, [], []
    for one, n in zip(maps, counts, strict=True):
        for x1, y1, x2, y2 in boxes[at : at + n].tolist():
            xs = sorted(x * one["scale_x"] + one["shift_x"] for x in (x1, x2))
            ys = sorted(y * one["scale_y"] + one["shift_y"] for y in (y1, y2))
            whole = (xs[0], ys[0], xs[1], ys[1])
            cut = (max(xs[0], 0), max(ys[0], 0), min(xs[1], 32), min(ys[1], 32))
            stays.append(area(cut) > 0 and area(cut) >= 0.3 * area(whole))
            if stays[-1]:
                want.append(cut)
        at += n
    assert kept.tolist() == stays
    assert 0 < len(want) < len(boxes)
    np.testing.assert_allclose(moved, want, rtol=1e-5, atol=1e-4)
    left = [sum(stays[end - n : end]) for n, end in zip(counts, np.cumsum(counts), strict=True)]
    assert counts_kept(counts, kept).tolist() == left


def identity(count):
    maps = np.zeros(count, MAP)
    maps["scale_x"] = maps["scale_y"] = 1
    maps["h"] = maps["w"] = maps["seen_x"][:, 1] = maps["seen_y"][:, 1] = 100
    return maps


def test_no_boxes_and_boxes_without_area():
    moved, kept = follow(np.zeros((0, 4)), np.zeros(3, np.int64), identity(3))
    assert moved.shape == (0, 4)
    assert kept.shape == (0,)
    assert counts_kept(np.zeros(3, np.int64), kept).tolist() == [0, 0, 0]
    boxes = np.array([[5, 5, 5, 9], [5, 5, 9, 9], [99.999999, 5, 100, 9], [120, 5, 130, 9]])
    moved, kept = follow(boxes, np.array([4]), identity(1), 0.0)
    assert kept.tolist() == [False, True, False, False]  # in float32 the third has no width


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="4 boxes, 2 counts of together 3 and 2 maps"):
        follow(np.zeros((4, 4)), np.array([1, 2]), identity(2))
    with pytest.raises(ArgumentError, match="a count and a map per image"):
        follow(np.zeros((3, 4)), np.array([1, 2]), identity(1))
