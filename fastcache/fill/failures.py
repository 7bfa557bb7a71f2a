"""What becomes of samples that cannot be had."""

import errno
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.errors import BlockError, DecodeError, FastcacheError, NoMemoryError
from fastcache.fill.target import Target
from fastcache.fill.text import printable
from fastcache.memory.arena import DenseColumn
from fastcache.memory.budget import read_budget
from fastcache.memory.units import format_bytes

_SHOWN = 5  # failures spelled out in the message; all are in the error's `failed`


# The system's shortages, which say nothing about a sample.
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_shortage(error: BaseException) -> bool:
    """Whether an exception means that the system is short of something, not that data are bad."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in _SHORTAGES
    )


def is_no_memory(error: MemoryError | OSError) -> bool:
    """Whether an exception means that the system refused memory."""
    return isinstance(error, MemoryError) or error.errno == errno.ENOMEM


def is_available(size: int) -> bool:
    """Whether the process may have so many bytes more; none of them is touched."""
    try:
        mmap.mmap(-1, max(size, mmap.PAGESIZE)).close()
    except (OSError, MemoryError):
        return False
    return True


def shortage(error: BaseException) -> BlockError:
    """Return the error that ends a fill when Python ran short of something."""
    number = getattr(error, "errno", None) or errno.ENOMEM
    return BlockError(
        number,
        f"the fill ran out of resources ({type(error).__name__}: {error}); nothing is known "
        "against the file at which it did. Close files or raise ulimit -n, use fewer threads=, or "
        "free memory",
    )


@contextmanager
def memory_told(what: str) -> Iterator[None]:
    """Say of memory that Python could not get how much there is, and what to do about it.

    Parameters
    ----------
    what : str
        What is done within, for the message.

    Raises
    ------
    NoMemoryError
        For a MemoryError or an OSError that only tells ENOMEM; our own errors say more.
    """
    try:
        yield
    except (MemoryError, OSError) as error:
        if isinstance(error, FastcacheError) or not is_no_memory(error):
            raise
        left = read_budget(None)
        raise NoMemoryError(
            f"{what}: the system refused memory ({str(error) or type(error).__name__}); it leaves "
            f"{format_bytes(left.available)} in all (limit: {left.limit}). Free memory, raise the "
            "limit, take fewer samples with limit=, or use fewer threads="
        ) from error


def check_shortage(status: npt.NDArray[np.int32], detail: npt.NDArray[np.int32]) -> None:
    """Raise BlockError if C ran out of descriptors or memory for some item."""
    short = (status == core.E_NOMEM) | ((status == core.E_IO) & np.isin(detail, _SHORTAGES))
    if not short.any():
        return
    row = int(short.argmax())
    number = errno.ENOMEM if status[row] == core.E_NOMEM else int(detail[row])
    what = core.describe(int(status[row]), int(detail[row]))
    raise BlockError(
        number,
        f"{int(short.sum())} files could not be read for want of resources ({what}); nothing is "
        "known against them. Close files or raise ulimit -n, use fewer threads=, or free memory",
    )


def zero_rows(arena: Target, name: str, rows: Sequence[int]) -> None:
    """Overwrite rows, in which a decode may have left a part of an image, with zeros."""
    column = arena.column(name)
    for row in rows:
        if isinstance(column, DenseColumn):
            column.rows[row] = 0
        else:
            column[row][...] = 0


def decode_error(failed: Sequence[tuple[str, str]], count: int) -> DecodeError:
    """Return the error for (path, reason) pairs of `count` samples."""
    told = "\n".join(f"  {path}: {reason}" for path, reason in failed[:_SHOWN])
    more = f"\n  … and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return DecodeError(
        f"{len(failed)} of {count} samples cannot be read:\n{printable(told)}{more}\n"
        'Mend or remove them, or pass on_error="skip" (leave them out) or "fill" (zeros).',
        failed,
    )
