"""Saved arenas that change: every kind of column, and only the files that have to."""

import os
import random
import shutil
import threading

import numpy as np
import pytest
import saved_arenas as saved
from edited_arenas import Twin, check_folder, column_of

from fastcache.errors import (
    ArenaDamagedError,
    ArenaFileError,
    ArenaFormatError,
    ArenaGoneError,
    ArenaLockedError,
    ArgumentError,
    BudgetError,
    ClosedError,
)
from fastcache.memory.arena import Arena, attach
from fastcache.memory.files import disk, verify
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.revision import Revision
from fastcache.schema import Array, Image, Ragged, Scalar, Text, WindowLabels, Windows

IMAGE = {"image": Image(size=(64, 32)), "label": Scalar("int64")}  # 32 rows are 3 pages
NEW = {
    "more": Array("float32", (7, 3)),
    "wide": Image(size=(31, 17)),
    "list": Ragged("complex64", 2),
    "told": Text(),
    "number": Scalar("float32"),
    "void": Array("int8", (0,)),
}


@pytest.mark.parametrize("shard_bytes", [None, saved.SMALL, 5 * saved.SMALL])
def test_rows_of_every_kind_of_column(tmp_path, shard_bytes):
    """A11: rows at the borders of shards and within, in all columns, in one commit."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 100, shard_bytes)
    for k, name in enumerate(twin.fields):
        twin.put_rows(name, [0, 31, 32, 64, 65, 99, 50 + k], k + 1)
    twin.commit()
    twin.revision.close()


@pytest.mark.parametrize("shard_bytes", [None, saved.SMALL, 5 * saved.SMALL])
@pytest.mark.parametrize("count", [0, 1, 33])
def test_samples_behind_every_kind_of_column(tmp_path, shard_bytes, count):
    """A11: appended to dense, padded, ragged and empty columns, again and again."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, count, shard_bytes)
    for k in (1, 0, 40):
        twin.extend(k, k)
        twin.commit()
    twin.extend(3, 5)
    twin.extend(4, 6)
    twin.commit()
    twin.revision.close()


@pytest.mark.parametrize("name", ["odd", "photo", "label", "name", "none"])
def test_columns_of_every_kind_are_replaced(tmp_path, name):
    """A11: by the same kind, and by each other kind; the files of other families stay."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 60, saved.SMALL)
    twin.put(name, twin.fields[name], 1)
    twin.commit()
    for field in NEW.values():
        twin.put(name, field, 2)
        twin.commit()
    twin.revision.close()


def test_new_columns_touch_nothing_else(tmp_path):
    """A11: each is cut by itself; shards that were there are not written again."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 100, saved.SMALL)
    before = twin.files()
    for k, (name, field) in enumerate(NEW.items()):
        twin.put(name, field, k)
    twin.commit()
    assert before < twin.files()
    families = [family.columns for family in twin.revision.plan.families]
    assert families[1:] == [("more",), ("wide",), ("list",), ("void",)]
    again = twin.files()
    twin.put_rows("list", [3], 9)  # their files are their own
    twin.commit()
    assert len(again - twin.files()) == 1
    twin.revision.close()


def test_only_shards_that_hold_the_rows_are_written(tmp_path):
    """A11: under a new generation; all others keep their files."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 200, 2 * 3 * saved.SMALL)  # 64 rows a shard
    shards = [f"shard-0000{k}.safetensors" for k in range(4)]
    assert twin.files() == {*shards}
    inodes = {name: (twin.folder / name).stat().st_ino for name in shards}
    twin.put_rows("image", [64, 127], 1)
    twin.commit()
    assert twin.files() == {shards[0], "shard-00001-g2.safetensors", *shards[2:]}
    twin.put_rows("image", [63, 199], 2)
    twin.commit()
    assert twin.files() == {
        "shard-00000-g3.safetensors",
        "shard-00001-g2.safetensors",
        shards[2],
        "shard-00003-g3.safetensors",
    }
    twin.put_rows("label", [5], 3)  # lies in the columns file
    files = twin.files()
    twin.commit()
    assert twin.files() == files
    assert (twin.folder / shards[2]).stat().st_ino == inodes[shards[2]]
    twin.revision.close()


def test_samples_go_on_in_the_last_shard_unless_it_is_full(tmp_path):
    """A11: a short last shard is written anew with the first new rows; whole ones are not."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 72, 2 * 3 * saved.SMALL)
    twin.extend(16, 1)
    twin.commit()
    assert twin.files() == {"shard-00000.safetensors", "shard-00001-g2.safetensors"}
    twin.extend(40, 2)  # 128: the second is full
    twin.commit()
    assert twin.files() == {"shard-00000.safetensors", "shard-00001-g3.safetensors"}
    twin.extend(1, 3)
    twin.commit()
    full = {"shard-00000.safetensors", "shard-00001-g3.safetensors"}
    assert twin.files() == full | {"shard-00002-g4.safetensors"}
    twin.extend(100, 4)
    twin.commit()
    assert twin.files() == full | {f"shard-0000{k}-g5.safetensors" for k in (2, 3)}
    rows = [shard.rows for shard in twin.revision.plan.families[0].shards]
    assert rows == [64, 64, 64, 37]
    twin.revision.close()


