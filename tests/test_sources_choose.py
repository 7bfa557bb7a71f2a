"""What can be wrapped, and what as_source makes of what a user hands over."""

import pickle
import threading

import numpy as np
import pytest
from map_style import Dataset

from fastcache.errors import ArgumentError
from fastcache.schema import Array, Text
from fastcache.sources import Arrays, Files, Wrapped, as_source


def fields(source):
    return {name: feed.field for name, feed in source.layout().feeds.items()}


# ---- what can be wrapped ------------------------------------------------------------------------


def test_datasets_that_cannot_be_wrapped():
    class IterableDataset(Dataset):
        pass

    class NoLength:
        def __getitem__(self, index):
            return index

    class BrokenLength(NoLength):
        def __len__(self):
            raise NotImplementedError("unknown")

    for dataset, match in (
        (IterableDataset(int), "iterable"),
        (NoLength(), "__len__ and __getitem__ are needed"),
        (iter([1]), "__len__ and __getitem__ are needed"),
        (BrokenLength(), "unknown"),
        (Dataset(int, 0), "empty"),
    ):
        with pytest.raises(ArgumentError, match=match):
            Wrapped(dataset)
    with pytest.raises(ArgumentError, match="'first' or 'scan'"):
        Wrapped(Dataset(int), infer="all")


def test_torchs_datasets():
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    source = as_source(data.TensorDataset(torch.zeros(5, 2), torch.arange(5)))
    assert fields(source) == {"0": Array("float32", (2,)), "1": Array("int64", ())}

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    with pytest.raises(ArgumentError, match="iterable"):
        as_source(Stream())


def test_class_names_are_handed_on():
    dataset = Dataset(lambda i: (np.zeros(2), i))
    dataset.classes = ["cat", "dog"]
    assert Wrapped(dataset).layout().attributes == {"classes": ["cat", "dog"]}
    assert not Wrapped(Dataset(int)).layout().attributes


def test_nothing_is_read_before_layout_and_layout_reads_once():
    seen = []
    source = Wrapped(Dataset(lambda i: seen.append((i, threading.get_ident())) or i))
    assert not seen
    source.layout()
    count = len(seen)
    assert source.layout() is source.layout()
    assert len(seen) == count
    assert {ident for _, ident in seen} == {threading.get_ident()}
    assert not source.parallel
    assert Wrapped(Dataset(int), parallel=True).parallel


def test_wrapped_datasets_travel():
    source = Wrapped([(1, "a"), (2, "bc")], infer="scan")
    assert len(source) == 2
    assert pickle.loads(pickle.dumps(source)).read(1) == {"0": 2, "1": "bc"}


# ---- as_source ----------------------------------------------------------------------------------


def test_as_source_passes_options_on_and_sources_through():
    wrapped = as_source(Dataset(str), infer="scan", frozen=True, parallel=True)
    assert fields(wrapped) == {"value": Text()}
    assert wrapped.parallel
    files = Files(["a.jpg"])
    assert as_source(files) is files


@pytest.mark.parametrize("options", [{"infer": "scan"}, {"frozen": True}, {"parallel": True}])
@pytest.mark.parametrize("data", ["photos", Files(["a.jpg"])])
def test_options_of_wrapped_datasets_are_refused_elsewhere(data, options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        as_source(data, **options)


class Frame(dict):
    columns = ("path", "label")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (np.zeros((3, 2)), r"sources\.Arrays"),
        ((np.zeros((3, 2)), np.zeros(3)), r"sources\.Arrays"),
        (["a.jpg", "b.jpg"], r"sources\.Files"),
        ({"path": ["a.jpg"]}, r"sources\.Files"),
        (Frame(), r"sources\.Files"),
        (b"photos", "ClassFolder"),
        (None, "ClassFolder"),
        (7, "map-style"),
        (Arrays, "ClassFolder"),
        ([], "empty"),
    ],
)
def test_what_is_no_source_is_told_what_is(data, match):
    with pytest.raises(ArgumentError, match=match):
        as_source(data)
