"""The inputs of the codec comparison; the same photographs always make the same files."""

import io
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from drawings import draw
from PIL import Image

_QUALITY = 80
_TILE, _TILES = 512, 4  # a large picture is 4 x 4 photographs of 512 pixels

# Of 100 files of a mixed folder, and how each is written; None: the photograph's own file.
_MIX: dict[str, tuple[int, str | None, dict[str, Any]]] = {
    "jpg": (60, None, {}),
    "png": (30, "PNG", {}),
    "webp": (4, "WEBP", {"quality": _QUALITY}),
    "gif": (2, "GIF", {}),
    "tiff": (2, "TIFF", {"compression": "tiff_lzw"}),
    "bmp": (2, "BMP", {}),
}
_CLASSES = 10


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _photo(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _write(files: Iterator[bytes], folder: Path, suffix: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, data in enumerate(files):
        path = folder / f"{number:04d}.{suffix}"
        path.write_bytes(data)
        paths.append(str(path))
    return paths


def grey16(image: Image.Image, seed: int) -> Image.Image:
    """Return a photograph as a 16-bit grey one: values between the levels, and a sensor's noise."""
    small = image.convert("F").reduce(2)
    smooth = np.asarray(small.resize(image.size, Image.Resampling.BICUBIC)) * 257.0
    noisy = smooth + np.random.default_rng(seed).normal(0, 24, smooth.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 65535).astype(np.uint16))


def large(paths: Sequence[str], number: int) -> Image.Image:
    """Return large picture `number`, whose tiles are photographs cut square."""
    sheet = Image.new("RGB", (_TILE * _TILES, _TILE * _TILES))
    chosen = itertools.islice(itertools.cycle(paths), number * _TILES**2, (number + 1) * _TILES**2)
    for at, path in enumerate(chosen):
        photo = _photo(path)
        side = min(photo.size)
        tile = photo.crop((0, 0, side, side)).resize((_TILE, _TILE))
        sheet.paste(tile, (at % _TILES * _TILE, at // _TILES * _TILE))
    return sheet


@dataclass(frozen=True)
class InputSet:
    """Files of one kind.

    Attributes
    ----------
    title : str
    about : str
        How they are made, for the list of conditions.
    color : str
        What they are decoded to: RGB, RGBA or I;16.
    make : callable
        From the photographs' paths and a folder to the paths of the files, written there.
    """

    title: str
    about: str
    color: str
    make: Callable[[Sequence[str], Path], list[str]]


def _of_photos(
    suffix: str, encode: Callable[[Image.Image, int], bytes]
) -> Callable[[Sequence[str], Path], list[str]]:
    def make(paths: Sequence[str], folder: Path) -> list[str]:
        files = (encode(_photo(path), number) for number, path in enumerate(paths))
        return _write(files, folder, suffix)

    return make


def _of_drawings(mode: str) -> Callable[[Sequence[str], Path], list[str]]:
    def make(paths: Sequence[str], folder: Path) -> list[str]:
        files = (_encode(draw(number, mode), "PNG") for number in range(len(paths)))
        return _write(files, folder, "png")

    return make


def _of_large(lossless: bool) -> Callable[[Sequence[str], Path], list[str]]:
    def make(paths: Sequence[str], folder: Path) -> list[str]:
        count = max(1, len(paths) // 20)
        options = {"quality": _QUALITY, "lossless": lossless}
        files = (_encode(large(paths, number), "WEBP", **options) for number in range(count))
        return _write(files, folder, "webp")

    return make


def _palette(photo: Image.Image, number: int) -> bytes:
    image = photo if number % 2 else draw(number, "RGB")
    return _encode(image.quantize(256), "PNG", bits=8)


SETS: dict[str, InputSet] = {
    "png-photos": InputSet(
        "PNG photographs", "photographs saved by Pillow, its defaults", "RGB",
        _of_photos("png", lambda photo, _: _encode(photo, "PNG")),
    ),
    "png-flat": InputSet(
        "PNG flat graphics", "windows, text, diagrams and slopes, drawn by number", "RGB",
        _of_drawings("RGB"),
    ),
    "png-flat-alpha": InputSet(
        "PNG flat graphics with opacity", "the same on a transparent sheet", "RGBA",
        _of_drawings("RGBA"),
    ),
    "png-palette": InputSet(
        "PNG 8-bit palette", "photographs and drawings by turns, quantised to 256 colours", "RGB",
        _of_photos("png", _palette),
    ),
    "png-grey16": InputSet(
        "PNG 16-bit grey", "photographs halved and enlarged to 16 bits, with noise", "I;16",
        _of_photos("png", lambda photo, number: _encode(grey16(photo, number), "PNG")),
    ),
    "webp-lossy": InputSet(
        "WebP lossy", f"photographs, quality {_QUALITY}", "RGB",
        _of_photos("webp", lambda photo, _: _encode(photo, "WEBP", quality=_QUALITY)),
    ),
    "webp-lossless": InputSet(
        "WebP lossless", "photographs, Pillow's default effort", "RGB",
        _of_photos("webp", lambda photo, _: _encode(photo, "WEBP", lossless=True)),
    ),
    "webp-window-lossy": InputSet(
        "WebP lossy, large", f"2048 x 2048 of 16 photographs each, quality {_QUALITY}", "RGB",
        _of_large(lossless=False),
    ),
    "webp-window-lossless": InputSet(
        "WebP lossless, large", "2048 x 2048 of 16 photographs each", "RGB",
        _of_large(lossless=True),
    ),
}  # fmt: skip


def mixed_kinds(count: int) -> list[str]:
    """Return the suffixes of `count` files in the proportions of the mix, shuffled by number."""
    kinds: list[str] = []
    total = 0
    for suffix, (share, _, _) in _MIX.items():
        total += share
        kinds += [suffix] * (round(count * total / 100) - len(kinds))
    random.Random(count).shuffle(kinds)
    return kinds


def write_mixed(paths: Sequence[str], folder: Path, count: int) -> list[str]:
    """Write a class folder of `count` files of many formats; return their paths in order."""
    written = []
    for number, suffix in enumerate(mixed_kinds(count)):
        source = paths[number % len(paths)]
        _, kind, options = _MIX[suffix]
        path = folder / f"class_{number % _CLASSES}" / f"{number:04d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind is None:
            path.write_bytes(Path(source).read_bytes())
        else:
            path.write_bytes(_encode(_photo(source), kind, **options))
        written.append(str(path))
    return written
