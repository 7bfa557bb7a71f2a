"""Arenas of files, larger than memory or not: what is read ahead; samples stay the same."""

import threading

import images
import numpy as np
import pytest
import torch
from paging import PAGE, evict, resident, values
from PIL import Image
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ClosedError
from fastcache.fill.images.kept import DECODED, ENCODED
from fastcache.memory import paging as module
from fastcache.memory.paging import Paging
from fastcache.read.paged import extents_of
from fastcache.sources import Arrays, Files, Series

COUNT, SIZE = 96, 224


@pytest.fixture(autouse=True)
def _nothing_else_open(monkeypatch):
    monkeypatch.setattr(module, "_open", type(module._open)())


def pixels(count=COUNT):
    made = np.random.default_rng(0).integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return Arrays(made, np.arange(count))


@pytest.fixture
def saved(tmp_path):
    with fc.ArenaDataset(pixels()) as ds:
        ds.save(tmp_path / "x.arena")
    with fc.open(tmp_path / "x.arena") as opened:
        yield opened


def small_room(ds, share=0.5):
    """Let the arena be larger than what there is room for."""
    paging = ds._reader.arena.paging
    paging._room = lambda: int(paging.total_bytes * share)
    paging.survey()
    assert paging.passes
    return paging


def epoch(ds, **options):
    return [(image.clone(), label.clone()) for image, label in DataLoader(ds, **options)]


def same(one, two):
    pairs = zip(one, two, strict=True)
    return all(torch.equal(a, b) and torch.equal(x, y) for (a, x), (b, y) in pairs)


# -- where samples lie ----------------------------------------------------------------------------


def photos(folder, sizes):
    paths = []
    for k, size in enumerate(sizes):
        paths.append(folder / f"{k}.png")
        Image.fromarray(images.pixels(*size, 3)).save(paths[-1])
    return Files([str(path) for path in paths], range(len(paths)))


def bytes_of(array, base):
    """Return the places of an array's bytes, counted from a base."""
    steps = np.zeros(1, np.int64)
    for length, stride in zip(array.shape, array.strides, strict=True):
        steps = (steps[:, None] + np.arange(length) * stride).reshape(-1)
    first = array.__array_interface__["data"][0] - base
    return {first + int(step) + k for step in steps for k in range(array.itemsize)}


