"""Arenas that are kept in a folder: built once, opened again for as long as nothing has changed."""

import logging
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import xxhash

from fastcache.errors import ArenaExistsError, ArenaFormatError, ArenaLockedError
from fastcache.fill.options import FillOptions
from fastcache.fill.origin import difference, origin_of
from fastcache.fill.pack import pack_arena
from fastcache.memory.arena import Arena
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import Manifest, read_manifest
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
    if not _is_current(folder, origin):
        _build(source, options, folder, origin)
    if options.home == "ram":
        return Arena.load(folder, "ram", options.threads)
    return Arena.open(folder)


def _build(source: Source, options: FillOptions, folder: Path, origin: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lock = _take_lock(folder)
    try:
        if not _is_current(folder, origin):  # else somebody has just built it
            level = logging.INFO if _manifest(folder) is None else logging.WARNING
            _log.log(level, "building %s: %s", folder, _reason(folder, origin))
            pack_arena(source, options, folder, origin, lock)
    finally:
        lock.release()


def _take_lock(folder: Path) -> FolderLock:
    with suppress(ArenaLockedError):
        return FolderLock(folder)
    _log.info("waiting for another process, which is building %s", folder)
    return FolderLock(folder, wait=math.inf)


def _manifest(folder: Path) -> Manifest | None:
    """Return what is there; None if it is no whole arena."""
    try:
        return read_manifest(folder)
    except ArenaFormatError:
        return None


def _is_current(folder: Path, origin: Mapping[str, Any]) -> bool:
    found = _manifest(folder)
    if found is not None and "edited" in found.source:  # neither what was asked for, nor ours
        raise ArenaExistsError(
            f"{folder} was edited (mode='r+'), and no longer holds just what the source does: open "
            "it with fastcache.open, or move it away and have it built anew"
        )
    return found is not None and not difference(found.source, origin)


def _reason(folder: Path, origin: Mapping[str, Any]) -> str:
    found = _manifest(folder)
    return "it is not there yet" if found is None else difference(found.source, origin)


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
