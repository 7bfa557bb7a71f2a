"""Where a block of memory lives: the one place that turns ``home=`` into a Block.

This version has one home, ``ram``.  A further one is a function of the same form in ``_HOMES``.
"""

import errno
import sys
from collections.abc import Callable

from fastcache._core.block import Block
from fastcache.errors import ArgumentError, BlockError
from fastcache.memory.budget import check, read_budget, shortage


def _ram(size: int, name: str) -> Block:
    """Reserve shared memory that has no name in any file system, and so cannot be left behind."""
    # Asking first matters: beyond a control group's limit the kernel kills instead of refusing.
    reading = read_budget(sys.maxsize)
    check(size, reading)
    try:
        return Block.create(size, name)
    except BlockError as error:
        if error.errno in (errno.ENOMEM, errno.ENOSPC):
            raise shortage(size, reading, f"the system said: {error.strerror}") from error
        if error.errno == errno.EMFILE:
            raise BlockError(
                error.errno, f"{error.strerror}; close some files, or raise ulimit -n"
            ) from error
        if error.errno == errno.ENOSYS:
            raise BlockError(
                error.errno, f"home='ram' needs Linux (memfd_create), this is {sys.platform}"
            ) from error
        raise


_HOMES: dict[str, Callable[[int, str], Block]] = {"auto": _ram, "ram": _ram}


def make_block(size: int, home: str = "auto", name: str = "fastcache") -> Block:
    """Reserve memory.

    Parameters
    ----------
    size : int
        Bytes, at least 1; rounded up to whole pages. All of it is allocated on return.
    home : str
        ``"ram"``, or ``"auto"``, which in this version means the same.
    name : str
        Shown by the system's tools (in /proc/PID/maps); need not be unique.

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
    return _HOMES[home](size, name)
