"""Datasets on disk: saved and opened, cached, temporary."""

import gc
import glob
import logging
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import tempfile

import images
import numpy as np
import pytest
import torch
from disk_workers import STORE, build
from map_style import Dataset
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache.errors import ArenaExistsError, ArenaFormatError, ArgumentError, DecodeError
from fastcache.fill.options import FillOptions
from fastcache.fill.origin import difference, origin_of
from fastcache.sources import Arrays


def same(one, other):
    """Whether two datasets hold the same samples, alone and in batches."""
    assert len(one) == len(other)
    for a, b in zip((one[k] for k in range(len(one))), (other[k] for k in range(len(other)))):
        assert torch.equal(a[0], b[0]) and a[1] == b[1]
    for a, b in zip(DataLoader(one, batch_size=4), DataLoader(other, batch_size=4)):
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    return True


def test_what_is_saved_is_opened(class_folder, tmp_path):
    """A11: the dataset that comes back is the one that was saved, with its report and its face."""
    with fc.ArenaDataset(class_folder, store=STORE) as ds:
        ds.save(tmp_path / "x.arena")
        for home in ("auto", "disk", "ram"):
            with fc.open(tmp_path / "x.arena", home=home) as again:
                assert isinstance(again, fc.ArenaDataset)
                assert same(again, ds)
                assert again.report["home"] == ("ram" if home == "ram" else "disk")
                assert again.classes == ds.classes and again.samples == ds.samples
                assert again.plan == ds.plan
                assert np.array_equal(again.arrays["image"], ds.arrays["image"])
                assert f" in {again.report['home']}" in repr(again)
        with pytest.raises(ArenaExistsError, match="overwrite=True"):
            ds.save(tmp_path / "x.arena")
        ds.save(tmp_path / "x.arena", overwrite=True)
        assert fc.verify(tmp_path / "x.arena").ok


def test_what_is_mixed_is_saved_too(class_folder, tmp_path):
    with fc.ArenaDataset(class_folder, store=STORE) as whole:
        with fc.ArenaDataset(class_folder, store=STORE, keep="encoded") as ds:
            ds.save(tmp_path / "x.arena")
        with fc.open(tmp_path / "x.arena") as again:
            assert again.report["keep"] == "encoded"
            assert same(again, whole)


def test_opening_says_what_is_wrong(tmp_path):
    with pytest.raises(ArenaFormatError):
        fc.open(tmp_path / "nothing.arena")
    with pytest.raises(ArgumentError, match="home='cuda'"):
        fc.open(tmp_path, home="cuda")
    with fc.ArenaDataset(Arrays(np.zeros((3, 2)))) as ds:
        ds.save(tmp_path / "x.arena")
    with pytest.raises(ArgumentError, match="transform"):
        fc.open(tmp_path / "x.arena", transform=3)


def test_opened_datasets_travel_by_their_path(class_folder, tmp_path):
    with fc.ArenaDataset(class_folder, store=STORE) as ds:
        ds.save(tmp_path / "x.arena")
        with fc.open(tmp_path / "x.arena", transform=None) as again:
            pickled = pickle.dumps(again)
            assert len(pickled) < 4096
            with pickle.loads(pickled) as third:
                assert same(third, ds)
            for context in ("fork", "spawn", "forkserver"):
                options = {"num_workers": 2, "multiprocessing_context": context}
                batches = list(DataLoader(again, batch_size=5, **options))
                assert torch.equal(batches[0][0][2], ds[2][0])


# -- cache_dir ------------------------------------------------------------------------------------


def write_photos(folder, count=12):
    for k in range(count):
        path = folder / f"class{k % 3}" / f"{k:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode(images.photo(40 + k, 50, seed=k)))
    return folder


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


def test_encoded_has_no_place_on_a_disk(tmp_path):
    for options in ({"home": "disk"}, {"cache_dir": tmp_path}):
        with pytest.raises(ArgumentError, match="twice"):
            fc.ArenaDataset(write_photos(tmp_path / "photos"), keep="encoded", **options)


# -- temporary ------------------------------------------------------------------------------------


def ours():
    return {
        f for f in glob.glob(f"{tempfile.gettempdir()}/fastcache-*") if os.path.exists(f"{f}/owner")
    }


@pytest.fixture
def own_temporary(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def test_a_disk_without_a_name_goes_with_its_dataset(tmp_path, own_temporary):
    """B2, B7: the home in use is reported, and nothing of it is left."""
    photos = write_photos(tmp_path / "photos")
    with fc.ArenaDataset(photos, store=STORE) as plain:
        ds = fc.ArenaDataset(photos, store=STORE, home="disk")
        assert same(ds, plain) and ds.report["home"] == ds.plan.home == "disk"
        assert len(ours()) == 1
        ds.close()
        assert not ours()
        ds = fc.ArenaDataset(photos, store=STORE, home="disk")
        del ds
        gc.collect()
        assert not ours()


def test_what_a_killed_process_left_is_swept(tmp_path, own_temporary):
    photos = write_photos(tmp_path / "photos")
    script = (
        "import os, signal, sys, fastcache as fc\n"
        "ds = fc.ArenaDataset(sys.argv[1], home='disk')\n"
        "os.kill(os.getpid(), signal.{})\n"
    )
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    for name, left in (("SIGKILL", 1), ("SIGINT", 1)):
        subprocess.run(
            [sys.executable, "-c", script.format(name), photos],
            env=environment,
            check=False,
            capture_output=True,
        )
        if name == "SIGKILL":
            assert len(ours()) == left
        else:
            assert len(ours()) == 0  # what was left is swept, and this one ended in good order
    fc.ArenaDataset(photos, home="disk").close()
    assert not ours()


def test_a_forked_child_does_not_remove_it(tmp_path, own_temporary):
    photos = write_photos(tmp_path / "photos")
    with fc.ArenaDataset(photos, home="disk") as ds:
        child = multiprocessing.get_context("fork").Process(target=ds.close)
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert len(ours()) == 1 and ds[0][0].any()
