"""Digests of what sources hold: they tell contents apart, and keep nobody out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from fastcache.errors import SchemaError
from fastcache.sources.base import Source
from fastcache.sources.tensors import is_array, to_numpy

_PIECE = 8 << 20  # bytes of an array that are taken at a time
_MOST = 1000  # a longer list is one of samples, not of arrays of all samples


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


def held_pieces(source: Source) -> Iterator[bytes | memoryview]:
    """Yield every byte of the arrays and tensors that a wrapped Dataset has as attributes.

    A list, tuple or dict of such counts as well, and what a Dataset around another one (``Subset``
    say) has in its ``dataset``.
    """
    seen: list[object] = []
    held: object = source
    while True:
        held = getattr(held, "__dict__", {}).get("dataset")
        if held is None or any(held is each for each in seen):
            return
        seen.append(held)
        for name, value in sorted(getattr(held, "__dict__", {}).items()):
            for part in _parts(value):
                if is_array(part):
                    yield name.encode()
                    yield from _pieces_of(part)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, list | tuple):
        return value if len(value) <= _MOST else []
    return [value]


def _pieces_of(value: Any) -> Iterator[bytes | memoryview]:
    try:
        array = to_numpy(value, "an attribute")
    except SchemaError:  # of a type that no arena holds: the samples tell what is made of it
        return
    if not array.dtype.hasobject:
        yield from array_pieces(array)
