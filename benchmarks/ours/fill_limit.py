"""Build and call stream_fill.c: how fast this machine writes memory at all."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import native
from serve import seconds_of

WIDTHS = (32, 64)  # bytes of a store


class FillLimit:
    """Writes all of an array by streaming stores, on one thread or on several."""

    def __init__(self, threads: int = 1) -> None:
        library = native.build("stream_fill", "the limit of streaming stores")
        self._function = library.stream_fill
        self._function.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]
        self._function.restype = None
        self.widths = [width for width in WIDTHS if library.stream_width(width)]
        self._threads = threads
        self._helpers = ThreadPoolExecutor(threads)

    def write(self, array: Any, width: int) -> None:
        """Write all of a C-contiguous array by stores of `width` bytes."""
        start, size = array.ctypes.data, array.nbytes
        bounds = [start + size * part // self._threads for part in range(self._threads + 1)]
        others = [
            self._helpers.submit(self._function, first, end - first, width)
            for first, end in pairwise(bounds[1:])
        ]
        self._function(bounds[0], bounds[1] - bounds[0], width)
        for other in others:
            other.result()

    def actions(self, array: Any, name: str = "limit") -> dict[str, Callable[[], float]]:
        """Return what takes turns with the thing measured: one action for each width."""
        return {
            f"{name} {width}": lambda width=width: seconds_of(  # type: ignore[misc]
                lambda: self.write(array, width)
            )
            for width in self.widths
        }


def best(seconds: dict[str, float], name: str = "limit") -> float:
    """Return the seconds of the fastest width."""
    return min(value for key, value in seconds.items() if key.startswith(f"{name} "))
