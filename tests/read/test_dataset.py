"""``ArenaDataset`` whole: from what a user hands over to batches."""

import pickle
import sys
import threading

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from reading import add_one, assert_equal, darker
from torch.utils.data import DataLoader, Dataset, default_collate

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import (
    ArgumentError,
    ClosedError,
    DecodeError,
    NotFrozenError,
    SchemaError,
    SourceNotFoundError,
)
from fastcache.read import reader


class Nested(Dataset):
    """Returns every kind of value that is kept."""

    def __len__(self):
        return 6

    def __getitem__(self, k):
        if k >= 6:
            raise IndexError(k)
        image = Pillow.fromarray(np.full((5, 4, 3), k, np.uint8))
        return {
            "image": image,
            "parts": (torch.full((2, 3), k / 2), [np.arange(k, k + 4), k], None),
            "score": k / 3,
            "good": k % 2 == 0,
        }


def nested_sample(k):
    return {
        "image": torch.full((3, 5, 4), k, dtype=torch.uint8),
        "parts": (torch.full((2, 3), k / 2), [torch.arange(k, k + 4), k], None),
        "score": k / 3,
        "good": k % 2 == 0,
    }


def test_a_wrapped_dataset_gives_back_what_it_returned():
    ds = fc.ArenaDataset(Nested())
    assert len(ds) == 6
    for k in range(6):
        assert_equal(ds[k], nested_sample(k))
    batch = next(iter(DataLoader(ds, batch_size=4)))
    none = batch["parts"].pop()
    assert none == [None] * 4
    plain = [nested_sample(k) for k in range(4)]
    for sample in plain:
        sample["parts"] = sample["parts"][:2]
    assert_equal(batch, default_collate(plain))


def test_transforms_of_a_wrapped_dataset():
    ds = fc.ArenaDataset(Nested(), transform=darker)
    assert torch.equal(ds[5]["image"], torch.full((5, 4, 3), 2, dtype=torch.uint8))
    with pytest.raises(ArgumentError, match="target_transform=: which of"):
        fc.ArenaDataset(Nested(), target_transform=add_one)


class Wandering(Nested):
    def __getitem__(self, k):
        return torch.rand(3), k


def test_a_dataset_that_changes_its_mind():
    with pytest.raises(NotFrozenError):
        fc.ArenaDataset(Wandering())
    ds = fc.ArenaDataset(Wandering(), frozen=True)
    assert torch.equal(ds[2][0], ds[2][0])


def test_arrays():
    x = np.random.default_rng(0).integers(0, 256, (7, 3, 8, 6), np.uint8)
    ds = fc.ArenaDataset(fc.sources.Arrays(x, np.arange(7)))
    images, labels = next(iter(DataLoader(ds, batch_size=7)))
    assert torch.equal(images, torch.from_numpy(x))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.tolist() == list(range(7))
    assert ds[3][0].shape == (3, 8, 6)


