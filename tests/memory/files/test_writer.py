"""Writing: what is whole stays whole, whatever happens in between."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import saved_arenas as saved
import saving_workers as workers

from fastcache.errors import (
    ArenaExistsError,
    ArenaFormatError,
    ArenaLockedError,
    ArgumentError,
    BudgetError,
    ClosedError,
    FastcacheError,
)
from fastcache.memory.arena import Arena
from fastcache.memory.files import ArenaWriter, disk, open_files, verify
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.sums import seal
from fastcache.schema import Array

WORKER = str(Path(workers.__file__))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The files of a run that nothing has interrupted."""
    path = tmp_path_factory.mktemp("whole") / "x.arena"
    assert workers.write(path) == 0
    return saved.files_in(path)


def start(path, pause=0.0, *more):
    """Start a writer in a process of its own, and return when it has begun."""
    process = subprocess.Popen(
        [sys.executable, WORKER, str(path), str(pause), *more],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begin\n"
    return process


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_writer_writes_what_was_given(tmp_path, undisturbed):
    """A11: parts come back where the layout says."""
    path = tmp_path / "x.arena"
    workers.write(path)
    assert saved.files_in(path) == undisturbed
    assert verify(path).ok
    opened = open_files(path)
    assert opened.catalog == {"classes": ["a"]}
    assert opened.source == {"of": 1}
    plan = workers.plan()
    assert opened.manifest.plan == plan
    with memoryview(opened.block) as memory:
        for f, family in enumerate(plan.families):
            for k, shard in enumerate(family.shards):
                for name, part in shard.parts.items():
                    given = workers.part_bytes(name, f, k, part.size)
                    assert bytes(memory[part.at : part.at + part.size]) == given
                    assert not any(memory[part.at + part.size : part.at + part.room])
    opened.block.close()
    assert not [name for name in undisturbed if name.startswith(".tmp") or "journal" in name]


def test_parts_of_any_kind(tmp_path, undisturbed):
    """A11: arrays, buffers and pieces of both, in any order of shards."""
    plan = workers.plan()
    with ArenaWriter(tmp_path / "x.arena", plan, {"of": 1}) as writer:
        for k in reversed(range(len(plan.families[0].shards))):
            parts = workers.shard_parts(plan, 0, k)
            parts["image"] = np.frombuffer(parts["image"], np.uint8).reshape(-1, 1)
            photo = parts["photo"]
            parts["photo"] = (photo[at : at + 777] for at in range(0, len(photo), 777))
            parts["wide"] = [bytearray(parts["wide"]), b"", np.zeros((0, 3))]
            writer.write_shard(0, k, parts, {"shard": k})
        writer.write_tables(workers.table_parts(plan))
        writer.commit({"classes": ["a"]})
    assert saved.files_in(tmp_path / "x.arena") == undisturbed


def test_kills_at_random_moments(tmp_path, undisturbed):
    """F6, E8: a writer that is killed leaves no arena; the next one ends with the same bytes."""
    rng = random.Random(11)
    resumed = 0
    for trial in range(10):
        path = tmp_path / f"{trial}.arena"
        for _ in range(20):
            process = start(path, 0.004)
            time.sleep(rng.random() * 0.15)
            kill(process)
            if (path / "manifest.json").exists():
                break
            with pytest.raises(ArenaFormatError):
                Arena.open(path)
        else:
            resumed += workers.write(path) > 0
        assert verify(path).ok
        if (path / "journal.jsonl").exists():  # killed behind the last rename: it is whole anyway
            (path / "journal.jsonl").unlink()
        assert saved.files_in(path) == undisturbed
    # Runs that were killed leave shards that others need not write again.
    path = tmp_path / "slow.arena"
    process = start(path, 10)
    while (
        not (path / "journal.jsonl").exists()
        or b'"shard"' not in (path / "journal.jsonl").read_bytes()
    ):
        time.sleep(0.01)
    kill(process)
    assert workers.write(path) == 1
    assert saved.files_in(path) == undisturbed


def test_kills_while_an_arena_is_replaced(tmp_path, undisturbed):
    """F6: the old arena is whole until the new one is."""
    rng = random.Random(12)
    path = tmp_path / "x.arena"
    old, rows = saved.make_arena({"x": Array("uint8", (1000,))}, 50)
    with old:
        old.save(path)
    for _ in range(5):
        process = start(path, 0.004, "overwrite")
        time.sleep(rng.random() * 0.1)
        kill(process)
        assert verify(path).ok
        with Arena.open(path) as arena:
            if "x" not in arena.layout.columns:
                break
            saved.check_rows(arena, rows)
    opened = Arena.open(path)
    workers.write(path, overwrite=True)
    assert len(opened) in (50, workers.COUNT)  # who has it open goes on with the old one
    opened.close()
    files = saved.files_in(path)
    shards = [name for name in files if name.startswith("shard-")]
    assert len(shards) == len([name for name in undisturbed if name.startswith("shard-")])
    assert all("-g" in name for name in shards)
    for name in shards:
        head, _, tail = name.partition("-g")
        assert files[name] == undisturbed[f"{head}.safetensors"]
    assert verify(path).ok


def test_only_what_is_whole_and_the_same_is_kept(tmp_path):
    """F6: another plan or source, a damaged journal, shards that changed: written again."""

    def interrupted(path):
        plan = workers.plan()
        writer = ArenaWriter(path, plan, {"of": 1})
        for k in range(3):
            writer.write_shard(0, k, workers.shard_parts(plan, 0, k), {"shard": k})
        assert writer.done == {(0, 0), (0, 1), (0, 2)}
        writer.close()
        return path, path / "journal.jsonl"

    def resumed(path, source=None, plan=None, **options):
        given = {"of": 1} if source is None else source
        with ArenaWriter(path, plan or workers.plan(), given, **options) as writer:
            return sorted(k for _, k in writer.done)

    path, journal = interrupted(tmp_path / "same.arena")
    assert resumed(path) == [0, 1, 2]
    text = journal.read_bytes()
    lines = text.splitlines(keepends=True)
    for damaged, kept in (
        (text + b'{"fam', [0, 1, 2]),
        (text[:-1], [0, 1]),
        (text[:-10], [0, 1]),
        (b"".join(lines[:2]) + lines[2].replace(b'"shard": 1', b'"shard": 9') + lines[3], [0]),
        (lines[0] + lines[3], [2]),
        (lines[0], []),
        (lines[0][:-5], []),
        (b"", []),
        (b"\xff" * 100, []),
    ):
        path, journal = interrupted(tmp_path / f"{len(os.listdir(tmp_path))}.arena")
        (path / ".tmp-shard-00003.safetensors").write_bytes(b"half")
        (path / "shard-00004.safetensors").write_bytes(b"foreign")
        others = ["README"] if damaged.startswith(lines[0]) else []  # else it is no folder of ours
        for name in others:
            (path / name).write_text("not ours")
        journal.write_bytes(damaged)
        assert resumed(path) == kept
        assert sorted(os.listdir(path)) == sorted(
            [".lock", *others, "journal.jsonl", *(f"shard-0000{k}.safetensors" for k in kept)]
        )
        assert workers.write(path) == len(kept)
    path = tmp_path / "early.arena"  # killed while the journal was begun
    path.mkdir()
    (path / ".tmp-journal.jsonl").write_bytes(text[:50])
    assert workers.write(path) == 0
    path, journal = interrupted(tmp_path / "source.arena")
    assert resumed(path, {"of": 2}) == []
    path, journal = interrupted(tmp_path / "fresh.arena")
    assert resumed(path, resume=False) == []
    path, journal = interrupted(tmp_path / "plan.arena")
    assert resumed(path, plan=workers.plan(4 * 65536)) == []
    path, journal = interrupted(tmp_path / "shards.arena")
    shard = path / "shard-00001.safetensors"
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    assert resumed(path) == [0]
    path, journal = interrupted(tmp_path / "fifo.arena")  # nobody waits for its other end
    (path / "shard-00001.safetensors").unlink()
    os.mkfifo(path / "shard-00001.safetensors")
    assert resumed(path) == [0]
    path, journal = interrupted(tmp_path / "elsewhere.arena")  # a name that leads out of it
    entry = json.loads(lines[2])
    (tmp_path / "whole.safetensors").write_bytes((path / entry["entry"]["file"]).read_bytes())
    entry["entry"]["file"] = "../whole.safetensors"
    del entry["digest"]
    journal.write_bytes(lines[0] + lines[1] + seal(entry))
    assert resumed(path) == [0]


def test_shards_that_were_damaged_are_written_again(tmp_path, undisturbed):
    """F6: bytes behind the header are compared, too, before a shard counts as whole."""
    path, plan = tmp_path / "x.arena", workers.plan()
    with ArenaWriter(path, plan, {"of": 1}) as writer:
        for k in range(3):
            writer.write_shard(0, k, workers.shard_parts(plan, 0, k), {"shard": k})
    shard = path / "shard-00001.safetensors"
    with shard.open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"xxxxx")
    assert workers.write(path) == 1
    assert saved.files_in(path) == undisturbed
    assert verify(path).ok


