"""Datasets on disk: saved and opened, cached, temporary."""

import gc
import glob
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import torch
from disk_workers import STORE, same, write_photos
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache.errors import ArenaExistsError, ArenaFormatError, ArgumentError
from fastcache.sources import Arrays


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
