"""Memory under pressure: what a dataset holds is given back when it is closed."""

import os
import re
import threading
from pathlib import Path

import numpy as np

import fastcache as fc
from fastcache.memory import pressure
from fastcache.sources import Arrays

SIZE = 64 << 20


def dataset():
    return fc.ArenaDataset(Arrays(np.ones((64, SIZE // 64), np.uint8)))


def shared_memory():
    """Return the bytes of shared memory that this process has mapped, its part of each page."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"^Pss_Shmem: +([0-9]+) kB$", text, re.MULTILINE)[1]) * 1024


def memfds():
    return sum("memfd:fastcache" in os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir())


def test_a_callback_gives_the_arena_back(monkeypatch):
    """C1: close() in a callback under pressure returns all pages, and nothing keeps them."""
    monkeypatch.setattr(pressure._watch, "_interval", 0.001)
    before, open_before = shared_memory(), memfds()
    ds, closed = dataset(), threading.Event()
    batch = ds.__getitems__([0, 1])
    assert shared_memory() - before >= SIZE
    assert memfds() > open_before

    def give_back(now):
        ds.close()
        closed.set()

    handle = fc.on_memory_pressure(give_back, fraction=1e-9)
    assert closed.wait(60)
    handle.cancel()
    assert shared_memory() - before < 1 << 20
    assert memfds() == open_before
    assert len(batch) == 2  # batches live on


def test_closing_an_arena_of_files_unmaps_them(tmp_path):
    """C1: of mapped files nothing stays mapped."""
    with dataset() as ds:
        ds.save(tmp_path / "x.arena")
    ds = fc.open(tmp_path / "x.arena")
    ds.__getitems__(list(range(64)))
    ds.read_ahead(range(64))
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    ds.close()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
