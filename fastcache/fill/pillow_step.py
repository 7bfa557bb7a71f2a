"""The Python step: formats and conversions that only Pillow knows.

Everything here gives what ``PIL.Image.open(path).convert(color)`` and the operations' own
definitions on PIL images give, so the C core and this step agree on every image that both can do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps

from fastcache.errors import DecodeError
from fastcache.transforms import Operation, apply_store

# Formats whose decoders are asked at all: a closed list, so that an odd file never reaches a
# decoder that nobody meant to use (EPS would start Ghostscript).
FORMATS: tuple[str, ...] = (
    "JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "PPM", "TIFF", "JPEG2000", "AVIF", "TGA",
    "ICO", "PCX",
)  # fmt: skip

# Pillow holds 4 bytes per pixel of most modes: the decoded image, its conversion and its
# orientation are alive together at worst, then one more array is made of the result.
BYTES_PER_PIXEL = 16

_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112  # tags of TIFF and EXIF
_LYING = (5, 6, 7, 8)  # orientations that exchange height and width


def pixel_limit() -> int:
    """Return the number of pixels beyond which an image is refused: Pillow's, in force now."""
    level = Image.MAX_IMAGE_PIXELS
    return np.iinfo(np.int64).max if level is None else 2 * level


def loads_truncated_images() -> bool:
    """Whether the user told Pillow to make what it can of truncated files."""
    return ImageFile.LOAD_TRUNCATED_IMAGES


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def open_image(path: str) -> Image.Image:
    """Open a file with one of `FORMATS`; reads its header only."""
    return Image.open(path, formats=_known_formats())


def probe(path: str, exif: str) -> tuple[int, int]:
    """Return (height, width) as the header states them, after orientation when it is applied."""
    with open_image(path) as image:
        width, height = image.size
        if image.format == "TIFF":
            # Pillow turns these itself, whatever is asked for; some versions say so when they open
            # the file, others when they load it.
            tags = image.tag_v2  # type: ignore[attr-defined]
            width, height = tags[_WIDTH], tags[_HEIGHT]
            turned = tags.get(_ORIENTATION, 1) in _LYING
        else:
            turned = exif == "apply" and image.getexif().get(_ORIENTATION, 1) in _LYING
    return (width, height) if turned else (height, width)


def decode(
    path: str, color: str, exif: str, store: Sequence[Operation], *, mask: bool = False
) -> npt.NDArray[Any]:
    """Return the pixels that an arena keeps of a file.

    Parameters
    ----------
    path : str
    color, exif : str
    store : sequence of Operation
        For a mask, what ``store_for_masks`` made of them.
    mask : bool

    Returns
    -------
    ndarray
        (H, W, C) uint8, (H, W, 1) uint16 for ``color="I;16"``, (H, W) for a mask.
    """
    with open_image(path) as image:
        loaded: Image.Image = ImageOps.exif_transpose(image) if exif == "apply" else image
        if mask:
            return mask_array(apply_store(store, _as_mask(loaded, path)))
        return image_array(apply_store(store, loaded.convert(color)))


def image_array(image: Image.Image) -> npt.NDArray[Any]:
    """Return a PIL image of mode L, RGB, RGBA or I;16 as (H, W, C)."""
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _as_mask(image: Image.Image, path: str) -> Image.Image:
    """Return an image of indices: palettes stay palettes, they are not turned into colours."""
    if image.mode in ("P", "L", "I;16", "I", "1"):
        return image
    raise DecodeError(
        f"{path}: a mask holds one index per pixel (mode P, L, 1, I or I;16), "
        f"this file has mode {image.mode}"
    )


def mask_array(image: Image.Image) -> npt.NDArray[Any]:
    """Return a PIL image of indices as (H, W)."""
    pixels = np.asarray(image)
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels


def mask_dtype(path: str) -> str:
    """Return the dtype that a mask file's indices need, from its header."""
    with open_image(path) as image:
        return {"I;16": "uint16", "I": "int32"}.get(image.mode, "uint8")
