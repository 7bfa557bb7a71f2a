"""How large, and how slow, a file may be before it is refused."""

import math
import os
import stat
from dataclasses import dataclass
from typing import BinaryIO, TypedDict

import numpy as np
from PIL import Image

from fastcache._core import image as core
from fastcache.errors import ArgumentError, DecodeError

_NONE = np.iinfo(np.int64).max  # a number of pixels that no image has
_INT32 = np.iinfo(np.int32).max


class CoreLimits(TypedDict):
    """Limits as C has them: 0 stands for none."""

    max_pixels: int
    max_bytes: int
    max_scans: int
    max_ms: int


@dataclass(frozen=True)
class Limits:
    """Most that one image file may ask for; beyond it the file is refused, and nothing allocated.

    Parameters
    ----------
    pixels : int, optional
        Height times width, as the header states them. None: the level at which Pillow takes a file
        for a bomb, 2 x ``PIL.Image.MAX_IMAGE_PIXELS`` as it is when the fill begins.
    bytes : int, optional
        Size of the file. None: any.
    scans : int
        Scans of a progressive JPEG.
    seconds : float, optional
        Time to decode one image in C; Pillow cannot be interrupted, so what it decodes may take
        longer. None: any.

    Raises
    ------
    ArgumentError
        For anything but positive numbers.

    Notes
    -----
    Pillow's own level stays in force for what Pillow decodes: to read larger images of such formats
    raise ``PIL.Image.MAX_IMAGE_PIXELS`` too. A refused file is a sample that cannot be read:
    ``on_error`` says what becomes of it, the reason names the limit.

    Examples
    --------
    >>> import fastcache as fc
    >>> fc.Limits(pixels=50_000_000, seconds=5)
    Limits(pixels=50000000, bytes=2147483648, scans=100, seconds=5)
    """

    pixels: int | None = None
    bytes: int | None = 2 << 30
    scans: int = 100
    seconds: float | None = 60.0

    def __post_init__(self) -> None:
        for name, most in (("pixels", _NONE), ("bytes", _NONE), ("scans", _INT32)):
            value = getattr(self, name)
            if value is None and name != "scans":
                continue
            integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not (integer and 0 < value <= most):
                raise ArgumentError(f"Limits: {name}={value!r}: give an int of 1 to {most}")
            object.__setattr__(self, name, int(value))
        seconds = self.seconds
        if seconds is None:
            return
        number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool)
        if not (number and 0 < seconds <= _INT32 // 1000):
            raise ArgumentError(
                f"Limits: seconds={seconds!r}: give a number above 0 of up to {_INT32 // 1000}, "
                "or None"
            )

    @property
    def max_pixels(self) -> int:
        """Pixels beyond which C refuses an image."""
        return bomb_level() if self.pixels is None else self.pixels

    def for_core(self) -> CoreLimits:
        """Return what ``ProbeJob`` and ``Spec`` take."""
        return {
            "max_pixels": self.max_pixels,
            "max_bytes": self.bytes or 0,
            "max_scans": self.scans,
            "max_ms": 0 if self.seconds is None else math.ceil(self.seconds * 1000),
        }

    def refusal(self, status: int, detail: int, size: int, height: int, width: int) -> str:
        """Return why C refused a file of `size` bytes, with what to do where a limit was met."""
        if status == core.E_PIXELS:
            return too_many_pixels(height, width, self.max_pixels)
        if status == core.E_BYTES and self.bytes is not None and size > self.bytes:
            return too_many_bytes(size, self.bytes)
        if status == core.E_BYTES:
            return "its texts inflate to more than the 1 MiB each, or 64 MiB in all, of Pillow"
        if status == core.E_SCANS:
            return f"more than {self.scans} progressive scans: raise limits=Limits(scans=...)"
        if status == core.E_TIME:
            return (
                f"not decoded after {self.seconds:g} seconds, which is the limit: raise "
                "limits=Limits(seconds=...)"
            )
        return core.describe(status, detail)

    def check(self, height: int, width: int) -> None:
        """Raise DecodeError for an image of too many pixels."""
        if height * width > self.max_pixels:
            raise DecodeError(too_many_pixels(height, width, self.max_pixels))


def open_regular(path: str, limits: Limits | None = None) -> BinaryIO:
    """Open a file for reading, without waiting where a pipe has taken its place.

    Raises
    ------
    DecodeError
        For anything but a regular file, and for one that is larger than the limit.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("not a regular file")
        if limits is not None and limits.bytes is not None and status.st_size > limits.bytes:
            raise DecodeError(too_many_bytes(status.st_size, limits.bytes))
    except BaseException:
        file.close()
        raise
    return file


def bomb_level() -> int:
    """Return the number of pixels beyond which Pillow refuses an image, as it is now."""
    level = Image.MAX_IMAGE_PIXELS
    return _NONE if level is None else 2 * level


def too_many_pixels(height: int, width: int, limit: int) -> str:
    """Return the reason for an image above the limit of pixels."""
    pixels = height * width
    return (
        f"{height} x {width} = {pixels:,} pixels, the limit is {limit:,}: if the file is meant to "
        f"be that large, raise limits=Limits(pixels={pixels})"
    )


def too_many_bytes(size: int, limit: int) -> str:
    """Return the reason for a file above the limit of bytes."""
    return (
        f"{size:,} bytes, the limit is {limit:,}: if the file is meant to be that large, raise "
        f"limits=Limits(bytes={size})"
    )


def bomb(what: str) -> str:
    """Return the reason for an image that Pillow takes for a bomb."""
    return (
        f"{what}, and Pillow, which decodes this file, takes no more than {bomb_level():,} pixels: "
        "if it is meant to be that large, raise PIL.Image.MAX_IMAGE_PIXELS as well as limits="
    )
