"""Datasets whose images are not all kept decoded: the same samples, only slower."""

import hashlib
import logging
import os
import pickle
import shutil
from pathlib import Path

import images
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError, BudgetError, DecodeError, NotKeptError
from fastcache.fill.images.kept import stamp_of
from fastcache.sources import Arrays, Files, Pairs

SHARES = [1.0, 0.5, 0.1, 0.0]
STORES = {"own sizes": None, "one size": [T.Resize(40), T.CenterCrop(32)]}


def digest(ds, **loader):
    """Return a hash of every tensor of an epoch in order."""
    found = hashlib.sha256()

    def add(value):
        if isinstance(value, torch.Tensor):
            found.update(f"{value.dtype}{tuple(value.shape)}".encode())
            found.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, list | tuple):
            for part in value:
                add(part)
        else:
            found.update(repr(value).encode())

    for index in range(len(ds)):
        add(ds[index])
    for batch in DataLoader(ds, batch_size=3, collate_fn=fc.collate, **loader):
        add(batch)
    return found.hexdigest()


@pytest.fixture
def every_kind(tmp_path, jpeg_kinds) -> Files:
    """Files of everything: JPEGs of all kinds, other formats, .npy, and some that weigh more."""
    kinds = {**jpeg_kinds, **images.other_kinds()}
    paths = images_of_one_size(tmp_path, 10, (300, 300))
    for k, (name, data) in enumerate(kinds.items()):
        path = tmp_path / f"{k:03d}-{name.replace(':', '').replace('/', '-')}.bin"
        path.write_bytes(data)
        paths.append(str(path))
    np.save(tmp_path / "array.npy", images.pixels(50, 61, 3))
    return Files([*paths, tmp_path / "array.npy"], range(len(paths) + 1))


def budget_for(ds, share, more=100_000):
    """Return a budget with room for a share of the pixels, and for some tables."""
    pixels = sum(c.bytes for c in ds.plan.columns)
    return ds.plan.need_bytes - int((1 - share) * pixels) + more


@pytest.mark.parametrize("on_error", ["raise", "skip", "fill"])
@pytest.mark.parametrize("store", STORES)
def test_any_budget_gives_the_same_samples(every_kind, store, on_error):
    """A8, F3: digests at 100, 50, 10 and 0 % of the need are equal, and encoded ones too."""
    options = {"store": STORES[store], "on_error": on_error, "threads": 1}
    with fc.ArenaDataset(every_kind, **options) as whole:
        expected = digest(whole)
        more = 45_000  # for the tables
        if on_error == "skip":  # and to verify in
            more += 32 * 32 * 3 if whole[0][0].shape[1] == 32 else 300 * 300 * 3
        for share in SHARES:
            budget = budget_for(whole, share, more)
            with fc.ArenaDataset(every_kind, **options, budget=budget) as ds:
                kept = ds.report["columns"]["image"].get("kept")
                assert (kept is None) == (share == 1.0)
                assert digest(ds) == expected
        with fc.ArenaDataset(every_kind, **options, keep="encoded") as ds:
            kept = ds.report["columns"]["image"]["kept"]
            assert (kept["decoded"], kept["absent"]) == (0, 1)  # the .npy file stays where it is
            assert digest(ds) == expected


def test_a_budget_decides_how_many_are_decoded(tmp_path):
    """A2, F3: "auto" keeps what fits, says so, and stays within what it was given."""
    paths = images_of_one_size(tmp_path, 40)
    with fc.ArenaDataset(Files(paths), threads=1) as whole:
        row = 64 * 64 * 3
        budget = whole.plan.need_bytes - 20 * row + 100_000
    with fc.ArenaDataset(Files(paths), threads=1, budget=budget) as ds:
        kept = ds.report["columns"]["image"]["kept"]
        assert ds.plan.need_bytes <= budget
        assert kept["decoded"] + kept["encoded"] + kept["absent"] == 40
        assert 20 <= kept["decoded"] < 40
        assert ds.report["keep"] == "mixed"
        assert f"{kept['decoded']} decoded" in str(ds.report)


def images_of_one_size(folder, count, size=(64, 64)):
    paths = []
    for k in range(count):
        path = folder / f"{k:03d}.jpg"
        Image.fromarray(images.pixels(*size, 3, seed=k)).save(path, quality=90)
        paths.append(str(path))
    return paths


def test_decoded_that_does_not_fit_is_an_error(tmp_path):
    """A2: an explicit wish is an error with need, have and remedies."""
    paths = images_of_one_size(tmp_path, 40)
    for keep in ("decoded", "encoded"):
        with pytest.raises(BudgetError, match="needed.*may be used"):
            fc.ArenaDataset(Files(paths), keep=keep, budget=50_000)
    with pytest.raises(ArgumentError, match="no image files"):
        fc.ArenaDataset(Arrays(np.zeros((3, 2))), keep="encoded")


