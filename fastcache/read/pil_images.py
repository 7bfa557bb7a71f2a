"""PIL images of what an arena holds."""

from collections.abc import Mapping

from PIL import Image as Pillow

from fastcache.errors import ArgumentError
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


def modes_of(what: str, names: list[str], fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the modes of the images among some columns, as PIL names them.

    Raises
    ------
    ArgumentError
        If PIL has no such images; `what` argument is for these.
    """
    modes = {}
    for name in names:
        field, mode = fields[name], pil_mode(fields[name])
        if mode is not None:
            modes[name] = mode
        elif isinstance(field, Image | Mask):
            channels = f" with {field.channels} channels" if isinstance(field, Image) else ""
            raise ArgumentError(
                f"{what}= gets PIL images, and PIL has none of {field.dtype}{channels} "
                f"(column {name!r}): pass transform_input='tensor'"
            )
    return modes
