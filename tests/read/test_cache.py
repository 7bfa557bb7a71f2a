"""Arenas that are kept in a folder: built once, and anew when something has changed."""

import logging
import multiprocessing
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import images
import numpy as np
import pytest
import torch
from disk_workers import STORE, build, same, write_photos
from map_style import Dataset
from PIL import ImageFile

import fastcache as fc
from fastcache.errors import DecodeError, FastcacheError
from fastcache.fill.disk.origin import difference, origin_of
from fastcache.fill.options import FillOptions
from fastcache.memory.files.lock import FolderLock
from fastcache.sources import Arrays


def built(caplog):
    return [record for record in caplog.records if record.getMessage().startswith("building")]


def test_a_cache_is_built_once(tmp_path, caplog):
    """A11: reopened while files and options are the same, built anew with the reason otherwise."""
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    caplog.set_level(logging.INFO, "fastcache")
    options = {"store": STORE, "cache_dir": cache}
    with fc.ArenaDataset(photos, store=STORE) as plain:
        for _ in range(3):
            with fc.ArenaDataset(photos, **options) as ds:
                assert same(ds, plain) and ds.report["home"] == "disk"
        assert len(built(caplog)) == 1 and built(caplog)[0].levelno == logging.INFO
        with fc.ArenaDataset(photos, home="ram", **options) as ds:
            assert same(ds, plain) and ds.report["home"] == "ram"
        assert len(built(caplog)) == 1
    caplog.clear()
    (photos / "class1" / "01.jpg").write_bytes(images.encode(images.photo(33, 44, seed=99)))
    with (
        fc.ArenaDataset(photos, store=STORE) as plain,
        fc.ArenaDataset(photos, **options) as ds,
    ):
        assert same(ds, plain)
    (record,) = built(caplog)
    assert record.levelno == logging.WARNING and "content of image has changed" in record.message
    assert len(os.listdir(cache)) == 1
    with fc.ArenaDataset(photos, cache_dir=cache, store=STORE, color="L") as ds:
        assert ds[0][0].shape == (1, 32, 32)
    assert len(os.listdir(cache)) == 2


def test_files_that_come_and_go_are_noticed_in_place(tmp_path, caplog):
    """A11: one arena for a folder and its options, and the reason is told."""
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    caplog.set_level(logging.INFO, "fastcache")
    fc.ArenaDataset(photos, cache_dir=cache).close()
    (photos / "class3").mkdir()
    (photos / "class3" / "00.jpg").write_bytes(images.encode(images.photo(33, 44, seed=99)))
    with fc.ArenaDataset(photos, cache_dir=cache) as ds:
        assert len(ds) == len(ds.targets) and max(ds.targets) == 3
        assert ds.classes == ["class0", "class1", "class2", "class3"]
    assert len(os.listdir(cache)) == 1
    assert built(caplog)[1].levelno == logging.WARNING and "was" in built(caplog)[1].message
    caplog.clear()
    fc.ArenaDataset(photos, cache_dir=cache, store=STORE).close()
    assert "is another: store was [] and is [{" in built(caplog)[0].message


def test_names_of_classes_are_part_of_an_arena(tmp_path, caplog):
    """A11: whoever asks for others does not get those that are there."""
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    paths = sorted(map(str, photos.glob("*/*.jpg")))
    for names in (["cat", "dog"], ["lion", "tiger"], ["cat", "dog"]):
        labels = [names[k % 2] for k in range(len(paths))]
        with fc.ArenaDataset(fc.sources.Files(paths, labels), cache_dir=cache) as ds:
            assert ds.classes == names


@pytest.mark.parametrize("damage", ["short", "missing", "link", "fifo", "manifest"])
@pytest.mark.parametrize("home", ["auto", "ram"])
def test_what_is_damaged_is_built_anew(tmp_path, caplog, damage, home):
    """A11: a cache is nobody's only copy."""
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    fc.ArenaDataset(photos, cache_dir=cache, store=STORE).close()
    (arena,) = cache.iterdir()
    (shard,) = arena.glob("shard-*")
    if damage == "short":
        os.truncate(shard, 100)
    elif damage == "manifest":
        text = (arena / "manifest.json").read_bytes()
        (arena / "manifest.json").write_bytes(text.replace(b'"count":', b'"counf":', 1))
    else:
        shard.unlink()
        if damage == "link":
            shard.symlink_to("/dev/zero")
        elif damage == "fifo":
            os.mkfifo(shard)
    caplog.set_level(logging.INFO, "fastcache")
    for _ in range(2):
        with (
            fc.ArenaDataset(photos, store=STORE) as plain,
            fc.ArenaDataset(photos, cache_dir=cache, store=STORE, home=home) as ds,
        ):
            assert same(ds, plain)
    (record,) = built(caplog)
    assert record.levelno == logging.WARNING and "cannot be" in record.message
    assert fc.verify(arena).ok


def test_pillows_switches_decide_about_samples(tmp_path, monkeypatch):
    """A11: which files count as damaged."""
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    path = photos / "class0" / "00.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    lengths = []
    for mends in (True, False):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", mends)
        with fc.ArenaDataset(photos, cache_dir=cache, on_error="skip") as ds:
            lengths.append(len(ds))
    assert lengths[0] == lengths[1] + 1