def test_encoded_needs_no_files_any_more(tmp_path):
    """D2: encoded samples live in the arena."""
    (tmp_path / "photos").mkdir()
    paths = images_of_one_size(tmp_path / "photos", 8)
    with fc.ArenaDataset(Files(paths)) as whole:
        expected = digest(whole)
    with fc.ArenaDataset(Files(paths), keep="encoded") as ds:
        shutil.rmtree(tmp_path / "photos")
        assert ds.report["keep"] == "encoded"
        assert digest(ds) == expected


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_workers_see_the_same(tmp_path, context):
    paths = images_of_one_size(tmp_path, 30, (200, 200))
    with fc.ArenaDataset(Files(paths, list(range(30)))) as whole:
        expected = digest(whole)
        need = whole.plan.need_bytes
    budget = need - 15 * 200 * 200 * 3 + 100_000
    with fc.ArenaDataset(Files(paths, list(range(30))), budget=budget) as ds:
        assert ds.report["keep"] == "mixed"
        assert digest(ds, num_workers=2, multiprocessing_context=context) == expected
        assert len(pickle.dumps(ds)) < 4096


def test_relative_paths_are_those_of_the_fill(tmp_path, monkeypatch):
    images_of_one_size(tmp_path, 10)
    monkeypatch.chdir(tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.jpg"))
    with fc.ArenaDataset(Files(names), threads=1) as whole:
        expected = digest(whole)
        budget = budget_for(whole, 0.0, 20_000)
    with fc.ArenaDataset(Files(names), threads=1, budget=budget) as ds:
        assert ds.report["columns"]["image"]["kept"]["absent"]
        monkeypatch.chdir("/")
        assert digest(ds) == expected


def absent(paths, **options):
    """Return a dataset of which nothing is kept."""
    source, store = Files(paths, list(range(len(paths)))), options.get("store")
    with fc.ArenaDataset(source, threads=1, store=store) as whole:
        more = 150 * 150 * 3 if options.get("on_error") == "skip" else 0  # to verify in
        budget = budget_for(whole, 0.0, 8_000 + more)
    unread = fc.ArenaDataset(source, threads=1, budget=budget, **options)
    kept = unread.report["columns"]["image"]["kept"]
    assert kept["decoded"] + kept["encoded"] == 0
    return unread


@pytest.mark.parametrize("on_error", ["skip", "fill"])
def test_a_file_that_breaks_later_is_zeros_and_reported(tmp_path, caplog, on_error):
    paths = images_of_one_size(tmp_path, 12, (150, 150))
    with absent(paths, on_error=on_error) as ds:
        gone, cut = 3, 7
        os.unlink(paths[gone])
        Path(paths[cut]).write_bytes(Path(paths[cut]).read_bytes()[:400])
        with caplog.at_level(logging.WARNING, "fastcache"):
            (batch, labels) = fc.collate(ds.__getitems__(list(range(12))))
        assert labels.tolist() == list(range(12))
        for k in range(12):
            assert bool(batch[k].any()) == (k not in (gone, cut))
        failed = dict(ds.report["failed_later"])
        assert set(failed) == {paths[gone], paths[cut]}
        assert len(caplog.records) == 2
        assert not ds[gone][0].any()
        assert len(caplog.records) == 2  # said once


def test_a_file_that_breaks_later_is_an_error_if_errors_are(tmp_path):
    paths = images_of_one_size(tmp_path, 12, (150, 150))
    with absent(paths) as ds:
        os.unlink(paths[5])
        with pytest.raises(DecodeError, match="005.jpg") as caught:
            ds.__getitems__(list(range(12)))
        assert [path for path, _ in caught.value.failed] == [paths[5]]
        del caught  # its traceback looks at the arena
        with pytest.raises(DecodeError):
            ds[5]
        assert ds[4][0].any()


def test_a_file_that_changes_size_is_refused(tmp_path):
    paths = images_of_one_size(tmp_path, 12, (150, 150))
    with absent(paths) as ds:
        Image.fromarray(images.pixels(20, 30, 3)).save(paths[2])
        with pytest.raises(DecodeError, match="changed after it was probed"):
            ds[2]


def put(path, pixels):
    """Put an image in a file's place, in the format that its name says; .npy too."""
    if path.endswith(".npy"):
        np.save(path, pixels)
    else:
        Image.fromarray(pixels).save(path, quality=90)


def of_one_format(folder, ending, count=12, size=(150, 150)):
    paths = [str(folder / f"{k:03d}.{ending}") for k in range(count)]
    for k, path in enumerate(paths):
        put(path, images.pixels(*size, 3, seed=k))
    return paths


def later(path):
    """Make sure that a file's time is another one, however coarse the system's clock is."""
    about = os.stat(path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1))


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "npy"])
def test_a_file_with_another_content_is_refused(tmp_path, ending):
    """F3: the same size, even the same number of bytes, is not the same sample."""
    paths = of_one_format(tmp_path, ending)
    with absent(paths) as ds:
        whole = Path(paths[2]).read_bytes()
        before = ds[2][0].clone()
        about = os.stat(paths[2])
        put(paths[2], images.pixels(150, 150, 3, seed=99))
        later(paths[2])
        for _ in range(2):
            with pytest.raises(DecodeError, match="changed after the arena was filled"):
                ds.__getitems__(list(range(12)))
        Path(paths[2]).write_bytes(whole)
        os.utime(paths[2], ns=(about.st_atime_ns, about.st_mtime_ns))
        assert torch.equal(ds[2][0], before)


