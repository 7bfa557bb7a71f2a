"""What tests of paging share: which pages are in memory."""

import ctypes
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)


def resident(address: int, size: int) -> npt.NDArray[np.bool_]:
    """Return for each page of a range whether the system has it in its cache."""
    pages = np.zeros(-(-size // PAGE), np.uint8)
    where = ctypes.c_void_p(pages.ctypes.data)
    if _libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), where) != 0:
        raise OSError(ctypes.get_errno(), "mincore")
    return (pages & 1).astype(bool)


def evict(arena: Any) -> bool:
    """Drop an open arena of files out of the cache; return whether this system lets us."""
    block = arena._claim.data
    whole = np.array([0]), np.array([block.size])
    block.advise(*whole, "dontneed")
    for path in Path(arena._claim.handle.path).iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return not resident(*values(arena)).any()


def values(arena: Any, name: str | None = None) -> tuple[int, int]:
    """Return address and bytes of a column's values: by default of the one that has most."""
    columns = arena.layout.columns
    name = name or max(columns, key=lambda n: columns[n].values_bytes)
    return arena.base_address + columns[name].values, columns[name].values_bytes
