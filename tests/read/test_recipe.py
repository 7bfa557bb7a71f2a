"""Recipes of datasets: what C makes of images on each read, against slow and obvious ways."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from reading import make_arena, photo_set, rows_of_sizes
from recipe_sets import (
    MEAN,
    RANDOM,
    STD,
    Fixed,
    as_pillow,
    batch_of,
    darker,
    free_set,
    same,
    settled,
)
from torch.utils.data import DataLoader
from torchvision_oracle import torchvision

import fastcache as fc
from fastcache import transforms as T
from fastcache._core import drawing
from fastcache.errors import ArgumentError, BlockError
from fastcache.read.view import ArenaView
from fastcache.schema import Image, Scalar
from fastcache.transforms.steps import DRAWN


@pytest.mark.parametrize("make", [lambda t: photo_set(23, (20, 17), transform=t), free_set])
def test_samples_and_batches_are_the_same_on_any_threads(make):
    """E4, E5: equal for 1..8 threads, in batches of any length and alone, and on repetition."""
    ds = settled(make(RANDOM))
    alone = [ds[k] for k in range(len(ds))]
    images, labels = zip(*alone, strict=True)
    assert images[0].shape == (3, 9, 9)
    assert images[0].dtype == torch.float16
    for threads in range(1, 9):
        ds._threads = threads
        whole = batch_of(ds, range(len(ds)))
        assert same(whole[0], torch.stack(images))
        assert whole[0].is_contiguous(memory_format=torch.channels_last)
        assert whole[1].tolist() == list(labels)
    loaded = [images for images, _ in DataLoader(ds, batch_size=5)]
    assert [len(part) for part in loaded[:-1]] == [5] * (len(ds) // 5)
    assert same(torch.cat(loaded), torch.stack(images))
    again = batch_of(ds, [4, 1, 4, -1])[0]
    assert same(again, torch.stack([images[k] for k in (4, 1, 4, -1)]))


def test_crops_are_those_that_were_drawn():
    """E4: RandomResizedCrop and flip of the sample's own key, as Pillow makes them."""
    recipe = [T.RandomResizedCrop((9, 11)), T.RandomHorizontalFlip(), T.RandomVerticalFlip()]
    ds = settled(photo_set(17, (40, 36), transform=recipe))
    count = len(ds)
    keys = Fixed().take(np.arange(count))
    steps = np.concatenate([operation.steps() for operation in recipe])
    drawn = np.zeros(count, DRAWN)
    sides = (np.full(count, side, np.int32) for side in (40, 36))
    drawing.draw(steps.view(np.uint8), *keys, *sides, drawn.view(np.uint8))
    made, plain = batch_of(ds, range(count))[0], ds.with_transform(None)
    for k in range(count):
        stage = drawn["stage"][k][0]
        g = stage["geometry"]
        box = [int(g[name]) for name in ("crop_x", "crop_y", "crop_w", "crop_h")]
        image = as_pillow(plain[k][0])
        image = image.crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
        wanted = np.asarray(image.resize((11, 9), Pillow.Resampling.BILINEAR)).astype(int)
        wanted = wanted[:, ::-1] if stage["flip_x"] else wanted
        wanted = wanted[::-1] if stage["flip_y"] else wanted
        assert np.abs(made[k].permute(1, 2, 0).numpy() - wanted).max() <= 1


COMPOSES = {
    "v2": lambda tv: tv.transforms.v2.Compose(
        [
            tv.transforms.v2.Resize(16),
            tv.transforms.v2.CenterCrop(14),
            tv.transforms.v2.ToImage(),
            tv.transforms.v2.ToDtype(torch.float32, scale=True),
            tv.transforms.v2.Normalize(MEAN, STD),
        ]
    ),
    "v1": lambda tv: tv.transforms.Compose(
        [
            tv.transforms.Resize((15, 14)),
            tv.transforms.CenterCrop(12),
            tv.transforms.ToTensor(),
            tv.transforms.Normalize(MEAN, STD),
        ]
    ),
    "pixels": lambda tv: tv.transforms.Compose(
        [tv.transforms.Resize(17), tv.transforms.PILToTensor()]
    ),
}


