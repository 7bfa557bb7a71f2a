"""Build and call stream_gather.c: how fast this machine gathers rows at all."""

import ctypes
from typing import Any

import native
import numpy as np

LINE = 64


def _compile() -> Any:
    function = native.build("stream_gather", "the gather limit").stream_gather
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 2
    function.restype = None
    return function


class GatherLimit:
    """Gathers batches of rows of `pixels` into two buffers in turn, as a training loop would."""

    def __init__(self, pixels: Any, batch: int) -> None:
        self._function = _compile()
        self._pixels = pixels
        self._row = pixels[0].nbytes
        self._batch = batch
        if self._row % LINE or pixels.ctypes.data % LINE or not pixels.flags.c_contiguous:
            raise ValueError("the limit wants contiguous rows on 64-byte boundaries")
        self._buffers = [self._aligned(batch * self._row) for _ in range(2)]

    @staticmethod
    def _aligned(size: int) -> Any:
        memory = np.ones(size + LINE, np.uint8)  # ones: its pages exist from here on
        start = -memory.ctypes.data % LINE
        return memory[start : start + size]

    def epoch(self, order: Any) -> None:
        """Gather all rows in `order` (int64), whole batches only."""
        for number, first in enumerate(range(0, len(order) - self._batch + 1, self._batch)):
            self._function(
                self._buffers[number % 2].ctypes.data,
                self._pixels.ctypes.data,
                order[first:].ctypes.data,
                self._batch,
                self._row,
            )
