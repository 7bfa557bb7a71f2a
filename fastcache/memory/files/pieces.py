"""A file as a sequence of buffers, from its header to the zeros at its end."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.memory.files.disk import as_bytes, zeros
from fastcache.memory.files.plan import Shard


def _buffers(part: Any) -> Iterator[memoryview]:
    """Yield the bytes of a part: a buffer, or several in their order."""
    try:
        whole = as_bytes(part)
    except TypeError:
        if not isinstance(part, Iterable):
            raise
        for piece in part:
            yield as_bytes(piece)
        return
    yield whole


def file_pieces(shard: Shard, parts: Mapping[str, Any]) -> Iterator[memoryview]:
    """Yield a file from its first byte to its last."""
    yield memoryview(shard.header)
    at = 0
    for name, planned in sorted(shard.parts.items(), key=lambda item: item[1].start):
        yield from zeros(planned.start - at)
        size = 0
        try:
            for piece in _buffers(parts[name]):
                size += len(piece)
                if size <= planned.size:
                    yield piece
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"part {name!r} is no contiguous buffer: {error}") from error
        if size != planned.size:
            raise ArgumentError(f"part {name!r} has {planned.size} bytes, given are {size}")
        at = planned.start + size
    yield from zeros(shard.data_bytes - at)
