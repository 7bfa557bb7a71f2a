"""Shuffled batches of 256 at 224 px from an arena of files in page cache, and from one in memory.

options: ``folder``, where the arena is saved.  The same rows, plain DataLoader with 0 workers; both
take turns.  ``first`` is the first epoch of a new mapping: the files are in page cache, but none of
their pages are in the page tables yet.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns

BATCH = 256
PASSES = 4


def prepare(settings: Settings) -> Round:
    import torch
    from common import open_photos, own_folder

    import fastcache as fc

    torch.set_num_threads(settings.threads)
    read_all(settings.paths)
    ram = open_photos(settings, repeat=-(-settings.rows // len(settings.paths)))
    path = own_folder(settings) / "rows.arena"
    ram.save(path)

    def opened() -> Any:
        return fc.open(path, threads=settings.threads)

    def warm() -> float:
        with opened() as dataset:
            epoch(dataset)()
            return seconds_of(epoch(dataset))

    def first() -> float:
        with opened() as dataset:
            return seconds_of(epoch(dataset))

    with opened() as dataset:
        verify(ram, dataset)

    def one_round() -> Result:
        actions = {"ram": lambda: seconds_of(epoch(ram)), "warm": warm, "first": first}
        seconds = take_turns(actions, PASSES)
        items = len(ram) // BATCH * BATCH
        return {"seconds": seconds["warm"], **seconds, "items": items}

    return one_round


def epoch(dataset: Any) -> Callable[[], None]:
    """Return what goes once through a dataset, shuffled."""
    from torch.utils.data import DataLoader

    loader = DataLoader(dataset, BATCH, shuffle=True, drop_last=True)

    def run() -> None:
        for _ in loader:
            pass

    return run


def verify(ram: Any, disk: Any) -> None:
    """Refuse arenas that do not hold the same rows; everything is in page cache afterwards."""
    a, b = ram.arrays["image"], disk.arrays["image"]
    same = a.shape == b.shape and all(np.array_equal(*pair) for pair in zip(a, b, strict=True))
    if not same or disk.report["home"] != "disk" or ram.report["home"] != "ram":
        raise RuntimeError("the arena of files does not hold the rows of the one in memory")


if __name__ == "__main__":
    serve(prepare, package="fastcache")
