"""Recipes over arenas whose images are not all decoded, and over masks and targets."""

import os
import shutil
from pathlib import Path

import images
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from reading import make_arena, rows_of_sizes
from recipe_sets import MEAN, STD, as_pillow, batch_of, darker, same, settled
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError, DecodeError
from fastcache.read.columns.columns import Reader
from fastcache.read.view import ArenaView
from fastcache.schema import Image, Mask, Scalar
from fastcache.sources import Files, Pairs

RECIPES = {
    "random": [
        T.RandomResizedCrop(20, scale=(0.3, 1)),
        T.RandomHorizontalFlip(),
        T.Normalize(MEAN, STD),
    ],
    "views": [T.MultiCrop([T.RandomCrop(16, pad_if_needed=True), T.RandomResizedCrop(8)])],
    "own sizes": [T.Resize(18), T.RandomVerticalFlip()],
}
STORES = {
    "as they are": None,
    "smaller": [T.Resize(40)],
    "one size": [T.Resize(36), T.CenterCrop(32)],
    "framed": [T.LetterBox(48)],
}


@pytest.fixture
def every_kind(tmp_path, jpeg_kinds):
    """Files of everything, of which C decodes most and Pillow the others; one is a .npy."""
    kinds = {**jpeg_kinds, **images.other_kinds()}
    paths = []
    for k, (name, data) in enumerate(kinds.items()):
        path = tmp_path / f"{k:03d}-{name.replace(':', '').replace('/', '-')}.bin"
        path.write_bytes(data)
        paths.append(str(path))
    np.save(tmp_path / "array.npy", images.pixels(50, 61, 3))
    return [*paths, str(tmp_path / "array.npy")]


def photographs(folder, count, size=(64, 60), **options):
    """Write smooth photographs, on which decoders that stop early cannot differ much."""
    paths = []
    for k in range(count):
        path = folder / f"{k:03d}.jpg"
        Pillow.fromarray(images.pixels(*size, 3, seed=k)).save(path, quality=90, **options)
        paths.append(str(path))
    return paths


def everything(ds, indices):
    """Return all tensors of samples, alone and in a batch, in one list."""
    found = []

    def add(value):
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            for part in value:
                add(part)

    add(batch_of(ds, indices))
    for k in indices:
        add(ds[k][0])
    return found


@pytest.mark.parametrize(
    ("store", "recipe"),
    [
        *(("as they are", recipe) for recipe in RECIPES),
        *((store, "random") for store in ("smaller", "framed")),
        *(("one size", recipe) for recipe in ("views", "own sizes")),
    ],
)
def test_forms_do_not_matter(every_kind, store, recipe):
    """A8, F3, F4: decoded and encoded samples become the same to the bit, whoever decodes them."""
    options = {"store": STORES[store], "transform": RECIPES[recipe], "on_error": "skip"}
    with fc.ArenaDataset(Files(every_kind), threads=1, **options) as whole:
        pick = range(0, len(whole), 3)
        wanted = everything(settled(whole), pick)
    with fc.ArenaDataset(Files(every_kind), keep="encoded", **options) as ds:
        assert ds.report["columns"]["image"]["kept"]["decoded"] == 0
        got = everything(settled(ds), pick)
    print(
        "MAXDIFF",
        store,
        recipe,
        max((a.double() - b.double()).abs().max() for a, b in zip(got, wanted)),
    )
    assert all(same(*pair) for pair in zip(got, wanted, strict=True))


@pytest.mark.parametrize("store", [None, [T.LetterBox(90)], [T.Resize(70), T.CenterCrop(64)]])
@pytest.mark.parametrize("color", ["RGB", "RGBA", "L"])
def test_views_of_files(tmp_path, store, color):
    """Some take little of a file and some all of it, some erase; more of them than a job makes."""
    paths = photographs(tmp_path, 5, (110, 96))
    paths.append(str(tmp_path / "alpha.png"))
    Pillow.fromarray(images.pixels(100, 130, 4)).save(paths[-1])
    few = [[T.RandomResizedCrop(12, scale=(0.01, 0.05))], [T.CenterCrop(8)]]
    many = [
        *few,
        [],
        [T.RandomCrop(100, padding=40, padding_mode="reflect"), T.RandomErasing(1.0)],
        [T.Resize(40), T.ColorJitter(0.5, 0.5)],
        *([T.RandomHorizontalFlip()] * 16),
    ]
    for views in (few, many):
        options = {"store": store, "transform": [T.MultiCrop(views)], "color": color}
        with fc.ArenaDataset(Files(paths), threads=1, **options) as whole:
            wanted = everything(settled(whole), range(6))
        with fc.ArenaDataset(Files(paths), keep="encoded", **options) as ds:
            got = everything(settled(ds), range(6))
        assert all(same(*pair) for pair in zip(got, wanted, strict=True))


