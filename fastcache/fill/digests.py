"""Digests of what sources hold: they tell contents apart, and keep nobody out."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

_PIECE = 8 << 20  # bytes of an array that are taken at a time


def digest_of(pieces: Iterable[bytes | memoryview]) -> str:
    """Return the xxh3 of 128 bits of pieces, one after the other, in hexadecimal."""
    made = xxhash.xxh3_128()
    for piece in pieces:
        made.update(piece)
    return str(made.hexdigest())


def array_pieces(array: npt.NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield type, shape and every byte of an array of numbers, however it lies in memory."""
    yield f"{array.dtype.str} {array.shape}".encode()
    # What is contiguous is one row of elements: pieces then have the same size whatever its shape.
    rows = array.reshape(-1) if array.flags.c_contiguous or not array.ndim else array
    if not rows.size:
        return
    step = max(1, _PIECE // max(1, rows[:1].nbytes))
    for at in range(0, len(rows), step):
        piece = np.ascontiguousarray(rows[at : at + step])
        yield piece.reshape(-1).view(np.uint8).data
