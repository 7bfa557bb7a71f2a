"""How much memory a process holds, and by how much that grows."""

import gc
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

_RESET_PEAK = "5"


def wake(size: int) -> None:
    """Take so much memory, and let it go.

    Before the clock starts: a virtual machine hands memory that nobody uses back to its host within
    seconds, and gets it again at less than a gigabyte per second. That is not to be measured.
    """
    with mmap.mmap(-1, size) as memory:
        if hasattr(mmap, "MADV_HUGEPAGE"):
            memory.madvise(mmap.MADV_HUGEPAGE)
        for page in range(0, size, mmap.PAGESIZE):
            memory[page] = 1


def status_bytes(field: str) -> int:
    """Return a memory field of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def peak_growth(action: Callable[[], Any]) -> tuple[Any, int, int]:
    """Return what `action` returns, the growth of the peak resident size meanwhile, and of code.

    Pages of program files (codecs and the like) that were touched for the first time are not in
    the first number but are the second: they belong to the page cache and are there once for all
    processes.
    """
    gc.collect()
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before, files_before = status_bytes("VmRSS"), status_bytes("RssFile")
    value = action()
    code = status_bytes("RssFile") - files_before
    return value, status_bytes("VmHWM") - before - code, code
