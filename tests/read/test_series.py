"""Datasets of windows: samples, batches, labels, statistics, other processes (rows B1, B8, F2)."""

import hashlib
import multiprocessing
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import reading
import series_workers
import torch
import window_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Subset, random_split

import fastcache as fc
from fastcache.errors import ArgumentError, DecodeError, SchemaError
from fastcache.read.columns.columns import DenseReader
from fastcache.read.columns.window import WindowReader
from fastcache.read.columns.window_labels import most_frequent
from fastcache.sources import Arrays, Series

METHODS = ["fork", "spawn", "forkserver"]
X = [reference.made(steps=steps, seed=steps) for steps in (40, 9, 25)]
Y = [np.random.default_rng(one.shape[1]).integers(0, 3, one.shape[1]) for one in X]


def dataset(**options):
    return fc.ArenaDataset(Series(X, Y, window=8, stride=3, **options))


def wanted_labels(how, window=8, stride=3):
    places = reference.positions(X, window, stride)
    return [reference.label(Y[k][start : start + window], how) for k, start in places]


# -- samples and batches --------------------------------------------------------------------------


def test_samples_are_slices():
    """F2: each sample is (C, W) of the stored dtype, and its label a Python number."""
    ds, wanted = dataset(), reference.windows(X, 8, 3)
    labels = wanted_labels("last")
    assert len(ds) == len(wanted)
    for k in (*range(len(ds)), -1, -len(ds)):
        window, label = ds[k]
        reading.assert_equal(window, torch.from_numpy(wanted[k]))
        assert type(label) is int
        assert label == labels[k]
    for k in (len(ds), -len(ds) - 1):
        with pytest.raises(IndexError):
            ds[k]


def test_a_sample_belongs_to_the_caller():
    """B8: writing into a sample or a batch does not change rows that overlap it."""
    ds = fc.ArenaDataset(Series(np.arange(30.0), window=8))
    ds[0].fill_(-1)
    ds.__getitems__([1, 2])[0].fill_(-1)
    assert ds.arrays["series"].tolist() == [list(range(30))]
    with pytest.raises(ValueError, match="read-only"):
        ds.arrays["series"][0, 0] = 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_every_window(workers):
    """F2: batches of a plain DataLoader, in order and shuffled."""
    ds, wanted = dataset(), torch.from_numpy(reference.windows(X, 8, 3))
    batches = list(DataLoader(ds, batch_size=5, num_workers=workers))
    assert torch.equal(torch.cat([windows for windows, _ in batches]), wanted)
    labels = torch.cat([labels for _, labels in batches])
    assert labels.dtype == torch.int64
    assert labels.tolist() == wanted_labels("last")
    torch.manual_seed(3)
    shuffled = torch.cat([w for w, _ in DataLoader(ds, 4, shuffle=True, num_workers=workers)])
    assert not torch.equal(shuffled, wanted)
    assert sorted(shuffled[:, 0, 0].tolist()) == sorted(wanted[:, 0, 0].tolist())


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_any_start_see_the_same_bytes(method):
    """B1: fork, spawn and forkserver workers, in every column."""
    ds = dataset(extra=("window", "statistics"), label="majority")
    here = list(DataLoader(ds, batch_size=5))
    there = list(DataLoader(ds, batch_size=5, num_workers=2, multiprocessing_context=method))
    for mine, theirs in zip(here, there, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            reading.assert_equal(b, a)


@pytest.mark.parametrize("method", METHODS)
def test_a_process_maps_the_same_series(method):
    """B1: a pickled dataset opens the same arena, read-only, without the series in the pickle."""
    ds = fc.ArenaDataset(Series(np.arange(1e6), window=96))
    pickled = pickle.dumps(ds)
    assert len(pickled) < 4096
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=series_workers.send_digest, args=(pickled, theirs))
    process.start()
    digest, count, writeable = ours.recv()
    process.join()
    assert count == len(ds) == 999_905
    assert digest == hashlib.sha256(ds.arrays["series"].tobytes()).hexdigest()
    assert not writeable
    assert torch.equal(pickle.loads(pickled)[5], ds[5])


