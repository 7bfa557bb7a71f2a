"""What the tests of arenas on disk run in other processes, which import it by its name."""

from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import images
import torch
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T

STORE = [T.Resize(40), T.CenterCrop(32)]


def build(photos: Path, cache: Path, results: "Queue[Any]") -> None:
    """Build or open a cached dataset, and say what is in it."""
    with fc.ArenaDataset(photos, store=STORE, cache_dir=cache) as ds:
        results.put((len(ds), int(sum(ds[k][0].sum() for k in range(len(ds))))))


def write_photos(folder, count=12):
    for k in range(count):
        path = folder / f"class{k % 3}" / f"{k:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode(images.photo(40 + k, 50, seed=k)))
    return folder


def same(one, other):
    """Whether two datasets hold the same samples, alone and in batches."""
    assert len(one) == len(other)
    for a, b in zip((one[k] for k in range(len(one))), (other[k] for k in range(len(other)))):
        assert torch.equal(a[0], b[0]) and a[1] == b[1]
    for a, b in zip(DataLoader(one, batch_size=4), DataLoader(other, batch_size=4)):
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    return True
