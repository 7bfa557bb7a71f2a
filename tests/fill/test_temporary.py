"""Folders of temporary arenas: one is removed whatever happens, and nobody else's ever is."""

import errno
import fcntl
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from fastcache.errors import ArenaFileError
from fastcache.fill.disk import temporary, temporary_folder
from fastcache.fill.disk.cached import cached_arena
from fastcache.fill.disk.temporary import temporary_arena
from fastcache.fill.disk.temporary_folder import TemporaryFolder, sweep
from fastcache.fill.options import FillOptions
from fastcache.sources import Arrays

SOURCE = Arrays(np.arange(12, dtype=np.uint8).reshape(3, 4), [0, 1, 2])
DISK = FillOptions(home="disk")


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    """Return the folder for temporary files, a new one."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def left_behind(base, name="fastcache-abcdefgh", mode=0o700, inside="data.arena"):
    """Make a folder that has lost its owner."""
    folder = base / name
    (folder / inside).mkdir(parents=True)
    (folder / inside / "shard-00000.safetensors").write_bytes(b"x")
    folder.chmod(mode)
    return folder


def test_folders_go_without_a_descriptor_to_spare(base, monkeypatch):
    """B7, A10: nothing is left of a run that ended because there were none."""
    taken: list[int] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def use_up(source, options, folder, *args, **kwargs):
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"x")
        highest = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, limits[1]))
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))

    monkeypatch.setattr(temporary, "pack_arena", use_up)
    try:
        with pytest.raises(OSError, match="Too many open files"):
            temporary_arena(SOURCE, DISK)
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert taken and os.listdir(base) == []


def test_what_cannot_be_removed_is_found_by_the_next(base, monkeypatch, caplog):
    folder = TemporaryFolder(base)
    (folder.path / "data.arena").mkdir()

    def refuse(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(temporary_folder, "_remove_data", refuse)
        folder.remove()
    assert str(folder.path) in caplog.text
    assert sorted(os.listdir(folder.path)) == ["data.arena", "owner"]
    TemporaryFolder(base).remove()
    assert os.listdir(base) == []


def test_old_folders_without_an_owner_are_swept(base, monkeypatch):
    folder = left_behind(base)
    empty = base / "fastcache-12345678"
    empty.mkdir(0o700)
    sweep(base)
    assert folder.exists() and empty.exists()  # just made, for all that is known
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3600)
    sweep(base)
    assert os.listdir(base) == []


@pytest.mark.parametrize(
    "other",
    [
        {"name": "fastcache-examples-1"},
        {"name": "other-abcdefgh"},
        {"mode": 0o755},
        {"inside": "photos"},
    ],
)
def test_what_may_be_somebodys_is_left_alone(base, monkeypatch, other):
    folder = left_behind(base, **other)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    sweep(base)
    assert any(folder.iterdir())


def test_other_users_folders_are_left_alone(base, monkeypatch):
    """Even for root, who could remove them."""
    ended = left_behind(base, "fastcache-87654321")
    (ended / "owner").touch()
    left_behind(base)
    (base / "fastcache-linkedup").symlink_to(ended)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 1e12)
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        sweep(base)
    assert len(os.listdir(base)) == 3
    sweep(base)
    assert "fastcache-87654321" not in os.listdir(base)  # ours, and its process has ended


def test_a_sweep_before_the_lock_does_no_harm(base, monkeypatch):
    """B7: whoever sweeps between the making of a folder and its lock takes one that is not used."""
    lock, swept = fcntl.flock, []

    def late(fd, how):
        if how == fcntl.LOCK_EX and not swept:
            swept.append(os.listdir(base))
            sweep(base)
        return lock(fd, how)

    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", late)
    with temporary_arena(SOURCE, DISK) as arena:
        (name,) = os.listdir(base)
        assert swept and swept[0] != [name]
        sweep(base)
        assert os.listdir(base) == [name] and len(arena) == 3
    assert os.listdir(base) == [] and descriptors() == before


@pytest.mark.parametrize("step", ["rmdir", "unlink"])
def test_ctrl_c_while_closing_arrives(base, monkeypatch, step):
    """B7: it is no finalizer's to swallow, and all is removed nevertheless."""
    before = descriptors()
    arena = temporary_arena(SOURCE, DISK)
    real, times = getattr(Path, step), []  # Python 3.10's keeps os.unlink itself

    def interrupted(*args, **kwargs):
        times.append(args)
        if len(times) == 1:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            arena.close()
    assert arena.closed and os.listdir(base) == [] and descriptors() == before
    arena.close()


def test_folders_that_cannot_be_used_are_told_with_what_to_do(base, monkeypatch):
    """A10: TMPDIR and cache_dir= are named."""
    base.rmdir()
    with pytest.raises(ArenaFileError, match="No such file.*TMPDIR.*cache_dir=") as caught:
        temporary_arena(SOURCE, DISK)
    assert caught.value.errno == errno.ENOENT and str(base) in str(caught.value)

    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/a']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(ArenaFileError, match="No usable temporary directory.*TMPDIR"):
        temporary_arena(SOURCE, DISK)


def test_a_folder_that_was_chosen_by_us_is_no_matter_of_tmpdir(tmp_path):
    """What is appended to an arena lies beside it, if memory has no room."""
    with pytest.raises(ArenaFileError, match="No such file.*be writable, or free memory"):
        temporary_arena(SOURCE, DISK, tmp_path / "none")


def test_a_cache_dir_that_cannot_be_made(tmp_path):
    Path(tmp_path / "file").touch()
    with pytest.raises(ArenaFileError, match="making cache_dir="):
        cached_arena(SOURCE, FillOptions(cache_dir=tmp_path / "file" / "cache"))
