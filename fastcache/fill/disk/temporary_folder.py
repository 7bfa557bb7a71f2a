"""The folders of temporary arenas: locked by whom they belong to, swept when that has ended."""

import errno
import fcntl
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastcache.errors import ArenaFileError, FastcacheError

DATA = "data.arena"
ELSEWHERE = (
    'home="disk" needs one: have TMPDIR name a folder that can be written, or give cache_dir='
)
_PREFIX = "fastcache-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")  # as mkdtemp makes them
_OWNER = "owner"  # locked by the process that the folder belongs to, for as long as it lives
_CREATE = os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
_FIND = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_OLD = 3600.0  # seconds after which nobody is about to put an owner into a folder
_TRIES = 8

_log = logging.getLogger("fastcache")


def temporary_base() -> Path:
    """Return the system's folder for temporary files.

    Raises
    ------
    ArenaFileError
        If there is none.
    """
    with _advice("the folder for temporary files", ELSEWHERE):
        return Path(tempfile.gettempdir())


@contextmanager
def _advice(place: object, what: str) -> Iterator[None]:
    """Turn the system's errors into ours, which say what to do."""
    try:
        yield
    except FastcacheError:
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            what = "close some files, or raise ulimit -n"
        raise ArenaFileError(
            error.errno or 0, f"a folder for temporary files in {place}: {error.strerror}; {what}"
        ) from error


class TemporaryFolder:
    """A folder of this process, which is made at once and removed with all that is in it.

    Those of processes that were killed are removed before. Nobody else removes this one: a file in
    it is locked for as long as the process lives.

    Parameters
    ----------
    base : Path
        Where it is made.
    advice : str
        What to do if it cannot be.

    Attributes
    ----------
    path : Path

    Raises
    ------
    ArenaFileError
        If the system refuses.
    """

    path: Path

    def __init__(self, base: Path, advice: str = ELSEWHERE) -> None:
        self._process, self._owner, self._removed = os.getpid(), -1, True
        with _advice(base, advice):
            sweep(base)
            for _ in range(_TRIES):
                self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
                self._removed = False
                try:
                    if self._take():
                        return
                except BaseException:
                    self.remove()
                    raise
                self.remove()
        raise ArenaFileError(errno.EBUSY, f"{base}: something removes each folder that is made")

    def _take(self) -> bool:
        """Lock the folder; False if another process has swept it before it was locked."""
        try:
            self._owner = os.open(self.path / _OWNER, _CREATE, 0o600)
            fcntl.flock(self._owner, fcntl.LOCK_EX)
            there = os.stat(self.path / _OWNER)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._owner), there)

    def remove(self) -> None:
        """Remove the folder; a second call does nothing, nor does one in a child by fork."""
        if self._removed or os.getpid() != self._process:
            return
        self._removed = True
        owner, self._owner = self._owner, -1
        try:
            try:
                gone = _remove(self.path)
            finally:
                if owner >= 0:
                    os.close(owner)
        except BaseException:  # Ctrl-C, say: who raises it may not ask again
            _remove(self.path)
            raise
        if not gone and not _remove(self.path):  # the owner's descriptor may have been the last
            _log.warning(
                'files of a dataset that was closed are left in %s: the next home="disk" there '
                "removes them",
                self.path,
            )


def _remove(folder: Path) -> bool:
    """Remove a folder of ours; False if the system refuses.

    The owner goes last: what is left of a folder is found by it. Nothing but the list of files
    takes a descriptor, so that this works where there are none to spare.
    """
    try:
        _remove_data(folder)
        (folder / _OWNER).unlink(missing_ok=True)
        folder.rmdir()
    except FileNotFoundError:  # another process was faster
        return True
    except OSError:
        return False
    return True


def _remove_data(folder: Path) -> None:
    data = folder / DATA
    if os.path.lexists(data):
        for name in os.listdir(data):
            (data / name).unlink(missing_ok=True)
        data.rmdir()


def sweep(base: Path) -> None:
    """Remove folders of ours in `base` whose process has ended."""
    try:
        names = os.listdir(base)
    except OSError:  # whoever makes a folder there is told
        return
    for name in names:
        if _NAME.fullmatch(name):
            _sweep(base / name)


def _sweep(folder: Path) -> None:
    try:
        about = folder.lstat()
        mine = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
        if not mine:
            return
        owner = os.open(folder / _OWNER, _FIND)
    except FileNotFoundError:
        _sweep_ownerless(folder)
        return
    except OSError:  # the next one may have more luck
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # its process lives
        return
    else:
        _remove(folder)
    finally:
        os.close(owner)


def _sweep_ownerless(folder: Path) -> None:
    """Remove a folder that has lost its owner: old, as we make them, and with nothing else in it.

    What somebody is making just now is young; were the clocks wrong, it would be made again.
    """
    try:
        about = folder.lstat()
        young = time.time() - max(about.st_mtime, about.st_ctime) < _OLD
        if young or stat.S_IMODE(about.st_mode) != 0o700 or set(os.listdir(folder)) - {DATA}:
            return
        _remove_data(folder)
        folder.rmdir()
    except OSError:  # it goes, or fills, by another's hand
        return
