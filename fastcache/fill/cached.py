"""Arenas that are kept in a folder: built once, opened again for as long as nothing has changed."""

import logging
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from fastcache.errors import ArenaExistsError, ArenaFormatError, ArenaLockedError
from fastcache.fill.options import FillOptions
from fastcache.fill.origin import difference, origin_of
from fastcache.fill.pack import pack_arena
from fastcache.memory.arena import Arena
from fastcache.memory.budget import read_budget, take
from fastcache.memory.files.disk import system_calls
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import read_manifest
from fastcache.memory.files.naming import MANIFEST
from fastcache.memory.reading import wider
from fastcache.sources.base import ImageFiles, Layout, Source

_log = logging.getLogger("fastcache")


def cached_arena(source: Source, options: FillOptions) -> Arena:
    """Return the arena of ``options.cache_dir`` for this source and these options.

    It is built if it is not there, or if files or options have changed, and the reason is logged.
    Of several processes one builds it, and the others wait.
    """
    assert options.cache_dir is not None
    layout = source.layout()
    origin = origin_of(source, layout, options)
    folder = Path(options.cache_dir).absolute() / _name(layout, origin)
    if _reason(folder, origin) is not None:
        _build(source, options, folder, origin)
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


def _build(source: Source, options: FillOptions, folder: Path, origin: Mapping[str, Any]) -> None:
    with system_calls("making cache_dir=", folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = _take_lock(folder)
    try:
        reason = _reason(folder, origin)
        if reason is not None:  # else somebody has just built it
            _log.log(reason.level, "building %s: %s", folder, reason.text)
            pack_arena(source, options, folder, origin, lock)
    finally:
        lock.release()


def _take_lock(folder: Path) -> FolderLock:
    with suppress(ArenaLockedError):
        return FolderLock(folder)
    _log.info("waiting for another process, which is building %s", folder)
    return FolderLock(folder, wait=math.inf)


class _Reason(NamedTuple):
    """Why an arena has to be built, and how loudly that is said."""

    level: int
    text: str


def _reason(folder: Path, origin: Mapping[str, Any]) -> _Reason | None:
    """Return why the arena of a folder has to be built; None if it is what is asked for."""
    if not os.path.lexists(folder / MANIFEST):
        return _Reason(logging.INFO, "it is not there yet")
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


def _name(layout: Layout, origin: Mapping[str, Any]) -> str:
    """Return the name of the folder: the same for the same files and options.

    Files that have changed under the same paths keep it, and are replaced there.
    """
    root = str(layout.attributes.get("root", ""))
    word = re.sub(r"[^A-Za-z0-9]+", "-", Path(root).name).strip("-")[:40] or "arena"
    told = [root, repr({key: value for key, value in origin.items() if key != "columns"})]
    for name, feed in layout.feeds.items():
        paths = isinstance(feed, ImageFiles)
        told.append(f"{name}: {origin['columns'][name]['kind']}")
        if not paths:
            told.append(repr(origin["columns"][name]))
        elif not root:
            told += feed.paths  # type: ignore[union-attr]
    digest = xxhash.xxh3_64_hexdigest("\0".join(told).encode("utf-8", "surrogateescape"))
    return f"{word}-{digest}.arena"