@pytest.mark.parametrize("count", [97, 104, 127, 128])
def test_a_last_shard_that_ends_within_a_page_goes_on(tmp_path, count):
    """A11: also where it has no room for as many rows as fill the next page."""
    twin = Twin(tmp_path / "x.arena", IMAGE, count, 2 * 3 * saved.SMALL)
    twin.extend(30, 1)
    twin.commit()
    rows = [shard.rows for shard in twin.revision.plan.families[0].shards]
    assert rows == [64, min(64, count - 34), count - 98][: 3 if count > 98 else 2]
    twin.revision.close()


def test_rows_that_need_padding_get_it(tmp_path, monkeypatch):
    """A11: a shard of odd rows, which can only be cut when they are padded, grows too large."""
    fields = {"odd": Image(size=(31, 17)), "photo": Image()}
    twin = Twin(tmp_path / "x.arena", fields, 30, None)
    assert twin.revision.plan.saved["odd"].stride == 31 * 17 * 3
    monkeypatch.setattr("fastcache.memory.files.cut._SMALLEST", saved.SMALL)
    monkeypatch.setattr("fastcache.memory.files.cut._SHARDS", 1 << 20)
    twin.extend(90, 1)
    twin.commit()
    stride = twin.revision.plan.saved["odd"].stride
    assert stride > 31 * 17 * 3
    assert len(twin.files()) > 2
    twin.put_rows("odd", [0, 119], 2)
    twin.extend(20, 3)
    twin.commit()
    assert twin.revision.plan.saved["odd"].stride == stride
    twin.revision.close()


@pytest.mark.parametrize("seed", range(12))
def test_random_edits(tmp_path, seed):
    """A11: many edits of all kinds, several in a commit, are those of plain lists."""
    rng = random.Random(seed)
    fields = dict(rng.sample([*saved.FIELDS.items()], 5))
    shard_bytes = rng.choice([None, saved.SMALL, 3 * saved.SMALL])
    twin = Twin(tmp_path / "x.arena", fields, rng.randrange(80), shard_bytes)
    for step in range(12):
        kind = rng.randrange(5)
        name = rng.choice([*twin.fields])
        if kind == 0:
            twin.extend(rng.randrange(50), step)
        elif kind == 1:
            other = rng.choice([*NEW])
            twin.put(rng.choice([name, other]), NEW[other], step)
        elif kind in (2, 3) and twin.count:
            twin.put_rows(name, rng.sample(range(twin.count), rng.randrange(twin.count)), step)
        elif kind == 4:
            twin.commit(rng.randrange(1, 4))
    twin.commit()
    twin.revision.close()


def test_windows_stay_where_they_are(tmp_path):
    """A11: arrays that are there once keep their files, whatever is put beside them."""
    fields = {
        "series": Windows("float32", (3, 9000), 50, 1),
        "steps": WindowLabels("int64", (9000,), 50, 1, "any"),
        "label": Scalar("int8"),
    }
    arena, rows = saved.make_arena(fields, count=8951)
    path = tmp_path / "x.arena"
    with arena:
        series = arena.column("series").values.copy()
        arena.save(path, shard_bytes=saved.SMALL)
    revision = Revision(path)
    files = {entry.file for entries in revision.manifest.shards for entry in entries}
    new = [np.full(3, k, np.float32) for k in range(8951)]
    revision.put("new", Array("float32", (3,)), column_of(Array("float32", (3,)), new))
    revision.put(
        "steps", Scalar("int64"), column_of(Scalar("int64"), [np.array(k) for k in range(8951)])
    )
    revision.commit(lambda plan: {}, {})
    after = {entry.file for entries in revision.manifest.shards for entry in entries}
    assert len(files & after) == 2  # those of the series; that of the steps has gone
    with Arena.open(path) as again:
        assert np.array_equal(again.column("series").values, series)
        assert np.array_equal(again.column("series")[8950], series[:, 8950:])
        assert np.array_equal(again.column("new").rows, new)
        assert again.column("steps").rows[8950] == 8950
        saved.check_rows(again, rows)
    check_folder(path, revision)
    revision.close()