def test_subsets_and_random_splits():
    """F2: torch's own ways to take a part."""
    ds, wanted = dataset(), torch.from_numpy(reference.windows(X, 8, 3))
    part = Subset(ds, [7, 0, 3, 3])
    windows = torch.cat([windows for windows, _ in DataLoader(part, batch_size=3)])
    assert torch.equal(windows, wanted[[7, 0, 3, 3]])
    first, second = random_split(ds, [0.5, 0.5])
    seen = torch.cat([w for p in (first, second) for w, _ in DataLoader(p, batch_size=4)])
    assert torch.equal(seen, wanted[[*first.indices, *second.indices]])


@pytest.mark.parametrize("shape", [(4, 3, 10), (3, 10), (10,)])
def test_windows_that_are_whole_series(shape):
    """F2: a window as long as the series; several channels then lie in one piece."""
    x = np.random.default_rng(0).normal(size=shape).astype("f4")
    ds = fc.ArenaDataset(Series(x, window=10))
    (batch,) = DataLoader(ds, batch_size=10)
    assert torch.equal(batch, torch.from_numpy(x.reshape(-1, shape[-2] if x.ndim > 1 else 1, 10)))


def test_batches_large_enough_for_streaming_and_threads():
    """F2: batches of many megabytes are the same numbers."""
    x = reference.made(channels=5, steps=30_000)
    ds = fc.ArenaDataset(Series(x, window=96, stride=7))
    rows = np.random.default_rng(0).permutation(len(ds))
    (batch,) = DataLoader(Subset(ds, rows.tolist()), batch_size=len(ds))
    every = np.lib.stride_tricks.sliding_window_view(x, 96, axis=1)[:, ::7].transpose(1, 0, 2)
    assert batch.nbytes > 4 << 20
    assert np.array_equal(batch.numpy(), every[rows])


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_grids(data):
    """F2: lists, arrays and gaps, any rows in any order, one by one and together."""
    block, stride = data.draw(st.booleans()), data.draw(st.integers(1, 5))
    lengths = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=4))
    lengths = [max(4, lengths[0])] * len(lengths) if block else [*lengths, 9]
    rng = np.random.default_rng(len(lengths))
    series = [rng.normal(size=(2, steps)) for steps in lengths]
    for one in series[::2]:
        one[:, 3:].flat[:: data.draw(st.sampled_from([9, 100]))] = np.nan
    wanted = reference.windows(series, 3, stride, skip=True)
    if not len(wanted):
        return
    x = np.stack(series) if block else series
    source = Series(x, window=3, stride=stride, on_nan="skip", extra=("window",))
    with fc.ArenaDataset(source) as ds:
        rows = data.draw(st.lists(st.integers(0, len(ds) - 1), min_size=1, max_size=9))
        (batch,) = DataLoader(Subset(ds, rows), batch_size=len(rows))
        for part in batch:
            assert np.array_equal(part.numpy(), wanted[rows])
        assert all(np.array_equal(ds[row][0].numpy(), wanted[row]) for row in rows)


# -- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["last", "majority", "any"])
@pytest.mark.parametrize("kind", ["int64", "uint8", "bool", "float32"])
def test_labels_of_steps(how, kind):
    """F2: one by one, in batches, and as targets, against a loop."""
    labels = [own.astype(kind) for own in Y]
    ds = fc.ArenaDataset(Series(X, labels, window=8, stride=3, label=how))
    places = reference.positions(X, 8, 3)
    wanted = [reference.label(labels[k][start : start + 8], how) for k, start in places]
    single = [ds[k][1] for k in range(len(ds))]
    assert single == wanted
    assert {type(label) for label in single} == {type(wanted[0])}
    assert ds.targets == wanted
    ((_, batch),) = DataLoader(ds, batch_size=len(ds))
    assert batch.tolist() == wanted
    assert ds.arrays["label"].dtype == kind
    assert ds.arrays["label"].shape == (sum(map(len, Y)),)


