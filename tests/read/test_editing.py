"""Datasets over arenas that were edited, and that are edited while they are open."""

import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import (
    ArenaFormatError,
    ArenaGoneError,
    ArenaLockedError,
    ArgumentError,
)
from fastcache.sources import Arrays

PIXELS = np.random.default_rng(1).integers(0, 255, (40, 8, 6, 3), np.uint8)
STORE = [T.Resize(20), T.CenterCrop(16)]


@pytest.fixture
def path(tmp_path):
    with fc.ArenaDataset(Arrays(PIXELS, np.arange(40), layout="HWC")) as ds:
        ds.save(tmp_path / "x.arena")
    return tmp_path / "x.arena"


def test_new_columns_are_the_last_parts_of_samples(path):
    """A11: alone and in batches, of every kind; and keys where samples are dicts."""
    vectors, boxes = np.arange(120.0).reshape(40, 3), [np.full((k % 3, 4), k) for k in range(40)]
    with fc.open(path, mode="r+") as editor:
        assert isinstance(editor, fc.ArenaEditor)
        editor.put("vector", torch.from_numpy(vectors).requires_grad_())
        editor.put("boxes", [torch.from_numpy(box) for box in boxes])
        editor.put("name", [f"row {k}" for k in range(40)])
        editor.put("weight", np.linspace(0, 1, 40))
        editor.commit()
    with fc.open(path) as ds:
        image, label, vector, box, name, weight = ds[7]
        assert torch.equal(image, torch.from_numpy(PIXELS[7]).permute(2, 0, 1))
        assert (label, name, weight) == (7, "row 7", 7 / 39)
        assert torch.equal(vector, torch.from_numpy(vectors[7]))
        assert torch.equal(box, torch.from_numpy(boxes[7]))
        batches = [*DataLoader(ds, batch_size=8)]
        image, label, vector, box, name, weight = batches[2]
        assert torch.equal(image, torch.from_numpy(PIXELS[16:24]).permute(0, 3, 1, 2))
        assert torch.equal(vector, torch.from_numpy(vectors[16:24]))
        assert [each.tolist() for each in box] == [each.tolist() for each in boxes[16:24]]
        assert name[0] == "row 16"
        assert torch.equal(weight, torch.from_numpy(np.linspace(0, 1, 40)[16:24]))
        assert "Column vector: array float64 3" in repr(ds)
        assert [*ds.report["columns"]] == ["image", "label", "vector", "boxes", "name", "weight"]
        assert "column weight" in str(ds.report)
        assert np.array_equal(ds.arrays["vector"], vectors)
    with fc.open(path, output="dict") as ds:
        assert ds[3]["name"] == "row 3"


def test_the_face_of_folders(class_folder, tmp_path):
    """A11: paths, labels and classes go on behind the last."""
    with fc.ArenaDataset(class_folder, store=STORE) as ds:
        ds.save(tmp_path / "x.arena")
        samples, pixels = ds.samples, [ds[k][0] for k in range(len(ds))]
    with fc.open(tmp_path / "x.arena", mode="r+") as editor:
        editor.append(class_folder)
        editor.commit()
    with fc.open(tmp_path / "x.arena") as ds:
        assert ds.samples == samples * 2
        assert ds.targets == [label for _, label in samples] * 2
        assert all(torch.equal(ds[k][0], pixels[k % len(pixels)]) for k in range(len(ds)))
        assert ds.report["samples"] == len(ds) == 2 * len(samples)
        assert ds.loader(samples[0][0]).mode == "RGB"
        ds.samples = ds.samples[-3:]
        assert torch.equal(ds[0][0], pixels[-3])


def first(ds, queue):
    """Send what a process reads of a dataset."""
    queue.put((len(ds), ds[0][0].numpy().tobytes()))


def test_readers_stay_with_what_they_opened(path):
    """A11: while it is edited and afterwards, workers included; pickling it again says so."""
    before = [PIXELS[k].transpose(2, 0, 1).tobytes() for k in range(40)]
    context = multiprocessing.get_context("fork")
    with fc.open(path) as old:
        batches = iter(
            DataLoader(old, batch_size=10, num_workers=1, multiprocessing_context="fork")
        )
        next(batches)
        with fc.open(path, mode="r+") as editor:
            editor.put("image", PIXELS[::-1].copy())
            editor.append(Arrays(PIXELS[:5], np.arange(5), layout="HWC"))
            with fc.open(path) as same:
                assert len(same) == 40
                pickled = pickle.dumps(same)
            editor.commit()
            with fc.open(path) as new:
                assert len(new) == 45
                assert new[0][0].numpy().tobytes() == before[39]
        assert [old[k][0].numpy().tobytes() for k in range(40)] == before
        assert sum(len(batch[0]) for batch in batches) == 30
        queue = context.Queue()
        process = context.Process(target=first, args=(old, queue))
        process.start()
        assert queue.get(timeout=60) == (40, before[0])
        process.join()
        with pytest.raises(ArenaGoneError, match="open it again by its path"):
            pickle.loads(pickled)
        with pytest.raises(ArenaGoneError):
            pickle.loads(pickle.dumps(old))
    with fc.open(path) as new:
        assert len(pickle.loads(pickle.dumps(new))) == 45
        assert fc.verify(path).ok


def test_modes(path, tmp_path):
    """A11: r and r+; what concerns datasets alone is refused."""
    with pytest.raises(ArgumentError, match="'r' or 'r\\+'"):
        fc.open(path, mode="w")
    for name, value in (
        ("transform", [T.CenterCrop(4)]),
        ("output", "dict"),
        ("transform_input", "tensor"),
        ("home", "ram"),
        ("seed", 3),
    ):
        with pytest.raises(ArgumentError, match=f"knows no {name}"):
            fc.open(path, mode="r+", **{name: value})
    with pytest.raises(ArenaFormatError, match="does not exist"):
        fc.open(tmp_path / "none", mode="r+")
    with fc.open(path, "r+", threads=1), pytest.raises(ArenaLockedError):
        fc.open(path, "r+")
    with fc.open(path, "r") as ds:
        assert len(ds) == 40


def test_only_kept_samples_are_shown(bad_class_folder, tmp_path):
    """A5, A11: rows include those that failed, and ds.rows tells which are which."""
    with fc.ArenaDataset(bad_class_folder, store=STORE, on_error="skip") as ds:
        ds.save(tmp_path / "x.arena")
        shown, labels = ds.rows, [ds[k][1] for k in range(len(ds))]
    with fc.open(tmp_path / "x.arena", mode="r+") as editor:
        editor.put("row", np.arange(len(editor)))
        editor.commit()
        editor.append(fc.sources.Wrapped(Rows(len(editor))))
        editor.commit()
    with fc.open(tmp_path / "x.arena") as ds:
        assert [ds[k][2] for k in range(len(shown))] == shown.tolist()
        assert [ds[k][1] for k in range(len(ds))] == [*labels, 0, 1, 0]
        assert ds[len(shown)][2] == ds.rows[len(shown)]
        assert ds.report["samples"] == len(ds)


class Rows:
    """Samples for the arena of a folder."""

    def __init__(self, first):
        self.first = first

    def __len__(self):
        return 3

    def __getitem__(self, index):
        image = Image.new("RGB", (30, 40), (index, index, index))
        return {"image": image, "label": index % 2, "row": self.first + index}