def test_folders_that_only_look_like_ours(tmp_path):
    """A11: names alone make no folder an arena's; what a user has put there stays."""
    plain = {"journal.jsonl": "my journal\n", ".tmp-mine": "draft", "notes.txt": "mine"}
    folders = [plain, {"journal.jsonl": "mine\n"}, {".tmp-mine": "draft"}]
    folders += [{".lock": "", "notes.txt": "mine"}, {"shard-00000.safetensors": "", "a": "mine"}]
    for k, files in enumerate(folders):
        path = tmp_path / f"{k}"
        path.mkdir()
        for name, text in files.items():
            (path / name).write_text(text)
        before = saved.files_in(path)
        for overwrite in (False, True):
            with pytest.raises(ArenaExistsError, match="holds other things"):
                workers.write(path, overwrite=overwrite)
            assert saved.files_in(path) == before
    # In a folder that is an arena's, only what we have named goes.
    path = tmp_path / "x.arena"
    workers.write(path)
    (path / ".tmp-mine").write_text("draft")
    (path / ".tmp-columns.safetensors").write_text("half")
    workers.write(path, overwrite=True)
    assert (path / ".tmp-mine").read_text() == "draft"
    assert not (path / ".tmp-columns.safetensors").exists()


def test_two_writers(tmp_path, undisturbed):
    """A11: one at a time; the other is told, or waits."""
    path = tmp_path / "x.arena"
    process = start(path, 10)
    while not (path / "journal.jsonl").exists():
        time.sleep(0.01)
    with pytest.raises(ArenaLockedError, match=r"\.lock") as error:
        workers.write(path)
    assert isinstance(error.value, BlockingIOError)
    began = time.monotonic()
    with pytest.raises(ArenaLockedError):
        workers.write(path, wait=0.2)
    assert time.monotonic() - began >= 0.2
    killer = threading.Timer(0.2, kill, [process])
    killer.start()
    workers.write(path, wait=60)
    killer.join()
    assert saved.files_in(path) == undisturbed
    # A child by fork does not hold the lock for longer than its parent.
    lock = FolderLock(path)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        lock.release()
        os._exit(0)
    lock.release()
    FolderLock(path).release()
    os.write(write, b"x")
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)