def test_labels_of_series():
    """F2: one per series, for lists and for arrays; names give classes."""
    by_series = [k for k, _ in reference.positions(X, 8, 3)]
    ds = fc.ArenaDataset(Series(X, ["b", "c", "a"], window=8, stride=3))
    assert ds.classes == ["a", "b", "c"]
    assert ds.targets == [[1, 2, 0][k] for k in by_series]
    block = np.stack([reference.made(seed=k) for k in range(4)])
    ds = fc.ArenaDataset(Series(block, torch.tensor([3.5, 1, 2, 0]), window=30, stride=10))
    assert ds.targets == [[3.5, 1, 2, 0][k] for k in range(4) for _ in range(3)]
    assert all(type(ds[k][1]) is float for k in range(len(ds)))


def test_labels_of_a_block_of_steps():
    """F2: (n, T) labels beside (n, C, T), as numbers and as names."""
    block = np.stack([reference.made(seed=k) for k in range(4)])
    labels = np.random.default_rng(0).integers(0, 3, (4, 50))
    places = reference.positions(list(block), 9, 4)
    wanted = [reference.label(labels[k, s : s + 9], "majority") for k, s in places]
    for given_labels in (labels, labels.tolist(), np.array(["a", "b", "c"])[labels]):
        source = Series(block, given_labels, window=9, stride=4, label="majority")
        assert fc.ArenaDataset(source).targets == wanted


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), max_size=8))
def test_the_most_frequent_value(rows):
    """F2: ties go to the smallest."""
    array = np.array(rows, np.int64).reshape(-1, 5)
    assert most_frequent(array).tolist() == [reference.label(row, "majority") for row in array]


def share_of_twos(labels):
    assert type(labels) is np.ndarray
    return (labels == 2).mean()


def test_labels_by_a_function():
    """F2: called once per window while the arena is filled, stored as Python's own type."""
    calls = []

    def how(labels):
        calls.append(len(labels))
        labels[:] = 0  # its own copy
        return len(calls)

    ds = fc.ArenaDataset(Series(X, Y, window=8, stride=3, label=how))
    assert calls == [8] * len(ds)
    assert ds.targets == [ds[k][1] for k in range(len(ds))] == list(range(1, len(ds) + 1))
    ds = fc.ArenaDataset(Series(X, Y, window=8, stride=3, label=share_of_twos), limit=4)
    places = reference.positions(X, 8, 3)[:4]
    assert ds.targets == [float((Y[k][s : s + 8] == 2).mean()) for k, s in places]


def test_functions_that_fail():
    """F2: what a function raises is told of the window; what is no number is refused."""

    def picky(labels):
        if labels[0] == 2:
            raise RuntimeError("not this one")
        return 1

    source = Series(X[0], np.where(np.arange(40) == 5, 2, 0), window=8, label=picky)
    with pytest.raises(DecodeError, match="not this one"):
        fc.ArenaDataset(source)
    ds = fc.ArenaDataset(source, on_error="skip")
    assert len(ds) == len(source) - 1
    assert ds.report.failed == [("sample 5", "RuntimeError: not this one")]
    wanted = np.delete(reference.windows([X[0]], 8), 5, axis=0)
    ((windows, _),) = DataLoader(ds, batch_size=len(ds))
    assert np.array_equal(windows.numpy(), wanted)
    for answer, message in (("one", "one number"), ([1, 2], "one number"), (None, "one number")):
        with pytest.raises(SchemaError, match=message):
            fc.ArenaDataset(Series(X, Y, window=8, label=lambda _, a=answer: a))
    answers = iter([1, 0.5])
    with pytest.raises(SchemaError, match="0.5 .*window 1.*one type"):
        fc.ArenaDataset(Series(X, Y, window=8, label=lambda _: next(answers)), threads=1)


# -- further parts of a sample --------------------------------------------------------------------


def test_statistics_are_those_of_scipy():
    """F2: every statistic, in the order asked for, as float32 (C, S)."""
    names = ("slope", "q0.1", "kurtosis", "mean", "std", "q0", "min", "max", "skewness", "q1.0")
    source = Series(X, window=8, stride=3, extra=("statistics",), statistics=names)
    ds = fc.ArenaDataset(source)
    windows = reference.windows(X, 8, 3)
    wanted = np.array([[[reference.statistic(c, n) for n in names] for c in w] for w in windows])
    single = torch.stack([ds[k][1] for k in range(len(ds))])
    assert single.dtype == torch.float32
    assert np.allclose(single, wanted, rtol=1e-6, atol=1e-6)
    ((_, batch),) = DataLoader(ds, batch_size=len(ds))
    assert torch.equal(batch, single)


