"""PIL images of what an arena holds."""

from PIL import Image as Pillow

from fastcache.read.columns.columns import Pixels
from fastcache.schema import Field, Image, Mask

_MODES = {  # by dtype and channels
    ("uint8", 1): "L",
    ("uint8", 3): "RGB",
    ("uint8", 4): "RGBA",
    ("uint16", 1): "I;16",
    ("int32", 1): "I",
    ("float32", 1): "F",
}


def mode_of(dtype: str, channels: int) -> str | None:
    """Return the mode of a PIL image that can hold such pixels; None if there is none."""
    return _MODES.get((dtype, channels))


def pil_mode(field: Field) -> str | None:
    """Return the mode of a PIL image that can hold rows of this field; None if there is none."""
    if not isinstance(field, Image | Mask):
        return None
    return mode_of(field.dtype, field.channels if isinstance(field, Image) else 1)


def to_pil(pixels: Pixels, mode: str) -> Pillow.Image:
    """Return a PIL image with memory of its own, from (H, W) or (H, W, C) pixels."""
    height, width = pixels.shape[:2]
    return Pillow.frombytes(mode, (width, height), pixels.data.cast("B"))
