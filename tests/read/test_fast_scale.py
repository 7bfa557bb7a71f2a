"""JPEG files that are decoded at 1/2 or 1/4 of their size, on request, beside Pillow's draft."""

import io

import numpy as np
import pytest
import torch
from images import photo
from making import emit_of, raw
from PIL import Image as Pillow
from recipe_sets import batch_of, same, settled

import fastcache as fc
from fastcache import transforms as T
from fastcache._core import image as core
from fastcache._core.recipe import Maker
from fastcache.errors import ArgumentError
from fastcache.sources import Files
from fastcache.transforms.drawn import draw_steps

SIDE = 24
SIZES = ((131, 257), (97, 64), (300, 203), (180, 181), (66, 90))
SAVED = {
    "4:2:0": {"subsampling": "4:2:0"},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:4:4": {"subsampling": "4:4:4"},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "grey": {},
}


def files_of(folder, kind, sizes=SIZES, format_="JPEG"):
    """Write photographs of one kind; return their paths."""
    paths = []
    for k, (h, w) in enumerate(sizes):
        path = folder / f"{k:02d}.{format_.lower()}"
        image = photo(h, w, seed=k).convert("L" if kind == "grey" else "RGB")
        image.save(path, format_, quality=92, **SAVED.get(kind, {}))
        paths.append(str(path))
    return paths


def crop(fast, **more):
    return T.RandomResizedCrop(SIDE, (0.3, 1.0), fast_scale=fast, **more)


def read(paths, transform, keep="encoded", **options):
    """Return all samples of a dataset as one tensor."""
    source = Files(paths, range(len(paths)))
    with fc.ArenaDataset(source, keep=keep, transform=transform, **options) as ds:
        return torch.stack([settled(ds)[k][0] for k in range(len(ds))])


def stages_of(operation, sizes):
    """Return the first stage of what is drawn for each size, with the keys of `settled`."""
    heights, widths = np.array(sizes, np.int32).T
    keys = {"seed": 11, "epoch": 3, "sample": np.arange(len(sizes)), "occurrence": 0}
    return draw_steps(operation.steps(), heights, widths, **keys)["stage"][:, 0]


