"""Packing within little memory: shards as small as it takes, and errors that say what helps."""

import os

import numpy as np
import pytest
from filling import filled

import fastcache as fc
from fastcache.errors import BudgetError
from fastcache.fill.disk import packing
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.disk.pack_plan import plan_on_disk
from fastcache.fill.options import FillOptions
from fastcache.fill.prepare import Preparation
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.memory.files.cut import shard_limits
from fastcache.memory.reading import Reading
from fastcache.sources import Arrays, Series

MIB = 1 << 20
ROWS = np.random.default_rng(0).integers(0, 255, (2000, 64, 64, 3), np.uint8)  # 23 MiB
SOURCE = Arrays(ROWS, np.arange(2000))


def pack(folder, source=SOURCE, **options):
    pack_arena(source, FillOptions(**options), folder, {"of": "rows"})


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def memory_of(size):
    return Reading(size, "budget", 1 << 40, ())


def planned(folder, size, source=SOURCE, **options):
    prepared = Preparation(source, FillOptions(home="disk", threads=1, **options))
    return plan_on_disk(prepared, folder, memory_of(size))


def test_limits_of_shards():
    assert shard_limits(100 * MIB) == [2**k * MIB for k in range(6, -1, -1)]
    assert shard_limits(1 << 40) == [1 << 30, 1 << 29, 1 << 28]  # 1024 to 4096 files
    assert shard_limits(0)[0] == 64 * MIB


def test_an_arena_larger_than_the_budget_is_packed(tmp_path):
    """A10, E8: what memory would hold in part, files hold as a whole."""
    pack(tmp_path / "x.arena", budget="12MB", threads=1)
    assert verify(tmp_path / "x.arena").ok
    assert len(files_of(tmp_path / "x.arena")) > 4
    with Arena.open(tmp_path / "x.arena") as made, filled(SOURCE) as expected:
        for name in ("image", "label"):
            assert (made.column(name).rows == expected.column(name).rows).all()
        assert (made.column("image").rows == ROWS).all()
        plan = made.catalog["plan"]
    assert plan["memory_bytes"] <= plan["memory_have_bytes"] == 12_000_000
    assert plan["memory_limit"] == "budget='12MB'"


def test_shards_are_no_smaller_than_they_have_to_be(tmp_path):
    counts, needs = [], []
    for size in (100, 30, 20, 10, 8):
        made = planned(tmp_path / "x.arena", size * MIB)
        assert made.memory_bytes <= size * MIB and made.plan.memory_fits
        counts.append(len(made.files.families[0].shards))
        needs.append(made.memory_bytes)
    assert counts[:2] == [1, 1]  # a lone shard is in memory once
    assert counts[1:] == sorted(set(counts)) and needs[1:] == sorted(needs[1:], reverse=True)


class Ended(BaseException):
    """Stands for what ends a process in the middle."""


@pytest.mark.parametrize("then", ["100MB", "14MB"])
def test_a_run_that_was_ended_keeps_the_size_of_its_shards(tmp_path, monkeypatch, then):
    """E8: more room in memory is no reason to begin anew, and the bytes stay the same."""
    pack(tmp_path / "x.arena", budget="12MB", threads=1)
    done: list[int] = []
    fill = packing.Packing._fill_part

    def some(self, staged, tables, first, stop, meter):
        if len(done) == 2:
            raise Ended
        done.append(first)
        return fill(self, staged, tables, first, stop, meter)

    def rest(self, staged, tables, first, stop, meter):
        done.append(first)
        return fill(self, staged, tables, first, stop, meter)

    monkeypatch.setattr(packing.Packing, "_fill_part", some)
    with pytest.raises(Ended):
        pack(tmp_path / "y.arena", budget="12MB", threads=1)
    before, done[:] = set(done), []
    monkeypatch.setattr(packing.Packing, "_fill_part", rest)
    pack(tmp_path / "y.arena", budget=then, threads=1)
    assert len(before) == 2 and done and not before & set(done)
    assert files_of(tmp_path / "y.arena") == files_of(tmp_path / "x.arena")


def test_a_run_with_less_memory_than_the_one_before_begins_anew(tmp_path, monkeypatch):
    def end(self, staged, tables, first, stop, meter):
        if first:
            raise Ended
        return fill(self, staged, tables, first, stop, meter)

    fill = packing.Packing._fill_part
    monkeypatch.setattr(packing.Packing, "_fill_part", end)
    with pytest.raises(Ended):
        pack(tmp_path / "y.arena", budget="12MB", threads=1)
    assert "journal.jsonl" in os.listdir(tmp_path / "y.arena")
    monkeypatch.setattr(packing.Packing, "_fill_part", fill)
    pack(tmp_path / "y.arena", budget="8MB", threads=1)
    assert verify(tmp_path / "y.arena").ok
    pack(tmp_path / "z.arena", budget="8MB", threads=1)
    assert files_of(tmp_path / "z.arena") == files_of(tmp_path / "y.arena")


def test_remedies_are_those_that_help(tmp_path):
    """A10: fewer threads only where that is enough, and a budget that is small is to be allowed."""

    def refused(source, **options):
        with pytest.raises(BudgetError) as caught:
            pack(tmp_path / "x.arena", source, **options)
        assert not (tmp_path / "x.arena").exists()
        return str(caught.value).partition("); ")[2]

    text = refused(SOURCE, budget="2MB", threads=1)
    assert text.startswith("make the samples smaller with store=, or allow more with budget=")
    text = refused(SOURCE, budget="9MB", threads=16)
    assert text.startswith("threads=") and "allow more with budget=" in text
    threads = int(text.partition("=")[2].partition(" ")[0])
    pack(tmp_path / "y.arena", budget="9MB", threads=threads)  # it is true
    series = Series(np.zeros((1, 4_000_000), np.float32), window=64)
    assert "threads=" not in refused(series, budget="8MB", threads=2)
    small = Arrays(np.zeros((1_000_000, 1), np.uint8), np.arange(1_000_000))
    text = refused(small, budget="5MB", threads=1)
    assert text.startswith("take fewer of them with limit=, or allow more")
    assert refused(Arrays(np.arange(3)), budget=1000, threads=1).startswith("allow more with")


def test_datasets_are_filled_where_memory_alone_has_no_room(tmp_path):
    pytest.importorskip("torch")
    ds = fc.ArenaDataset(SOURCE, home="disk", budget="12MB", threads=1)
    assert ds.plan.arena_bytes > 12_000_000 and ds.plan.fits
    assert (ds[1999][0].numpy() == ROWS[1999].transpose(2, 0, 1)).all()
    ds.close()
