"""What tests of the fill share: sources of given files, and what became of them."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import images
import mutations
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from fastcache import transforms as T
from fastcache.errors import DecodeError
from fastcache.fill import build
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.sources import Files
from fastcache.sources.base import Source


def filled(source: Source | Sequence[Path], **options: Any) -> Arena:
    """Return the arena of a source, or of files."""
    made = source if isinstance(source, Source) else listed(*source)
    return build.fill_arena(made, FillOptions(**options))


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


def reason(path: Path, **options: Any) -> str:
    """Return why a file, alone in its source, is refused."""
    with pytest.raises(DecodeError) as caught:
        filled([path], **options)
    ((told_path, why),) = caught.value.failed
    assert told_path == str(path)
    return why


def told(arena: Arena, name: str = "image") -> dict[str, Any]:
    """Return what the report says of a column."""
    facts: dict[str, Any] = arena.catalog["report"]["columns"][name]
    return facts


def row(arena: Arena, index: int, name: str = "image") -> npt.NDArray[Any]:
    """Return a row of a column, whether its rows have one size or not."""
    column = arena.column(name)
    return column.rows[index] if hasattr(column, "rows") else column[index]


def oracle(
    file: Path | bytes, color: str = "RGB", store: Any = None, exif: str = "ignore"
) -> npt.NDArray[Any]:
    """Return (H, W, C) as Pillow and the operations' definitions make it of a file."""
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
        upright = ImageOps.exif_transpose(image) if exif == "apply" else image
        pixels = np.asarray(T.apply_store(T.normalize_store(store), upright.convert(color)))
    return pixels.reshape(*pixels.shape[:2], -1)


def values(
    dtype: str, height: int = 30, width: int = 41, channels: int = 3, seed: int = 0
) -> npt.NDArray[Any]:
    """Return an array (H, W, C) that uses its dtype's range."""
    pixels = images.pixels(height, width, channels, seed)
    return (pixels * {"uint8": 1.0, "uint16": 257.0}.get(dtype, 1 / 255)).astype(dtype)


def save(path: Path, array: npt.NDArray[Any]) -> Path:
    """Write a .npy file, and return its path."""
    np.save(path, array)
    return path


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Write files of these names, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]
