"""What homes of arenas are measured on: many files of few photographs, and saved arenas."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

CLASSES = 50


def link_photos(paths: Sequence[str], folder: Path, count: int) -> Path:
    """Make a class folder of `count` files that are hard links to copies of the photographs.

    Each photograph is copied once, so that the folder may lie on another file system than they.
    """
    copies = folder / "copies"
    copies.mkdir(parents=True)
    own = [shutil.copy(path, copies / f"{k}.jpg") for k, path in enumerate(paths)]
    root = folder / "links"
    classes = min(CLASSES, count)
    for k in range(classes):
        (root / f"class_{k:02}").mkdir(parents=True)
    for k in range(count):
        os.link(own[k % len(own)], root / f"class_{k % classes:02}" / f"{k:06}.jpg")
    return root


def linked(root: Path) -> list[str]:
    """Return the paths that `link_photos` made, class by class."""
    return sorted(str(path) for path in root.glob("*/*.jpg"))


def arena_bytes(count: int, side: int) -> int:
    """Return the bytes of the pixels that `save_rows` writes."""
    return count * side * side * 3


def save_rows(folder: Path, count: int, side: int) -> Path:
    """Write an arena of `count` images of one size, shard by shard; all their pixels are 1.

    Memory is needed for two shards, not for the arena: its source is one row, `count` times.
    """
    import fastcache as fc

    row = np.ones((side, side, 3), np.uint8)
    rows = np.broadcast_to(row, (count, side, side, 3))
    source = fc.sources.Arrays(rows, np.arange(count), layout="HWC")
    fc.ArenaDataset(source, cache_dir=folder).close()
    (made,) = folder.glob("*.arena")
    return made


def arena_files(arena: Path) -> list[Path]:
    """Return the files of an arena, its manifest among them."""
    return sorted(path for path in arena.iterdir() if path.stat().st_size)


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder lies on, as the mounts say."""
    resolved, found = str(folder.resolve()), ("", "unknown")
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind = line.split()[:3]
        place = place.encode().decode("unicode_escape")
        inside = place in ("/", resolved) or resolved.startswith(place + os.sep)
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]
