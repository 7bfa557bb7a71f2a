"""Editors that are killed: the arena is the old one or the new one, and never a mixture."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import editing_workers as workers
import numpy as np
import pytest
from filling import filled

from fastcache.fill.editing.editor import ArenaEditor
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.memory.files.manifest import read_manifest


@pytest.fixture
def arena(tmp_path):
    """An arena of several shards."""
    path = tmp_path / "x.arena"
    with filled(workers.source(workers.COUNT, 0)) as made:
        made.save(path, shard_bytes=3 * 65536)
    return path


def check(path: Path) -> int:
    """Compare every row with what it must be; return the generation."""
    assert verify(path).ok
    generation = read_manifest(path).generation
    with Arena.open(path) as arena:
        rows = workers.expected(edited=generation == 2)
        assert {*rows} == {*arena.catalog["columns"]}
        for name, values in rows.items():
            column = arena.column(name)
            assert len(column) == len(values)
            assert all(np.array_equal(column[k], value) for k, value in enumerate(values)), name
            del column
    return generation


def test_kills_at_random_moments(arena, tmp_path):
    """A11, F6: a killed editor leaves the old arena or the new one; the next cleans up."""
    rng = random.Random(5)
    found = set()
    for trial in range(10):
        path = tmp_path / f"{trial}.arena"
        shutil.copytree(arena, path)
        command = [sys.executable, workers.__file__, str(path), "0.005"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "edited\n"
            # The last of them are let finish, so that both ends are there whatever the machine.
            if trial < 8:
                time.sleep(rng.random() * 0.6)
                process.kill()
            process.wait(60)
        generation = check(path)
        found.add(generation)
        with ArenaEditor(path) as editor:
            if generation == 1:
                workers.edit(editor)
            else:
                editor.put("label", [-1], rows=[99])  # what it is already
            editor.commit()
            named = {entry.file for entry, _ in read_manifest(path).files}
        assert {each.name for each in path.iterdir()} == {*named, "manifest.json", ".lock"}
        if generation == 1:
            assert check(path) == 2
    assert found == {1, 2}
