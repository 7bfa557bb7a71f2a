"""Transforms of series in a dataset: images of windows, made where the batch is."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, default_collate

import fastcache as fc
from fastcache.errors import ArgumentError, ClosedError
from fastcache.gaf import GramianAngularField, gramian_angular_field
from fastcache.sources import Arrays, Files, Series

RNG = np.random.default_rng(11)
LONG = RNG.standard_normal((3, 400)).cumsum(1)
MANY = RNG.standard_normal((20, 2, 60)).astype(np.float32)


def windows(x, length, stride=1):
    """Return all windows of (C, T) as (n, C, length), by slicing."""
    return np.stack(
        [x[:, k : k + length] for k in range(0, x.shape[1] - length + 1, stride)]
    )  # fmt: skip


def numbers(tensor):
    """Return a tensor as NumPy can compare it; bfloat16 is exact in float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


@pytest.mark.parametrize("method", ["summation", "difference", "both"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "uint16"])
@pytest.mark.parametrize("size", [48, 17])
def test_images_are_the_estimators(method, dtype, size):
    """B1, B5, F2: what C writes into the batch is what the estimator makes of the windows."""
    gaf = GramianAngularField(size, method=method, dtype=dtype)
    ds = fc.ArenaDataset(Series(LONG, window=48, stride=7), transform=gaf)
    wanted = gaf.transform(windows(LONG, 48, 7))
    batch = default_collate(ds.__getitems__(range(len(ds))))
    assert batch.dtype == getattr(torch, dtype)
    np.testing.assert_array_equal(batch.numpy(), wanted)
    for k in (0, 5, -1):
        np.testing.assert_array_equal(ds[k].numpy(), wanted[k])


def test_bfloat16_is_float32_rounded():
    gaf = GramianAngularField(method="both", dtype="bfloat16")
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=gaf)
    batch = default_collate(ds.__getitems__(range(40)))
    assert batch.dtype == torch.bfloat16
    wanted = gramian_angular_field(windows(LONG, 48)[:40], method="both")
    np.testing.assert_array_equal(
        numbers(batch), torch.from_numpy(wanted).to(torch.bfloat16).float().numpy()
    )


@pytest.mark.parametrize(
    "x", [MANY, [*MANY], MANY[:, 0], LONG[0], LONG.astype(np.int16), LONG[:, ::-1]],
    ids=["n c t", "list", "n t as channels", "one", "integers", "reversed"],
)  # fmt: skip
def test_every_kind_of_series(x):
    """B8: labels come along; a series of one channel has an axis for it."""
    source = Series(x, window=30, stride=4)
    plain = fc.ArenaDataset(source)
    ds = plain.with_transform(GramianAngularField(0.5, method="both", out_range=(0, 1)))
    series = torch.stack([plain[k] for k in range(len(plain))]).numpy()
    wanted = gramian_angular_field(series, 0.5, method="both", out_range=(0, 1))
    np.testing.assert_array_equal(default_collate(ds.__getitems__(range(len(ds)))), wanted)


def test_arrays_are_series_too():
    x = RNG.standard_normal((9, 33))
    ds = fc.ArenaDataset(Arrays(x, np.arange(9)), transform=GramianAngularField(11, method="d"))
    images, labels = next(iter(DataLoader(ds, 9)))
    wanted = gramian_angular_field(x[:, None], 11, method="d")
    np.testing.assert_array_equal(images.numpy(), wanted)
    assert labels.tolist() == list(range(9))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_make_the_same(workers, context):
    """B1: whatever process makes the images, they are the same bytes."""
    gaf = GramianAngularField(24, method="both", dtype="float16")
    extra = ("window", "statistics")
    source = Series(LONG, np.arange(400) % 5, window=48, stride=5, extra=extra)
    ds = fc.ArenaDataset(source, transform=gaf)
    options = {"num_workers": workers, "multiprocessing_context": context} if workers else {}
    batches = list(DataLoader(ds, 16, **options))
    images, raw, statistics, labels = (torch.cat(parts) for parts in zip(*batches))
    np.testing.assert_array_equal(images.numpy(), gaf.transform(windows(LONG, 48, 5)))
    np.testing.assert_array_equal(raw.numpy(), windows(LONG, 48, 5))
    np.testing.assert_allclose(statistics[..., 0], windows(LONG, 48, 5).mean(-1), rtol=1e-5)
    assert labels.tolist() == [(start + 47) % 5 for start in range(0, 353, 5)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads):
    """B3: bit for bit; the batch is large enough for several threads."""
    ds = fc.ArenaDataset(
        Series(LONG, window=96), transform=GramianAngularField(method="both"), threads=threads
    )
    batch = default_collate(ds.__getitems__(range(150)))
    assert batch.nbytes > 8 << 20
    np.testing.assert_array_equal(
        batch.numpy(), gramian_angular_field(windows(LONG, 96)[:150], method="both", n_jobs=1)
    )