def test_arrays_of_a_dataset_are_compared_whole(tmp_path):
    """A11: of a wrapped Dataset that has tensors, each value counts."""
    x = torch.arange(1000.0)
    for k in (1, 100, 998):
        x = x.clone()
        x[k] = -1
        rows = torch.utils.data.Subset(torch.utils.data.TensorDataset(x), range(1000))
        with fc.ArenaDataset(rows, cache_dir=tmp_path) as ds:
            assert float(ds[k][0]) == -1


@pytest.mark.parametrize("place", ["file", "under a file", "link", ""])
def test_places_where_no_cache_can_be(tmp_path, place):
    photos = write_photos(tmp_path / "photos")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "deep")
    cache = {"under a file": tmp_path / "file" / "cache", "": ""}.get(place, tmp_path / place)
    with pytest.raises(FastcacheError, match="making|cache_dir"):
        fc.ArenaDataset(photos, cache_dir=cache)


def test_waiting_is_told_about(tmp_path, monkeypatch, caplog):
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    fc.ArenaDataset(photos, cache_dir=cache).close()
    (arena,) = cache.iterdir()
    (arena / "manifest.json").unlink()
    monkeypatch.setattr("fastcache.fill.disk.cached._TELL_SECONDS", 0.01)
    caplog.set_level(logging.INFO, "fastcache")
    lock = FolderLock(arena)
    told = threading.Event()

    class Told(logging.Handler):
        def emit(self, record):
            if record.levelno == logging.WARNING and "waiting for" in record.getMessage():
                told.set()

    logger, handler = logging.getLogger("fastcache"), Told()
    logger.addHandler(handler)
    try:
        with ThreadPoolExecutor(1) as threads:
            made = threads.submit(fc.ArenaDataset, photos, cache_dir=cache)
            heard = told.wait(60)
            lock.release()
            assert heard
            made.result(60).close()
    finally:
        logger.removeHandler(handler)


def test_times_and_sizes_are_enough_to_notice(tmp_path, caplog):
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    caplog.set_level(logging.INFO, "fastcache")
    fc.ArenaDataset(photos, cache_dir=cache).close()
    os.utime(photos / "class0" / "00.jpg", ns=(0, 0))
    fc.ArenaDataset(photos, cache_dir=cache).close()
    fc.ArenaDataset(photos, cache_dir=cache, seed=1).close()
    assert len(built(caplog)) == 3


@pytest.mark.parametrize("change", ["array", "length", "dataset"])
def test_other_sources_are_told_apart(tmp_path, caplog, change):
    caplog.set_level(logging.INFO, "fastcache")
    x = np.arange(24.0).reshape(6, 4)

    def make(index):
        return x[index], index

    def source():
        return Dataset(make, len(x)) if change == "dataset" else Arrays(x, np.arange(len(x)))

    for _ in range(2):
        with fc.ArenaDataset(source(), cache_dir=tmp_path) as ds:
            assert ds[3][0].tolist() == x[3].tolist()
    assert len(built(caplog)) == 1
    x = x[:5] if change == "length" else x + 1
    with fc.ArenaDataset(source(), cache_dir=tmp_path) as ds:
        assert ds[3][0].tolist() == x[3].tolist()
    assert len(built(caplog)) == 2


def test_looking_at_a_dataset_leaves_random_states_alone(tmp_path):
    """A1: what a cached Dataset is like is found out without disturbing the program."""

    def make(index):
        return torch.rand(3), np.random.random(2), random.random()  # noqa: NPY002

    def states():
        return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())  # noqa: NPY002

    source = fc.sources.Wrapped(Dataset(make, 40), frozen=True)
    options = FillOptions(cache_dir=tmp_path)
    layout, before = source.layout(), states()
    first = origin_of(source, layout, options)
    assert states() == before
    torch.rand(1)
    assert difference(first, origin_of(source, layout, options)).startswith("dataset.probes was")


def test_processes_that_race_build_once(tmp_path):
    """A11: one builds, the others wait and open what it made."""
    photos, cache = write_photos(tmp_path / "photos", 40), tmp_path / "cache"
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    racers = [context.Process(target=build, args=(photos, cache, results)) for _ in range(3)]
    for racer in racers:
        racer.start()
    found = {results.get(timeout=120) for _ in racers}
    for racer in racers:
        racer.join(120)
        assert racer.exitcode == 0
    assert len(found) == 1
    (folder,) = cache.iterdir()
    assert "-g2" not in " ".join(os.listdir(folder))  # nobody built over another


def test_a_failed_build_leaves_the_way_free(tmp_path):
    photos, cache = write_photos(tmp_path / "photos"), tmp_path / "cache"
    bad = photos / "class0" / "00.jpg"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:300])
    with pytest.raises(DecodeError):
        fc.ArenaDataset(photos, cache_dir=cache)
    bad.write_bytes(whole)
    with fc.ArenaDataset(photos, cache_dir=cache) as ds:
        assert len(ds) == 12
