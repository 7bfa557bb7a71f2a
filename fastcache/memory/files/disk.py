"""System calls on an arena's files: whole files or none, and errors that say what to do."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from fastcache.errors import ArenaFileError, ArenaFormatError, BudgetError, FastcacheError
from fastcache.memory.files.naming import PAGE, SUMMED, TEMPORARY
from fastcache.memory.system import nearest_folder
from fastcache.memory.units import format_bytes

_ZEROS = memoryview(bytes(PAGE))
# Neither follow links out of the folder, nor wait for the other end of a FIFO.
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
_STRICT = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def free_bytes(folder: Path) -> int:
    """Return what the file system of a folder, or of the nearest that is there, has left."""
    return shutil.disk_usage(nearest_folder(folder)).free


def disk_full(folder: Path, need: int) -> BudgetError:
    """Return the error for a folder whose file system has no room for ``need`` bytes."""
    have, limit = free_bytes(folder), f"free space of the file system of {folder}"
    return BudgetError(
        f"{format_bytes(need)} are needed, {format_bytes(have)} may be used (limit: {limit}); make "
        "the samples smaller with store=, delete something there, or choose another folder",
        need,
        have,
        limit,
    )


@contextmanager
def system_calls(doing: str, path: Path, need: int = 0) -> Iterator[None]:
    """Turn the system's errors into ours: what was done, to which file, and why it failed."""
    try:
        yield
    except FastcacheError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(path.parent, need) from error
        advice = "; raise the limit on the size of files (ulimit -f)"
        why = f"{error.strerror}{advice if error.errno == errno.EFBIG else ''}"
        raise ArenaFileError(error.errno, f"{doing} {path}: {why}") from error


def open_regular(path: Path) -> tuple[int, int]:
    """Open a file for reading; return its descriptor and size.

    Raises
    ------
    ArenaFormatError
        If it is missing, a link, or no regular file.
    ArenaFileError
        If the system refuses for another reason.
    """
    with system_calls("opening", path):
        try:
            fd = os.open(path, _READ | _STRICT)
        except FileNotFoundError:
            raise ArenaFormatError(f"{path} is missing: copy the arena whole") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):
                raise ArenaFormatError(f"{path} is a link or no regular file") from None
            raise
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise ArenaFormatError(f"{path} is no regular file")
        except BaseException:
            os.close(fd)
            raise
    return fd, about.st_size


def read_at(fd: int, size: int, at: int, path: Path) -> bytes:
    """Return ``size`` bytes of a file; fewer where it ends before."""
    parts: list[bytes] = []
    with system_calls("reading", path):
        while size > 0:
            part = os.pread(fd, size, at)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_whole(path: Path, most: int) -> bytes:
    """Return a regular file's bytes, if it has no more than ``most``."""
    fd, size = open_regular(path)
    try:
        if size > most:
            raise ArenaFormatError(
                f"{path} has {format_bytes(size)}; {format_bytes(most)} are most"
            )
        return read_at(fd, size, 0, path)
    finally:
        os.close(fd)


def as_bytes(piece: Any) -> memoryview:
    """Return a contiguous array or buffer as bytes, without a copy."""
    if isinstance(piece, np.ndarray):
        if not piece.flags.c_contiguous:
            raise ValueError("the array is not contiguous")
        piece = piece.reshape(-1).view(np.uint8) if piece.size else b""
    return memoryview(piece).cast("B")


def zeros(count: int) -> Iterator[memoryview]:
    """Yield ``count`` zero bytes."""
    for _ in range(count // PAGE):
        yield _ZEROS
    if count % PAGE:
        yield _ZEROS[: count % PAGE]


class _Stream:
    """Bytes on their way into a file, and the checksum of each MiB."""

    def __init__(self, fd: int) -> None:
        self._fd, self._at = fd, 0
        self._hash = xxhash.xxh3_64()
        self.sums: list[int] = []

    def write(self, data: memoryview) -> None:
        while data:
            part = data[: SUMMED - self._at % SUMMED]
            data = data[len(part) :]
            self._hash.update(part)
            while part:  # a write may be short
                done = os.pwrite(self._fd, part, self._at)
                part = part[done:]
                self._at += done
            if self._at % SUMMED == 0:
                self._end()

    def close(self) -> int:
        """Finish the last checksum, and return the bytes written."""
        if self._at % SUMMED:
            self._end()
        return self._at

    def _end(self) -> None:
        self.sums.append(self._hash.intdigest())
        self._hash.reset()


def _allocate(fd: int, size: int) -> None:
    """Give a file its room before the first write: a full disk shows here."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    os.ftruncate(fd, size)  # what this file system can do


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, _READ)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def publish(path: Path, size: int, pieces: Iterable[memoryview], need: int = 0) -> list[int]:
    """Write a file under another name, and give it its own once all of it is on the disk.

    Parameters
    ----------
    path : Path
    size : int
    pieces : iterable of memoryview
        That many bytes.
    need : int
        Bytes that the disk must have for this file and those that others write meanwhile.

    Returns
    -------
    list of int
        The checksum of each MiB.

    Raises
    ------
    BudgetError
        If the disk is full.
    ArenaFileError
        If the system refuses for another reason. Nothing is left behind in either case.
    """
    temporary = path.with_name(TEMPORARY + path.name)
    with system_calls("writing", path, max(size, need)):
        fd = os.open(temporary, _CREATE, 0o666)
        try:
            try:
                if size:
                    _allocate(fd, size)
                stream = _Stream(fd)
                for piece in pieces:
                    stream.write(piece)
                written = stream.close()
                assert written == size, f"{path}: {written} bytes instead of {size}"
                os.fsync(fd)
            finally:
                os.close(fd)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):  # it may be gone; the error that is on its way counts
                os.unlink(temporary)
            raise
        sync_folder(path.parent)
    return stream.sums