@pytest.fixture
def pairs(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for k in range(4):
        size = (6, 5) if k else (9, 7)
        image, mask = tmp_path / f"{k}.bmp", tmp_path / f"{k}.png"
        Pillow.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(image)
        Pillow.fromarray(rng.integers(0, 4, size, np.uint8)).save(mask)
        paths.append((image, mask))
    return paths


def test_pairs(pairs):
    source = fc.sources.Pairs([a for a, _ in pairs], [b for _, b in pairs])
    ds = fc.ArenaDataset(source)
    for k, (image, mask) in enumerate(pairs):
        assert np.array_equal(ds[k][0].permute(1, 2, 0), np.asarray(Pillow.open(image)))
        assert np.array_equal(ds[k][1], np.asarray(Pillow.open(mask)))
    images, masks = next(iter(DataLoader(ds, batch_size=4)))
    assert [tuple(image.shape) for image in images] == [(3, 9, 7), *[(3, 6, 5)] * 3]
    assert [tuple(mask.shape) for mask in masks] == [(9, 7), *[(6, 5)] * 3]
    dense = fc.ArenaDataset(source, store=T.Resize((4, 4)))
    images, masks = next(iter(DataLoader(dense, batch_size=4)))
    assert (images.shape, masks.shape) == ((4, 3, 4, 4), (4, 4, 4))
    assert set(masks.unique().tolist()) <= {0, 1, 2, 3}


def test_store_and_color(class_folder):
    ds = fc.ArenaDataset(class_folder, store=[T.Resize(20), T.CenterCrop(16)], color="L")
    images, labels = next(iter(DataLoader(ds, batch_size=len(ds))))
    assert images.shape == (len(ds), 1, 16, 16)
    assert labels.tolist() == ds.targets
    assert ds.loader(ds.samples[0][0]).mode == "L"
    ds.transform = lambda image: (image.mode, image.size)
    assert ds[0][0] == ("L", (16, 16))


def test_limit(class_folder):
    whole = fc.ArenaDataset(class_folder)
    first = fc.ArenaDataset(class_folder, limit=5)
    assert first.samples == whole.samples[:5]
    share = [fc.ArenaDataset(class_folder, limit=0.5, seed=3).samples for _ in range(2)]
    assert share[0] == share[1]
    assert set(share[0]) < set(whole.samples)


def test_failed_samples_can_be_kept_as_zeros(bad_class_folder):
    """A5."""
    with pytest.raises(DecodeError):
        fc.ArenaDataset(bad_class_folder)
    ds = fc.ArenaDataset(bad_class_folder, on_error="fill", store=T.Resize((8, 8)))
    failed = {path for path, _ in ds.report.failed}
    assert failed
    for k, (path, label) in enumerate(ds.samples):
        assert ds[k][1] == label
        assert (path in failed) == (not ds[k][0].any())


def test_report_and_plan(class_folder):
    ds = fc.ArenaDataset(class_folder)
    again = pickle.loads(pickle.dumps(ds))
    for each in (ds, again):
        assert each.report["samples"] == each.plan.samples == len(ds)
        assert "image" in str(each.plan)
        assert each.report.failed == []
    assert f"Root location: {class_folder}" in repr(ds)
    assert repr(ds).startswith("Dataset ArenaDataset\n")
    assert "Column image" in repr(ds)


def test_no_file_is_opened_after_the_fill(class_folder):
    """C6: epochs touch no image file."""
    ds = fc.ArenaDataset(class_folder, store=T.Resize((8, 8)))
    opened = []

    def note(event, arguments):
        if event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(note)  # stays for good; from here on it only notes
    for _ in range(2):
        for images, labels in DataLoader(ds, batch_size=4, shuffle=True):
            assert len(images) == len(labels)
    seen = len(opened)
    assert not [path for path in opened if str(class_folder) in path]
    ds.loader(ds.samples[0][0])
    assert [path for path in opened[seen:] if str(class_folder) in path]  # the hook does see them


def test_the_folder_may_vanish_after_the_fill(class_folder):
    ds = fc.ArenaDataset(class_folder)
    before = [ds[k] for k in range(len(ds))]
    class_folder.rename(class_folder.with_name("elsewhere"))
    for k, sample in enumerate(before):
        assert_equal(ds[k], sample)
    assert len(ds.samples) == len(before)


BAD = {
    "color": "CMYK",
    "exif": "maybe",
    "transform_input": "numpy",
    "output": "list",
    "keep": "cached",
    "home": "cuda",
    "on_error": "ignore",
    "limit": 0,
    "threads": 0,
    "seed": -1,
    "infer": "guess",
    "progress": "yes",
    "transform": "resize",
    "target_transform": 3,
    "store": torch.nn.Identity(),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(class_folder, name):
    with pytest.raises(ArgumentError, match=name):
        fc.ArenaDataset(class_folder, **{name: BAD[name]})


def test_bad_arguments_are_seen_before_anything_is_read():
    class Untouchable(Nested):
        def __getitem__(self, k):
            raise AssertionError("was read")

    for name in ("transform", "target_transform", "transform_input", "output", "color", "home"):
        with pytest.raises(ArgumentError, match=name):
            fc.ArenaDataset(Untouchable(), **{name: BAD[name]})


@pytest.mark.parametrize("source", [5, b"x", np.zeros(3), {"a": 1}, ["a.jpg"], None])
def test_what_is_no_source(source):
    with pytest.raises(ArgumentError):
        fc.ArenaDataset(source)


def test_a_missing_folder(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        fc.ArenaDataset(tmp_path / "nowhere")


def test_an_arena_of_a_failed_construction_is_given_back(monkeypatch):
    made = []
    fill = fc.read.dataset.make_arena
    monkeypatch.setattr(
        fc.read.dataset, "make_arena", lambda *args: made.append(fill(*args)) or made[-1]
    )
    with pytest.raises(ArgumentError):
        fc.ArenaDataset(Nested(), target_transform=add_one)
    assert made[0].closed


def test_subclasses_keep_their_own_attributes():
    class Mine(fc.ArenaDataset):
        def __init__(self, source, extra):
            super().__init__(source)
            self.extra = extra

        def __getitem__(self, index):
            return super().__getitem__(index)["score"]

    ds = Mine(Nested(), "extra")
    assert ds.with_transform(darker).extra == "extra"
    batches = list(DataLoader(ds, batch_size=3))
    assert torch.cat(batches).tolist() == [k / 3 for k in range(6)]


def test_context_manager_closes():
    with fc.ArenaDataset(Nested()) as ds:
        sample = ds[1]
    assert_equal(sample, nested_sample(1))
    with pytest.raises(ClosedError):
        ds[1]


@pytest.mark.parametrize("index", [6, -7, 1 << 64, -(10**30), pytest.param(10**5000, id="far")])
def test_samples_that_are_not_there(index):
    """Whatever the number, and whoever asks: the same error."""
    with fc.ArenaDataset(Nested()) as ds:
        asks = (
            lambda: ds[index],
            lambda: ds.__getitems__([0, index]),
            lambda: ds.read_ahead([0, index]),
        )
        for ask in asks:
            with pytest.raises(IndexError, match=r"sample .+ of 6"):
                ask()


def test_closing_while_another_thread_opens_the_columns(monkeypatch):
    """C1: whatever the close overtakes, it is the dataset that is closed."""
    ds = fc.ArenaDataset(Nested())
    make = reader.make_readers

    def closed_meanwhile(arena, fields):
        arena.close()
        return make(arena, fields)

    monkeypatch.setattr(reader, "make_readers", closed_meanwhile)
    with pytest.raises(ClosedError, match="the dataset is closed"):
        ds[0]


def test_closing_while_another_thread_asks_for_arrays(monkeypatch):
    ds = fc.ArenaDataset(Nested())
    arena = ds._reader.arena

    def closed_meanwhile(name):
        monkeypatch.undo()
        arena.close()
        return arena.column(name)

    monkeypatch.setattr(arena, "column", closed_meanwhile)
    with pytest.raises(ClosedError, match="the dataset is closed"):
        _ = ds.arrays


def test_the_facade_hands_on_the_same_names():
    assert fc.collate is fc.read.collate.collate
    assert fc.ArenaDataset is fc.read.dataset.ArenaDataset


def test_rows_tell_where_a_sample_lies(bad_class_folder):
    """A5: after failures `rows` leads from a sample to its row in `arrays`."""
    store = [fc.transforms.Resize(16), fc.transforms.CenterCrop(16)]
    ds = fc.ArenaDataset(bad_class_folder, store=store, on_error="skip")
    pixels = ds.arrays["image"]
    assert len(ds.rows) == len(ds) < len(pixels)
    for k, row in enumerate(ds.rows.tolist()):
        assert torch.equal(ds[k][0].permute(1, 2, 0), torch.from_numpy(pixels[row].copy()))
    ds.rows[0] = 5
    assert ds.rows[0] == 0


class Keyed(Dataset):
    """A Dataset that returns one dict."""

    def __init__(self, key):
        self.key = key

    def __len__(self):
        return 3

    def __getitem__(self, k):
        return {self.key: 100.5 - range(3)[k]}


@pytest.mark.parametrize("key", ["_index", "_path.image"])
def test_names_of_the_arenas_own_columns_are_refused(key):
    with pytest.raises(SchemaError, match=f"{key}.*rename"):
        fc.ArenaDataset(Keyed(key))
    assert fc.ArenaDataset(Keyed("index"))[2] == {"index": 98.5}


class Bound(Dataset):
    """Works on one thread only, as a database connection does, and looks at torch's modes."""

    def __init__(self):
        self.thread = threading.get_ident()

    def __len__(self):
        return 5

    def __getitem__(self, k):
        if threading.get_ident() != self.thread:
            raise RuntimeError("wrong thread")
        return range(5)[k], torch.is_grad_enabled()


def test_a_dataset_is_read_on_the_thread_that_wraps_it():
    """A4: and progress is told all the same."""
    seen = []
    with torch.no_grad():
        ds = fc.ArenaDataset(Bound(), threads=3, progress=seen.append)
    assert [ds[k] for k in range(5)] == [(k, False) for k in range(5)]
    assert (seen[-1].done, seen[-1].total) == (5, 5)


def test_a_dataset_may_be_interrupted_between_samples():
    class Slow(Bound):
        def __getitem__(self, k):
            if k == 3 and reading:
                raise KeyboardInterrupt
            return range(5)[k]

    reading = []
    slow = Slow()
    source = fc.sources.Wrapped(slow, frozen=True)
    source.layout()
    reading.append(1)
    with pytest.raises(KeyboardInterrupt):
        fc.ArenaDataset(source)


def test_a_view_that_lives_does_not_hide_the_error_under_way(class_folder):
    """B7: what went wrong inside `with` is what comes out."""
    kept = []

    def work():
        with fc.ArenaDataset(class_folder, store=T.Resize((8, 8))) as ds:
            kept.append(ds.arrays["image"])
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        work()


def test_class_names_of_arrays_are_kept():
    ds = fc.ArenaDataset(fc.sources.Arrays(np.zeros((3, 2)), ["b", "a", "b"]))
    assert ds.classes == ["a", "b"]
    assert [label for _, label in ds] == [1, 0, 1]


def test_batches_are_made_on_the_cpu_whatever_torchs_default_is(class_folder):
    ds = fc.ArenaDataset(class_folder, store=T.Resize((8, 8)))
    expected = default_collate(ds.__getitems__([0, 3]))
    with torch.device("meta"):
        images, _ = default_collate(ds.__getitems__([0, 3]))
    assert images.device.type == "cpu"
    assert torch.equal(images, expected[0])
