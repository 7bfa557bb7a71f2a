"""A part of a budget, for as long as somebody holds it."""

import operator
from types import TracebackType
from typing import SupportsIndex

from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.memory.units import format_bytes


def checked_size(size: SupportsIndex) -> int:
    """Return a number of bytes to reserve as an int.

    Raises
    ------
    ArgumentTypeError
        For what is no integer.
    ArgumentError
        For a negative one.
    """
    count = _whole(size)
    if count < 0:
        raise ArgumentError(f"a reservation of -{format_bytes(-count)}: give at least 0")
    return count


def _whole(size: SupportsIndex) -> int:
    if not isinstance(size, SupportsIndex) or isinstance(size, bool):
        raise ArgumentTypeError(f"a reservation of {size!r}: give bytes as an int")
    return operator.index(size)


class Reservation:
    """Bytes that one dataset has of a budget; made by :meth:`fastcache.Budget.reserve`.

    A context manager: the end of the block releases it.

    Attributes
    ----------
    bytes : int
        What is reserved; 0 once it is released.
    what : str
        Whom it is for.
    pending : int
        The part that the system still counts as free, because nobody has touched it yet.
    """

    def __init__(self, size: int, what: str, holders: "dict[int, Reservation]") -> None:
        self.bytes = self.pending = checked_size(size)
        self.what = what
        self._holders = holders
        holders[id(self)] = self

    def settle(self, size: int) -> None:
        """Note that `size` of the bytes are allocated: the system no longer offers them."""
        self.pending = max(0, self.bytes - _whole(size))

    def shrink(self, to: int) -> None:
        """Give a part back, so that `to` bytes remain; pending ones go first.

        Raises
        ------
        ArgumentError
            For more bytes than are reserved: others may have taken them. Reserve anew instead.
        """
        to = _whole(to)
        if not 0 <= to <= self.bytes:
            told = format_bytes(to) if to > 0 else "less than nothing"
            raise ArgumentError(
                f"{self.what}: {format_bytes(self.bytes)} are reserved, which cannot shrink to "
                f"{told}"
            )
        self.pending = max(0, self.pending - (self.bytes - to))
        self.bytes = to

    def release(self) -> None:
        """Give everything back; a second call does nothing."""
        self._holders.pop(id(self), None)
        self.bytes = self.pending = 0

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Reservation of {self.bytes} bytes: {self.what}>"