@pytest.mark.parametrize("name", COMPOSES)
@pytest.mark.parametrize("make", [lambda t: photo_set(7, (24, 21), transform=t), free_set])
def test_a_compose_of_torchvision_is_translated(make, name):
    """E5: the same tensors as torchvision's own, made in C."""
    compose = COMPOSES[name](torchvision())
    ds = make(compose)
    assert ds.transform is compose
    assert "in C: Resize" in repr(ds)
    assert "in Python" not in repr(ds)
    plain = ds.with_transform(None)
    tolerance = 1 if name == "pixels" else 1 / 255 / min(STD) + 1e-6  # a level
    made = batch_of(ds, range(len(ds)))[0]
    for k in range(len(ds)):
        wanted = compose(as_pillow(plain[k][0]))
        for got in (ds[k][0], made[k]):
            assert got.dtype == wanted.dtype
            assert got.shape == wanted.shape
            assert (got.double() - wanted.double()).abs().max() <= tolerance


@pytest.mark.parametrize("order", ["NCHW", "NHWC", "channels_last"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("make", [lambda t: photo_set(5, (8, 6), transform=t), free_set])
def test_numbers_and_layouts(make, dtype, order):
    """E4: pixels become numbers and are laid out as torch would do it."""
    ds = make([T.ToDtype(dtype, scale=dtype != "uint8"), T.Layout(order)])
    plain = ds.with_transform(None)
    made = batch_of(ds, range(len(ds)))[0]
    for k in range(len(ds)):
        wanted = plain[k][0]
        if dtype != "uint8":
            wanted = (wanted.float() / 255).to(getattr(torch, dtype))
        wanted = wanted.permute(1, 2, 0) if order == "NHWC" else wanted
        assert same(made[k], wanted)
        assert same(ds[k][0], wanted)
        if order != "channels_last":
            assert made[k].is_contiguous()


def test_sizes_that_differ_stay_a_list():
    """What resizes to a shorter side gives a tensor per sample."""
    ds = free_set([T.Resize(12), T.RandomHorizontalFlip(0)])
    made, labels = batch_of(ds, range(len(ds)))
    assert isinstance(made, list)
    assert labels.shape == (9,)
    plain = ds.with_transform(None)
    for k in range(len(ds)):
        wanted = np.asarray(T.Resize(12)(as_pillow(plain[k][0]))).astype(int)
        assert np.abs(made[k].permute(1, 2, 0).numpy() - wanted).max() <= 1
        assert same(made[k], ds[k][0])


def test_callables_follow_in_python():
    """A callable gets PIL images of what C made, or tensors, in batches and alone."""
    recipe = [T.Resize((6, 5)), T.RandomHorizontalFlip(1.0)]
    pixels = photo_set(6, transform=recipe)
    ds = photo_set(6, transform=[*recipe, darker])
    wanted = [image.permute(1, 2, 0) // 2 for image, _ in (pixels[k] for k in range(6))]
    assert same(batch_of(ds, range(6))[0], torch.stack(wanted))
    assert same(ds[4][0], wanted[4])
    tensors = photo_set(6, transform=[*recipe, torch.neg], transform_input="tensor")
    assert same(batch_of(tensors, [2, 3])[0], torch.stack([-pixels[k][0] for k in (2, 3)]))
    floats = photo_set(6, transform=[*recipe, T.ToDtype("float32"), torch.neg])
    assert same(floats[1][0], -pixels[1][0].float())
    assert "in Python: darker (it is no operation of fastcache.transforms)" in repr(ds)
    assert ds.with_transform(None).recipe is None


def test_a_callable_that_fails_names_its_sample():
    def fail(image):
        if image.getpixel((0, 0)) == ds.with_transform(None)[3][0][:, 0, 0].tolist():
            raise ValueError("no")
        raise KeyError("none of it")

    ds = photo_set(6)
    ds.transform = [T.ToDtype("uint8"), fail]
    with pytest.raises(KeyError) as caught:
        ds.__getitems__([3, 4])
    assert caught.value.__notes__ == ["sample 3"]


def test_plain_callables_stay_as_they_are():
    """Without an operation nothing changes: a Compose is called as one, with PIL images."""
    compose = torchvision().transforms.Compose([darker])
    ds = photo_set(4, transform=compose)
    assert ds.recipe is None
    assert f"Transform: {type(compose).__name__}(" in repr(ds)
    assert same(ds[1][0], darker(as_pillow(photo_set(4)[1][0])))
    for nothing in (None, [], torch.nn.Identity()):
        assert same(photo_set(4, transform=nothing)[1][0], photo_set(4)[1][0])


def test_what_c_cannot_do_of_torchvisions_is_told():
    """E5: what has no twin here runs in Python with all that follows it, on what C has made."""
    transforms = torchvision().transforms
    compose = transforms.Compose([transforms.CenterCrop(6), transforms.RandomInvert(1.0)])
    ds = photo_set(4, transform=[compose, transforms.ToTensor()])
    plain = ds.with_transform(None)
    wanted = 1 - plain[2][0][:, 3:9, 2:8].float() / 255
    assert torch.allclose(ds[2][0], wanted, atol=1e-6)
    assert "RandomInvert is no operation of fastcache.transforms" in repr(ds)
    ds.transform = transforms.RandomInvert(1.0)
    assert "in Python: RandomInvert(p=1.0) (RandomInvert is no operation" in repr(ds)
    assert np.array_equal(np.asarray(ds[2][0]), 255 - plain[2][0].permute(1, 2, 0).numpy())


def test_pickles_and_twins():
    """A pickled dataset makes the same, and stays small; twins count visits of their own."""
    ds = photo_set(5, (12, 10), transform=RANDOM)
    data = pickle.dumps(ds)
    assert len(data) < 4096
    twin = ds.with_transform([T.RandomCrop(5)])
    assert twin._pipeline.keys is not ds._pipeline.keys
    assert twin[0][0].shape == (3, 5, 5)
    assert ds[0][0].shape == (3, 9, 9)
    copy = pickle.loads(data)
    assert repr(copy.recipe) == repr(ds.recipe)
    assert same(settled(copy)[2][0], settled(ds)[2][0])
    ds.transform = None
    assert ds[0][0].shape == (3, 12, 10)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_make_the_same(context):
    """A worker writes its batches into memory that the main process sees."""
    ds = settled(photo_set(12, (12, 10), transform=RANDOM))
    wanted = torch.cat([images for images, _ in DataLoader(ds, batch_size=4)])
    settled(ds)
    loader = DataLoader(ds, batch_size=4, num_workers=1, multiprocessing_context=context)
    got = [images for images, _ in loader]
    assert all(images.is_shared() for images in got)
    assert same(torch.cat(got), wanted)


def test_views():
    """MultiCrop: a list of views in a sample, and a list of batches."""
    large, small = [T.RandomResizedCrop(10), T.RandomHorizontalFlip()], T.RandomResizedCrop(6)
    ds = settled(photo_set(7, (20, 20), transform=[T.MultiCrop([large, large, small])]))
    views, labels = batch_of(ds, [1, 2, 3])
    assert [tuple(view.shape) for view in views] == [(3, 3, 10, 10), (3, 3, 10, 10), (3, 3, 6, 6)]
    assert not torch.equal(views[0], views[1])
    assert labels.shape == (3,)
    for view, alone in zip(views, ds[2][0], strict=True):
        assert same(view[1], alone)
    loaded = next(iter(DataLoader(ds, batch_size=2)))
    assert [len(view) for view in loaded[0]] == [2, 2, 2]
    assert "view 2: RandomResizedCrop" in repr(ds)


@pytest.mark.parametrize(
    ("transform", "match"),
    [
        ([T.Normalize(MEAN, STD), T.Resize(4)], "put Resize before Normalize"),
        ([T.Normalize((0.5, 0.5), (1, 1))], "mean and std has 2 numbers"),
        ([T.RandomCrop(13)], "needs images of at least 13 x 13"),
        ([darker, T.Normalize(MEAN, STD)], "put it before that"),
        ([T.Layout("NCHW"), darker], "leave one of them out"),
    ],
)
def test_what_cannot_be_is_said_when_it_is_given(transform, match):
    with pytest.raises(ArgumentError, match=match):
        photo_set(3, transform=transform)
    ds = photo_set(3)
    with pytest.raises(ArgumentError, match=match):
        ds.transform = transform
    assert ds.transform is None


def test_a_crop_that_is_too_large_names_sample_and_step():
    ds = free_set([T.RandomHorizontalFlip(), T.RandomCrop(20)])
    bad = next(k for k in range(9) if min(ds.with_transform(None)[k][0].shape[1:]) < 20)
    good = [k for k in range(9) if min(ds.with_transform(None)[k][0].shape[1:]) >= 20]
    assert batch_of(ds, good)[0].shape == (len(good), 3, 20, 20)
    for read in (lambda: ds[bad], lambda: ds.__getitems__([*good, bad])):
        with pytest.raises(ArgumentError, match=rf"sample {bad}: RandomCrop\(size=\(20, 20\)"):
            read()


def test_results_that_no_memory_could_hold():
    """Sides that C cannot count name the sample, bytes that nobody can count are an error, too."""
    side = 2**31 - 1
    for size in ((side, side), (side, 2**26)):
        with pytest.raises(BlockError, match="no memory for a batch"):
            batch_of(free_set(T.Resize(size)), [0, 1])
    for index in (0, 1):  # neither is a square
        with pytest.raises(ArgumentError, match=f"sample {index}: Resize.* make too many"):
            batch_of(free_set(T.Resize(side)), [index])


def test_images_that_c_has_no_batches_of_stay_in_python():
    """Images of floats: operations are called on PIL images; the reason is told."""
    columns = {
        "image": (Image("float32", 1, (6, 5)), np.ones((3, 6, 5, 1), np.float32)),
        "label": (Scalar("int64"), np.arange(3)),
    }
    arena = make_arena(("image", "label"), columns)
    ds = ArenaView(arena, transform=[T.Resize((3, 2)), np.asarray])
    assert ds.recipe is None
    assert ds[0][0].shape == (3, 2)
    assert "images are kept as 1 channels of float32" in repr(ds)
    with pytest.raises(ArgumentError, match="runs in C only"):
        ArenaView(arena, transform=[T.Normalize((0.5,), (0.5,))])


def test_opacity_counts_when_pixels_are_blended():
    """RGBA: colours are weighted by opacity, as Pillow does it."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (4, 24, 20, 4), np.uint8)
    columns = {
        "image": (Image("uint8", 4, (24, 20)), pixels),
        "label": (Scalar("int64"), np.arange(4)),
    }
    ds = ArenaView(make_arena(("image", "label"), columns), transform=T.Resize((9, 7)))
    made = batch_of(ds, range(4))[0].permute(0, 2, 3, 1).numpy().astype(int)
    for k in range(4):
        image = Pillow.fromarray(pixels[k], "RGBA").resize((7, 9), Pillow.Resampling.BILINEAR)
        wanted = np.asarray(image).astype(int)
        assert np.abs(made[k] - wanted)[:, :, 3].max() <= 1
        weight = wanted[:, :, 3:] / 255
        assert (np.abs(made[k] - wanted)[:, :, :3] * weight).max() <= 2


@pytest.mark.parametrize("size", [(12, 10), None])
def test_images_of_16_bits(size):
    """Levels of 16 bits are moved, and become shares of 65535; what blends runs in Python."""
    rng = np.random.default_rng(2)
    sizes = [size or (12 + k, 15 - k) for k in range(5)]
    rows = [rng.integers(0, 1 << 16, (*side, 1)).astype(np.uint16) for side in sizes]
    columns = {"image": (Image("uint16", 1, size), rows), "label": (Scalar("int64"), np.arange(5))}
    moves = [T.CenterCrop(8), T.RandomVerticalFlip(1.0)]
    ds = ArenaView(make_arena(("image", "label"), columns), transform=moves)
    shares = ds.with_transform([*moves, T.ToDtype("float32", scale=True)])
    made, scaled = batch_of(ds, range(5))[0], batch_of(shares, range(5))[0]
    for k, row in enumerate(rows):
        top, left = round((sizes[k][0] - 8) / 2), round((sizes[k][1] - 8) / 2)
        wanted = row[top : top + 8, left : left + 8, 0][::-1]
        assert np.array_equal(made[k, 0].numpy(), wanted)
        assert same(scaled[k, 0], torch.from_numpy(wanted.astype(np.float32) / 65535))
    blending = ds.with_transform([T.Resize(6), np.asarray])
    assert blending.recipe is None
    assert blending[0][0].dtype == np.uint16
    assert "which C does not blend" in repr(blending)


def test_epochs_and_repetitions_differ():
    """D7: other crops in the next epoch, and for the same sample twice in a batch."""
    ds = photo_set(8, (30, 30), transform=[T.RandomResizedCrop(10)])
    first, second = (next(iter(DataLoader(ds, batch_size=8)))[0] for _ in range(2))
    assert not any(torch.equal(*pair) for pair in zip(first, second, strict=True))
    twice = batch_of(ds, [3, 3])[0]
    assert not torch.equal(twice[0], twice[1])
    other = photo_set(8, (30, 30), transform=[T.RandomResizedCrop(10)], seed=1)
    assert not torch.equal(next(iter(DataLoader(other, batch_size=8)))[0], first)


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_that_are_told_come_again(workers):
    """D7, F5: set_epoch before there was a recipe counts, too; the same epoch, the same crops."""
    ds = photo_set(8, (30, 30))
    ds.set_epoch(3)
    ds.transform = [T.RandomResizedCrop(10)]

    def crops():
        loader = DataLoader(ds, 4, num_workers=workers, multiprocessing_context=fork)
        return torch.cat([images for images, _ in loader])

    fork = "fork" if workers else None
    first, visited = crops(), crops()
    ds.set_epoch(4)
    later = crops()
    ds.set_epoch(3)
    assert same(crops(), first)
    assert not torch.equal(first, later)
    assert not torch.equal(first, visited)
    twin = ds.with_transform([T.RandomResizedCrop(10)])
    twin.set_epoch(4)
    assert same(torch.stack([twin[k][0] for k in range(8)]), later)


def test_a_saved_arena_is_opened_with_a_seed_of_its_own(tmp_path):
    """Issue 6, 3: seed= of fastcache.open is that of what is drawn, whatever the fill's was."""
    options = {"transform": [T.RandomResizedCrop(10)]}
    pixels = np.random.default_rng(1).integers(0, 256, (8, 30, 30, 3), np.uint8)
    filled = fc.ArenaDataset(fc.sources.Arrays(pixels, np.arange(8)), seed=1, **options)
    first = torch.stack([filled[k][0] for k in range(8)])
    filled.save(tmp_path / "x.arena")

    def crops(seed, home):
        with fc.open(tmp_path / "x.arena", home=home, seed=seed, **options) as ds:
            return torch.stack([ds[k][0] for k in range(8)])

    assert same(crops(1, "disk"), first)
    assert same(crops(1, "ram"), first)
    assert not torch.equal(crops(2, "disk"), first)
    assert not torch.equal(crops(0, "ram"), first)


def test_twins_do_not_change_what_others_draw():
    """A validation twin in the middle of a plain loop over the dataset that is trained from."""
    recipe = [T.RandomResizedCrop(10)]
    ds, other = (photo_set(8, (30, 30), transform=recipe) for _ in range(2))
    twin = ds.with_transform([*recipe, T.RandomHorizontalFlip()])
    for _ in range(2):
        for k in range(8):
            assert same(ds[k][0], other[k][0])
            twin[k]
            twin.set_epoch(k)


def test_a_dataset_that_could_not_be_closed_goes_on_as_before():
    """What was told, and what was visited, is not forgotten."""
    ds, other = (photo_set(4, (30, 30), transform=[T.RandomResizedCrop(10)]) for _ in range(2))
    for each in (ds, other):
        each.set_epoch(3)
        each[1]
    held = ds.arrays["image"]
    with pytest.raises(BufferError, match="iterators of loaders"):
        ds.close()
    assert same(ds[1][0], other[1][0])
    del held
    ds.close()


def test_what_is_not_random_visits_nobody():
    """Keys are only asked for where numbers are drawn: they are counted."""
    ds = photo_set(3, transform=[T.Resize(5), T.RandomHorizontalFlip(1.0), T.Grayscale(3)])
    assert ds._pipeline.keys is None
    assert same(ds[1][0], batch_of(ds, [1])[0][0])


def test_loaders_of_ours_and_the_last_short_batch():
    """E5: ArenaLoader gives what a plain DataLoader gives; the last batch is short, or dropped."""
    ds = settled(photo_set(11, (20, 20), transform=RANDOM))
    plain = [images for images, _ in DataLoader(ds, batch_size=4)]
    ours = [images for images, _ in fc.ArenaLoader(ds, batch_size=4)]
    assert [len(images) for images in ours] == [4, 4, 3]
    assert all(same(*pair) for pair in zip(ours, plain, strict=True))
    assert len(list(fc.ArenaLoader(ds, batch_size=4, drop_last=True))) == 2
    assert batch_of(ds, [])[0].shape == (0, 3, 9, 9)


def test_samples_that_are_only_images():
    """Bare tensors: torch's own collate stacks them, whatever their sizes were."""
    columns = {"image": (Image("uint8", 3), rows_of_sizes([(9, 8, 3), (7, 9, 3)], "uint8"))}
    ds = ArenaView(make_arena("image", columns), transform=[T.CenterCrop(6), T.Layout("NHWC")])
    (batch,) = DataLoader(ds, batch_size=2)
    assert batch.shape == (2, 6, 6, 3)
    assert same(batch[1], ds[1])
    one = ds.with_transform(T.MultiCrop([T.CenterCrop(4)]))
    assert [tuple(view.shape) for view in one[0]] == [(3, 4, 4)]
    assert [len(view) for view in next(iter(DataLoader(one, batch_size=2)))] == [2]


@pytest.mark.parametrize("make", [lambda t: photo_set(5, (12, 10), transform=t), free_set])
def test_grey_images(make):
    """One channel of three, in any type, and three equal ones of one; callables get mode L."""
    size = T.Resize((9, 8))
    ds, colours = make([size, T.Grayscale()]), make([size, T.Grayscale(3)])
    made, three = batch_of(ds, range(5))[0], batch_of(colours, range(5))[0]
    assert made.shape == (5, 1, 9, 8)
    assert same(three, made.expand(5, 3, 9, 8))
    plain = ds.with_transform(size)
    wanted = torchvision().transforms.v2.functional.rgb_to_grayscale(batch_of(plain, range(5))[0])
    assert (made.int() - wanted.int()).abs().max() <= 1
    scaled = ds.with_transform([size, T.Grayscale(), T.Normalize((0.5,), (0.25,))])
    assert torch.allclose(scaled[2][0], (made[2].float() / 255 - 0.5) / 0.25, atol=1e-6)
    seen = ds.with_transform([size, T.Grayscale(), lambda image: image.mode])
    assert seen[0][0] == "L"


def test_grey_images_become_three_channels():
    ds = free_set([T.CenterCrop(8), T.Grayscale(3), T.Layout("NCHW")], channels=1)
    made, plain = batch_of(ds, range(9))[0], ds.with_transform(T.CenterCrop(8))
    assert same(made, batch_of(plain, range(9))[0].expand(9, 3, 8, 8))
