"""Headers of .npy files, read without trust.

Nothing is ever unpickled, and no more is promised than the file has the bytes for.
"""

import io
import os
import tokenize
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from fastcache.errors import DecodeError
from fastcache.fill.limits import Limits, check_pixels, open_regular

MAGIC = b"\x93NUMPY"
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
MASK_DTYPES = ("uint8", "uint16", "int32")
CHANNELS = (1, 3, 4)

# NumPy writes 128 bytes for an image; what is longer is no image's header.
_MAX_HEADER = 4096


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What the header of a .npy file says, checked against the file's size.

    Attributes
    ----------
    dtype : str
        In the processor's byte order.
    stored : str
        As in the file.
    shape : tuple of int
        As in the file.
    fortran : bool
        Whether the first axis is the one that varies fastest.
    start : int
        Bytes before the first element.
    chw : bool
        Whether the first of three axes holds the channels.
    height, width, channels : int
    """

    dtype: str
    stored: str
    shape: tuple[int, ...]
    fortran: bool
    start: int
    chw: bool
    height: int
    width: int
    channels: int

    @property
    def kind(self) -> tuple[str, int]:
        """What the files of a column must share to be kept as they are."""
        return self.dtype, self.channels

    def scratch(self, most_pixels: int) -> int:
        """Return bytes held beside the file's own, for at most so many pixels on the way.

        The array in native byte order, what is made of it, and one channel as Pillow has it.
        """
        item = np.dtype(self.dtype).itemsize
        elements = (self.height * self.width + 3 * most_pixels) * self.channels
        return elements * item + 16 * most_pixels


def is_npy(path: str) -> bool:
    """Whether a file's content is that of a .npy file, whatever its name."""
    with open_regular(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def read_header(path: str, limits: Limits, mask: bool = False) -> NpyHeader:
    """Read and check the header of a .npy file.

    Raises
    ------
    DecodeError
        For what is no image, and for a limit that is exceeded; the message says what to do.
    """
    with open_regular(path, limits) as file:
        return header_of(file, limits, mask)


def header_of(file: BinaryIO, limits: Limits, mask: bool) -> NpyHeader:
    """Read and check the header of an open .npy file; its first element follows."""
    shape, fortran, dtype = _parsed(file)
    start = file.tell()
    name = dtype.newbyteorder("=").name
    dtypes = MASK_DTYPES if mask else DTYPES
    if dtype.hasobject:
        raise DecodeError(
            "holds pickled Python objects, which are never loaded, since that can run code: save "
            "a numeric array with numpy.save"
        )
    if name not in dtypes:
        raise DecodeError(
            f"holds {name}; .npy {'masks' if mask else 'images'} are {', '.join(dtypes)}: convert "
            "it with astype and save it again"
        )
    height, width, channels, chw = _layout(shape, mask)
    check_pixels(limits, height, width)
    need = start + height * width * channels * dtype.itemsize
    have = os.fstat(file.fileno()).st_size
    if have < need:
        raise DecodeError(
            f"its header promises {need:,} bytes ({name} of shape {shape}), the file has {have:,}"
        )
    return NpyHeader(name, dtype.str, shape, fortran, start, chw, height, width, channels)


def _parsed(file: BinaryIO) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Let NumPy read a header whose length is known to be sane."""
    begin = file.read(len(MAGIC) + 2)
    if len(begin) < len(MAGIC) + 2 or not begin.startswith(MAGIC):
        raise DecodeError("no .npy file: it does not begin as one")
    version = begin[-2], begin[-1]
    if version not in ((1, 0), (2, 0)):
        raise DecodeError(f".npy version {version[0]}.{version[1]}; numeric arrays have 1.0 or 2.0")
    width = 2 if version == (1, 0) else 4
    count = file.read(width)
    length = int.from_bytes(count, "little")
    if length > _MAX_HEADER:
        raise DecodeError(f"its .npy header has {length:,} bytes; {_MAX_HEADER:,} are the limit")
    text = file.read(length)
    if len(count) < width or len(text) < length:
        raise DecodeError("the file ends within its .npy header")
    read = npy.read_array_header_1_0 if width == 2 else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(io.BytesIO(count + text))
    # Nested brackets drive the parser of literals into any of these; no memory is short.
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError):
        raise DecodeError("its .npy header is damaged") from None
    return tuple(shape), bool(fortran), dtype


def _layout(shape: tuple[int, ...], mask: bool) -> tuple[int, int, int, bool]:
    """Return height, width, channels, and whether the channels come first."""
    if len(shape) not in (2, 3) or not all(0 < length < 1 << 31 for length in shape):
        raise DecodeError(
            f"its array has {len(shape)} axes, lengths {str(shape)[:60]}: an image has (H, W), "
            "(H, W, C) or (C, H, W), each from 1 to 2,147,483,647"
        )
    if len(shape) == 2:
        return shape[0], shape[1], 1, False
    counts = (1,) if mask else CHANNELS
    first, last = shape[0] in counts, shape[2] in counts
    if first == last:
        told = " or ".join(map(str, counts))
        raise DecodeError(
            f"its array has shape {shape}: {'both ends' if first else 'neither end'} may be the "
            f"channels ({told}). Save one channel as (H, W)"
            + (", or give all of them to sources.Arrays(x, layout=...)" if first else "")
        )
    if first:
        return shape[1], shape[2], shape[0], True
    return shape[0], shape[1], shape[2], False
