"""Packing: an arena of files, filled shard by shard, is the arena that memory would have held."""

import errno
import os
import tempfile
from pathlib import Path

import images
import numpy as np
import pytest
from filling import filled
from map_style import Dataset

from fastcache import transforms as T
from fastcache.errors import BudgetError, DecodeError
from fastcache.fill.disk import packing
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.disk.temporary import temporary_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena, RaggedColumn
from fastcache.memory.files import verify
from fastcache.sources import Arrays, Files, Pairs, Series, as_source

SMALL = 65536  # bytes of a shard: as small as they can be


def photos(folder: Path, count: int, size: tuple[int, int] | None = None) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(count):
        height, width = size or (40 + k % 7, 50 + 3 * (k % 5))
        path = folder / f"{k:03d}.jpg"
        path.write_bytes(images.encode(images.photo(height, width, seed=k)))
        paths.append(str(path))
    return paths


def packed(source, folder, origin=None, shard_bytes=SMALL, **options):
    """Pack a source, and open what came of it."""
    pack_arena(source, FillOptions(**options), folder, origin or {}, shard_bytes=shard_bytes)
    assert verify(folder).ok
    return Arena.open(folder)


def rows_of(column):
    """Return all rows of a column as arrays."""
    if isinstance(column, RaggedColumn):
        return [column[row].copy() for row in range(len(column))]
    if hasattr(column, "rows"):
        return list(column.rows.copy())
    return [column.values.copy(), column.grids.copy()]


def assert_equal(made, expected):
    """Hold one arena against another, row by row."""
    assert [*made.layout.columns] == [*expected.layout.columns]
    for name in expected.layout.columns:
        rows, others = rows_of(made.column(name)), rows_of(expected.column(name))
        assert len(rows) == len(others), name
        for row, other in zip(rows, others):
            np.testing.assert_array_equal(row, other, name)
    mine, theirs = made.catalog, expected.catalog
    for key in (
        "structure",
        "columns",
        "attributes",
        "count",
        "visible",
        "paths",
        "kept",
        "loader",
    ):
        assert mine[key] == theirs[key], key
    for key in ("samples", "failed", "on_error", "keep", "columns"):
        assert mine["report"][key] == theirs["report"][key], key
    assert mine["report"]["home"] == "disk"


def sample(index):
    rng = np.random.default_rng(index)
    return {
        "x": rng.random((index % 3 + 1, 4)).astype(np.float32),
        "y": index,
        "text": f"sample {index}" * (index % 4),
        "both": (index % 2 == 0, float(index), None),
        "wide": rng.integers(0, 9, (50, 17)),
    }


