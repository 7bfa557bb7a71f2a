"""The photographs that everything is measured on."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

_SUFFIXES = (".jpg", ".jpeg")


def spread(items: Sequence[str], count: int) -> list[str]:
    """Return `count` of the items, evenly spread over them; all if there are not as many."""
    step = max(1.0, len(items) / count)
    return [items[int(k * step)] for k in range(min(count, len(items)))]


def find_photos(folder: Path, count: int) -> tuple[list[str], int]:
    """Return `count` JPEG files spread evenly over a folder, and how many files were left out.

    Left out are files that Pillow cannot decode, and what is neither grey nor YCbCr or RGB: the
    rivals differ in what they make of CMYK. Reading each file puts it into the page cache.
    """
    found = sorted(
        str(path.resolve()) for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES
    )
    chosen = spread(found, count)
    usable = [path for path in chosen if _usable(path)]
    if not usable:
        raise SystemExit(f"{folder}: no JPEG photographs in it or below it")
    return usable, len(chosen) - len(usable)


def _usable(path: str) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
            return image.format == "JPEG" and image.mode in ("RGB", "L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