def test_a_view_that_cannot_be_made_is_named(tmp_path):
    paths = photographs(tmp_path, 3)
    views = T.MultiCrop([T.RandomHorizontalFlip(), T.RandomCrop(62)])
    Pillow.fromarray(images.pixels(70, 80, 3)).save(paths[1])
    with (
        fc.ArenaDataset(Files(paths), keep="encoded", transform=views) as ds,
        pytest.raises(ArgumentError, match=r"sample 0: RandomCrop\(size=\(62.* of 64 x 60 pixels"),
    ):
        ds.__getitems__([1, 0])


def absent(paths, **options):
    """Return a dataset none of whose images is kept."""
    source = Files(paths, range(len(paths)))
    with fc.ArenaDataset(source, threads=1) as whole:
        pixels = sum(column.bytes for column in whole.plan.columns)
        budget = whole.plan.need_bytes - pixels + 8_000
    ds = fc.ArenaDataset(source, budget=budget, threads=1, **options)
    kept = ds.report["columns"]["image"]["kept"]
    assert kept["decoded"] + kept["encoded"] == 0
    return ds


def test_absent_samples_are_made_of_their_files(tmp_path):
    """F3: what is read from its file on use; two views of it, and what a file became."""
    paths = photographs(tmp_path, 12, (150, 140))
    recipe = [T.MultiCrop([T.RandomCrop(90), T.RandomHorizontalFlip()])]
    with fc.ArenaDataset(Files(paths, range(12)), transform=recipe) as whole:
        wanted = everything(settled(whole), range(12))
    with absent(paths, transform=recipe) as ds:
        got = everything(settled(ds), range(12))
        assert all(same(*pair) for pair in zip(got, wanted, strict=True))


