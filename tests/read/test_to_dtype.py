"""Samples and batches of arenas that ``store=ToDtype`` filled (row D6)."""

import images
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.sources import Arrays, Files, Series

STORE = [T.Resize(20), T.CenterCrop(16)]


@pytest.fixture
def paths(tmp_path):
    made = []
    for k, name in enumerate(("a.jpg", "b.png", "c.bmp", "d.jpg", "e.webp", "f.png")):
        made.append(str(tmp_path / name))
        images.photo(30 + k, 40, seed=k).save(made[-1])
    return made


def test_batches_of_arrays_are_float16():
    """D6: as torch's own cast has them."""
    x = torch.randn(40, 3, 5, generator=torch.Generator().manual_seed(0))
    ds = fc.ArenaDataset(Arrays(x, np.arange(40)), store=T.ToDtype(torch.float16))
    assert ds[7][0].dtype == torch.float16
    for rows, labels in DataLoader(ds, batch_size=16):
        assert rows.dtype == torch.float16
        assert labels.dtype == torch.int64
        assert torch.equal(rows, x[labels].half())
    assert ds.arrays["array"].dtype == np.float16


def test_batches_of_windows_are_float16():
    """D6: windows, their copies, and fields made of them."""
    x = torch.randn(2, 300, generator=torch.Generator().manual_seed(1))
    source = Series(x.numpy(), window=16, stride=4, extra=("window",))
    ds = fc.ArenaDataset(source, store=T.ToDtype("float16"))
    windows, again = next(iter(DataLoader(ds, batch_size=8)))
    assert windows.dtype == again.dtype == torch.float16
    wanted = x.half().unfold(1, 16, 4).transpose(0, 1)[:8]
    assert torch.equal(windows, wanted)
    assert torch.equal(again, wanted)
    field = fc.GramianAngularField()
    plain = fc.ArenaDataset(Series(x.half().float().numpy(), window=16, stride=4), transform=field)
    short = Series(x.numpy(), window=16, stride=4)
    half = fc.ArenaDataset(short, store=T.ToDtype("float16"), transform=field)
    assert torch.equal(plain[3], half[3])


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("keep", ["decoded", "encoded"])
@pytest.mark.parametrize("dense", [False, True])
def test_batches_of_images(paths, keep, scale, dense):
    """D6, A7: the same numbers however samples are kept, alone and in batches."""
    geometry = STORE if dense else []
    plain = fc.ArenaDataset(Files(paths, range(6)), store=geometry)
    store = [*geometry, T.ToDtype(torch.float16, scale=scale)]
    ds = fc.ArenaDataset(Files(paths, range(6)), store=store, keep=keep)

    def wanted(k):
        levels = plain[k][0].numpy()
        return torch.from_numpy((levels / 255 if scale else levels).astype(np.float16))

    for k in range(6):
        assert ds[k][0].dtype == torch.float16
        assert torch.equal(ds[k][0], wanted(k))
    for pixels, labels in DataLoader(ds, batch_size=4):
        if dense:
            assert pixels.dtype == torch.float16
            assert pixels.is_contiguous(memory_format=torch.channels_last)
        for image, label in zip(pixels, labels.tolist(), strict=True):
            assert torch.equal(image, wanted(label))


def test_transforms_get_tensors(paths):
    """D6: PIL has no images of such types, which is said before anything is decoded."""
    store = [*STORE, T.ToDtype("float16", scale=True)]
    with pytest.raises(ArgumentError, match="transform_input='tensor'"):
        fc.ArenaDataset(Files(paths), store=store, transform=torch.neg)
    ds = fc.ArenaDataset(Files(paths), store=store, transform=torch.neg, transform_input="tensor")
    plain = fc.ArenaDataset(Files(paths), store=store)
    assert torch.equal(ds[2], -plain[2])
