"""What compile_recipe promises of grey images and of pixels of 16 bits, made by C."""

import images
import numpy as np
import pytest
from making import Batch, Request, raw

from fastcache import transforms as T
from fastcache._core import image as core
from fastcache.errors import ArgumentError
from fastcache.transforms.compiling import compile_recipe
from fastcache.transforms.drawn import draw_steps

N, SIDE = 12, 20
MEAN, STD = 0.45, 0.22


def batch_of(pixels, operations, **spec):
    """Make a recipe of images, each (h, w, channels); returns the batch as (N, h, w, channels)."""
    channels = pixels[0].shape[2]
    plan = compile_recipe(operations, channels, pixels[0].dtype)
    height, width = plan.size
    count = int(plan.emit["channels"])
    planar = plan.layout == "NCHW"
    shape = (count, height, width) if planar else (height, width, count)
    request = Request(pixels, shape, np.dtype(plan.dtype))
    request.offset *= pixels[0].itemsize
    request.source = raw(request.source)
    own = core.Spec(channels=channels, wide=pixels[0].dtype == np.uint16, **spec)
    batch = Batch([request.plane(own, plan.emit[None])], plan.steps, len(pixels))
    batch.job.run()
    assert (batch.status == core.OK).all()
    keys = {"seed": 5, "epoch": 2, "sample": np.arange(len(pixels)), "occurrence": 0}
    drawn = draw_steps(plan.steps, request.height, request.width, **keys)
    return np.moveaxis(request.out, 1, 3) if planar else request.out, drawn


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(6)
    return [np.asarray(images.photo(int(h), int(w))) for h, w in rng.integers(24, 60, (N, 2))]


CROP = (T.RandomResizedCrop(SIDE), T.RandomHorizontalFlip())


@pytest.mark.parametrize("order", ["NHWC", "NCHW"])
def test_images_made_grey_have_one_channel(photos, order):
    """E4: Grayscale(1) is the first of Grayscale(3)'s three equal channels."""
    three, _ = batch_of(photos, [*CROP, T.Grayscale(3), T.Layout(order)])
    one, _ = batch_of(photos, [*CROP, T.Grayscale(), T.Layout(order)])
    assert one.shape == (N, SIDE, SIDE, 1)
    np.testing.assert_array_equal(np.repeat(one, 3, 3), three)
    numbers, _ = batch_of(photos, [*CROP, T.Grayscale(), T.Normalize([MEAN], [STD]), T.Layout(order)])
    unit = one.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(numbers, (unit - np.float32(MEAN)) / np.float32(STD))


@pytest.mark.parametrize("order", ["NHWC", "NCHW"])
def test_grey_images_grow_three_channels(photos, order):
    grey = [photo[..., 1:2] for photo in photos]
    one, _ = batch_of(grey, [*CROP, T.Layout(order)])
    three, _ = batch_of(grey, [*CROP, T.Grayscale(3), T.Layout(order)])
    np.testing.assert_array_equal(three, np.repeat(one, 3, 3))
    means, stds = np.float32([0.1, 0.2, 0.3]), np.float32([0.3, 0.2, 0.1])
    normal = T.Normalize(means.tolist(), stds.tolist())
    numbers, _ = batch_of(grey, [*CROP, T.Grayscale(3), normal, T.Layout(order)])
    np.testing.assert_array_equal(numbers, (three / np.float32(255) - means) / stds)


def wide_images():
    rng = np.random.default_rng(7)
    return [rng.integers(0, 65536, (h, w, 1), np.uint16) for h, w in rng.integers(24, 60, (N, 2))]