def test_batches_are_fresh_memory():
    ds = fc.ArenaDataset(Series(LONG, window=96), transform=GramianAngularField())
    first = default_collate(ds.__getitems__(range(30)))
    kept = first.clone()
    for start in range(1, 9):
        default_collate(ds.__getitems__(range(start, start + 30)))
    assert torch.equal(first, kept)
    first.zero_()
    assert torch.equal(default_collate(ds.__getitems__(range(30))), kept)


def test_steps_after_it_get_images():
    gaf = GramianAngularField(12)
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=[gaf, lambda image: image * 2])
    wanted = gaf.transform(windows(LONG, 48)[:4]) * 2
    np.testing.assert_array_equal(next(iter(DataLoader(ds, 4))).numpy(), wanted)
    assert "GramianAngularField(image_size=12)" in repr(ds)


def test_target_transforms_go_with_it():
    gaf = GramianAngularField(12)
    ds = fc.ArenaDataset(
        Series(LONG, np.arange(400), window=48), transform=gaf, target_transform=lambda y: -y
    )
    images, labels = next(iter(DataLoader(ds, 4)))
    np.testing.assert_array_equal(images.numpy(), gaf.transform(windows(LONG, 48)[:4]))
    assert labels.tolist() == [-47, -48, -49, -50]


def test_flattened_images():
    gaf = GramianAngularField(10, method="both", flatten=True)
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=gaf)
    batch = default_collate(ds.__getitems__([3, 1]))
    np.testing.assert_array_equal(batch.numpy(), gaf.transform(windows(LONG, 48)[[3, 1]]))


def test_copies_and_pickles_keep_it():
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=GramianAngularField(12))
    for twin in (copy.deepcopy(ds), pickle.loads(pickle.dumps(ds)), Subset(ds, range(len(ds)))):
        assert torch.equal(twin[7], ds[7])
    ds.transform = None
    assert ds[7].shape == (3, 48)
    ds.transform = GramianAngularField(6)
    assert ds[7].shape == (3, 6, 6)


def test_it_is_closed_like_any_other():
    """B7: what makes the images looks at the arena too."""
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=GramianAngularField(12))
    twin = ds.with_transform(GramianAngularField(6, method="both"))
    batch = default_collate(ds.__getitems__([1, 2]))
    kept = batch.clone()
    assert twin[0].shape == (6, 6, 6)
    ds.close()
    assert torch.equal(batch, kept)
    with pytest.raises(ClosedError):
        twin[0]


def test_dicts_name_the_images():
    ds = fc.ArenaDataset(
        Series(LONG, np.arange(400), window=48), transform=GramianAngularField(6), output="dict"
    )
    batch = next(iter(DataLoader(ds, 4)))
    assert batch["series"].shape == (4, 3, 6, 6)
    assert batch["label"].shape == (4,)


# -- requests that cannot be met ---------------------------------------------------------------


def test_images_larger_than_the_window():
    with pytest.raises(ArgumentError, match="The series have 48 time steps"):
        fc.ArenaDataset(Series(LONG, window=48), transform=GramianAngularField(49))


def test_it_comes_first():
    ds = fc.ArenaDataset(Series(LONG, window=48))
    for steps in ([lambda x: x, GramianAngularField()], [GramianAngularField()] * 2):
        with pytest.raises(ArgumentError, match="comes first"):
            ds.with_transform(steps)
    with pytest.raises(ArgumentError, match="comes first"):
        ds.with_transform(None, target_transform=GramianAngularField())


