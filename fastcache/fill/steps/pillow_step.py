"""The Python step: formats and conversions that only Pillow knows.

Everything here gives what ``PIL.Image.open(path).convert(color)`` and the operations' own
definitions on PIL images give, so the C core and this step agree on every image that both can do.
"""

import io
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError

from fastcache.errors import DecodeError
from fastcache.fill.failures import is_available
from fastcache.fill.images.formats import allowed, suspects
from fastcache.fill.limits import Limits, bomb, check_pixels, check_size, open_regular
from fastcache.sources.colors import converted
from fastcache.transforms import Operation, apply_store

# Pillow holds 4 bytes per pixel of most modes: the decoded image, its conversion and its
# orientation are alive together at worst, then one more array is made of the result.  Decoders of
# JPEG 2000, AVIF and animations hold up to 8 more.
BYTES_PER_PIXEL = 24

_OWN_TEXT_LIMITS = (1 << 20, 64 << 20)  # bytes of one text and of all in a PNG: C has the same
_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112  # tags of TIFF and EXIF
_LYING = (5, 6, 7, 8)  # orientations that exchange height and width


class Header(NamedTuple):
    """What Pillow says of a file: size after orientation when it is applied, and format."""

    height: int
    width: int
    format: str


class Decoded(NamedTuple):
    """Pixels of a file's first frame, and whether there are more frames."""

    pixels: npt.NDArray[Any]
    animated: bool


def mends() -> bool:
    """Whether the user told Pillow to take files that it refuses by itself, and so does C.

    Truncated ones, or PNGs with larger texts.
    """
    return ImageFile.LOAD_TRUNCATED_IMAGES or _text_limits() != _OWN_TEXT_LIMITS


def refuses_texts() -> bool:
    """Whether the user told Pillow to refuse PNGs whose texts C still finds small enough."""
    return any(now < own for now, own in zip(_text_limits(), _OWN_TEXT_LIMITS, strict=True))


def _text_limits() -> tuple[int, int]:
    return PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY


def _open(file: BinaryIO, extra: Collection[str]) -> Image.Image:
    # Given a path, Pillow would map some formats, and a file that shrinks then kills the process.
    try:
        return Image.open(file, formats=allowed(extra))
    except UnidentifiedImageError as error:
        file.seek(0)
        others = suspects(file.read(16), extra)
        raise DecodeError(
            f"probably {' or '.join(others)}, which is not decoded unless you allow it: "
            f"extra_formats=({others[0]!r},)"
            if others
            else "no image of a format that is decoded here (fastcache.codecs() lists them), or "
            "its header is damaged"
        ) from error


@contextmanager
def opened(
    path: str,
    extra: Collection[str] = (),
    limits: Limits | None = None,
    data: bytes | None = None,
) -> Iterator[Image.Image]:
    """Open a file of one of the allowed formats; only its header has been read.

    Parameters
    ----------
    path : str
    extra : collection of str
        Formats that the user allows beside the usual ones.
    limits : Limits, optional
        Checked before anything is decoded. Pillow's own level holds in any case.
    data : bytes, optional
        The file's content; the path is not opened then.

    Raises
    ------
    DecodeError
        For an unknown format and for a limit, on entry or from within (frames are checked when
        they are loaded); the message says what to do.
    """
    try:
        source = open_regular(path, limits) if data is None else io.BytesIO(data)
        with source as file, _open(file, extra) as image:
            if limits is not None:
                check_pixels(limits, image.height, image.width)
            yield image
    except Image.DecompressionBombError as error:
        raise DecodeError(bomb(str(error).partition(",")[0])) from error


def probe(path: str, exif: str, extra: Collection[str], limits: Limits) -> Header:
    """Return what the header of a file says."""
    with opened(path, extra, limits) as image:
        return _header(image, exif)


