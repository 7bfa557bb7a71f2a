"""A file as a sequence of buffers, from its header to the zeros at its end."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.memory.files.disk import as_bytes, zeros
from fastcache.memory.files.plan import Shard


def _buffers(name: str, part: Any) -> Iterator[memoryview]:
    """Yield the bytes of a part: a buffer, or several in their order."""
    if isinstance(part, np.ndarray) or not isinstance(part, Iterable) or _is_buffer(part):
        yield _bytes(name, part)
        return
    for piece in part:
        yield _bytes(name, piece)


def _is_buffer(part: Any) -> bool:
    try:
        memoryview(part).release()
    except TypeError:
        return False
    return True


def _bytes(name: str, piece: Any) -> memoryview:
    try:
        return as_bytes(piece)
    except (TypeError, ValueError, BufferError) as error:
        raise ArgumentError(f"part {name!r} is no contiguous buffer: {error}") from error


def file_pieces(shard: Shard, parts: Mapping[str, Any]) -> Iterator[memoryview]:
    """Yield a file from its first byte to its last.

    Raises
    ------
    ArgumentError
        If a part has more or fewer bytes than the plan says, or none at all.
    """
    yield memoryview(shard.header)
    at = 0
    for name, planned in sorted(shard.parts.items(), key=lambda item: item[1].start):
        yield from zeros(planned.start - at)
        size = 0
        for piece in _buffers(name, parts[name]):
            size += len(piece)
            if size > planned.size:
                break
            yield piece
        if size != planned.size:
            more = " or more" * (size > planned.size)
            raise ArgumentError(f"part {name!r} has {planned.size} bytes, given are {size}{more}")
        at = planned.start + size
    yield from zeros(shard.data_bytes - at)
