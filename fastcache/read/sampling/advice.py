"""Telling a dataset which samples come next, early enough for a disk to bring them."""

from collections import deque
from collections.abc import Callable, Iterator

from fastcache.read.sampling.order import Ints

_PIECE = 256  # samples of a call: few calls, and each of them small beside what is ahead


def advised(
    chunks: Iterator[Ints], read_ahead: Callable[[Ints], object], ahead: int
) -> Iterator[Ints]:
    """Yield the same samples in smaller pieces; `read_ahead` hears of each piece before.

    Parameters
    ----------
    chunks : iterator of int64 arrays
        Samples in their order.
    read_ahead : callable
        Takes an int64 array of samples; what it raises ends the iteration.
    ahead : int
        A piece is told when at least so many samples come before it, and when iterating begins.
    """
    waiting: deque[Ints] = deque()
    count = 0
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            piece = chunk[start : start + _PIECE]
            read_ahead(piece)
            waiting.append(piece)
            count += len(piece)
            while count - len(waiting[0]) >= ahead:
                first = waiting.popleft()
                count -= len(first)
                yield first
    yield from waiting
