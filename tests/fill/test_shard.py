"""``shard=(rank, world)``: parts of a source, an arena each (row D6)."""

import itertools

import numpy as np
import pytest

from fastcache.errors import ArgumentError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions, cut, select
from fastcache.fill.report import Report
from fastcache.memory.row_numbers import AllRows
from fastcache.sources import Arrays, Series


def parts(count, world, seed=0, limit=None):
    taken = select(count, limit, seed)
    return [np.asarray(cut(taken, (rank, world), seed)).tolist() for rank in range(world)]


@pytest.mark.parametrize("world", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("count", [7, 8, 100, 1001])
def test_parts_are_disjoint_complete_and_even(count, world):
    """D6: every sample on one rank, in the source's order, as many on each but for one."""
    found = parts(count, world)
    assert sorted(itertools.chain(*found)) == list(range(count))
    sizes = [len(part) for part in found]
    assert max(sizes) - min(sizes) <= 1
    assert all(part == sorted(part) for part in found)


def test_parts_are_drawn_with_the_seed():
    """D6: the same seed gives the same parts, another one others; no rank gets a stretch."""
    assert parts(1000, 4) == parts(1000, 4)
    assert parts(1000, 4) != parts(1000, 4, seed=1)
    for part in parts(1000, 4):
        assert abs(np.mean(part) - 500) < 5 * 1000 / np.sqrt(12 * 250)
        assert set(np.diff(part)) > {1, 2, 3}


@pytest.mark.parametrize("limit", [9, 0.5])
def test_a_limit_comes_first(limit):
    """D6: what the parts have between them is what the limit leaves."""
    found = parts(40, 3, limit=limit)
    assert sorted(itertools.chain(*found)) == np.asarray(select(40, limit, 0)).tolist()


def test_one_process_keeps_everything_without_a_table():
    """D6: (0, 1) is no shard, and costs nothing for any number of windows."""
    assert isinstance(cut(AllRows(10**12), (0, 1), 0), AllRows)
    assert isinstance(cut(AllRows(10**12), None, 0), AllRows)


@pytest.mark.parametrize(
    "shard",
    [(2, 2), (-1, 2), (0, 0), (0,), (0, 1, 2), 3, "01", (0.0, 2), (True, 2), {"rank": 0}],
    ids=repr,
)
def test_nonsense_is_refused(shard):
    """D6: the message says what to give."""
    with pytest.raises(ArgumentError, match="0 <= rank < world"):
        FillOptions(shard=shard)


def test_fewer_samples_than_processes():
    """D6: a rank without samples could do nothing."""
    with pytest.raises(ArgumentError, match="3 samples cannot be shared by 4"):
        fill_arena(Arrays(np.zeros((3, 2))), FillOptions(shard=(1, 4)))


def test_arenas_of_parts():
    """D6: rows and labels of each part, a third of the bytes each, and the report."""
    x = np.arange(30, dtype=np.float32).reshape(10, 3)
    rows = []
    for rank in range(3):
        shard = np.array([rank, 3]).tolist()
        with fill_arena(Arrays(x, np.arange(10)), FillOptions(shard=shard)) as arena:
            label = arena.column("label").rows.tolist()
            assert np.array_equal(arena.column("array").rows, x[label])
            assert len(arena.column("array")) == len(label)
            report = Report(arena.catalog["report"])
            assert report["shard"] == [rank, 3, 10]
            assert f"{rank} of 3, which have 10 samples together" in str(report)
            rows += label
    assert sorted(rows) == list(range(10))
    with fill_arena(Arrays(x), FillOptions()) as arena:
        assert arena.catalog["report"]["shard"] is None
        assert "shard" not in str(Report(arena.catalog["report"]))


def windows_of(arena):
    column = arena.column("series")
    return [column[k].tolist() for k in range(len(column))]


def test_windows_of_series_in_parts():
    """D6: the windows are shared out; all together they are those of the series."""
    series = [np.arange(20.0), np.arange(100.0, 117.0)]
    with fill_arena(Series(series, window=4), FillOptions()) as arena:
        whole = windows_of(arena)
    found = []
    for rank in range(3):
        options = FillOptions(shard=(rank, 3), seed=4)
        with fill_arena(Series(series, window=4), options) as arena:
            found += windows_of(arena)
    assert sorted(found) == sorted(whole)
    with fill_arena(Series(series, window=4), FillOptions(shard=(0, 1))) as arena:
        assert arena.column("series").grids.shape[1] == 2
