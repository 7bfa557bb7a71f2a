"""A part of a budget, for as long as somebody holds it."""

import operator
from types import TracebackType

from fastcache.errors import ArgumentError


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
        if size < 0:
            raise ArgumentError(f"a reservation of {size} bytes: give at least 0")
        self.bytes = self.pending = operator.index(size)
        self.what = what
        self._holders = holders
        holders[id(self)] = self

    def settle(self, size: int) -> None:
        """Note that `size` of the bytes are allocated: the system no longer offers them."""
        self.pending = max(0, self.bytes - size)

    def shrink(self, to: int) -> None:
        """Give a part back, so that `to` bytes remain; pending ones go first.

        Raises
        ------
        ArgumentError
            For more bytes than are reserved: others may have taken them. Reserve anew instead.
        """
        if not 0 <= to <= self.bytes:
            raise ArgumentError(
                f"{self.what}: {self.bytes} bytes are reserved, which cannot shrink to {to}"
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