@pytest.mark.parametrize("change", ["gone", "cut", "another", "another size"])
def test_files_that_change_are_told(tmp_path, change, caplog):
    """F3: an error, or the recipe's result of zeros, as without a recipe."""
    paths = photographs(tmp_path, 12, (150, 140))
    recipe = [T.RandomCrop(90), T.ToDtype("float32", scale=True), T.Normalize((0.5,), (0.5,))]
    with (
        absent(paths, transform=recipe) as ds,
        absent(paths, transform=recipe, on_error="fill") as filling,
    ):
        before = batch_of(settled(filling), range(12))[0]
        settled(ds)
        if change == "gone":
            os.remove(paths[5])
        elif change == "cut":
            whole = Path(paths[5]).read_bytes()
            Path(paths[5]).write_bytes(whole[: len(whole) // 3])
        else:
            size = (150, 140) if change == "another" else (95, 130)
            Pillow.fromarray(images.pixels(*size, 3, seed=77)).save(paths[5])
        for read in (lambda: ds[5], lambda: ds.__getitems__([3, 5])):
            with pytest.raises(DecodeError, match=os.path.basename(paths[5])):
                read()
        assert same(ds[4][0], before[4])
        made = batch_of(filling, range(12))[0]
        assert (made[5] == -1).all()
        assert [path for path, _ in filling.report["failed_later"]] == [paths[5]]
        others = [k for k in range(12) if k != 5]
        assert same(made[others], before[others])


def test_samples_that_failed_are_zeros(tmp_path):
    paths = photographs(tmp_path, 5)
    Path(paths[2]).write_bytes(b"nothing that is an image")
    options = {"transform": [T.RandomHorizontalFlip(), T.Resize((8, 8))], "on_error": "fill"}
    for keep in ("decoded", "encoded"):
        for store in (T.Resize((20, 20)), None):
            with fc.ArenaDataset(Files(paths), store=store, keep=keep, **options) as ds:
                made = batch_of(ds, range(5))
                assert not made[2].any()
                assert made[3].any()
                assert same(made[2], ds[2])


def test_crops_that_are_too_large_for_encoded_samples(tmp_path):
    paths = [*photographs(tmp_path, 2), str(tmp_path / "small.png")]
    Pillow.fromarray(images.pixels(30, 64, 3)).save(paths[2])
    with fc.ArenaDataset(Files(paths), keep="encoded", transform=T.RandomCrop(48)) as ds:
        assert batch_of(ds, [0, 1]).shape == (2, 3, 48, 48)
        with pytest.raises(ArgumentError, match=r"sample 2: RandomCrop.*of 30 x 64 pixels"):
            ds.__getitems__([0, 2])


def test_workers_of_encoded_arenas(tmp_path):
    paths = photographs(tmp_path, 12)
    with fc.ArenaDataset(Files(paths), keep="encoded", transform=RECIPES["random"]) as ds:
        wanted = batch_of(settled(ds), range(12))
        loader = DataLoader(ds, batch_size=12, num_workers=1, multiprocessing_context="fork")
        assert same(next(iter(loader)), wanted)


# -- masks and targets ------------------------------------------------------------------------


def pairs_of(kind, size, transform, count=6, channels=3, **options):
    """Return images and masks whose every pixel says where it was: (y, x, 0) and 8 y + x."""
    sizes = [size] * count if size else [(24 + 3 * k, 31 - k) for k in range(count)]
    pictures, masks = [], []
    for height, width in sizes:
        y, x = np.mgrid[:height, :width]
        picture = np.stack([y, x, y * 0], axis=2)[:, :, :channels]
        pictures.append(picture.astype(np.uint8))
        masks.append((y * 2 + x * 3).astype(kind))
    columns = {
        "image": (Image("uint8", channels, size), pictures),
        "mask": (Mask(kind, size), masks),
        "label": (Scalar("int64"), np.arange(count)),
    }
    structure = {"image": "image", "mask": "mask", "label": "label"}
    ds = ArenaView(make_arena(structure, columns), transform=transform, **options)
    return settled(ds), masks


MOVES = {
    "crop": [T.RandomCrop((11, 13)), T.RandomHorizontalFlip(), T.RandomVerticalFlip()],
    "padded": [T.RandomCrop((40, 41), padding=9, pad_if_needed=True), T.RandomHorizontalFlip()],
}


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("size", [(26, 25), None])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int32", "float32"])
def test_masks_are_moved_as_their_images_are(kind, size, moves):
    """C8: a mask keeps its type, and every pixel stays over the one it belongs to."""
    colours = [T.ColorJitter(0, 0, 0, 0), T.Normalize((0.5,) * 3, (0.5,) * 3)]
    ds, _ = pairs_of(kind, size, MOVES[moves])
    coloured = settled(ds.with_transform([*MOVES[moves], *colours, T.RandomErasing(1.0)]))
    batch = batch_of(ds, range(6))
    assert same(batch["mask"], batch_of(coloured, range(6))["mask"])
    images_, masks = batch["image"].to(torch.int64), batch["mask"].numpy()
    assert masks.dtype == kind
    wanted = (2 * images_[:, 0] + 3 * images_[:, 1]).numpy()  # padding is 0 in both
    assert masks.shape == wanted.shape
    assert np.array_equal(masks.astype(np.int64), wanted)
    for k in range(6):
        assert same(ds[k]["mask"], batch["mask"][k])


class Corners:
    """Stands for places on images: their two corners, moved."""

    def __init__(self, count):
        self.count = count

    def follow(self, maps):
        corners = np.array([[0.5, 0.5], [10.5, 7.5]])  # y, x
        scale = np.stack([maps["scale_y"], maps["scale_x"]], axis=1)
        shift = np.stack([maps["shift_y"], maps["shift_x"]], axis=1)
        assert len(maps) == self.count
        return corners * scale[:, None] + shift[:, None]


class CornersReader(Reader):
    def batch(self, rows):
        return Corners(len(rows))

    def item(self, row):
        raise NotImplementedError

    def gather(self, rows):
        raise NotImplementedError


@pytest.mark.parametrize("size", [(26, 25), None])
def test_places_go_where_their_images_go(size):
    """C5: the middle of pixel (10, 7) is where that pixel is afterwards, in any batch."""
    recipe = [T.RandomHorizontalFlip(), T.RandomVerticalFlip(), T.RandomCrop(90, padding=50)]
    ds, _ = pairs_of("uint8", size, None)
    ds._reader.readers["label"] = CornersReader()
    ds.transform = recipe
    batch = batch_of(ds, range(6))
    for k in range(6):
        y, x = np.floor(batch["label"][k][1]).astype(int)
        assert batch["image"][k, :, y, x].tolist() == [10, 7, 0]
        assert batch["mask"][k, y, x] == 2 * 10 + 3 * 7
        assert np.array_equal(ds[k]["label"], batch["label"][k])
    after = settled(ds.with_transform([*recipe, darker]))
    assert np.array_equal(after.__getitems__([4, 2])[1]["label"], batch["label"][2])
    with pytest.raises(ArgumentError, match="lies on one image"):
        ds.transform = T.MultiCrop([recipe])


def test_views_of_masks():
    """Each view of a mask lies over the same view of its image."""
    ds, _ = pairs_of("uint8", None, [T.MultiCrop([MOVES["crop"], [T.RandomCrop(7)]])])
    batch = batch_of(ds, range(6))
    for image, mask in zip(batch["image"], batch["mask"], strict=True):
        assert torch.equal(mask, 2 * image[:, 0] + 3 * image[:, 1])
    assert [tuple(view.shape) for view in ds[2]["mask"]] == [(11, 13), (7, 7)]


def test_masks_take_the_nearest_pixel():
    """C8: resized labels are labels: Pillow's nearest pixels of the drawn part."""
    ds, masks = pairs_of("uint8", (26, 25), [T.Resize((13, 40)), T.RandomHorizontalFlip(1.0)])
    made = batch_of(ds, range(6))["mask"]
    for k, mask in enumerate(masks):
        resized = Pillow.fromarray(mask).resize((40, 13), Pillow.Resampling.NEAREST)
        assert np.array_equal(made[k].numpy(), np.asarray(resized)[:, ::-1])


@pytest.mark.parametrize("flip", [T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0)])
@pytest.mark.parametrize("keep", ["decoded", "encoded"])
def test_masks_take_the_nearest_pixel_of_what_was_flipped(tmp_path, keep, flip):
    """C8: two labels may be equally near; which one is taken shows what was done first."""
    paths = [str(tmp_path / name) for name in ("image.png", "mask.png")]
    Pillow.fromarray(images.pixels(26, 24, 3)).save(paths[0])
    label = Pillow.fromarray(np.arange(26 * 24, dtype=np.uint8).reshape(26, 24))
    label.save(paths[1])
    recipe = [flip, T.Resize((13, 12)), T.ColorJitter(0.2), flip, T.Resize((26, 40))]
    turn = Pillow.Transpose.FLIP_LEFT_RIGHT if "Horizontal" in flip.name else 1
    for size in ((12, 13), (40, 26)):
        label = label.transpose(turn).resize(size, Pillow.Resampling.NEAREST)
    with fc.ArenaDataset(Pairs([paths[0]], [paths[1]]), transform=recipe, keep=keep) as ds:
        made = ds[0][1]
    assert np.array_equal(made.numpy(), np.asarray(label))


def test_masks_are_padded_with_the_class_of_each_letter_box():
    """A letter box pads what it frames; crops pad masks with 0, whatever images get."""
    first, second = (T.LetterBox(size, mask_fill=k + 5) for k, size in enumerate(((20, 30), 30)))
    pad = T.RandomCrop(40, padding=5, fill=9)
    chain, views = (
        [first, second, pad],
        [T.MultiCrop([[first], [second]])],
    )
    ds, _ = pairs_of("uint16", (20, 10), chain)
    mask = batch_of(ds, [0])["mask"][0].to(torch.int64)
    assert [int(mask[y, x]) for y, x in ((0, 20), (7, 20), (20, 7))] == [0, 6, 5]
    ds, _ = pairs_of("uint8", (20, 10), views)
    corners = [int(view[0, 0, 0]) for view in batch_of(ds, [0])["mask"]]
    assert corners == [5, 6]


def test_masks_are_padded_with_their_own_class():
    ds, _ = pairs_of("uint8", (20, 10), [T.LetterBox(32, fill=114, mask_fill=255)])
    batch = batch_of(ds, [0, 1])
    border = batch["mask"][0, 0, 0], batch["image"][0, 0, 0, 0]
    assert [int(value) for value in border] == [255, 114]
    with pytest.raises(ArgumentError, match="leave out mask_fill=255"):
        pairs_of("int32", (20, 10), [T.LetterBox(32, mask_fill=255)])


def test_masks_stay_where_nothing_moves():
    ds, masks = pairs_of("int64", (26, 25), [T.Normalize((0.5,), (0.5,))])
    assert np.array_equal(batch_of(ds, range(6))["mask"].numpy(), np.stack(masks))
    with pytest.raises(ArgumentError, match="up to 4 bytes"):
        ds.transform = [T.RandomHorizontalFlip()]


def test_masks_of_other_sizes_are_refused():
    """A pair that does not fit is told: when it is given, or with the sample's number."""
    columns = {
        "image": (Image("uint8", 3, (8, 8)), np.zeros((2, 8, 8, 3), np.uint8)),
        "mask": (Mask("uint8", (8, 9)), np.zeros((2, 8, 9), np.uint8)),
    }
    with pytest.raises(ArgumentError, match="'mask' is 8 x 9 pixels and 'image' 8 x 8"):
        ArenaView(make_arena(("image", "mask"), columns), transform=T.RandomHorizontalFlip())
    columns = {
        "image": (Image("uint8", 3), rows_of_sizes([(8, 8, 3), (7, 8, 3)], "uint8")),
        "mask": (Mask("uint8"), rows_of_sizes([(8, 8), (7, 9)], "uint8")),
    }
    ds = ArenaView(make_arena(("image", "mask"), columns), transform=T.RandomCrop(4))
    assert ds[0][1].shape == (4, 4)
    for read in (lambda: ds[1], lambda: ds.__getitems__([0, 1])):
        with pytest.raises(ArgumentError, match="sample 1: 'mask' is 7 x 9 pixels and 'image' 7 x"):
            read()


@pytest.mark.parametrize("target", ["mask", "image"])
@pytest.mark.parametrize("keep", ["decoded", "encoded"])
def test_pairs_of_files(tmp_path, target, keep):
    """C8: pairs of files; a target image keeps its colours, and follows the geometry."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    for k in range(6):
        picture = images.pixels(40, 36 + k, 3, seed=k)
        Pillow.fromarray(picture).save(tmp_path / "in" / f"{k}.png")
        other = 255 - picture if target == "image" else picture[:, :, 0]
        Pillow.fromarray(other).save(tmp_path / "out" / f"{k}.png")
    recipe = [T.RandomCrop((20, 17)), T.RandomHorizontalFlip(), T.RandomVerticalFlip()]
    source = Pairs(tmp_path / "in", tmp_path / "out", target)
    with fc.ArenaDataset(source, transform=recipe, keep=keep) as ds:
        if keep == "encoded":
            shutil.rmtree(tmp_path / "in")
        plain, moved = batch_of(settled(ds), range(6))
        wanted = 255 - plain if target == "image" else plain[:, 0]
        assert same(moved, wanted)
        coloured = settled(ds.with_transform([*recipe, T.ColorJitter(0.9), T.Normalize(MEAN, STD)]))
        assert same(batch_of(coloured, range(6))[1], moved)
        after = settled(ds.with_transform([*recipe, darker], target_transform=np.asarray))
        made, seen = after.__getitems__([3])[0]
        assert same(made, plain[3].permute(1, 2, 0) // 2)
        assert np.array_equal(seen, moved[3].permute(1, 2, 0) if target == "image" else moved[3])
        assert np.array_equal(after[3][1], seen)
        assert as_pillow(plain[3]).size == (17, 20)
        rows = settled(ds.with_transform([*recipe, T.Layout("NHWC")], target_transform=np.asarray))
        made, seen = rows.__getitems__([3])[0]
        assert same(made, plain[3].permute(1, 2, 0))
        assert np.array_equal(seen, moved[3].permute(1, 2, 0) if target == "image" else moved[3])
