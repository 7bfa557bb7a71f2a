"""What tests of the fill share: sources of given files, and what became of them."""

import os
from pathlib import Path
from typing import Any

import mutations
import numpy as np
import numpy.typing as npt

from fastcache.fill import build
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.sources import Files
from fastcache.sources.base import Source


def filled(source: Source, **options: Any) -> Arena:
    """Return the arena of a source."""
    return build.fill_arena(source, FillOptions(**options))


def listed(*paths: Path) -> Files:
    """Return the source of these files, each labelled with its position."""
    return Files([str(path) for path in paths], list(range(len(paths))))


def by_pillow(path: Path) -> npt.NDArray[np.uint8] | None:
    """Return Pillow's RGB pixels of a file; None when it refuses."""
    return mutations.by_pillow(path.read_bytes())


def shown(arena: Arena) -> list[tuple[Path, npt.NDArray[np.uint8], int]]:
    """Return path, pixels and label of the samples that the dataset shows."""
    rows = arena.column("_index").rows[: arena.catalog["visible"]].tolist()
    paths, pixels = arena.column("_path.image"), arena.column("image")
    labels = arena.column("label").rows
    get = pixels.rows if hasattr(pixels, "rows") else pixels
    return [(Path(os.fsdecode(bytes(paths[row]))), get[row], int(labels[row])) for row in rows]


def reasons(arena: Arena) -> dict[str, str]:
    """Return why files were refused, by their names."""
    return {Path(path).name: reason for path, reason in arena.catalog["report"]["failed"]}