@pytest.mark.parametrize("on_error", ["skip", "fill"])
def test_a_file_that_changes_is_zeros_until_it_is_back(tmp_path, caplog, on_error):
    paths = images_of_one_size(tmp_path, 12, (150, 150))
    with absent(paths, on_error=on_error) as ds:
        before = ds[4][0].clone()
        os.rename(paths[4], tmp_path / "aside")
        Image.fromarray(images.pixels(150, 150, 3, seed=99)).save(paths[4])
        later(paths[4])
        with caplog.at_level(logging.WARNING, "fastcache"):
            assert not ds[4][0].any()
        assert "zeros for as long as it cannot be had" in caplog.text
        ((path, reason),) = ds.report["failed_later"]
        assert path == paths[4]
        assert "changed after the arena was filled" in reason
        os.replace(tmp_path / "aside", paths[4])
        assert torch.equal(ds[4][0], before)
        assert len(ds.report["failed_later"]) == 1


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "npy"])
@pytest.mark.parametrize("size", [(20, 30), (120, 150)])
def test_another_size_is_refused_where_store_has_one_size(tmp_path, ending, size):
    """F3: also where the content alone tells, for the file says that it is as old as before."""
    paths = of_one_format(tmp_path, ending, size=(150, 120))
    with absent(paths, store=T.Resize((150, 150))) as ds:
        about = os.stat(paths[0])
        put(paths[0], images.pixels(*size, 3, seed=99))
        os.utime(paths[0], ns=(about.st_atime_ns, about.st_mtime_ns))
        with pytest.raises(DecodeError, match="changed after it was probed"):
            ds[0]


def test_a_file_that_goes_before_it_can_be_known_again_fails_the_fill(tmp_path, monkeypatch):
    """What is absent has to be there when the fill ends."""
    paths = images_of_one_size(tmp_path, 12, (150, 150))

    def gone(path):
        if path == paths[3]:
            raise FileNotFoundError(2, "No such file or directory", path)
        return stamp_of(path)

    monkeypatch.setattr("fastcache.fill.images.kept.stamp_of", gone)
    with absent(paths, on_error="skip") as ds:
        assert len(ds) == 11
        assert [path for path, _ in ds.report.failed] == [paths[3]]
    with pytest.raises(DecodeError, match="003.jpg"):
        absent(paths)


def test_bad_files_are_found_by_verification(tmp_path):
    """With "skip", what is not kept decoded is decoded once while filling."""
    paths = images_of_one_size(tmp_path, 12, (150, 150))
    whole = Path(paths[6]).read_bytes()
    Path(paths[6]).write_bytes(whole[: len(whole) // 2])
    for keep in ("encoded", "decoded"):
        with fc.ArenaDataset(Files(paths), keep=keep, on_error="skip") as ds:
            assert [path for path, _ in ds.report.failed] == [paths[6]]
            assert len(ds) == 11
    with fc.ArenaDataset(Files(paths), keep="encoded", on_error="fill") as ds:
        assert len(ds) == 12  # found out when it is asked for
        assert not ds[6].any()
        assert [path for path, _ in ds.report["failed_later"]] == [paths[6]]


def test_masks_and_transforms(tmp_path):
    inputs = images_of_one_size(tmp_path, 6, (90, 70))
    masks = []
    for k in range(6):
        path = tmp_path / f"mask{k}.png"
        Image.fromarray((images.pixels(90, 70, 1, seed=k)[:, :, 0] // 64).astype(np.uint8)).save(
            path
        )
        masks.append(str(path))
    source = Pairs(inputs, masks, target="mask")

    def mean(image):
        assert isinstance(image, Image.Image)
        return torch.tensor(np.asarray(image).mean())

    for transform in (None, mean):
        with fc.ArenaDataset(source, transform=transform) as whole:
            expected = digest(whole)
        with fc.ArenaDataset(source, transform=transform, keep="encoded") as ds:
            assert ds.report["keep"] == "encoded"
            assert digest(ds) == expected


def test_arrays_of_what_is_not_decoded_are_refused(tmp_path):
    paths = images_of_one_size(tmp_path, 6)
    with fc.ArenaDataset(Files(paths, range(6)), keep="encoded") as ds:
        with pytest.raises(NotKeptError, match='keep="decoded"'):
            ds.arrays["image"]
        assert "image" not in ds.arrays
        assert ds.arrays["label"].tolist() == list(range(6))
        with pytest.raises(KeyError, match="nothing"):
            ds.arrays["nothing"]
