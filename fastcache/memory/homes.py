"""Where a block of memory lives: the one place that turns ``home=`` into a Block.

This version has one home, ``ram``.  A further one is a function of the same form in ``_HOMES``.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from fastcache._core import threads as pool
from fastcache._core.block import Block
from fastcache.errors import ArgumentError, BlockError
from fastcache.memory.budget import check, read_budget, shortage
from fastcache.memory.units import format_bytes

_SLICE = 32 << 20  # bytes that a thread allocates before it takes the next


def _allocate(block: Block, threads: int) -> None:
    """Give every page of a block memory, or close it."""

    def allocate(start: int) -> None:
        block.allocate(start, min(_SLICE, block.size - start))

    try:
        pool.run_each(allocate, range(0, block.size, _SLICE), threads)
    except BaseException:
        with suppress(BufferError):  # Ctrl-C while a helper allocates: it goes when that has ended
            block.close()
        raise


def _ram(size: int, name: str, threads: int) -> Block:
    """Allocate shared memory that has no name in any file system, and so cannot be left behind."""
    # Asking first matters: beyond a control group's limit the kernel kills instead of refusing.
    reading = read_budget(sys.maxsize)
    check(size, reading)
    try:
        block = Block.create(size, name)
        _allocate(block, threads)
        return block
    except BlockError as error:
        if error.errno in (errno.ENOMEM, errno.ENOSPC):
            raise shortage(size, reading, f"the system said: {error.strerror}") from error
        if error.errno == errno.EMFILE:
            raise BlockError(
                error.errno, f"{error.strerror}; close some files, or raise ulimit -n"
            ) from error
        if error.errno == errno.EFBIG:
            raise BlockError(
                error.errno,
                f"{format_bytes(size)} of memory: the system said: {os.strerror(errno.EFBIG)}. The "
                "limit on the size of files (ulimit -f) holds for shared memory too, through which "
                "files are filled as well: raise it",
            ) from error
        if error.errno == errno.ENOSYS:
            raise BlockError(
                error.errno, f"home='ram' needs Linux (memfd_create), this is {sys.platform}"
            ) from error
        raise


_HOMES: dict[str, Callable[[int, str, int], Block]] = {"auto": _ram, "ram": _ram}


def make_block(
    size: int, home: str = "auto", name: str = "fastcache", threads: int | None = None
) -> Block:
    """Allocate memory.

    Parameters
    ----------
    size : int
        Bytes, at least 1; rounded up to whole pages. All of it is allocated on return.
    home : str
        ``"ram"``, or ``"auto"``, which in this version means the same.
    name : str
        Shown by the system's tools (in /proc/PID/maps); need not be unique.
    threads : int, optional
        How many allocate it, each 32 MiB at a time; every usable core if not given.

    Raises
    ------
    ArgumentError
        For a home that does not exist.
    BudgetError
        If there is not that much memory.
    BlockError
        If the system refuses for another reason.
    """
    if home not in _HOMES:
        raise ArgumentError(f"home={home!r}: this version has {', '.join(map(repr, _HOMES))}")
    return _HOMES[home](size, name, pool.resolve_threads(threads))
