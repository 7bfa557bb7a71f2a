"""Opening an arena: every file is checked and mapped, and no pixel is read."""

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fastcache._core.block import Block
from fastcache.errors import (
    ArenaDamagedError,
    ArenaFormatError,
    BlockError,
    FastcacheError,
    NoMemoryError,
)
from fastcache.memory.columns import make_column
from fastcache.memory.files.disk import open_regular, read_at
from fastcache.memory.files.header import header_bytes, parse_header
from fastcache.memory.files.manifest import FileEntry, Manifest, read_manifest
from fastcache.memory.files.naming import PAGE, SUMMED, AnyPath, folder_of
from fastcache.memory.files.plan import FilePlan, Shard
from fastcache.memory.files.sums import digest_of, sums_of, unpack_sums
from fastcache.memory.files.values import check_values
from fastcache.memory.layout import ArenaLayout

_T = TypeVar("_T")


@dataclass(frozen=True)
class Opened:
    """An arena's files, mapped.

    Attributes
    ----------
    path : Path
        Its folder, absolute.
    block : Block
        Holds all columns, read-only; the only owner of the mappings.
    manifest : Manifest
    """

    path: Path
    block: Block
    manifest: Manifest

    @property
    def layout(self) -> ArenaLayout:
        """Where columns lie in the block."""
        return self.manifest.plan.layout

    @property
    def catalog(self) -> dict[str, Any]:
        """What the arena was committed with."""
        return self.manifest.catalog

    @property
    def source(self) -> dict[str, Any]:
        """What the writer said about where it came from."""
        return self.manifest.source


def check_size(path: Path, found: int, entry: FileEntry) -> None:
    """Refuse a file that is shorter or longer than was written."""
    if found != entry.bytes:
        raise ArenaFormatError(
            f"{path} has {found} bytes, {entry.bytes} were written: copy the arena again, whole"
        )


def read_header(path: Path, fd: int, entry: FileEntry, shard: Shard) -> int:
    """Check the header of a file against manifest and plan, and return its length.

    Raises
    ------
    ArenaDamagedError
        If it is not as it was written.
    ArenaFormatError
        If its tensors are not those of the plan.
    """
    length = entry.bytes - shard.data_bytes
    raw = read_at(fd, length, 0, path)
    if digest_of(raw) != entry.header:
        raise ArenaDamagedError(
            f"the header of {path} is not as it was written: copy the file again, or write the "
            "arena again"
        )
    if header_bytes(raw[:8], str(path)) != length:
        raise ArenaFormatError(f"the header of {path} has another length than the file leaves")
    found = parse_header(raw, shard.data_bytes, str(path))
    if found != {name: part.tensor for name, part in shard.parts.items()}:
        raise ArenaFormatError(f"{path} has other tensors than the manifest states")
    return length


def _map_shard(folder: Path, block: Block, entry: FileEntry, shard: Shard) -> None:
    """Check one file, and map all its parts."""
    path = folder / entry.file
    fd, size = open_regular(path)
    try:
        check_size(path, size, entry)
        begin = read_header(path, fd, entry, shard)
        for part in shard.parts.values():
            if part.room:
                block.map_file(part.at, fd, begin + part.start, part.room)
    finally:
        os.close(fd)


def _map_tables(folder: Path, block: Block, manifest: Manifest) -> None:
    """Check the columns file, all of it, and map its data as one piece."""
    entry, shard = manifest.columns_file, manifest.plan.tables
    path = folder / entry.file
    fd, size = open_regular(path)
    try:
        check_size(path, size, entry)
        begin = read_header(path, fd, entry, shard)
        if shard.data_bytes:
            block.map_file(0, fd, begin, shard.data_bytes)
        # The first MiB holds the header too; the rest is what was mapped, and will be used.
        head = read_at(fd, min(SUMMED, size), 0, path)
        sums = [sums_of(memoryview(head))]
        with memoryview(block) as whole, whole[: shard.data_bytes] as data:
            if head[begin:] != data[: len(head) - begin]:
                raise ArenaDamagedError(f"{path} changed while it was opened")
            sums.append(sums_of(data[SUMMED - begin :] if begin < SUMMED else data[:0]))
    finally:
        os.close(fd)
    if not np.array_equal(np.concatenate(sums), unpack_sums(entry.sums, size, str(path))):
        raise ArenaDamagedError(
            f"{path} is not as it was written: copy it again, or write the arena again"
        )


def map_files(folder: Path, manifest: Manifest) -> Block:
    """Map all files of an arena side by side, as its plan says, after checking them.

    Raises
    ------
    ArenaFormatError, ArenaDamagedError
        If a file is missing, foreign or damaged.
    ArenaFileError, BlockError
        If the system refuses. Nothing stays open or mapped in either case.
    """
    plan = manifest.plan
    try:
        block = Block.reserve(max(plan.layout.total_bytes, PAGE))
    except BlockError as error:
        raise BlockError(
            error.errno, f"{error.strerror}; {folder} needs so many addresses (ulimit -v?)"
        ) from error
    try:
        _map_tables(folder, block, manifest)
        for entries, family in zip(manifest.shards, plan.families, strict=True):
            for entry, shard in zip(entries, family.shards, strict=True):
                _map_shard(folder, block, entry, shard)
        _check_tables(block, plan)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold arrays over the block
        block.close()
        raise
    return block


def _check_tables(block: Block, plan: FilePlan) -> None:
    memory = np.frombuffer(memoryview(block), np.uint8, count=plan.layout.total_bytes)
    for name, layout in plan.layout.columns.items():
        check_values(plan, name, make_column(memory, layout))


def open_files(folder: AnyPath) -> Opened:
    """Open an arena: check manifest, sizes, headers and tables, and map the rest unread.

    Parameters
    ----------
    folder : path
        ``NAME.arena``.

    Returns
    -------
    Opened
        Whoever gets it closes its block.

    Raises
    ------
    ArenaFormatError
        If it is no arena, or one that is being written.
    ArenaDamagedError
        If bytes are not those that were written. Pixels are not looked at: that is what
        :func:`verify` is for.
    ArenaFileError, BlockError
        If the system refuses.
    """
    path = folder_of(folder)
    return with_manifest(path, lambda manifest: Opened(path, map_files(path, manifest), manifest))


def with_manifest(path: Path, use: Callable[[Manifest], _T], attempts: int = 5) -> _T:
    """Read the manifest of an arena and do something with its files.

    The writer that replaces an arena removes the old files once the new manifest is there. Where
    that happens just now, it is the new arena that was asked for.
    """
    manifest = read_manifest(path)
    try:
        return use(manifest)
    except MemoryError as error:
        if isinstance(error, FastcacheError):
            raise
        raise NoMemoryError(
            f"there is no memory for the tables of {path}: free some, or raise the limit (ulimit "
            "-v) of the process"
        ) from error
    except ArenaFormatError:
        latest = read_manifest(path)
        if latest.digest == manifest.digest or attempts <= 1:
            raise
    return with_manifest(path, use, attempts - 1)
