"""Arenas that are kept in a folder: built once, opened again for as long as nothing has changed."""

import glob
import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from fastcache.errors import (
    ArenaExistsError,
    ArenaFileError,
    ArenaFormatError,
    ArenaLockedError,
)
from fastcache.fill.disk.origin import difference, origin_of
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.memory.budget import read_budget, take
from fastcache.memory.files.disk import system_calls
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import read_manifest
from fastcache.memory.files.naming import MANIFEST
from fastcache.memory.reading import wider
from fastcache.sources import ClassFolder
from fastcache.sources.base import ImageFiles, Layout, Source

_log = logging.getLogger("fastcache")

_TELL_SECONDS = 60.0  # from one word about a long wait to the next


def cached_arena(source: Source, options: FillOptions) -> Arena:
    """Return the arena of ``options.cache_dir`` for this source and these options.

    It is built if it is not there, if files have changed, or if it is damaged, and the reason is
    logged. Of several processes one builds it, and the others wait.
    """
    assert options.cache_dir is not None
    layout = source.layout()
    origin = origin_of(source, layout, options)
    folder = Path(options.cache_dir).absolute() / _name(source, layout, origin)

    def reason() -> _Reason | None:
        return _reason(folder, origin)

    if reason() is not None:
        _build(source, options, folder, origin, reason)
    try:
        return _opened(folder, options)
    except ArenaFormatError as error:
        damage = _Reason(logging.WARNING, f"what is there cannot be opened ({error})")
        seen = _identity(folder)

    def still() -> _Reason | None:
        return damage if _identity(folder) == seen else reason()

    _build(source, options, folder, origin, still)
    return _opened(folder, options)


def _opened(folder: Path, options: FillOptions) -> Arena:
    return _into_memory(folder, options) if options.home == "ram" else Arena.open(folder)


def _into_memory(folder: Path, options: FillOptions) -> Arena:
    """Read an arena into memory, within the budget."""
    with Arena.open(folder) as files:  # files have rows that are padded, memory has not
        need, what = files.layout.total_bytes, f"{len(files):,} samples"
        reading = read_budget(options.budget)
        more = wider(need, reading.bytes, reading.available)
        remedies = ('leave home="ram" out: files need not be read into memory', more)
        reserved = take(options.budget, need, what, reading, remedies)
        try:
            arena = Arena.load(folder, "ram", options.threads)
        except BaseException:
            reserved.release()
            raise
    arena.on_free(reserved.release)
    reserved.shrink(min(arena.layout.total_bytes, need))
    reserved.settle(reserved.bytes)
    return arena


def _build(
    source: Source,
    options: FillOptions,
    folder: Path,
    origin: Mapping[str, Any],
    reason: Callable[[], "_Reason | None"],
) -> None:
    with system_calls("making cache_dir=", folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = _take_lock(folder)
    try:
        why = reason()
        if why is not None:  # else somebody has just built it
            _log.log(why.level, "building %s: %s", folder, why.text)
            pack_arena(source, options, folder, origin, lock)
    finally:
        lock.release()


def _take_lock(folder: Path) -> FolderLock:
    for wait in chain([0.0], repeat(_TELL_SECONDS)):
        with suppress(ArenaLockedError):
            return FolderLock(folder, wait)
        level = logging.WARNING if wait else logging.INFO
        _log.log(level, "waiting for another process, which is building %s", folder)
    raise AssertionError("there is no last wait")


class _Reason(NamedTuple):
    """Why an arena has to be built, and how loudly that is said."""

    level: int
    text: str


def _reason(folder: Path, origin: Mapping[str, Any]) -> _Reason | None:
    """Return why the arena of a folder has to be built; None if it is what is asked for."""
    if not os.path.lexists(folder / MANIFEST):
        return _Reason(logging.INFO, f"it is not there yet{_beside(folder, origin)}")
    try:
        found = read_manifest(folder)
    except ArenaFormatError as error:
        return _Reason(logging.WARNING, f"what is there cannot be read ({error})")
    if "edited" in found.source:  # neither what was asked for, nor ours
        raise ArenaExistsError(
            f"{folder} was edited (mode='r+'), and no longer holds just what the source does: open "
            "it with fastcache.open, or move it away and have it built anew"
        )
    changed = difference(found.source, origin)
    return _Reason(logging.WARNING, changed) if changed else None


def _beside(folder: Path, origin: Mapping[str, Any]) -> str:
    """Say what differs from another arena of that source, if one is there."""
    word = folder.name.rpartition("-")[0]
    for other in sorted(folder.parent.glob(f"{glob.escape(word)}-*.arena")):
        with suppress(ArenaFormatError, ArenaFileError):
            return f" ({other.name} is another: {difference(read_manifest(other).source, origin)})"
    return ""


def _identity(folder: Path) -> tuple[str, int] | None:
    """Return what tells one state of an arena from the next; None where none can be read."""
    try:
        found = read_manifest(folder)
    except ArenaFormatError:
        return None
    return found.id, found.generation


def _name(source: Source, layout: Layout, origin: Mapping[str, Any]) -> str:
    """Return the name of the folder: the same for the same files and options.

    Files that have changed under the same paths keep it, and are replaced there; so do those that
    come and go in a folder of class folders.
    """
    root = str(layout.attributes.get("root", ""))
    word = re.sub(r"[^A-Za-z0-9]+", "-", Path(root).name).strip("-")[:40] or "arena"
    if isinstance(source, ClassFolder):
        told = [root, repr(origin["options"]), repr(source.extensions)]
    else:
        told = [root, repr({key: value for key, value in origin.items() if key != "columns"})]
        for name, feed in layout.feeds.items():
            paths = feed.paths if isinstance(feed, ImageFiles) else ()
            column = origin["columns"][name]
            told += [f"{name}: {column['kind']}", *(paths or [repr(column)])]
    digest = xxhash.xxh3_64_hexdigest("\0".join(told).encode("utf-8", "surrogateescape"))
    return f"{word}-{digest}.arena"