SERIES = np.arange(3 * 2 * 60, dtype=np.float32).reshape(3, 2, 60)
KINDS = {
    "one shape": lambda folder: fc.ArenaDataset(Arrays(np.ones((9, 5, 7), np.int16), np.arange(9))),
    "images of one size": lambda folder: fc.ArenaDataset(
        photos(folder, [(40, 50)] * 5), store=[T.Resize(20), T.CenterCrop(16)]
    ),
    "images of own sizes": lambda folder: fc.ArenaDataset(
        photos(folder, [(9, 12), (20, 7), (1, 1), (31, 30)])
    ),
    "windows": lambda folder: fc.ArenaDataset(Series(SERIES, window=8, stride=3)),
    "windows of one series": lambda folder: fc.ArenaDataset(Series(SERIES[0, 0], window=8)),
    "whole series": lambda folder: fc.ArenaDataset(Series(SERIES, window=60)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_extents_are_where_samples_lie(tmp_path, kind):
    KINDS[kind](tmp_path).save(tmp_path / "x.arena")
    with fc.open(tmp_path / "x.arena") as ds:
        reader = ds._reader
        name = max(reader.fields, key=reader.arena.layout.bytes_of)
        readers = {name: reader.readers[name]}
        base = reader.arena.base_address
        rows = np.random.default_rng(1).permutation(len(ds))[: len(ds) // 2 + 1]
        found = extents_of(readers, rows)
        told = [
            byte
            for start, length in zip(found.starts.tolist(), found.lengths.tolist(), strict=True)
            for byte in range(start, start + length)
        ]
        expected = [bytes_of(readers[name].array(row), base) for row in rows.tolist()]
        del readers, reader
        assert set(told) == set().union(*expected)
        assert len(told) == sum(map(len, expected))


def test_extents_of_what_is_not_all_decoded(tmp_path):
    source = photos(tmp_path, [(60, 60)] * 12)
    with fc.ArenaDataset(source, threads=1) as whole:
        pixels_of = sum(column.bytes for column in whole.plan.columns)
        budget = whole.plan.need_bytes - pixels_of // 2 + 45_000
    kept = fc.ArenaDataset(source, budget=budget, threads=1)
    assert kept.report["columns"]["image"]["kept"]["decoded"] < 12
    kept.save(tmp_path / "x.arena")
    with fc.open(tmp_path / "x.arena") as ds:
        small_room(ds)
        reader = ds._reader.readers["image"]
        found = extents_of({"image": reader}, np.arange(12))
        forms = reader.kept.forms
        lying = int(((forms == DECODED) | (forms == ENCODED)).sum())
        assert len(found.starts) == lying
        del reader, forms
        with fc.ArenaDataset(source) as again:
            assert same(epoch(ds, batch_size=4), epoch(again, batch_size=4))


# -- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("share", [0.5, 0.0, 5.0])
def test_samples_are_the_same(saved, workers, share):
    """E8: an arena larger than the room that there is gives what one in memory gives."""
    if share < 1:
        small_room(saved, share)
    options = {"batch_size": 16, "num_workers": workers}
    with fc.ArenaDataset(pixels()) as ds:
        for number in range(2):
            one, two = (fc.ArenaSampler(d, seed=number) for d in (saved, ds))
            assert same(epoch(saved, sampler=one, **options), epoch(ds, sampler=two, **options))
        assert torch.equal(saved[5][0], ds[5][0])


def test_only_the_first_part_stays(saved):
    """E8: what has passed makes way, and the first part of the arena stays where it is."""
    arena = saved._reader.arena
    if not evict(arena):
        pytest.skip("this file system keeps its pages")
    paging = small_room(saved)
    for _ in range(2):
        for _batch in DataLoader(saved, batch_size=16, sampler=fc.ArenaSampler(saved)):
            pass
    paging.settle()
    there = resident(*values(arena))
    stay = int(paging.stays * COUNT)
    row = SIZE * SIZE * 3
    assert there[: stay * row // PAGE].all()
    # The page in which two rows meet is left alone unless they went together.
    passed = there[-(-stay * row // PAGE) :]
    assert passed.sum() < 0.1 * len(passed)


def test_the_report_tells_what_stays(saved):
    assert saved.report["stays"] == 1.0
    assert "in memory" not in str(saved.report)
    small_room(saved)
    assert saved.report["stays"] == pytest.approx(0.35)
    assert "the first 35% of the rows stay there, the others pass" in str(saved.report)


def test_opening_reads_no_sample(tmp_path):
    """E8, A11: an arena is open at once; what is not asked for is not read."""
    fc.ArenaDataset(pixels()).save(tmp_path / "x.arena")
    arena = fc.open(tmp_path / "x.arena")._reader.arena
    if not evict(arena):
        pytest.skip("this file system keeps its pages")
    with fc.open(tmp_path / "x.arena") as ds:
        assert not resident(*values(arena)).any()
        small_room(ds)
        ds[7]
        assert resident(*values(arena)).sum() <= SIZE * SIZE * 3 // PAGE + 2


def test_read_ahead(saved):
    arena = saved._reader.arena
    if not evict(arena):
        pytest.skip("this file system keeps its pages")
    small_room(saved).ahead = 2
    saved.read_ahead([3, -1])
    arena.paging.settle()
    gathered = saved.__getitems__([3, COUNT - 1])
    assert [label for _, label in gathered] == [3, COUNT - 1]
    evict(arena)
    name = next(iter(saved.arrays))
    saved.read_ahead(np.array([3, 4]))
    arena.paging.settle()
    row = SIZE * SIZE * 3
    for place in range(3 * row, 5 * row, PAGE):  # a page that is on its way counts once it is used
        assert saved.arrays[name].reshape(-1)[place] >= 0
    there = resident(*values(arena))
    assert there[3 * row // PAGE : -(-5 * row // PAGE)].all()


def test_read_ahead_of_an_arena_in_memory_does_nothing():
    with fc.ArenaDataset(pixels(4)) as ds:
        ds.read_ahead([0, 3])
        with pytest.raises(IndexError):
            ds.read_ahead([4])
    with pytest.raises(ClosedError):
        ds.read_ahead([0])


def recorded(monkeypatch, name):
    calls, method = [], getattr(Paging, name)

    def call(self, extents):
        calls.append(extents)
        return method(self, extents)

    monkeypatch.setattr(Paging, name, call)
    return calls


def test_the_sampler_reads_ahead(saved, monkeypatch):
    """F5: what comes next is asked for by the process that knows the order."""
    aside = recorded(monkeypatch, "bring_aside")
    sampler = fc.ArenaSampler(saved, ahead=32)
    small_room(saved).ahead = COUNT
    for _batch in DataLoader(saved, batch_size=16, sampler=sampler):
        pass
    starts = np.concatenate([extents.starts for extents in aside])
    assert len(set(starts.tolist())) == COUNT


def test_what_is_read_ahead_fits(saved, monkeypatch):
    aside = recorded(monkeypatch, "bring_aside")
    small_room(saved, share=0.5)
    saved.read_ahead(range(COUNT))
    assert len(aside[0].starts) == int(COUNT * 0.5 * 0.3 / 5)


def test_samples_one_by_one_are_asked_for_together(saved, monkeypatch):
    small_room(saved)
    asked = recorded(monkeypatch, "bring")
    with_transform = saved.with_transform(lambda image: image.size)
    made = with_transform.__getitems__([5, 1, 90])
    assert made == [((SIZE, SIZE), 5), ((SIZE, SIZE), 1), ((SIZE, SIZE), 90)]
    assert len(asked[0].starts) == 3


def test_closing_waits_for_what_is_read_ahead(tmp_path, monkeypatch):
    """C1: close() gives the mapping back whatever helper threads are doing."""
    fc.ArenaDataset(pixels(4)).save(tmp_path / "x.arena")
    goes_on, entered = threading.Event(), threading.Event()
    ds = fc.open(tmp_path / "x.arena")
    start = module.pool.start

    def slow(work, threads):
        def wait():
            entered.set()
            goes_on.wait()
            work()

        return start(wait, threads)

    monkeypatch.setattr(module.pool, "start", slow)
    ds.read_ahead([0, 1])
    entered.wait()
    closing = threading.Thread(target=ds.close)
    closing.start()
    goes_on.set()
    closing.join()
    with pytest.raises(ClosedError):
        ds[0]
