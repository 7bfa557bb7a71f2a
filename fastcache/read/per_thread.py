"""What a thread is told, and what is called by it, however deep, may ask."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

_T = TypeVar("_T")


class PerThread(threading.local, Generic[_T]):
    """One value for each thread.

    Parameters
    ----------
    value : object
        What threads have that were told nothing.

    Attributes
    ----------
    value : object
        That of this thread.
    """

    def __init__(self, value: _T) -> None:  # called once for each thread that looks at it
        self.value = value

    @contextmanager
    def within(self, value: _T) -> Iterator[None]:
        """Within it this thread has another value."""
        before, self.value = self.value, value
        try:
            yield
        finally:
            self.value = before
