"""How large, and how slow, a file may be before it is refused."""

import math
import os
import stat
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple, TypedDict

import numpy as np
from PIL import Image

from fastcache._core import image as core
from fastcache.errors import ArgumentError, DecodeError
from fastcache.memory.units import format_bytes

_NONE = np.iinfo(np.int64).max  # a number of pixels that no image has
_INT32 = np.iinfo(np.int32).max

_CHANGED = "the file changed after it was probed, and now exceeds"
_LARGE_TEXTS = (
    "its texts inflate to more than Pillow takes: 1 MiB each, which is "
    "PIL.PngImagePlugin.MAX_TEXT_CHUNK, or 64 MiB in all, which is MAX_TEXT_MEMORY. If the file is "
    "to be trusted, raise these"
)


class CoreLimits(TypedDict):
    """Limits as C has them: 0 stands for none."""

    max_pixels: int
    max_bytes: int
    max_scans: int
    max_ms: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Most that one image file may ask for; beyond it the file is refused, and nothing allocated.

    Parameters
    ----------
    pixels : int, optional
        Height times width, as the header states them. None: the level at which Pillow takes a file
        for a bomb, 2 x ``PIL.Image.MAX_IMAGE_PIXELS`` as it is when the fill begins.
    bytes : int, optional
        Size of the file. None: any.
    scans : int, optional
        Scans of a progressive JPEG. None: any number.
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
    Limits(pixels=50000000, bytes=2147483648, scans=100, seconds=5.0)
    """

    pixels: int | None = None
    bytes: int | None = 2 << 30
    scans: int | None = 100
    seconds: float | None = 60.0

    def __post_init__(self) -> None:
        for name, most in (("pixels", _NONE), ("bytes", _NONE), ("scans", _INT32)):
            value = getattr(self, name)
            if value is None:
                continue
            integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not (integer and 0 < value <= most):
                raise ArgumentError(
                    f"Limits: {name}={value!r}: give an int of 1 to {most}, or None"
                )
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
        object.__setattr__(self, "seconds", float(seconds))


def settled(limits: Limits) -> Limits:
    """Return the limits with Pillow's level, as it is now, where `pixels` is left to it."""
    return replace(limits, pixels=bomb_level()) if limits.pixels is None else limits


def most_pixels_of(limits: Limits) -> int:
    """Return the number of pixels beyond which an image is refused."""
    return bomb_level() if limits.pixels is None else limits.pixels


def core_limits(limits: Limits) -> CoreLimits:
    """Return limits as ``ProbeJob`` and ``Spec`` take them."""
    return {
        "max_pixels": most_pixels_of(limits),
        "max_bytes": limits.bytes or 0,
        "max_scans": limits.scans or _INT32,
        "max_ms": 0 if limits.seconds is None else math.ceil(limits.seconds * 1000),
    }


def too_many_pixels(limits: Limits, height: int, width: int) -> str:
    """Return the reason for refusing an image of this size; "" if the limit allows it."""
    most = most_pixels_of(limits)
    pixels = height * width
    if pixels <= most:
        return ""
    return (
        f"{height} x {width} = {pixels:,} pixels, the limit is {most:,}: if the file is meant to "
        f"be that large, raise limits=Limits(pixels={pixels})"
    )


def too_many_bytes(limits: Limits, size: int) -> str:
    """Return the reason for refusing a file of this size; "" if the limit allows it."""
    if limits.bytes is None or size <= limits.bytes:
        return ""
    return (
        f"{size:,} bytes, the limit is {limits.bytes:,}: if the file is meant to be that large, "
        f"raise limits=Limits(bytes={size})"
    )


def check_pixels(limits: Limits, height: int, width: int) -> None:
    """Raise DecodeError for an image of too many pixels."""
    if reason := too_many_pixels(limits, height, width):
        raise DecodeError(reason)


def check_size(found: tuple[int, int], known: tuple[int, int]) -> None:
    """Raise DecodeError for a file that has another height or width than when it was probed."""
    if found != known:
        raise DecodeError(
            f"the file changed after it was probed: {found[0]} x {found[1]} pixels instead of "
            f"{known[0]} x {known[1]}"
        )


class Probed(NamedTuple):
    """A file as the probe saw it."""

    path: str
    bytes: int
    height: int
    width: int


def refusal(limits: Limits, status: int, detail: int, probed: Probed) -> str:
    """Return why C refused a file, with what to do where a limit was met.

    Where the probe's numbers keep the limit that was met, the file is no longer what it was.
    """
    if status == core.E_PIXELS:
        changed = f"{_CHANGED} Limits(pixels={most_pixels_of(limits)})"
        return too_many_pixels(limits, probed.height, probed.width) or changed
    if status == core.E_BYTES and (reason := too_many_bytes(limits, probed.bytes)):
        return reason
    if status == core.E_BYTES:
        grown = too_many_bytes(limits, _size_now(probed.path))
        return f"{_CHANGED} Limits(bytes={limits.bytes})" if grown else _LARGE_TEXTS
    if status == core.E_SCANS:
        return f"more than {limits.scans} progressive scans: raise limits=Limits(scans=...)"
    if status == core.E_TIME:
        return (
            f"not decoded after {limits.seconds:g} seconds, which is the limit: raise "
            "limits=Limits(seconds=...)"
        )
    return core.describe(status, detail)


def _size_now(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # gone meanwhile
        return 0


def open_regular(path: str, limits: Limits | None = None) -> BinaryIO:
    """Open a file for reading, without waiting where a pipe has taken its place.

    Raises
    ------
    DecodeError
        For anything but a regular file, and for one that is larger than the limit.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("not a regular file")
        if limits is not None and (reason := too_many_bytes(limits, status.st_size)):
            raise DecodeError(reason)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def bomb_level() -> int:
    """Return the number of pixels beyond which Pillow refuses an image, as it is now."""
    level = Image.MAX_IMAGE_PIXELS
    # None, infinity and numbers that twice would be none any more
    return _NONE if level is None or level >= _NONE // 2 else 2 * int(level)


def bomb(what: str) -> str:
    """Return the reason for an image that Pillow takes for a bomb."""
    return (
        f"{what}, and Pillow, which decodes this file, takes no more than {bomb_level():,} pixels: "
        "if it is meant to be that large, raise PIL.Image.MAX_IMAGE_PIXELS as well as limits="
    )


def too_large_for_pillow(size: int) -> str:
    """Return the reason for an image whose intermediate size only C can do without."""
    return (
        "the file is damaged or odd in a way that Pillow must judge, and what store= makes of its "
        f"shape would take Pillow {format_bytes(size)}: mend the file, or crop before resizing"
    )
