"""Which formats are decoded at all, and whether a file's name tells its format."""

import os
import struct
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache

from PIL import Image

from fastcache.errors import ArgumentError

# What is given to Pillow's decoders: a closed list, so that an odd file never reaches one that
# nobody meant to use (EPS would start Ghostscript). Pillow's MPO is what JPEG may turn out to be.
FORMATS: tuple[str, ...] = (
    "JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "PPM", "TIFF", "JPEG2000", "AVIF", "TGA",
    "ICO", "PCX",
)  # fmt: skip
NPY = "NPY"

# One kind of file under two names.
_SAME = {"MPO": "JPEG", "DIB": "BMP"}
# Endings that need no look into Pillow's table, which loads all of its plugins.
_ENDINGS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".png": "PNG", ".webp": "WEBP", ".gif": "GIF",
    ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".npy": NPY,
}  # fmt: skip


def check_extra_formats(names: object) -> tuple[str, ...]:
    """Return Pillow's names of further formats in capitals.

    Raises
    ------
    ArgumentError
        For what is no collection of names, or a name that the installed Pillow does not have.
    """
    if isinstance(names, str) or not isinstance(names, Collection):
        raise ArgumentError(
            f"extra_formats={names!r}: give a collection of names, such as ('ICNS',)"
        )
    if not names:
        return ()
    Image.init()
    wanted = [name.upper() if isinstance(name, str) else name for name in names]
    unknown = [name for name in wanted if name not in FORMATS and name not in Image.OPEN]
    if unknown:
        known = ", ".join(sorted(Image.OPEN))
        raise ArgumentError(f"extra_formats: Pillow reads no format {unknown[0]!r}; it has {known}")
    return tuple(sorted({str(name) for name in wanted} - {*FORMATS}))


def allowed(extra: Collection[str] = ()) -> list[str]:
    """Return the names of the formats that Pillow may decode, of those that it has."""
    Image.init()  # does nothing from the second time on
    return [name for name in (*FORMATS, *extra) if name in Image.OPEN]


def suspects(prefix: bytes, extra: Collection[str] = ()) -> list[str]:
    """Return formats that are not allowed, but whose files begin like this."""
    found = []
    Image.init()
    for name in sorted(Image.OPEN):
        accept = Image.OPEN[name][1]
        if accept is None or name in (*FORMATS, *extra):
            continue
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # of short files
            if accept(prefix) is True:
                found.append(name)
    return found


def misnomer(path: str, format_: str) -> str:
    """Return what is wrong with a file's name; "" if it fits its format, or claims none."""
    return _claim(os.path.splitext(path)[1].lower(), format_)


@lru_cache(maxsize=1024)
def _claim(ending: str, format_: str) -> str:
    claimed = _ENDINGS.get(ending)
    if claimed is None and ending:
        claimed = Image.registered_extensions().get(ending)
    if claimed is None or _SAME.get(claimed, claimed) == _SAME.get(format_, format_):
        return ""
    return f"named {ending}, is {format_}"