def test_statistics_in_double_precision():
    """F2: small variation on a large value, which float32 sums would lose; and integers."""
    x = (1e4 + np.random.default_rng(0).normal(0, 1e-2, 400)).astype("f4")
    ds = fc.ArenaDataset(Series(x, window=200, extra=("statistics",)))
    names = ("mean", "std", "min", "max", "skewness", "kurtosis", "q0.25", "q0.5", "q0.75", "slope")
    wanted = [reference.statistic(x[7:207], name) for name in names]
    assert np.allclose(ds[7][1][0], wanted, rtol=1e-5, atol=1e-9)
    ds = fc.ArenaDataset(Series(np.arange(9), window=4, extra=("statistics",)))
    assert ds[1][1][0, [0, 9]].tolist() == [2.5, 1.0]


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_statistics_of_what_does_not_vary(value):
    """F2: a constant has skewness, kurtosis and slope 0, and so has a single step."""
    for window in (1, 7):
        x = np.full(20, value)
        ds = fc.ArenaDataset(Series(x, window=window, extra=("statistics",)))
        mean, std, _, _, *shape, _, _, _, slope = ds[3][1][0].tolist()
        assert mean == np.float32(value)
        assert (std, *shape, slope) == pytest.approx((0, 0, 0, 0), abs=1e-6)


@pytest.mark.parametrize("scale", [1e-200, 1e150])
def test_shape_does_not_depend_on_scale(scale):
    """F2: powers neither vanish nor overflow."""
    x = np.random.default_rng(0).normal(size=20)
    for values in (x, x * scale):
        ds = fc.ArenaDataset(Series(values, window=20, extra=("statistics",)))
        wanted = [reference.statistic(x, name) for name in ("skewness", "kurtosis")]
        assert np.allclose(ds[0][1][0, 4:6], wanted, rtol=1e-6)


def test_kurtosis_of_minus_three_is_not_taken_for_a_constant():
    """F2: two values, equally often: kurtosis -2, skewness 0."""
    ds = fc.ArenaDataset(Series(np.tile([1.0, 2.0], 9), window=8, extra=("statistics",)))
    assert ds[0][1][0, 4:6].tolist() == [0, -2]


def test_what_the_parts_are_and_which_is_transformed():
    """F2: the transform gets the series; the window beside it stays as it is."""
    parts = {"extra": ("window", "statistics"), "statistics": ("mean",)}
    ds = fc.ArenaDataset(
        Series(X, Y, window=8, stride=3, **parts),
        transform=lambda x: -x,
        target_transform=lambda label: label + 10,
    )
    plain = dataset(**parts)
    for k in range(len(ds)):
        series, window, statistics, label = ds[k]
        assert torch.equal(series, -window)
        reading.assert_equal((window, window, statistics, label - 10), plain[k])
    named = fc.ArenaDataset(Series(X, Y, window=8, **parts), output="dict")[0]
    assert list(named) == ["series", "window", "statistics", "label"]
    for batch in DataLoader(ds, batch_size=4):
        assert torch.equal(batch[0], -batch[1])


def test_what_there_is_none_of():
    """F2: attributes without a meaning raise AttributeError, so hasattr tells."""
    ds = dataset(extra=("statistics",))
    assert not hasattr(ds, "samples")
    assert not hasattr(ds, "classes")
    bare = fc.ArenaDataset(Series(X, window=8, extra=("statistics",)))
    assert not hasattr(bare, "targets")
    assert isinstance(fc.ArenaDataset(Series(X, window=8))[0], torch.Tensor)


