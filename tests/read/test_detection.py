"""Images with boxes from the source to the batch: what a detector's training loop is given."""

import pickle
from pathlib import Path

import images
import numpy as np
import pytest
import torch
from detection import coco_json, expected, make_yolo, write_coco
from forged_arenas import manifest_of, write_manifest
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArenaFormatError, DecodeError, SchemaError
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Coco, Yolo
from fastcache.transforms.steps import MAP

COUNTS = [3, 0, -1, 7, 1, 2, 0, 5]
STORES = [None, T.LetterBox(48), [T.Resize(40), T.CenterCrop(32)], T.Resize(20)]


@pytest.fixture
def known(tmp_path):
    return make_yolo(tmp_path, COUNTS)


def operations(store):
    return T.normalize_store(store)


def wanted(one, store, least=0.1):
    """Return boxes and labels of one image as tensors."""
    left = expected(one["boxes"], *one["size"], operations(store), least)
    boxes = torch.tensor([box for _, box in left], dtype=torch.float32).reshape(-1, 4)
    return boxes, torch.tensor([label for label, _ in left], dtype=torch.int64)


def check_target(target, one, store, least=0.1):
    boxes, labels = wanted(one, store, least)
    assert target["boxes"].dtype == torch.float32
    assert target["labels"].dtype == torch.int64
    torch.testing.assert_close(target["boxes"], boxes, rtol=1e-5, atol=1e-4)
    assert target["labels"].tolist() == labels.tolist()


def rows_wanted(some, store, form, sizes):
    """Return the (n, 6) tensor of a batch, one row after the other."""
    rows = []
    for k, (one, (height, width)) in enumerate(zip(some, sizes, strict=True)):
        for box, label in zip(*wanted(one, store), strict=True):
            x1, y1, x2, y2 = box.tolist()
            place = [x1, y1, x2, y2]
            if form == "yolo":
                place = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height]
                place += [(x2 - x1) / width, (y2 - y1) / height]
            rows.append([k, int(label), *place])
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)


@pytest.mark.parametrize(
    ("store", "keep"), [*((store, "decoded") for store in STORES), (STORES[3], "encoded")], ids=repr
)
def test_samples(tmp_path, known, store, keep):
    """D7: boxes lie on the image as it is kept."""
    with fc.ArenaDataset(Yolo(tmp_path / "images"), store=store, keep=keep) as ds:
        for k, one in enumerate(known):
            image, target = ds[k]
            assert set(target) == {"boxes", "labels"}
            assert target.size == tuple(image.shape[1:])
            check_target(target, one, store)


@pytest.mark.parametrize(
    ("store", "keep", "form"),
    [
        (STORES[0], "decoded", "yolo"),
        (STORES[1], "decoded", "yolo"),
        (STORES[2], "encoded", "xyxy"),
        (STORES[3], "encoded", "yolo"),
    ],
    ids=repr,
)
def test_batches_as_one_tensor(tmp_path, known, store, keep, form):
    """D7: the image's number in column 0."""
    with fc.ArenaDataset(Yolo(tmp_path / "images", boxes=form), store=store, keep=keep) as ds:
        picked = [7, 1, 0, 3, 3]
        pictures, rows = fc.collate(ds.__getitems__(picked))
        sizes = [tuple(picture.shape[1:]) for picture in pictures]
        want = rows_wanted([known[k] for k in picked], store, form, sizes)
        assert rows.dtype == torch.float32
        torch.testing.assert_close(rows, want, rtol=1e-5, atol=1e-4)
        again = fc.collate([ds[k] for k in picked])[1]  # sample by sample, as under a callable
        assert torch.equal(rows, again)
        assert ds.__getitems__([1, 2])[1][1]["boxes"].shape == (0, 4)
        assert fc.collate(ds.__getitems__([1, 2]))[1].shape == (0, 6)


@pytest.mark.parametrize("workers", [0, 2])
def test_lists_under_a_plain_loader(tmp_path, known, workers):
    """D7: what torchvision's detection models take."""
    with fc.ArenaDataset(Yolo(tmp_path / "images"), store=T.LetterBox(48)) as ds:
        seen = 0
        for pictures, targets in DataLoader(ds, batch_size=3, num_workers=workers):
            assert pictures.shape[1:] == (3, 48, 48)
            assert [type(target) for target in targets] == [dict] * len(pictures)
            for target in targets:
                check_target(target, known[seen], T.LetterBox(48))
                seen += 1
        assert seen == len(known)


