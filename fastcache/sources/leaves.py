"""What a single value that a Dataset returns is: the field that can hold it."""

import hashlib
from typing import Any

import numpy as np
from PIL import Image as PilImage

from fastcache.errors import ArgumentError, SchemaError
from fastcache.schema import Array, Field, Image, Mask, Nothing, Ragged, Scalar, Text
from fastcache.sources.tensors import is_array, to_numpy

# Pillow's modes whose pixels are kept: dtype and channels.
_IMAGE_MODES = {"L": ("uint8", 1), "RGB": ("uint8", 3), "RGBA": ("uint8", 4), "I;16": ("uint16", 1)}
_INT64 = np.iinfo(np.int64)


def leaf(value: Any, what: str) -> tuple[Field, Any]:
    """Say what a value is, and give it in the form in which a source hands it on.

    Parameters
    ----------
    value : object
        A tensor, array, PIL image, number, string or None.
    what : str
        Names the value in messages.

    Returns
    -------
    field : Field
        For an array, image or mask with the size of this one.
    value : object
        An ndarray for tensors and arrays, a PIL image of mode L, RGB, RGBA, I;16 or P, an int,
        float, bool or str, or None.

    Raises
    ------
    SchemaError
        For a value of another type, or one that its field cannot hold.
    """
    if value is None:
        return Nothing(), None
    if isinstance(value, bool | np.bool_):
        return Scalar("bool"), bool(value)
    if isinstance(value, int | np.integer):
        if not _INT64.min <= value <= _INT64.max:
            raise SchemaError(f"{what} is {value}, which does not fit in 64 bits; return a float")
        return Scalar("int64"), int(value)
    if isinstance(value, float | np.floating):
        return Scalar("float64"), float(value)
    if isinstance(value, str):
        text_bytes(value, what)
        return Text(), str(value)
    if isinstance(value, PilImage.Image):
        return _image(value, what)
    if is_array(value):
        array = to_numpy(value, what)
        return Array(str(array.dtype), array.shape), array
    raise SchemaError(
        f"{what} is {type(value).__module__}.{type(value).__qualname__}: a Dataset may return "
        "tensors, arrays, PIL images, int, float, bool, str and None, nested in tuples, lists "
        "and dicts; convert it there"
    )


def text_bytes(text: str, what: str) -> bytes:
    """Return a string as UTF-8; file names that are not valid text survive, as in ``os``."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise SchemaError(f"{what} is no valid text: {error}") from error


def _image(image: PilImage.Image, what: str) -> tuple[Field, PilImage.Image]:
    size = (image.height, image.width)
    if image.mode == "P":
        return Mask("uint8", size), image
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in _IMAGE_MODES:
        raise SchemaError(
            f"{what} is a PIL image of mode {image.mode}; convert it to L, RGB or RGBA, or return "
            "numpy.asarray(image)"
        )
    dtype, channels = _IMAGE_MODES[image.mode]
    return Image(dtype, channels, size), image


class OneColor:
    """Converts a Dataset's PIL images to one mode as they come; other values pass.

    Parameters
    ----------
    color : str or None
        None converts nothing.
    """

    def __init__(self, color: str | None) -> None:
        if color is not None and color not in _IMAGE_MODES:
            raise ArgumentError(f"color={color!r}: give one of {', '.join(_IMAGE_MODES)}, or None")
        self._color = color
        self._images: set[str] = set()  # columns that are known to be no masks

    def __call__(self, column: str, value: Any) -> Any:
        """Return a column's value; a palette is a mask unless other images came before it."""
        if self._color is None or not isinstance(value, PilImage.Image):
            return value
        if value.mode == "P" and column not in self._images:
            return value
        self._images.add(column)
        return value if value.mode == self._color else value.convert(self._color)


def shape_of(field: Field, value: Any) -> tuple[int, ...] | None:
    """Return the shape that a ragged column must reserve for a value; None for other kinds."""
    if isinstance(field, Text):
        return (len(text_bytes(value, "text")),)
    return field.row_shape if isinstance(field, Image | Mask | Array) else None


def smallest_shape(field: Field) -> tuple[int, ...]:
    """Return the shape that stands for a value that could not be read."""
    if isinstance(field, Image):
        return 1, 1, field.channels
    return (1,) * field.ndim if isinstance(field, Mask) else (0,) * field.ndim


def joined(field: Field, other: Field) -> Field | None:
    """Return the field that holds the values of both, or None if there is none."""
    if field == other:
        return field
    if isinstance(field, Image) and isinstance(other, Image):
        same = (field.dtype, field.channels) == (other.dtype, other.channels)
        return Image(field.dtype, field.channels) if same else None
    if isinstance(field, Mask) and isinstance(other, Mask):
        return Mask(field.dtype) if field.dtype == other.dtype else None
    if isinstance(field, Array | Ragged) and isinstance(other, Array | Ragged):
        same = (field.dtype, field.ndim) == (other.dtype, other.ndim)
        return Ragged(field.dtype, field.ndim) if same else None
    return None


def remedy(field: Field, other: Field) -> str:
    """Return what to do about two samples that cannot share a column."""
    if isinstance(field, Image | Mask) and isinstance(other, Image | Mask):
        return 'pass color="RGB" to convert all images, or return one mode for every index'
    return "return one type and dtype, and one number of axes, for every index"


def described(field: Field) -> str:
    """Return a field in a few words, for messages."""
    if isinstance(field, Image):
        return f"an image of {field.channels} channels, {field.dtype}"
    if isinstance(field, Mask):
        return f"a mask of {field.dtype}"
    if isinstance(field, Array):
        return f"an array of {field.dtype}, shape {field.shape}"
    if isinstance(field, Ragged):
        return f"an array of {field.dtype} with {field.axes} axes"
    if isinstance(field, Scalar):
        return {"int64": "an int", "float64": "a float"}.get(field.dtype, "a bool")
    return "a str" if isinstance(field, Text) else "None"


def fingerprint(value: Any) -> int:
    """Return 64 bits that stand for a leaf's value: type, shape and every byte."""
    digest = hashlib.blake2b(digest_size=8)
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    elif isinstance(value, PilImage.Image):
        digest.update(f"{value.mode}{value.size}".encode())
        digest.update(value.tobytes())
    else:
        digest.update(repr(value).encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "little")
