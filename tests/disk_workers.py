"""What the tests of arenas on disk run in other processes, which import it by its name."""

from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import fastcache as fc
from fastcache import transforms as T

STORE = [T.Resize(40), T.CenterCrop(32)]


def build(photos: Path, cache: Path, results: "Queue[Any]") -> None:
    """Build or open a cached dataset, and say what is in it."""
    with fc.ArenaDataset(photos, store=STORE, cache_dir=cache) as ds:
        results.put((len(ds), int(sum(ds[k][0].sum() for k in range(len(ds))))))