def test_a_callable_per_sample_under_a_plain_loader(tmp_path, known):
    """torch's own collate meets the samples one by one, and boxes of different numbers."""
    source = Yolo(tmp_path / "images", boxes="xyxy")
    with fc.ArenaDataset(source, store=T.LetterBox(48), transform_input="tensor") as ds:
        whole = [rows for _, rows in DataLoader(ds, batch_size=4)]
        bright = ds.with_transform(lambda image: image // 2)
        for k, (pictures, rows) in enumerate(DataLoader(bright, batch_size=4)):
            assert pictures.shape[1:] == (3, 48, 48)
            assert torch.equal(rows, whole[k])
        fewer = ds.with_transform(None, target_transform=lambda target: len(target["boxes"]))
        counts = torch.cat([n for _, n in DataLoader(fewer, batch_size=4)])
        assert counts.tolist() == [max(n, 0) for n in COUNTS]


def test_boxes_that_were_changed_are_collated_as_they_are(tmp_path, known):
    with fc.ArenaDataset(Yolo(tmp_path / "images", boxes="xyxy"), store=T.LetterBox(48)) as ds:
        samples = list(ds.__getitems__([0, 3]))
        samples[0][1]["boxes"] = samples[0][1]["boxes"][:1] + 1
        samples[0][1]["labels"] = samples[0][1]["labels"][:1]
        rows = fc.collate(samples)[1]
        assert rows[:, 0].tolist() == [0, *[1] * 7]
        torch.testing.assert_close(rows[0, 2:], ds[0][1]["boxes"][0] + 1)


def test_coco(tmp_path, known):
    """D7"""
    ids = [80, 3, 5, 9, 11, 70, 60, 2]
    path = write_coco(tmp_path / "a.json", coco_json(known, ids))
    source = Coco(path, tmp_path / "images" / "train")
    with fc.ArenaDataset(source, store=T.LetterBox(48)) as ds:
        assert ds.classes == ["cat", "dog", "cow"]
        assert ds.class_to_idx["cow"] == 2
        assert ds.category_ids == [7, 17, 27]
        order = sorted(range(8), key=ids.__getitem__)
        for row, k in enumerate(order):
            target = ds[row][1]
            assert target["image_id"] == ids[k]
            check_target(target, known[k], T.LetterBox(48))
        targets = fc.collate(ds.__getitems__([0, 7]))[1]
        assert [target["image_id"] for target in targets] == [2, 80]


@pytest.mark.parametrize("form", ["list", "yolo"])
def test_saved_and_opened(tmp_path, known, form):
    """D7"""
    source, store = Yolo(tmp_path / "images", boxes=form), T.Resize(30)
    with fc.ArenaDataset(source, store=store) as ds:
        ds.save(tmp_path / "a.arena")
        batch = fc.collate(ds.__getitems__([3, 0]))[1]
        assert ds.arrays["boxes"][0].shape == (3, 4)  # an ordinary ragged column
    assert fc.verify(tmp_path / "a.arena")
    with fc.open(tmp_path / "a.arena") as again, pickle.loads(pickle.dumps(again)) as copy:
        for ds in (again, copy):
            for k, one in enumerate(known):
                check_target(ds[k][1], one, store)
        opened = fc.collate(copy.__getitems__([3, 0]))[1]
        assert str(opened) == str(batch)


def test_packed_into_files(tmp_path, known):
    source, store = Yolo(tmp_path / "images"), T.LetterBox(48)
    for _ in range(2):
        with fc.ArenaDataset(source, store=store, cache_dir=tmp_path / "cache") as ds:
            for k, one in enumerate(known):
                check_target(ds[k][1], one, store)
    label = tmp_path / "labels" / "train" / "000.txt"
    label.write_text("0 0.5 0.5 1 1\n")
    again = Yolo(tmp_path / "images")
    with fc.ArenaDataset(again, store=store, cache_dir=tmp_path / "cache") as ds:
        assert len(ds[0][1]["boxes"]) == 1  # noticed, and built anew


def test_packed_into_many_shards(tmp_path):
    """D7: boxes lie in the shards of their images."""
    known = make_yolo(tmp_path, [k % 4 for k in range(50)])
    store = T.LetterBox(48)
    path = tmp_path / "x.arena"
    options = FillOptions(store=store)
    pack_arena(Yolo(tmp_path / "images", boxes="xyxy"), options, path, {}, shard_bytes=65536)
    with fc.open(path) as ds:
        assert len(list(path.glob("*shard*"))) > 3
        for k, one in enumerate(known):
            check_target(ds[k][1], one, store)
        rows = fc.collate(ds.__getitems__(range(50)))[1]
        want = rows_wanted(known, store, "xyxy", [(48, 48)] * 50)
        torch.testing.assert_close(rows, want, rtol=1e-5, atol=1e-4)


def test_pickled_samples_and_batches(tmp_path, known):
    with fc.ArenaDataset(Yolo(tmp_path / "images", boxes="yolo"), store=T.LetterBox(48)) as ds:
        batch = ds.__getitems__([0, 3])
        rows = fc.collate(batch)[1]
        assert torch.equal(fc.collate(pickle.loads(pickle.dumps(batch)))[1], rows)
        single = DataLoader(ds, batch_size=None, num_workers=1, sampler=[3, 0])
        targets = [target for _, target in single]
        assert [len(target["boxes"]) for target in targets] == [7, 3]
        assert targets[0].size == (48, 48)


def test_arena_loader(tmp_path, known):
    with fc.ArenaDataset(Yolo(tmp_path / "images", boxes="xyxy"), store=T.LetterBox(48)) as ds:
        plain = list(DataLoader(ds, batch_size=3))
        for a, b in zip(fc.ArenaLoader(ds, batch_size=3), plain, strict=True):
            assert torch.equal(a[0], b[0])
            assert torch.equal(a[1], b[1])


def test_output_dict(tmp_path, known):
    with fc.ArenaDataset(
        Yolo(tmp_path / "images", boxes="xyxy"), store=T.LetterBox(48), output="dict"
    ) as ds:
        assert set(ds[0]) == {"image", "target"}
        check_target(ds[0]["target"], known[0], T.LetterBox(48))
        assert fc.collate(ds.__getitems__([0, 1]))["target"].shape == (3, 6)


def test_a_dataset_without_any_box(tmp_path):
    known = make_yolo(tmp_path, [0, 0, 0])
    for form, shape in (("list", None), ("yolo", (0, 6))):
        with fc.ArenaDataset(Yolo(tmp_path / "images", boxes=form), store=T.LetterBox(32)) as ds:
            check_target(ds[1][1], known[1], None)
            batch = fc.collate(ds.__getitems__([0, 1, 2]))[1]
            assert len(batch) == 3 if shape is None else batch.shape == shape
            ds.save(tmp_path / f"{form}.arena")
        with fc.open(tmp_path / f"{form}.arena") as ds:
            check_target(ds[2][1], known[2], None)


def test_visibility_and_what_the_report_says(tmp_path, known):
    """D7: boxes of which too little is left are dropped, and counted."""
    store = [T.Resize(40), T.CenterCrop(12)]
    whole = sum(len(one["boxes"]) for one in known)
    for least in (0.0, 0.5, 1.0):
        with fc.ArenaDataset(Yolo(tmp_path / "images", min_visibility=least), store=store) as ds:
            for k, one in enumerate(known):
                check_target(ds[k][1], one, store, least)
            kept = sum(len(target["boxes"]) for _, target in ds)
            assert ds.report["columns"]["boxes"]["dropped_boxes"] == whole - kept
            assert ("boxes dropped" in str(ds.report)) == (kept < whole)
    assert kept < whole


@pytest.mark.parametrize("on_error", ["raise", "skip", "fill"])
def test_bad_labels_and_bad_images(tmp_path, known, on_error):
    (tmp_path / "labels" / "train" / "003.txt").write_text("0 .5 .5 .1 .1\n0 9 9 9 9\n")
    cut = tmp_path / "images" / "train" / "005.png"
    cut.write_bytes(cut.read_bytes()[:-60])
    options = {"store": T.LetterBox(48), "on_error": on_error}
    if on_error == "raise":
        with pytest.raises(DecodeError, match=r"003\.txt: line 2: places must be shares"):
            fc.ArenaDataset(Yolo(tmp_path / "images"), **options)
        return
    with fc.ArenaDataset(Yolo(tmp_path / "images"), **options) as ds:
        assert [Path(path).name for path, _ in ds.report.failed] == ["003.txt", "005.png"]
        left = [one for k, one in enumerate(known) if on_error == "fill" or k not in (3, 5)]
        assert len(ds) == len(left)
        for (image, target), one in zip(ds, left, strict=True):
            if one in (known[3], known[5]):
                assert not image.any()
                assert target["boxes"].shape == (0, 4)
                assert target["labels"].shape == (0,)
            else:
                check_target(target, one, T.LetterBox(48))


def test_images_of_another_size_than_the_file_says(tmp_path, known):
    told = coco_json(known, list(range(8)))
    turned = next(image for image in told["images"] if image["id"] == 3)
    turned["width"], turned["height"] = turned["height"], turned["width"]
    other = next(image for image in told["images"] if image["id"] == 4)
    other["width"] += 1
    path, folder = write_coco(tmp_path / "a.json", told), tmp_path / "images" / "train"
    with pytest.raises(DecodeError, match=r'003.png: has .* pass exif="apply"\n.*004.png: has'):
        fc.ArenaDataset(Coco(path, folder))
    with fc.ArenaDataset(Coco(path, folder, check_sizes=False)) as ds:
        check_target(ds[4][1], known[4], None)


def test_exif(tmp_path, known):
    """Boxes count from the image as it is read: turned only where exif="apply" turns it."""
    path = tmp_path / "images" / "train" / "000.png"
    picture = images.photo(30, 60)
    exif = picture.getexif()
    exif[0x0112] = 6  # is shown 60 high and 30 wide
    path.unlink()
    picture.save(path.with_suffix(".jpg"), exif=exif)
    (tmp_path / "labels" / "train" / "000.txt").write_text("1 0.5 0.25 0.2 0.1\n")
    for exif_, want, ignored in (
        ("ignore", [24.0, 6.0, 36.0, 9.0], 1),
        ("apply", [12.0, 12.0, 18.0, 18.0], 0),
    ):
        with fc.ArenaDataset(Yolo(tmp_path / "images"), exif=exif_) as ds:
            torch.testing.assert_close(ds[0][1]["boxes"], torch.tensor([want]))
            assert ds.report["columns"]["boxes"]["turned_images"] == ignored


def test_limit_shard_and_appending(tmp_path, known):
    store = T.LetterBox(48)
    with fc.ArenaDataset(Yolo(tmp_path / "images"), store=store, limit=4) as ds:
        check_target(ds[3][1], known[3], store)
        ds.save(tmp_path / "a.arena")
    parts = []
    for rank in range(2):
        with fc.ArenaDataset(Yolo(tmp_path / "images"), store=store, shard=(rank, 2)) as ds:
            parts += [len(target["boxes"]) for _, target in ds]
    assert sorted(parts) == sorted(max(n, 0) for n in COUNTS)
    with fc.open(tmp_path / "a.arena", mode="r+") as editor:
        editor.append(Yolo(tmp_path / "images"))
        editor.commit()
    with fc.open(tmp_path / "a.arena") as ds:
        assert len(ds) == 12
        check_target(ds[4 + 7][1], known[7], store)
        boxes = [np.ones((len(row), 5), np.float32) for row in ds.arrays["boxes"]]
    with fc.open(tmp_path / "a.arena", mode="r+") as editor:
        editor.put("boxes", boxes)
        editor.commit()
    with fc.open(tmp_path / "a.arena") as ds, pytest.raises(SchemaError, match="put boxes"):
        ds[0]


def test_a_catalogue_that_was_changed_is_refused(tmp_path, known):
    with fc.ArenaDataset(Yolo(tmp_path / "images"), store=T.LetterBox(48)) as ds:
        ds.save(tmp_path / "a.arena")
    told = manifest_of(tmp_path / "a.arena")
    detection = told["catalog"]["attributes"]["detection"]
    target = told["catalog"]["structure"]["tuple"][1]["dict"]
    for change in (
        lambda: detection.update(form="lost"),
        lambda: detection.update(form="list", min_visibility=7),
        lambda: detection.pop("min_visibility"),
        lambda: detection.update(min_visibility=0.1, image=["image"]),
        lambda: (detection.update(image="image"), target.update(more="missing")),
    ):
        change()
        write_manifest(tmp_path / "a.arena", told)
        with pytest.raises(ArenaFormatError, match="no dataset can have filled"):
            fc.open(tmp_path / "a.arena")


def test_follow_what_a_read_job_does(tmp_path, known):
    """D7: what a recipe's maps make of a batch's boxes."""
    with fc.ArenaDataset(Yolo(tmp_path / "images", boxes="xyxy"), store=T.LetterBox(48)) as ds:
        batch = ds._reader.readers_over(ds._pipeline)["boxes"].gather(np.array([3, 1, 0])).values
    maps = np.zeros(3, MAP)
    maps["scale_x"], maps["shift_x"], maps["scale_y"], maps["shift_y"] = -0.5, 24, 0.5, -2
    maps["h"], maps["w"] = maps["seen_y"][:, 1], maps["seen_x"][:, 1] = 20, 24
    moved = batch.follow(maps)
    assert moved.sizes.tolist() == [[20, 24]] * 3
    want = []
    for k, n in enumerate((3, 1, 0)):
        for box, label in zip(*wanted(known[n], T.LetterBox(48)), strict=True):
            x1, y1, x2, y2 = box.tolist()
            whole = (24 - x2 / 2, y1 / 2 - 2, 24 - x1 / 2, y2 / 2 - 2)
            cut = (whole[0], max(whole[1], 0), whole[2], min(whole[3], 20))
            if cut[3] - cut[1] >= 0.1 * (whole[3] - whole[1]):
                want.append([k, int(label), *cut])
    torch.testing.assert_close(moved.collated(), torch.tensor(want), rtol=1e-5, atol=1e-4)