def by_draft(path, stage, mode, resampling=Pillow.Resampling.BILINEAR):
    """Return the crop of what Pillow decodes at that scale, resized with a fractional origin."""
    g, scale = stage["geometry"], max(int(stage["scale"]), 1)
    image = Pillow.open(path)
    whole = image.size
    if scale > 1:
        image.draft(mode, (whole[0] // scale, whole[1] // scale))
        assert image.size == tuple(-(-side // scale) for side in whole)
    start = [int(g["crop_x"]), int(g["crop_y"])]
    end = [start[0] + int(g["crop_w"]), start[1] + int(g["crop_h"])]
    first = [value // scale for value in start]
    part = image.convert("RGB").crop((*first, *(-(-value // scale) for value in end)))
    box = [v / scale - f for v, f in zip((*start, *end), (*first, *first), strict=True)]
    return np.asarray(part.resize((SIDE, SIDE), resampling, box=tuple(box)))


@pytest.mark.parametrize("kind", SAVED)
def test_pixels_are_those_of_pillows_draft(tmp_path, kind):
    """F8: scaled, cropped and resized by Pillow: within two levels, at all three scales."""
    sizes = SIZES * 3
    paths = files_of(tmp_path, kind, sizes)
    stages = stages_of(crop(True), sizes)
    assert set(stages["scale"]) == {0, 2, 4}
    got = read(paths, [crop(True)]).permute(0, 2, 3, 1).numpy()
    exact = read(paths, [crop(False)]).permute(0, 2, 3, 1).numpy()
    for path, stage, fast, whole in zip(paths, stages, got, exact, strict=True):
        wanted = by_draft(path, stage, "L" if kind == "grey" else "RGB").astype(int)
        assert np.abs(fast - wanted).max() <= 2, (path, stage["scale"])
        difference = np.abs(fast.astype(int) - whole)
        assert (difference.max() > 0) == (stage["scale"] > 0)
        assert difference.mean() < 6


def test_threads_do_not_matter(tmp_path):
    """Every thread draws and decodes the same; so does a batch."""
    paths = files_of(tmp_path, "4:2:0", SIZES * 3)
    wanted = read(paths, [crop(True)], threads=1)
    for threads in (2, 5, 8):
        source = Files(paths, range(len(paths)))
        options = {"keep": "encoded", "transform": [crop(True)], "threads": threads}
        with fc.ArenaDataset(source, **options) as ds:
            assert same(batch_of(settled(ds), range(len(paths)))[0], wanted)


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        (crop, {"keep": "decoded"}),
        (crop, {"store": T.Resize(60)}),
        (lambda fast: crop(fast, interpolation="nearest"), {}),
        (lambda fast: T.RandomResizedCrop(70, (0.3, 1), fast_scale=fast), {}),
    ],
    ids=["decoded", "behind store", "nearest", "too large"],
)
def test_nothing_else_changes(tmp_path, operation, options):
    paths = files_of(tmp_path, "4:2:0", SIZES[:2] * 2)
    fast, exact = (read(paths, [operation(on)], **options) for on in (True, False))
    assert same(fast, exact)


@pytest.mark.parametrize("format_", ["PNG", "WebP"])
def test_other_formats_are_decoded_whole(tmp_path, format_):
    paths = files_of(tmp_path, "other", format_=format_)
    assert same(read(paths, [crop(True)]), read(paths, [crop(False)]))


def test_turned_photos_are_decoded_whole(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Pillow.Exif()
    exif[0x0112] = 6
    photo(200, 150).save(path, quality=92, exif=exif)
    for turned in ("apply", "ignore"):
        fast, exact = (read([str(path)], [crop(on)], exif=turned) for on in (True, False))
        assert same(fast, exact) == (turned == "apply")


def test_resize_takes_it_too(tmp_path):
    """In `transform=`, for both kinds of sizes; a window behind it changes nothing of that."""
    paths = files_of(tmp_path, "4:2:0")
    for size in (SIDE, (SIDE, SIDE)):
        resize = T.Resize(size, fast_scale=True)
        assert list(stages_of(resize, SIZES)["scale"]) == [4, 2, 4, 4, 2]
        fast, exact = (
            read(paths, [T.Resize(size, fast_scale=on), T.CenterCrop(20)]) for on in (True, False)
        )
        assert not same(fast, exact)
        assert (fast.float() - exact).abs().mean() < 6


@pytest.mark.parametrize(
    ("size", "scale"),
    [((200, 200), 4), ((199, 200), 2), ((100, 400), 2), ((99, 400), 0), ((50, 50), 0)],
)
def test_a_scale_leaves_a_pixel_for_each(size, scale):
    """The largest of 1/2 and 1/4 that enlarges neither side."""
    resize = T.Resize((50, 50), fast_scale=True)
    assert stages_of(resize, [size])["scale"] == [scale]
    assert stages_of(T.Resize((50, 50)), [size])["scale"] == [0]


def test_it_is_said_and_asked_for(tmp_path):
    """What prints names it; what is kept never has it."""
    path = tmp_path / "0.jpg"
    photo(40, 40).save(path)
    views = T.MultiCrop([[T.Resize((8, 8), fast_scale=True)], [T.Resize((8, 8))]])
    for transform, times in (([crop(True)], 1), ([crop(False)], 0), ([views], 1)):
        with fc.ArenaDataset(Files([str(path)]), transform=transform) as ds:
            assert repr(ds.recipe).count("decoded at 1/2 or 1/4 where that is enough") == times
    with pytest.raises(ArgumentError, match="leave out fast_scale, or give this Resize as transf"):
        fc.ArenaDataset(Files([str(path)]), store=T.Resize(8, fast_scale=True))
    for kind in (T.Resize, T.RandomResizedCrop):
        with pytest.raises(ArgumentError, match=r"fast_scale=1: give True or False"):
            kind(8, fast_scale=1)


def test_a_damaged_file_is_damaged_at_any_scale():
    """A file that was cut off is refused, whichever part of it was asked for."""
    buffer = io.BytesIO()
    photo(200, 200).save(buffer, "JPEG")
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    drawn = draw_steps(T.Resize((SIDE, SIDE), fast_scale=True).steps(), [200], [200])
    assert drawn["stage"]["scale"][0, 0] == 4
    out = np.zeros(SIDE * SIDE * 3, np.uint8)
    for cut, status in ((0, core.OK), (2, core.E_TRUNCATED), (3000, core.E_TRUNCATED)):
        whole = data[: len(data) - cut]
        got, _ = Maker().make(whole, core.Spec(), raw(drawn), raw(emit_of()), out, is_file=True)
        assert got == status
