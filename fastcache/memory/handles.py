"""Handles: what a process must know to open an arena that another one has."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from fastcache.errors import BlockError


class BlockRef(NamedTuple):
    """A block, whoever holds it: no other has its inode as long as anybody does."""

    inode: int
    size: int


class Holder(NamedTuple):
    """A process that has the blocks open: its number, when it was started, its descriptors."""

    pid: int
    started: int  # in clock ticks since the machine started
    data: int
    catalog: int


class Handle(NamedTuple):
    """Everything needed to open an arena elsewhere."""

    data: BlockRef
    catalog: BlockRef
    holders: tuple[Holder, ...]


class FileHandle(NamedTuple):
    """Everything needed to open an arena of files elsewhere, and to know it again."""

    path: str
    id: str
    generation: int
    digest: str  # of the manifest: two edits of one arena have the same id and generation


AnyHandle: TypeAlias = Handle | FileHandle


def start_time(pid: int) -> int | None:
    """Return when a process was started, in clock ticks; None if it has ended.

    Raises
    ------
    BlockError
        If the system refuses to say so.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:  # no descriptors left, say: nothing is known then
        raise BlockError(
            error.errno, f"reading when process {pid} was started: {error.strerror}"
        ) from error
    # The second field is the program's name in brackets, and may itself contain any character.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def still_holds(holder: Holder, data: BlockRef) -> bool:
    """Whether a process has the block open under the descriptor that is known of it."""
    if start_time(holder.pid) != holder.started:
        return False
    with suppress(OSError):
        return os.stat(f"/proc/{holder.pid}/fd/{holder.data}").st_ino == data.inode
    return False