def test_columns_with_counts_of_their_own_stay(tmp_path):
    """A11: what has not one row for each sample is no part of an edit."""
    fields = {"all": Array("uint8", (999,)), "few": Ragged("uint8", 1), "label": Scalar("int64")}
    arena, rows = saved.make_arena(fields, 300, {"few": 77})
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=saved.SMALL)
    revision = Revision(tmp_path / "x.arena")
    rows["all"] = [np.full(999, k % 200, np.uint8) for k in range(300)]
    revision.put("all", fields["all"], column_of(fields["all"], rows["all"]))
    revision.commit(lambda plan: {}, {})
    with Arena.open(tmp_path / "x.arena") as again:
        saved.check_rows(again, rows)
    revision.close()


def test_readers_keep_what_they_opened(tmp_path):
    """A11: an arena that was open before the commit stays as it was, and says so when pickled."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 100, saved.SMALL)
    old = {name: [*rows] for name, rows in twin.rows.items()}
    with Arena.open(twin.folder) as reader:
        _, (handle,) = reader.__reduce__()
        twin.extend(10, 1)
        twin.put_rows("image", [0, 50], 2)
        twin.commit()
        assert len(reader) == 100
        saved.check_rows(reader, old)
        with pytest.raises(ArenaGoneError, match="replaced"):
            attach(handle)
        saved.check_rows(reader, old)
    twin.revision.close()


def test_nothing_changes_without_commit(tmp_path):
    """A11: closed, or ended by an error, an edit leaves every file as it was."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 100, saved.SMALL)
    before = saved.files_in(twin.folder)
    twin.extend(10, 1)
    twin.put("label", Text(), 1)
    twin.revision.close()
    assert saved.files_in(twin.folder) == before
    twin.revision.close()
    with pytest.raises(ClosedError):
        twin.revision.put("x", Text(), column_of(Text(), []))
    with pytest.raises(ClosedError):
        twin.revision.commit(lambda plan: {}, {})


def test_one_editor_at_a_time(tmp_path):
    """A11: the second is refused, by editors and writers alike; readers are not."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 10, None)
    with pytest.raises(ArenaLockedError, match="another process is writing"):
        Revision(twin.folder)
    with Arena.open(twin.folder) as arena, pytest.raises(ArenaLockedError):
        arena.save(twin.folder, overwrite=True)
    threading.Timer(0.2, twin.revision.close).start()
    Revision(twin.folder, wait=20).close()
    lock = FolderLock(twin.folder)
    with pytest.raises(ArenaLockedError):
        Revision(twin.folder)
    lock.release()


def test_children_by_fork_cannot_edit(tmp_path):
    """A11: the lock is theirs as well, so one of both would undo the other unseen."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 10, None)
    before = saved.files_in(twin.folder)
    child = os.fork()
    if child == 0:
        refused = 0
        try:
            for use in (
                lambda: twin.revision.remove("image"),
                lambda: twin.revision.put("x", Text(), column_of(Text(), [])),
                lambda: twin.revision.commit(lambda plan: {}, {}),
            ):
                with pytest.raises(ArenaLockedError, match="child by fork"):
                    use()
                refused += 1
            twin.revision.close()  # its own part of it
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert saved.files_in(twin.folder) == before
    with pytest.raises(ArenaLockedError):
        Revision(twin.folder)
    twin.put_rows("image", [1, 2], 3)
    twin.commit()
    twin.check()


def test_an_arena_that_was_put_there_past_the_lock_stays(tmp_path):
    """A11: a commit takes only the place of the arena that was edited."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 10, None)
    other, rows = saved.make_arena(IMAGE, count=4, seed=9)
    with other:
        other.save(tmp_path / "other.arena")
    for path in (tmp_path / "other.arena").iterdir():
        shutil.copy(path, twin.folder)
    before = saved.files_in(twin.folder)
    twin.put_rows("image", [1, 2], 3)
    with pytest.raises(ArenaFormatError, match="replaced meanwhile"):
        twin.commit()
    assert saved.files_in(twin.folder) == before
    with Arena.open(twin.folder) as arena:
        saved.check_rows(arena, rows)


def test_what_is_no_arena_is_left_alone(tmp_path):
    """A11: no lock is put into folders of other things."""
    with pytest.raises(ArenaFormatError, match="does not exist"):
        Revision(tmp_path / "none")
    (tmp_path / "other").mkdir()
    with pytest.raises(ArenaFormatError, match="no arena"):
        Revision(tmp_path / "other")
    assert not [*(tmp_path / "other").iterdir()]


def test_damage_is_not_copied(tmp_path):
    """A11, F6: rows of a damaged file may be replaced as a whole, and never pass for good ones."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 200, 2 * 3 * saved.SMALL)
    path = twin.folder / "shard-00001.safetensors"
    data = bytearray(path.read_bytes())
    data[-100_000] ^= 1
    path.write_bytes(data)
    twin.put_rows("image", [3], 1)
    twin.revision.commit(lambda plan: {}, {})  # other files
    assert [check.file for check in verify(twin.folder).damaged] == [path.name]
    twin.put_rows("image", [64], 2)
    before = saved.files_in(twin.folder)
    with pytest.raises(ArenaDamagedError, match=path.name):
        twin.revision.commit(lambda plan: {}, {})
    assert saved.files_in(twin.folder) == before
    twin.put("image", IMAGE["image"], 3)
    twin.commit()
    twin.revision.close()