SOURCES = {
    "own sizes": lambda folder: Files(photos(folder, 60), range(60)),
    "one size": lambda folder: Files(photos(folder, 60, (48, 64)), range(60)),
    "odd rows": lambda folder: Arrays(np.random.default_rng(0).random((500, 3, 17, 19))),
    "small": lambda folder: Arrays(np.arange(10.0), np.arange(10)),
    "dataset": lambda folder: as_source(Dataset(sample, 200), infer="scan"),
    "series": lambda folder: Series(np.random.default_rng(0).random((9, 3, 2000)), window=96),
    "labelled series": lambda folder: Series(
        np.random.default_rng(0).random(5000), np.arange(5000) // 100, window=64
    ),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_files_hold_what_memory_would(tmp_path, kind):
    """A11, E8: the same rows, catalogue and report, whatever the source."""
    source = SOURCES[kind](tmp_path / "photos")
    expected = filled(source)
    with packed(source, tmp_path / "x.arena") as made:
        assert_equal(made, expected)
        cut = [c for c in made.layout.columns.values() if c.values_bytes > 4 * SMALL]
        assert len(os.listdir(tmp_path / "x.arena")) >= 4 or not cut


def test_pairs_and_masks(tmp_path):
    inputs, targets = photos(tmp_path / "a", 30), photos(tmp_path / "b", 30)
    source = Pairs(inputs, targets, target="image")
    store = [T.Resize(40), T.CenterCrop(32)]
    with packed(source, tmp_path / "x.arena", store=store) as made:
        assert_equal(made, filled(source, store=store))


@pytest.mark.parametrize("on_error", ["skip", "fill"])
def test_failures_are_those_of_memory(tmp_path, on_error):
    """A5: what cannot be read, before or while shards are filled, is reported in the same way."""
    paths = photos(tmp_path / "photos", 50)
    Path(paths[3]).write_bytes(b"no image")
    for k in (7, 49):
        whole = Path(paths[k]).read_bytes()
        Path(paths[k]).write_bytes(whole[: len(whole) // 2])
    source = Files(paths, range(50))
    with packed(source, tmp_path / "x.arena", on_error=on_error) as made:
        assert_equal(made, filled(source, on_error=on_error))
        assert len(made.catalog["report"]["failed"]) == 3


def test_an_error_leaves_no_arena(tmp_path):
    paths = photos(tmp_path / "photos", 50)
    whole = Path(paths[40]).read_bytes()
    Path(paths[40]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match="040.jpg"):
        packed(Files(paths), tmp_path / "x.arena")
    assert "manifest.json" not in os.listdir(tmp_path / "x.arena")
    Path(paths[40]).write_bytes(whole)
    with packed(Files(paths), tmp_path / "x.arena") as made:  # and does not stand in the way
        assert_equal(made, filled(Files(paths)))


class Killed(BaseException):
    """Stands for what ends a process in the middle."""


@pytest.mark.parametrize("kind", ["own sizes", "one size", "dataset"])
@pytest.mark.parametrize("after", [1, 3])
def test_packing_goes_on_where_it_was_ended(tmp_path, monkeypatch, kind, after):
    """E8, F6: shards that are whole are not made again; the final bytes are the same."""
    source = SOURCES[kind](tmp_path / "photos")
    with packed(source, tmp_path / "x.arena", {"a": 1}) as made:
        expected = {p.name: p.read_bytes() for p in (tmp_path / "x.arena").glob("*.safetensors")}
        assert len(expected) > after + 2
        catalog = made.catalog
    monkeypatch.chdir(tmp_path)
    filled_parts: list[tuple[int, int]] = []
    fill_part = packing.Packing._fill_part

    def fill(self, staged, tables, first, stop, meter):
        if len(filled_parts) == after:
            raise Killed
        filled_parts.append((first, stop))
        return fill_part(self, staged, tables, first, stop, meter)

    monkeypatch.setattr(packing.Packing, "_fill_part", fill)
    with pytest.raises(Killed):
        packed(source, tmp_path / "y.arena", {"a": 1})
    assert "manifest.json" not in os.listdir("y.arena")
    first_run, filled_parts[:] = list(filled_parts), []
    monkeypatch.setattr(
        packing.Packing,
        "_fill_part",
        lambda self, *args: (filled_parts.append(args[2:4]), fill_part(self, *args))[1],
    )
    with packed(source, tmp_path / "y.arena", {"a": 1}) as made:
        assert not set(first_run) & set(filled_parts)
        report, before = made.catalog["report"], catalog["report"]
        assert report["columns"] == before["columns"] and report["failed"] == before["failed"]
    again = {p.name: p.read_bytes() for p in (tmp_path / "y.arena").glob("*.safetensors")}
    assert again == expected
    filled_parts.clear()
    with packed(source, tmp_path / "y.arena", {"a": 2}):  # another origin: all anew
        assert len(filled_parts) > len(first_run)


def test_memory_is_that_of_two_shards(tmp_path):
    """A10, E8: an arena larger than the budget is packed within it, or refused before it begins."""
    source = Arrays(np.zeros((4000, 64, 64, 3), np.uint8))  # 49 MB
    budget = 12 << 20
    with packed(source, tmp_path / "x.arena", shard_bytes=1 << 20, budget=budget) as made:
        assert made.layout.total_bytes > 3 * budget
    with pytest.raises(BudgetError, match="needed"):
        packed(source, tmp_path / "y.arena", shard_bytes=16 << 20, budget=budget)
    assert not (tmp_path / "y.arena").exists()


def test_temporary_folders_go_when_they_cannot_be_used(tmp_path, monkeypatch):
    """B7, A10: even one that nothing could be put into."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    begin = os.open

    def refuse(path, *given, **options):
        if str(path).endswith("owner"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return begin(path, *given, **options)

    monkeypatch.setattr(os, "open", refuse)
    source = Arrays(np.zeros((3, 4), np.uint8), [0, 1, 2])
    with pytest.raises(OSError, match="Too many open files"):
        temporary_arena(source, FillOptions(home="disk"))
    assert os.listdir(tmp_path) == []
