"""Cold starts without being root: ask the system to forget the files, then look whether it did."""

import ctypes
import mmap
import os
from collections.abc import Iterable

import numpy as np


def drop(paths: Iterable[str]) -> None:
    """Ask that the files leave the page cache (only pages already written to disk can)."""
    os.sync()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def resident_share(paths: Iterable[str]) -> float:
    """Return which share (0..1) of the files' pages is in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    resident = total = 0
    for path in paths:
        size = os.path.getsize(path)
        if size == 0:
            continue
        with open(path, "rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as pages:
            view = np.frombuffer(pages, np.uint8)
            flags = np.zeros(-(-size // mmap.PAGESIZE), np.uint8)
            code = libc.mincore(
                ctypes.c_void_p(view.ctypes.data),
                ctypes.c_size_t(size),
                ctypes.c_void_p(flags.ctypes.data),
            )
            del view  # the mapping cannot be closed while an array looks at it
            if code != 0:
                raise OSError(ctypes.get_errno(), "mincore", path)
        resident += int((flags & 1).sum())
        total += len(flags)
    return resident / total if total else 0.0