@pytest.mark.parametrize("call", ["pwrite", "fsync", "replace", "posix_fallocate", "open"])
@pytest.mark.parametrize("nth", [1, 2, 5])
def test_what_the_system_refuses_changes_nothing(tmp_path, monkeypatch, call, nth):
    """A10, A11: the arena is as it was, nothing is left over, and the next commit succeeds."""
    twin = Twin(tmp_path / "x.arena", saved.FIELDS, 100, saved.SMALL)
    twin.put_rows("image", [0, 50, 99], 1)
    twin.extend(20, 2)
    before = saved.files_in(twin.folder)
    real, left = getattr(disk.os, call), [nth]

    def fail(*args, **kwargs):
        writing = call != "open" or args[1] & disk.os.O_CREAT
        left[0] -= bool(writing)
        if writing and left[0] == 0:
            raise OSError(28 if call == "pwrite" else 5, "refused")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(disk.os, call, fail)
        with pytest.raises((ArenaFileError, BudgetError)):
            twin.revision.commit(lambda plan: {}, {}, 1)
    assert left[0] <= 0
    assert saved.files_in(twin.folder) == before
    twin.commit()
    twin.revision.close()


def test_a_manifest_that_may_be_there_ends_the_edit(tmp_path, monkeypatch):
    """A11: when only the last step of publishing fails, nobody takes the new files away."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 10, None)
    twin.put_rows("image", [0], 1)
    real = disk.sync_folder

    def fail(folder):
        if b'"generation": 2' in (folder / "manifest.json").read_bytes():
            raise OSError(5, "refused")
        real(folder)

    monkeypatch.setattr(disk, "sync_folder", fail)
    with pytest.raises(ArenaFileError):
        twin.revision.commit(lambda plan: {}, {})
    assert twin.revision.closed
    monkeypatch.undo()
    with Arena.open(twin.folder) as arena:
        saved.check_rows(arena, twin.rows)
    again = Revision(twin.folder)
    assert again.manifest.generation == 2
    again.close()


def test_the_disk_must_have_room(tmp_path, monkeypatch):
    """A11: said before anything is written."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 10, None)
    twin.extend(10, 1)
    before = saved.files_in(twin.folder)
    monkeypatch.setattr("fastcache.memory.files.folder.free_bytes", lambda folder: 1000)
    with pytest.raises(BudgetError, match="delete something"):
        twin.revision.commit(lambda plan: {}, {})
    assert saved.files_in(twin.folder) == before
    monkeypatch.undo()
    with pytest.raises(ArgumentError, match="plain JSON"):
        twin.revision.commit(lambda plan: {"x": object()}, {})
    assert saved.files_in(twin.folder) == before
    twin.commit()
    twin.revision.close()


def test_what_was_interrupted_goes(tmp_path):
    """A11: files and the journal of a writer that was killed, before the first new file."""
    twin = Twin(tmp_path / "x.arena", IMAGE, 100, saved.SMALL)
    for name in (
        "journal.jsonl",
        ".tmp-columns-g2.safetensors",
        "shard-00000-g2.safetensors",
        "columns-g7.safetensors",
    ):
        (twin.folder / name).write_bytes(b"left over")
    (twin.folder / "notes.txt").write_text("mine")
    twin.put_rows("image", [0], 1)
    twin.revision.commit(lambda plan: {}, {})
    names = {path.name for path in twin.folder.iterdir()}
    assert "notes.txt" in names
    assert not names & {"journal.jsonl", ".tmp-columns-g2.safetensors", "columns-g7.safetensors"}
    assert verify(twin.folder).ok
    twin.revision.close()