def test_texts():
    """B8: repr, plan and report say what there is, once, and what was left out."""
    x = reference.made(channels=26, steps=1000)
    x[3, 500] = np.nan
    source = Series(x, np.arange(1000), window=96, on_nan="skip", extra=("statistics", "window"))
    ds = fc.ArenaDataset(source)
    line = "series float32 26x1000, 809 windows of 96"
    assert line in repr(ds)
    assert line in str(ds.plan)
    assert "windows left out for values that are not finite: 96" in str(ds.report)
    assert "labels int64 1000, the last of each window" in str(ds.report)
    assert "made on read: mean, std" in str(ds.plan)
    assert sum(column.bytes for column in ds.plan.columns) == x.nbytes + 8000
    assert set(ds.arrays) == {"series", "label"}


# -- series for what makes images of them ---------------------------------------------------------


def read_back(rows):
    """Return (B, C, length) by the offsets of SeriesRows alone."""
    assert rows.data.dtype == np.uint8
    assert rows.data.ndim == 1
    assert not rows.data.flags.writeable
    size = rows.length * rows.dtype.itemsize
    return np.stack(
        [
            [
                rows.data[at + c * rows.channel_bytes :][:size].view(rows.dtype)
                for c in range(rows.channels)
            ]
            for at in rows.offsets.tolist()
        ]
    )


def test_where_windows_lie():
    """B8: offsets into the arena itself, for lists and arrays of series."""
    picked = np.array([5, 0, 5, 2])
    for x in (X, np.stack([reference.made(seed=k) for k in range(3)])):
        ds = fc.ArenaDataset(Series(x, window=8, stride=3, extra=("window",)))
        reader = ds._reader.readers["series"]
        assert isinstance(reader, WindowReader)
        rows = reader.series(picked)
        assert np.shares_memory(rows.data, ds.arrays["series"])
        assert rows.offsets.dtype == np.int64
        assert np.array_equal(read_back(rows), reference.windows(list(x), 8, 3)[picked])


@pytest.mark.parametrize("shape", [(20,), (3, 20)])
def test_where_rows_of_arrays_lie(shape):
    """B8: the same of Arrays with one or two axes."""
    x = np.random.default_rng(0).normal(size=(6, *shape))
    ds = fc.ArenaDataset(Arrays(x))
    reader = ds._reader.readers["array"]
    assert isinstance(reader, DenseReader)
    rows = reader.series(np.array([4, 1]))
    assert np.array_equal(read_back(rows), x[[4, 1]].reshape(2, -1, 20))


def test_what_is_no_series():
    """F2: images, and arrays of other ranks."""
    images = np.zeros((2, 6, 5, 3), np.uint8)
    for x, name in ((images, "image"), (np.zeros((2, 3, 4, 5)), "array"), (np.zeros(4), "array")):
        reader = fc.ArenaDataset(Arrays(x))._reader.readers[name]
        with pytest.raises(ArgumentError, match="no series"):
            reader.series(np.array([0]))


# -- memory ---------------------------------------------------------------------------------------


def test_ten_million_windows_take_the_memory_of_the_series():
    """B8: opening, reading and random batches add the arena, and nothing per window."""
    script = textwrap.dedent(
        """
        import numpy as np, fastcache as fc, torch

        def peak(reset=False):
            if reset:
                open("/proc/self/clear_refs", "w").write("5")
            text = open("/proc/self/status").read()
            return int(text.partition("VmHWM:")[2].split()[0]) << 10

        fc.ArenaDataset(fc.sources.Series(np.arange(999.0, dtype="f4"), window=96))[3]
        x = np.arange(10_000_095, dtype=np.float32)
        labels = np.zeros(len(x), np.uint8)
        before = peak(reset=True)
        ds = fc.ArenaDataset(fc.sources.Series(x, labels, window=96, label="majority"))
        rows = np.random.default_rng(0).integers(0, len(ds), 512)
        windows, _ = fc.collate(ds.__getitems__(rows.tolist()))
        assert len(ds) == 10_000_000
        assert np.array_equal(windows[:, 0].numpy(), x[rows[:, None] + np.arange(96)])
        repr(ds), ds.plan, ds.report, ds[9_999_999]
        print(peak() - before - x.nbytes - labels.nbytes)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 20 << 20  # a single int64 per window would be 76 MiB
