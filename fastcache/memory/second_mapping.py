"""An arena in memory mapped once more, for writing: devices lock only what could be written."""

import os

from fastcache._core.block import Block
from fastcache.errors import ArgumentError, BlockError
from fastcache.memory.arena import Arena
from fastcache.memory.units import format_bytes


def map_again(arena: Arena) -> Block:
    """Return the block of a committed arena mapped shared and writable, beside the mapping it has.

    The pages are the same ones. Nobody may write: all processes read them.

    Raises
    ------
    ArgumentError
        For an arena in files.
    BlockError
        If the system refuses.
    """
    block = arena.claim.data
    if arena.home != "ram":
        raise ArgumentError(f"the arena lies in {arena.home!r}, and only memory is mapped twice")
    try:
        # The descriptor of a process that did not make the arena is read-only.
        writable = os.open(f"/proc/self/fd/{block.fd}", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise BlockError(
            error.errno,
            f"mapping {format_bytes(block.size)} of the arena once more, for writing: "
            f"{error.strerror}",
        ) from error
    try:
        return Block.adopt(writable, block.inode, block.size)
    finally:
        os.close(writable)
