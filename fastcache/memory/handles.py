"""Handles: what travels to other processes in the place of an arena."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from fastcache.errors import ArenaGoneError


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


AnyHandle: TypeAlias = Handle | FileHandle
# Under which blocks are found in a process: their inodes and sizes, or the files that they map.
Key: TypeAlias = tuple[BlockRef, BlockRef] | FileHandle


def start_time(pid: int) -> int | None:
    """Return when a process was started, in clock ticks; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and may itself contain any character.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def still_holds(holder: Holder, data: BlockRef) -> bool:
    """Whether a process still has the block that a handle says it has."""
    if start_time(holder.pid) != holder.started:
        return False
    with suppress(OSError):
        return os.stat(f"/proc/{holder.pid}/fd/{holder.data}").st_ino == data.inode
    return False


def gone(handle: Handle) -> ArenaGoneError:
    """Return the error for a handle of which no holder has the arena any more."""
    ended = [start_time(each.pid) != each.started for each in handle.holders]
    if len(ended) == 1:
        what = "has ended" if ended[0] else "has closed it in the meantime"
        where = f"process {handle.holders[0].pid}, which {what}"
    else:
        pids = ", ".join(str(each.pid) for each in handle.holders)
        where = f"processes {pids}, which have all ended or closed it in the meantime"
    return ArenaGoneError(
        f"the arena lived in {where}: keep the dataset that owns it open until others have opened "
        "it (those who have keep it)"
    )
