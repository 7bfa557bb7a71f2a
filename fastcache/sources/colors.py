"""The modes that images are converted to."""

from typing import Any

from PIL import Image

from fastcache.errors import ArgumentError, DecodeError, SchemaError

# Pillow's modes whose pixels are kept: dtype and channels.
MODES = {"L": ("uint8", 1), "RGB": ("uint8", 3), "RGBA": ("uint8", 4), "I;16": ("uint16", 1)}


def converted(image: Image.Image, color: str) -> Image.Image:
    """Return a PIL image in the mode `color`: itself if it has that mode.

    Raises
    ------
    DecodeError
        Where Pillow has no such conversion; the message says what there is and what would do.
    """
    if image.mode == color:
        return image
    try:
        return image.convert(color)
    except ValueError as error:
        if "not supported" not in str(error):
            raise
        remedy = (
            'pass color="L" or "RGB", or save it as 16-bit grey'
            if image.mode == "P" and color == "I;16"
            else "save it as grey, RGB or RGBA"
        )
        raise DecodeError(
            f"has mode {image.mode}, of which Pillow makes no {color}: {remedy}"
        ) from error


class OneColor:
    """Converts a Dataset's PIL images to one mode as they come; other values pass.

    A column is one of masks if its images are palettes (mode P), all that were seen until it was
    settled what columns there are; otherwise each of its images is converted, palettes too.

    Parameters
    ----------
    color : str or None
        None converts nothing.

    Attributes
    ----------
    images : set of str
        Columns that are known to be no masks.
    """

    def __init__(self, color: str | None) -> None:
        if color is not None and color not in MODES:
            raise ArgumentError(f"color={color!r}: give one of {', '.join(MODES)}, or None")
        self.color = color
        self.images: set[str] = set()
        self._settled = False

    def begin(self) -> None:
        """Forget what was settled."""
        self.images, self._settled = set(), False

    def settle(self) -> None:
        """Let what comes from now on change no column's kind."""
        self._settled = True

    def __call__(self, column: str, value: Any, what: str) -> Any:
        """Return a column's value, which messages call `what`.

        Raises
        ------
        SchemaError
            For an image of a mode that Pillow does not convert.
        """
        if self.color is None or not isinstance(value, Image.Image):
            return value
        if value.mode != "P" and not self._settled:
            self.images.add(column)
        if value.mode == "P" and column not in self.images:
            return value
        try:
            return converted(value, self.color)
        except DecodeError as error:
            raise SchemaError(f"{what} {error}") from error