def _header(image: Image.Image, exif: str) -> Header:
    """Return what the header says of an image of which nothing else has been read."""
    width, height = image.size
    if image.format == "TIFF":
        # Pillow turns these itself, whatever is asked for; some versions say so when they open
        # the file, others when they load it.
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = tags[_WIDTH], tags[_HEIGHT]
        turned = tags.get(_ORIENTATION, 1) in _LYING
    else:
        turned = exif == "apply" and image.getexif().get(_ORIENTATION, 1) in _LYING
    name = image.format or ""
    return Header(width, height, name) if turned else Header(height, width, name)


def decode(
    path: str,
    color: str,
    exif: str,
    store: Sequence[Operation],
    *,
    mask: bool = False,
    extra: Collection[str] = (),
    limits: Limits | None = None,
    expected: int = 0,
    size: tuple[int, int] | None = None,
    data: bytes | None = None,
) -> Decoded:
    """Return the pixels that an arena keeps of a file.

    Parameters
    ----------
    path : str
    color, exif : str
    store : sequence of Operation
        For a mask, what ``store_for_masks`` made of them.
    mask : bool
    extra, limits, data
        As for :func:`opened`.
    expected : int
        Pixels of the image as its header had them.
    size : (int, int), optional
        Height and width that the header must have still, else it is a DecodeError.

    Returns
    -------
    Decoded
        Pixels (H, W, C) uint8, (H, W, 1) uint16 for ``color="I;16"``, (H, W) for a mask.

    Raises
    ------
    MemoryError
        Also where a codec took a failed allocation for damage, as several do.
    """
    try:
        with opened(path, extra, limits, data) as image:
            if size is not None:
                check_size(_header(image, exif)[:2], size)
            loaded: Image.Image = ImageOps.exif_transpose(image) if exif == "apply" else image
            if mask:
                pixels = mask_array(apply_store(store, _as_mask(loaded)))
            else:
                pixels = stored_image(loaded, color, store)
            return Decoded(pixels, _is_animated(image))
    except (OSError, RuntimeError) as error:
        if is_available(BYTES_PER_PIXEL * expected):
            raise
        raise MemoryError(f"no memory left for {path}: {error}") from error


def _is_animated(image: Image.Image) -> bool:
    """Whether there are frames beyond the first; a next frame that cannot be read is none."""
    try:
        return bool(getattr(image, "is_animated", False))  # looks for it in the file, for GIF
    except (OSError, EOFError, SyntaxError, ValueError, IndexError, struct.error):
        return False


def stored_image(image: Image.Image, color: str, store: Sequence[Operation]) -> npt.NDArray[Any]:
    """Return a PIL image as (H, W, C), converted first, then as ``store=`` has it."""
    image.load()  # some formats tell their mode only then
    with wrong_mode_told():
        stored = apply_store(store, converted(image, color))
    return image_array(stored)


@contextmanager
def wrong_mode_told() -> Iterator[None]:
    """Say what Pillow means where an old one is to resample 16 bits."""
    try:
        yield
    except ValueError as error:
        if str(error) != "image has wrong mode":
            raise
        raise DecodeError(
            f"Pillow {PIL.__version__} does not resample 16-bit images: 11.3 or newer does"
        ) from error


def image_array(image: Image.Image) -> npt.NDArray[Any]:
    """Return a PIL image of mode L, RGB, RGBA or I;16 as (H, W, C)."""
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _as_mask(image: Image.Image) -> Image.Image:
    """Return an image of indices: palettes stay palettes, they are not turned into colours."""
    if image.mode == "1":  # holds no other index, which padding may be
        return Image.fromarray(mask_array(image))
    if image.mode in ("P", "L", "I;16", "I"):
        return image
    raise DecodeError(
        "a mask holds one index per pixel (mode P, L, 1, I or I;16), this file has mode "
        f"{image.mode}"
    )


def mask_array(image: Image.Image) -> npt.NDArray[Any]:
    """Return a PIL image of indices as (H, W)."""
    pixels = np.asarray(image)
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels


def mask_dtype(path: str, extra: Collection[str], limits: Limits) -> str:
    """Return the dtype that a mask file's indices need, from its header."""
    with opened(path, extra, limits) as image:
        return {"I;16": "uint16", "I": "int32"}.get(image.mode, "uint8")
