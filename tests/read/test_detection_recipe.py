"""Boxes under operations that run on each read: they lie where the pixels have gone."""

import images
import numpy as np
import pytest
import torch
from detection import make_yolo
from PIL import Image
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.sources import Yolo

COUNT, SIDE = 24, 64
RECIPE = [
    T.RandomResizedCrop(SIDE, scale=(0.2, 1.0), interpolation="nearest"),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
]


@pytest.fixture
def painted(tmp_path):
    """Black images with a white rectangle each, and a label that says where."""
    rng = np.random.default_rng(7)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for k in range(COUNT):
        height, width = (int(n) for n in rng.integers(60, 120, 2))
        x1, y1 = (int(rng.integers(0, side // 2)) for side in (width, height))
        x2, y2 = x1 + int(rng.integers(10, width // 2)), y1 + int(rng.integers(10, height // 2))
        image = Image.new("RGB", (width, height))
        image.paste((255, 255, 255), (x1, y1, x2, y2))
        (tmp_path / "images" / f"{k:02}.png").write_bytes(images.encode(image, "PNG"))
        centre = f"{(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height}"
        size = f"{(x2 - x1) / width} {(y2 - y1) / height}"
        (tmp_path / "labels" / f"{k:02}.txt").write_text(f"{k} {centre} {size}\n")
    return tmp_path / "images"


def check_lies_on(image, boxes, within=1.01):
    """See that a box surrounds the white pixels; there is none where hardly any are left."""
    ys, xs = np.nonzero(image[0].numpy() > 127)
    if len(boxes) == 0:
        assert xs.size == 0 or min(np.ptp(xs), np.ptp(ys)) <= within
        return 0
    if xs.size == 0:  # a sliver between two pixels
        assert float((boxes[0, 2:] - boxes[0, :2]).min()) <= within
        return 0
    found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    np.testing.assert_allclose(boxes[0].numpy(), found, atol=within)
    return 1


def options(keep):
    return {"transform": RECIPE, "keep": keep, "seed": 3}


@pytest.mark.parametrize("keep", ["decoded", "encoded"])
@pytest.mark.parametrize("store", [None, [T.Resize(50, "nearest"), T.CenterCrop(48)]], ids=repr)
def test_boxes_lie_where_the_pixels_went(painted, store, keep):
    """D7"""
    source = Yolo(painted, min_visibility=0.0)
    with fc.ArenaDataset(source, store=store, **options(keep)) as ds:
        # Where pixels were moved twice, the first rounding is magnified by the second.
        seen, corners, within = 0, [], 1.01 if store is None else 2.7
        for epoch in range(3):
            ds.set_epoch(epoch)
            pictures, targets = fc.collate(ds.__getitems__(range(COUNT)))
            assert pictures.shape == (COUNT, 3, SIDE, SIDE)
            for picture, target in zip(pictures, targets, strict=True):
                seen += check_lies_on(picture, target["boxes"], within)
            corners.append(str(targets))
        assert seen > COUNT
        assert len(set(corners)) == 3  # crops differ from epoch to epoch, and boxes with them


@pytest.mark.parametrize("keep", ["decoded", "encoded"])
@pytest.mark.parametrize(
    "recipe",
    [
        [T.CenterCrop(40), T.RandomCrop(96, padding=28)],
        [
            T.RandomResizedCrop(30, interpolation="nearest"),
            T.CenterCrop(50),
            T.RandomVerticalFlip(1),
        ],
        [T.RandomCrop((30, 50)), T.LetterBox(64, 0, "nearest"), T.RandomHorizontalFlip()],
    ],
    ids=repr,
)
def test_boxes_do_not_lie_on_padding(painted, recipe, keep):
    """D7: what was cut off does not come back where padding follows."""
    with fc.ArenaDataset(Yolo(painted, min_visibility=0.0), transform=recipe, keep=keep) as ds:
        pictures, targets = fc.collate(ds.__getitems__(range(COUNT)))
        pairs = zip(pictures, targets, strict=True)
        seen = sum(check_lies_on(picture, target["boxes"], 1.6) for picture, target in pairs)
    assert seen > COUNT // 2


@pytest.mark.parametrize("form", ["xyxy", "yolo"])
def test_one_tensor_under_loaders(painted, form):
    """D7: boxes and images have the same random numbers, whoever makes the batch."""
    batches = []
    with fc.ArenaDataset(Yolo(painted, boxes=form), **options("decoded")) as ds:
        for workers in (0, 2):
            ds.set_epoch(1)
            loader = DataLoader(ds, batch_size=10, num_workers=workers)
            batches.append(list(loader))
        ds.set_epoch(1)
        single = [ds[k] for k in range(COUNT)]
    for (a, rows), (b, again) in zip(*batches, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(rows, again)
        for row in rows:
            x1, y1, x2, y2 = row[2:].tolist()
            if form == "yolo":
                (x, y, w, h) = (n * SIDE for n in (x1, y1, x2, y2))
                x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
            check_lies_on(a[int(row[0])], torch.tensor([[x1, y1, x2, y2]]))
    together = torch.cat([rows[:, 1:] for _, rows in batches[0]])
    assert torch.equal(torch.cat([fc.collate([one])[1][:, 1:] for one in single]), together)


def test_python_after_the_recipe(painted):
    with fc.ArenaDataset(Yolo(painted), **options("decoded"), transform_input="tensor") as ds:
        ds.set_epoch(2)
        whole = fc.collate(ds.__getitems__(range(COUNT)))
        ds.set_epoch(2)
        darker = ds.with_transform([*RECIPE, lambda image: image // 2])
        pictures, targets = fc.collate(darker.__getitems__(range(COUNT)))
        assert torch.equal(pictures, whole[0] // 2)
        assert str(targets) == str(whole[1])


def test_sizes_that_differ_and_colours_only(painted):
    with fc.ArenaDataset(Yolo(painted, boxes="yolo"), transform=T.ColorJitter(0.2)) as ds:
        plain = fc.collate(ds.with_transform(None).__getitems__([3, 4, 5]))
        pictures, rows = fc.collate(ds.__getitems__([3, 4, 5]))
        assert [p.shape for p in pictures] == [p.shape for p in plain[0]]
        assert torch.equal(rows, plain[1])
    with fc.ArenaDataset(Yolo(painted, boxes="yolo"), transform=T.Resize(40)) as ds:
        pictures, again = fc.collate(ds.__getitems__([3, 4, 5]))
        assert [min(picture.shape[1:]) for picture in pictures] == [40] * 3
        torch.testing.assert_close(again, rows, rtol=0, atol=1e-6)  # shares stay what they are


def test_letterbox_on_read_is_that_of_the_store(tmp_path):
    make_yolo(tmp_path, [3, 0, 5, 2])
    source = Yolo(tmp_path / "images", boxes="xyxy")
    with (
        fc.ArenaDataset(source, store=T.LetterBox(48)) as stored,
        fc.ArenaDataset(source, transform=T.LetterBox(48)) as read,
    ):
        a, b = (fc.collate(ds.__getitems__(range(4))) for ds in (stored, read))
        assert torch.equal(a[0], b[0])
        torch.testing.assert_close(a[1], b[1], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        (T.MultiCrop([RECIPE, RECIPE]), "MultiCrop makes several views"),
        ([T.RandomResizedCrop(32), T.CutMix(num_classes=3)], "CutMix.* makes one image of two"),
    ],
)
def test_what_boxes_cannot_follow(painted, transform, why):
    with pytest.raises(ArgumentError, match=why):
        fc.ArenaDataset(Yolo(painted), transform=transform)


def test_what_cannot_be_done_to_a_sample(painted):
    with (
        fc.ArenaDataset(Yolo(painted), transform=T.RandomCrop(100)) as ds,
        pytest.raises(ArgumentError, match="cannot be done to"),
    ):
        ds.__getitems__(range(COUNT))