def test_what_is_there_is_not_touched(tmp_path):
    """A11: other files and folders, and arenas that may not be replaced."""
    path = tmp_path / "x.arena"
    workers.write(path)
    before = saved.files_in(path)
    with pytest.raises(ArenaExistsError, match="overwrite=True") as error:
        workers.write(path)
    assert isinstance(error.value, FileExistsError)
    assert saved.files_in(path) == before
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "manifest.json").write_text('{"name": "a page"}')
    for name, text in (("file", "is a file"), ("folder", "thesis"), ("web", "delete it")):
        with pytest.raises(ArenaExistsError, match=text):
            workers.write(tmp_path / name, overwrite=True)
    assert (tmp_path / "web" / "manifest.json").read_text() == '{"name": "a page"}'
    assert os.listdir(tmp_path / "folder") == ["thesis.tex"]
    with pytest.raises(FastcacheError, match="No such file"):
        workers.write(tmp_path / "not" / "there.arena")
    # One that nobody can open any more may be replaced.
    (path / "manifest.json").write_bytes(before["manifest.json"][:-3])
    workers.write(path, overwrite=True)
    assert verify(path).ok


def test_bad_input(tmp_path):
    """A11: parts that are not those of the plan, in a writer that goes on afterwards."""
    plan = workers.plan()
    path = tmp_path / "x.arena"
    with ArenaWriter(path, plan, {}) as writer:
        parts = workers.shard_parts(plan, 0, 0)
        bad = [
            {},
            {**parts, "more": b""},
            {**parts, "image": parts["image"][:-1]},
            {**parts, "image": parts["image"] + b"x"},
            {**parts, "image": [parts["image"], b"x"]},
            {**parts, "image": 5},
            {**parts, "image": [5]},
            {**parts, "image": np.frombuffer(parts["image"], np.uint8)[::-1]},
        ]
        for each in bad:
            with pytest.raises(ArgumentError):
                writer.write_shard(0, 0, each)
        with pytest.raises(ArgumentError, match="notes"):
            writer.write_shard(0, 0, parts, {1, 2})
        assert sorted(os.listdir(path))[:2] == [".lock", "journal.jsonl"]
        assert writer.done == set()
        with pytest.raises(KeyError):
            writer.notes(0, 0)
        writer.write_shard(0, 0, parts)
        with pytest.raises(ArgumentError, match="whole already"):
            writer.write_shard(0, 0, parts)
        with pytest.raises(ArgumentError, match="shards and the tables"):
            writer.commit({})
        for k in range(1, len(plan.families[0].shards)):
            writer.write_shard(0, k, workers.shard_parts(plan, 0, k))
        with pytest.raises(ArgumentError, match="0 shards and the tables"):
            writer.commit({})
        writer.write_tables(workers.table_parts(plan))
        for catalog in ({"x": {1}}, {"x": float("nan")}):
            with pytest.raises(ArgumentError, match="JSON"):
                writer.commit(catalog)
        writer.commit({})
        for use in (lambda: writer.done, lambda: writer.commit({}), writer.__enter__):
            with pytest.raises(ClosedError):
                use()
    assert verify(path).ok


