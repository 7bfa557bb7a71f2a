"""What a single value that a Dataset returns is: the field that can hold it."""

import hashlib
from typing import Any

import numpy as np
from PIL import Image as PilImage

from fastcache.errors import SchemaError
from fastcache.schema import Array, Field, Image, Mask, Nothing, Ragged, Scalar, Text
from fastcache.sources.colors import MODES
from fastcache.sources.tensors import is_array, to_numpy

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
    if image.mode not in MODES:
        raise SchemaError(
            f"{what} is a PIL image of mode {image.mode}; convert it to L, RGB or RGBA, or return "
            "numpy.asarray(image)"
        )
    dtype, channels = MODES[image.mode]
    return Image(dtype, channels, size), image


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


def fits(expected: Field, field: Field) -> bool:
    """Whether a value may stand in a column; sizes of PIL images are free (`store` follows)."""
    if expected == field:
        return True
    free: Field | None = expected if isinstance(expected, Ragged) else None
    if isinstance(expected, Image):
        free = Image(expected.dtype, expected.channels)
    elif isinstance(expected, Mask):
        free = Mask(expected.dtype)
    return free is not None and joined(free, field) == free


def remedy(field: Field, other: Field, color: str | None = None, *, scanned: bool = True) -> str:
    """Return what to do about two samples that cannot share a column.

    Parameters
    ----------
    field, other : Field
        Of the column, and of the sample that does not fit it.
    color : str or None
        As the user passed it.
    scanned : bool
        Whether all samples told what the columns are, and not the first one alone.
    """
    if isinstance(field, Image | Mask) and isinstance(other, Image | Mask):
        scan = isinstance(field, Mask) and not scanned
        if color is None:
            more = ' with infer="scan"' if scan else ""
            return f'pass color="RGB"{more} to convert all images, or return one mode throughout'
        if scan:
            return (
                "the first sample has a palette (mode P), which alone is kept as a mask: pass "
                f'infer="scan", and color="{color}" converts all images of the column'
            )
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
