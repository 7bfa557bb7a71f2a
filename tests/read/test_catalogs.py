"""Arenas whose files are sound, and whose catalogue is none that a dataset has written."""

import os

import forged_arenas as forged
import numpy as np
import pytest
import saved_arenas as saved

import fastcache as fc
from fastcache.errors import ArenaFormatError

pytest.importorskip("torch")

COUNT = 12


@pytest.fixture
def path(tmp_path):
    images = np.random.default_rng(1).integers(0, 255, (COUNT, 5, 4, 3), np.uint8)
    with fc.ArenaDataset(fc.sources.Arrays(images, [*range(COUNT)])) as ds:
        ds.save(tmp_path / "x.arena")
    return tmp_path / "x.arena"


def put(*keys, value):
    def change(catalog):
        for key in keys[:-1]:
            catalog = catalog[key]
        catalog[keys[-1]] = value

    return change


def drop(*keys):
    def change(catalog):
        for key in keys[:-1]:
            catalog = catalog[key]
        del catalog[keys[-1]]

    return change


CHANGES = {
    "empty": dict.clear,
    "more samples": put("visible", value=COUNT + 1),
    "far more samples": put("visible", value=1 << 62),
    "beyond all numbers": put("visible", value=1 << 200),
    "fewer than none": put("visible", value=-1),
    "half a sample": put("visible", value=1.5),
    "samples as bool": put("visible", value=True),
    "no samples told": drop("visible"),
    "no structure": drop("structure"),
    "structure of a number": put("structure", value=3),
    "structure of two": put("structure", value={"list": [], "dict": {}}),
    "unknown column": put("structure", value="who"),
    "no columns": drop("columns"),
    "columns as list": put("columns", value=[]),
    "other size": put("columns", "image", "shape", value=[1 << 40, 4, 3]),
    "other dtype": put("columns", "image", "dtype", value="float64"),
    "object dtype": put("columns", "image", "dtype", value="O"),
    "unknown kind": put("columns", "image", "kind", value="exec"),
    "column of no file": put("columns", "who", value={"kind": "scalar", "dtype": "int8"}),
    "attributes as list": put("attributes", value=["root"]),
    "root as number": put("attributes", "root", value=3),
    "paths as dict": put("paths", value={"image": {}}),
    "paths that are numbers": put("paths", value={"image": "label"}),
    "no report": drop("report"),
    "report without bytes": drop("report", "arena_bytes"),
    "report of texts": put("report", "arena_bytes", value="many"),
    "columns not described": put("report", "columns", "image", value={}),
    "row as number": put("report", "columns", "image", "row", value=1),
    "no plan": drop("plan"),
    "plan with more": put("plan", "more", value=1),
    "plan as text": put("plan", value="plan"),
}


@pytest.mark.parametrize("what", [*CHANGES])
def test_catalogues_that_no_dataset_writes(path, what):
    """A11: refused when opened, with what does not fit; nothing stays open."""
    fc.open(path).close()
    before = len(os.listdir("/proc/self/fd"))
    forged.change_manifest(path, lambda document: CHANGES[what](document["catalog"]))
    with pytest.raises(ArenaFormatError, match="no dataset can have filled") as error:
        fc.open(path)
    assert str(path) in str(error.value)
    with pytest.raises(ArenaFormatError, match="no dataset can have filled") as error:
        fc.open(path, mode="r+")
    del error
    assert len(os.listdir("/proc/self/fd")) == before
    assert saved.mapped("x.arena") == 0


def test_arenas_that_are_no_datasets(tmp_path):
    """A11: an arena that was saved without a dataset says so, instead of a missing key."""
    arena, _ = saved.make_arena(count=3)
    with arena:
        arena.save(tmp_path / "x.arena")
    with pytest.raises(ArenaFormatError, match="save it from a dataset"):
        fc.open(tmp_path / "x.arena")
