"""Each system call of writing and opening made to fail in turn, or to do half of its work."""

import errno
import fcntl
import os
import resource
import subprocess
import sys

import pytest
import saved_arenas as saved
import saving_workers as workers

from fastcache.errors import ArenaFileError, BudgetError, FastcacheError
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify

WRITING = ["open", "pwrite", "write", "fsync", "posix_fallocate", "replace", "ftruncate", "fstat"]
FEW = 1 << 20  # bytes of a shard: each fault is a run of its own
READING = ["open", "fstat", "pread"]


class Faults:
    """Makes the Nth call of some functions of `os` fail; counts the calls."""

    def __init__(self, monkeypatch, names, number, reason):
        self.calls, self.number, self.reason = 0, number, reason
        self.name = None
        for name in names:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        monkeypatch.setattr(fcntl, "flock", self._wrapped("flock", fcntl.flock))

    def _wrapped(self, name, function):
        def call(*arguments, **options):
            self.calls += 1
            if self.calls == self.number:
                self.name = name
                raise OSError(self.reason, os.strerror(self.reason))
            return function(*arguments, **options)

        return call


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("reason", [errno.EIO, errno.ENOSPC, errno.EMFILE])
def test_writing(tmp_path, monkeypatch, reason):
    """F6, A10: a typed error, nothing left open, no temporary file; the next run ends well."""
    whole = tmp_path / "whole.arena"
    workers.write(whole, shard_bytes=FEW)
    before, failed = descriptors(), set()
    for number in range(1, 1000):
        path = tmp_path / f"{reason}-{number}.arena"
        with monkeypatch.context() as patch:
            faults = Faults(patch, WRITING, number, reason)
            try:
                workers.write(path, shard_bytes=FEW)
                error = None
            except FastcacheError as caught:
                error = caught
        assert descriptors() == before
        if error is None and faults.name is None:
            break
        failed.add(faults.name)
        if error is not None:
            full = reason == errno.ENOSPC
            assert isinstance(error, BudgetError if full else ArenaFileError), faults.name
            assert full or error.errno == reason
            assert str(tmp_path) in str(error)
            names = os.listdir(path) if path.exists() else []
            assert not [name for name in names if name.startswith(".tmp")], faults.name
        # Where there was none, the fault came when the arena was whole, or another call helped.
        again = (path / "manifest.json").exists()
        workers.write(path, shard_bytes=FEW, overwrite=again)
        assert verify(path).ok
        if not again:
            assert saved.files_in(path) == saved.files_in(whole)
    assert failed >= {"open", "pwrite", "write", "fsync", "posix_fallocate", "replace", "flock"}


@pytest.mark.parametrize("reason", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_opening(tmp_path, monkeypatch, reason):
    """F6, A10: a typed error, nothing left open or mapped."""
    path = tmp_path / "x.arena"
    workers.write(path)
    before, failed = descriptors(), set()
    for number in range(1, 1000):
        with monkeypatch.context() as patch:
            faults = Faults(patch, READING, number, reason)
            try:
                Arena.open(path).close()
                error = None
            except FastcacheError as caught:
                error = caught
        assert descriptors() == before
        assert saved.mapped("x.arena") == 0
        if error is None:
            break
        failed.add(faults.name)
        assert isinstance(error, ArenaFileError)
        assert error.errno == reason
    assert failed == {"open", "fstat", "pread"}
    assert number > 15


def test_calls_that_do_half_of_it(tmp_path, monkeypatch):
    """F6: short writes and reads are gone on with."""
    workers.write(tmp_path / "whole.arena")
    pwrite, write, pread = os.pwrite, os.write, os.pread
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[: len(data) // 2 + 1], at))
        patch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2 + 1]))
        patch.setattr(os, "pread", lambda fd, size, at: pread(fd, size // 2 + 1, at))
        workers.write(tmp_path / "x.arena")
        assert verify(tmp_path / "x.arena").ok
        Arena.open(tmp_path / "x.arena").close()
    assert saved.files_in(tmp_path / "x.arena") == saved.files_in(tmp_path / "whole.arena")


@pytest.mark.parametrize("reason", [errno.EOPNOTSUPP, errno.EINVAL])
def test_file_systems_that_cannot_allocate(tmp_path, monkeypatch, reason):
    """B6: the size is set then, and what is written is the same."""

    def refuse(*_):
        raise OSError(reason, os.strerror(reason))

    workers.write(tmp_path / "whole.arena")
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    workers.write(tmp_path / "x.arena")
    assert saved.files_in(tmp_path / "x.arena") == saved.files_in(tmp_path / "whole.arena")


def test_damage_below_the_file_system(tmp_path, monkeypatch):
    """F6: what cannot be read is damaged, and verify goes on."""
    path = tmp_path / "x.arena"
    workers.write(path)
    pread = os.pread

    def read(fd, size, at):
        if "shard-00001" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", read)
    (check,) = verify(path).damaged
    assert check.file == "shard-00001.safetensors"
    assert os.strerror(errno.EIO) in check.problem
    assert set(check.rows) == {"image", "photo", "wide"}


def test_an_address_space_limit(tmp_path):
    """A10: addresses that the process may not have are an error that names the limit."""
    path = tmp_path / "x.arena"
    workers.write(path)
    program = f"""
import resource
from fastcache.errors import BlockError
from fastcache.memory.arena import Arena
used = int(open("/proc/self/statm").read().split()[0]) * {resource.getpagesize()}
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20),) * 2)
try:
    Arena.open({str(path)!r})
except BlockError as error:
    print("ulimit -v" in str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(tmp_path):
    """A11: permission is asked for by name."""
    path = tmp_path / "x.arena"
    workers.write(path)
    (path / "columns.safetensors").chmod(0)
    with pytest.raises(ArenaFileError, match="columns"):
        Arena.open(path)