def moved(image, stage):
    """What a stage of crop, nearest resize, window and flips makes, one pixel at a time."""
    g = {name: int(stage["geometry"][name]) for name in stage["geometry"].dtype.names}
    picked = []
    for x in "yx":
        length = "h" if x == "y" else "w"
        crop, size = g[f"crop_{length}"], g[f"size_{length}"]
        at = g[f"win_{x}"] + np.arange(g[f"out_{length}"])
        inside = (at >= 0) & (at < size)
        source = np.minimum((crop / size * (at + 0.5)).astype(int), crop - 1)
        source = np.where(inside, g[f"crop_{x}"] + source, 0)
        order = slice(None, None, -1 if stage[f"flip_{x}"] else 1)
        picked.append((source[order], inside[order]))
    (rows, in_y), (columns, in_x) = picked
    return np.where((in_y[:, None] & in_x)[..., None], image[rows][:, columns], 0)


NEAREST = T.RandomResizedCrop(SIDE, interpolation="nearest")
WIDE = {
    "nearest": [NEAREST, T.RandomHorizontalFlip(), T.RandomVerticalFlip()],
    "cropped": [T.RandomCrop(SIDE)],
    "padded": [T.RandomCrop(SIDE + 40, pad_if_needed=True), T.RandomHorizontalFlip()],
    "centred": [T.CenterCrop(SIDE + 10), T.RandomVerticalFlip()],
    "resized": [T.Resize((SIDE, SIDE + 3), interpolation="nearest"), T.CenterCrop(SIDE - 3)],
    "framed": [T.LetterBox(SIDE, fill=0, interpolation="nearest")],
}
NUMBERS = {
    "uint16": ([], lambda x: x),
    "float32": ([T.ToDtype("float32")], lambda x: x.astype(np.float32)),
    "unit": (
        [T.ToDtype("float32", scale=True)],
        lambda x: x.astype(np.float32) / np.float32(65535),
    ),
    "normalised": (
        [T.Normalize([MEAN], [STD])],
        lambda x: (x.astype(np.float32) / np.float32(65535) - np.float32(MEAN)) / np.float32(STD),
    ),
    "levels normalised": (
        [T.ToDtype("float32"), T.Normalize([3e4], [2e4])],
        lambda x: (x.astype(np.float32) - np.float32(3e4)) / np.float32(2e4),
    ),
    "float16": (
        [T.Normalize([MEAN], [STD]), T.ToDtype("float16")],
        lambda x: (
            (x.astype(np.float32) / np.float32(65535) - np.float32(MEAN)) / np.float32(STD)
        ).astype(np.float16),
    ),
}


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("geometry", WIDE)
def test_wide_pixels_are_moved_and_become_numbers(geometry, numbers):
    """E4: 16-bit images as compile_recipe promises them: moved without blending, then numbers."""
    pixels = wide_images()
    end, expected = NUMBERS[numbers]
    got, drawn = batch_of(pixels, [*WIDE[geometry], *end])
    for image, made, one in zip(pixels, got, drawn, strict=True):
        for stage in one["stage"][: one["stages"]]:
            image = moved(image, stage)
        np.testing.assert_array_equal(made, expected(image))


def test_wide_pixels_are_mirrored_and_erased():
    pixels = wide_images()
    pad = T.RandomCrop(SIDE, padding=30, padding_mode="symmetric")
    got, drawn = batch_of(pixels, [pad, T.RandomErasing(1.0, value=60000)])
    for image, made, one in zip(pixels, got, drawn, strict=True):
        stage, erased = one["stage"][0], one["erase"][0]
        g = stage["geometry"]
        padded = np.pad(image, ((100, 100), (100, 100), (0, 0)), "symmetric")
        y, x = (int(g[f"crop_{k}"]) + int(g[f"win_{k}"]) + 100 for k in "yx")
        want = padded[y : y + SIDE, x : x + SIDE].copy()
        top, left, h, w = (int(erased[k]) for k in "yxhw")
        want[top : top + h, left : left + w] = 60000
        np.testing.assert_array_equal(made, want)


@pytest.mark.parametrize(
    "operation",
    [T.RandomResizedCrop(8), T.Grayscale(3), T.ColorJitter(0.5), T.LetterBox(8), T.RandomGrayscale()],
)
def test_what_wide_pixels_cannot_become_is_refused_at_once(operation):
    with pytest.raises(ArgumentError):
        compile_recipe([operation], 1, "uint16")