def test_photographs_are_no_series(class_folder):
    paths = sorted(map(str, class_folder.rglob("*.jpg")))
    with pytest.raises(ArgumentError, match=r"sources\.Series"):
        fc.ArenaDataset(Files(paths), transform=GramianAngularField())


def test_what_is_not_finite_is_named():
    x = RNG.standard_normal((6, 2, 20))
    x[4, 1, 3] = np.nan
    ds = fc.ArenaDataset(Arrays(x), transform=GramianAngularField())
    assert ds[3].shape == (2, 20, 20)
    with pytest.raises(ArgumentError, match=r"contains NaN.*Sample 2 of the batch, channel 1"):
        ds.__getitems__([1, 2, 4])
    with pytest.raises(ArgumentError, match="contains NaN"):
        ds[4]


def test_what_is_out_of_range_is_named():
    x = np.linspace(0, 3, 100)
    ds = fc.ArenaDataset(Series(x, window=10), transform=GramianAngularField(sample_range=None))
    assert ds[0].shape == (1, 10, 10)
    with pytest.raises(ArgumentError, match=r"between -1 and 1.*Sample 1 of the batch"):
        ds.__getitems__([0, 80])


# -- batches of bare tensors -------------------------------------------------------------------


@pytest.mark.parametrize("transform", [None, GramianAngularField(8)])
def test_functions_of_torch_take_batches_of_bare_tensors(transform):
    """In C++ they look past a list's methods, into what stands there until somebody looks."""
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=transform)
    wanted = [ds[k] for k in (5, 2)]
    assert torch.equal(torch.stack(ds.__getitems__([5, 2])), torch.stack(wanted))
    assert torch.equal(torch.cat(ds.__getitems__([5, 2]), dim=1), torch.cat(wanted, dim=1))
    assert torch.equal(torch.stack(tensors=ds.__getitems__([5, 2])), torch.stack(wanted))
    (loaded,) = DataLoader(Subset(ds, [5, 2]), 2, collate_fn=torch.stack)
    assert torch.equal(loaded, torch.stack(wanted))


def test_bare_tensors_are_plain_to_all_others():
    ds = fc.ArenaDataset(Series(LONG, window=48))
    batch = ds.__getitems__([5, 2, 9])
    assert type(batch[0] * 1) is torch.Tensor
    assert [type(tensor) for tensor in batch] == [torch.Tensor] * 3
    assert [type(t) for t in pickle.loads(pickle.dumps(ds.__getitems__([5, 2])))] == [
        torch.Tensor
    ] * 2
    assert type(pickle.loads(pickle.dumps(ds.__getitems__([5, 2])[0]))) is torch.Tensor
    looked_at = ds.__getitems__([5, 2])
    looked_at[0].zero_()
    assert torch.equal(
        default_collate(looked_at), torch.stack([torch.zeros(3, 48).double(), ds[2]])
    )


@pytest.mark.parametrize(
    "rows",
    [
        np.ones((3, 8), np.complex64),
        np.ones((3, 2, 0)),
        np.ones((3, 0, 8)),
        np.ones((3, 0)),
    ],
)
def test_rows_that_are_no_series_of_numbers(rows):
    """Said when the dataset is made, not when a batch is."""
    with pytest.raises(ArgumentError, match="real numbers"):
        fc.ArenaDataset(Arrays(rows), transform=GramianAngularField())


def test_transforms_are_taken_as_they_are():
    """What is done to the estimator later changes no images: neither here nor in workers."""
    gaf = GramianAngularField(6)
    ds = fc.ArenaDataset(Series(LONG, window=48), transform=gaf)
    gaf.set_params(image_size=12)
    assert ds[0].shape == (3, 6, 6)
    for workers in (0, 1):
        loader = DataLoader(
            ds, num_workers=workers, multiprocessing_context="spawn" if workers else None
        )
        assert next(iter(loader)).shape == (1, 3, 6, 6)
    assert ds.with_transform(gaf)[0].shape == (3, 12, 12)
