"""Images that are not all kept decoded, saved: the arena holds them, and its tables are checked."""

import os
import shutil
from pathlib import Path

import forged_arenas as forged
import images
import numpy as np
import pytest
import saved_arenas as saved
import torch
from PIL import Image

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArenaExistsError, ArenaFormatError, BudgetError, DecodeError
from fastcache.memory.files import folder as folders
from fastcache.read import whole
from fastcache.sources import Files, Pairs

COUNT = 24
STORES = {"own sizes": None, "one size": T.Resize((40, 30)), "floats": T.ToDtype("float32")}


@pytest.fixture
def photos(tmp_path):
    """Files of several sizes and kinds."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(COUNT):
        path = folder / f"{k:02}.{'png' if k % 3 else 'jpg'}"
        Image.fromarray(images.pixels(90 + k, 80, 3, seed=k)).save(path)
    np.save(folder / f"{COUNT}.npy", images.pixels(50, 61, 3))
    return sorted(folder.iterdir())


def dataset(paths, share, more=30_000, **options):
    """Return a dataset that keeps about a share of its pixels."""
    options = {"threads": 2, **options}
    source = Files(paths, range(len(paths)))
    with fc.ArenaDataset(source, **options) as ds:
        pixels = sum(c.bytes for c in ds.plan.columns)
        budget = ds.plan.need_bytes - int((1 - share) * pixels) + more
    return fc.ArenaDataset(source, **options, budget=budget)


def samples(ds):
    """Return the samples one by one, and all of them in a batch."""
    batch = fc.collate(ds.__getitems__(list(range(len(ds)))))[0]
    return [ds[k][0] for k in range(len(ds))], [*batch]


def assert_same(got, wanted):
    for these, those in zip(got, wanted, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(these, those, strict=True))


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_what_is_absent_is_saved(photos, tmp_path, monkeypatch, store, share):
    """A11: a saved arena holds all samples, and needs the files no more."""
    monkeypatch.setattr(whole, "_TOGETHER", 50_000)  # several times per shard
    share /= 10 if store == "floats" else 1  # of which files are a small part
    with dataset(photos, share, store=STORES[store]) as ds:
        kept = ds.report["columns"]["image"]["kept"]
        assert kept["absent"]
        wanted = samples(ds)
        ds.save(tmp_path / "x.arena")
        assert ds.report["columns"]["image"]["kept"] == kept  # it is as it was
        before = ds.report["arena_bytes"]
    shutil.rmtree(photos[0].parent)
    assert fc.verify(tmp_path / "x.arena").ok
    for home in ("disk", "ram"):
        with fc.open(tmp_path / "x.arena", home=home) as ds:
            assert_same(samples(ds), wanted)
            facts = ds.report["columns"]["image"]["kept"]
            assert (facts["absent"], facts["encoded"]) == (0, kept["encoded"])
            assert facts["decoded"] == kept["decoded"] + kept["absent"]
            assert ds.report["keep"] == ("mixed" if kept["encoded"] else "decoded")
            assert ds.report["arena_bytes"] > before
            ds.save(tmp_path / f"{home}.arena")  # as any other
    with fc.open(tmp_path / "ram.arena") as ds:
        assert_same(samples(ds), wanted)


def test_encoded_with_files_that_have_no_such_form(photos, tmp_path):
    with fc.ArenaDataset(Files(photos), keep="encoded") as ds:
        wanted = [ds[k] for k in range(len(ds))]
        ds.save(tmp_path / "x.arena")
    shutil.rmtree(photos[0].parent)
    with fc.open(tmp_path / "x.arena") as ds:
        assert ds.report["columns"]["image"]["kept"]["encoded"] == COUNT
        assert_same([[ds[k] for k in range(len(ds))]], [wanted])


def test_masks_and_failed_samples(photos, tmp_path):
    """A11: several columns, and samples that failed, which stay what they are."""
    masks = []
    for k, path in enumerate(photos[:COUNT]):
        size = Image.open(path).size[::-1]
        masks.append(tmp_path / f"mask{k}.png")
        Image.fromarray(images.pixels(*size, 1, seed=k)[:, :, 0] // 64).save(masks[-1])
    masks[4].write_bytes(b"no mask")
    source = Pairs(photos[:COUNT], masks)
    options = {"on_error": "skip", "threads": 2}
    with fc.ArenaDataset(source, **options) as ds:
        wanted = [part for k in range(len(ds)) for part in ds[k]]
        budget = ds.plan.need_bytes - sum(c.bytes for c in ds.plan.columns) + 60_000
    with fc.ArenaDataset(source, **options, budget=budget) as ds:
        assert ds.report["columns"]["image"]["kept"]["absent"]
        ds.save(tmp_path / "x.arena")
    for path in [*photos, *masks]:
        path.unlink()
    with fc.open(tmp_path / "x.arena") as ds:
        assert len(ds) == COUNT - 1
        assert_same([[part for k in range(len(ds)) for part in ds[k]]], [wanted])
        assert [path for path, _ in ds.report.failed] == [str(masks[4])]


@pytest.mark.parametrize("on_error", ["raise", "fill"])
def test_what_cannot_be_read_any_more_is_no_zeros(photos, tmp_path, on_error):
    """A11: the save is refused, says which, and leaves the arena that was there."""
    path = tmp_path / "x.arena"
    with dataset(photos, 0.0, 20_000, on_error=on_error) as ds:
        ds.save(path)
        before = saved.files_in(path)["manifest.json"]
        os.unlink(photos[7])
        Path(photos[9]).write_bytes(Path(photos[9]).read_bytes()[:300])
        with pytest.raises(DecodeError, match="cache_dir=") as error:
            ds.save(path, overwrite=True)
        assert {name for name, _ in error.value.failed} <= {str(photos[7]), str(photos[9])}
        assert str(path) in str(error.value)
        del error  # its traceback looks at the arena
        with pytest.raises(ArenaExistsError):
            ds.save(path)
    assert saved.files_in(path)["manifest.json"] == before
    assert fc.verify(path).ok


def test_the_disk_must_have_room_for_all_of_it(photos, tmp_path, monkeypatch):
    with dataset(photos, 0.0) as ds:
        monkeypatch.setattr(folders, "free_bytes", lambda _: 600_000)
        with pytest.raises(BudgetError, match="needed"):
            ds.save(tmp_path / "x.arena")


def put(row, value):
    return lambda table: table.__setitem__(row, value)


FORGED = {
    "no form": ("_form", "u1", put(3, 5)),
    "no form at all": ("_form", "u1", put(slice(None), 255)),
    "place behind the last": ("_place", "<i8", put(0, 999)),
    "place before the first": ("_place", "<i8", put(1, -1)),
    "size beyond memory": ("_geometry", "<i4", put((slice(None), [10, 11]), 2**31 - 1)),
    "another size": ("_geometry", "<i4", put((2, 11), 7)),
    "negative size": ("_geometry", "<i4", put((2, 10), -7)),
}
ENCODED = {
    "crop beyond the source": ("_geometry", "<i4", put((2, 2), 2**30)),
    "crop of nothing": ("_geometry", "<i4", put((2, 4), 0)),
    "resampled to nothing": ("_geometry", "<i4", put((2, 6), 0)),
}


@pytest.mark.parametrize("what", [*FORGED, *ENCODED])
@pytest.mark.parametrize("store", ["own sizes", "one size"])
def test_tables_that_lead_nowhere(photos, tmp_path, store, what):
    """A11: refused when opened, not when a sample is asked for or, worse, made of old memory."""
    path, paths = tmp_path / "x.arena", photos[:COUNT]
    if what in ENCODED:
        ds = fc.ArenaDataset(Files(paths), store=STORES[store], keep="encoded")
    else:
        ds = dataset(paths, 0.5, store=STORES[store])
    with ds:
        ds.save(path)
    fc.open(path).close()
    prefix, dtype, change = {**FORGED, **ENCODED}[what]
    forged.change_tensor(path, f"{prefix}.image", dtype, change)
    for mode in ("r", "r+"):
        with pytest.raises(ArenaFormatError, match=r"no dataset.*state what cannot be"):
            fc.open(path, mode=mode)


@pytest.mark.parametrize(
    ("key", "value"), [("channels", 4), ("folder", 3), ("step", {}), ("filter", 99), ("late", [])]
)
def test_decoding_that_does_not_fit(photos, tmp_path, key, value):
    path = tmp_path / "x.arena"
    with fc.ArenaDataset(Files(photos), keep="encoded") as ds:
        ds.save(path)
    forged.change_manifest(
        path, lambda document: document["catalog"]["kept"]["image"].__setitem__(key, value)
    )
    with pytest.raises(ArenaFormatError, match="no dataset"):
        fc.open(path)