def test_a_full_disk_is_foreseen(tmp_path, monkeypatch):
    """B6: need, free space and folder are named before the first write."""
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(BudgetError, match="free space of the file system of") as error:
        workers.write(tmp_path / "x.arena")
    assert error.value.need == workers.plan().file_bytes
    assert error.value.have == 1000
    assert str(tmp_path) in error.value.limit
    assert os.listdir(tmp_path) == []
    (tmp_path / "x.arena").mkdir()
    with pytest.raises(BudgetError):
        workers.write(tmp_path / "x.arena")
    assert sorted(os.listdir(tmp_path / "x.arena")) == [".lock", "journal.jsonl"]
    monkeypatch.undo()
    workers.write(tmp_path / "x.arena")
    assert verify(tmp_path / "x.arena").ok


def test_readers_while_an_arena_is_replaced(tmp_path):
    """A11: whoever opens an arena meanwhile gets the old one or the new one, whole."""
    path = tmp_path / "x.arena"
    workers.write(path)
    stop = threading.Event()
    errors = []

    def read():
        try:
            while not stop.is_set():
                with Arena.open(path) as arena:
                    assert arena.catalog == {"classes": ["a"]}
        except Exception as error:  # noqa: BLE001 - told to the main thread
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(15):
        workers.write(path, {"of": k}, overwrite=True)
    stop.set()
    reader.join()
    assert not errors
    assert open_files(path).manifest.generation == 16
