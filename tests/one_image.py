"""One image in memory through the C core, and through Pillow: what they say must be the same."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fastcache._core import image as core
from fastcache.transforms import FILTERS, GEOMETRY

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
# The C struct fc_image_info.
_INT32 = ("height", "width", "format", "components", "depth", "orientation", "flags", "scans")
INFO = np.dtype([("bytes", "i8"), *((name, "i4") for name in _INT32)])


@dataclass(frozen=True)
class Window:
    """A crop of an image (y, x, h, w) and the size (h, w) it is resampled to."""

    crop: tuple[int, int, int, int]
    size: tuple[int, int]


def probe(data: bytes) -> tuple[int, np.void]:
    record = np.zeros(1, INFO)
    status, _ = core.probe_bytes(data, record.view(np.uint8))
    return status, record[0]


def decode(
    data: bytes,
    color: str,
    size: tuple[int, int],
    window: Window | None = None,
    apply_orientation: bool = False,
) -> tuple[int, npt.NDArray[np.uint8]]:
    """Return status and pixels of a window (else all) of an image of `size`."""
    window = window or Window((0, 0, *size), size)
    record = np.array([(*size, *window.crop, *window.size, 0, 0, *window.size)], GEOMETRY)
    out = np.zeros((*window.size, CHANNELS[color]), np.uint8)
    spec = core.Spec(
        channels=CHANNELS[color], filter=FILTERS["bilinear"], apply_orientation=apply_orientation
    )
    status, _ = core.Decoder().decode(data, spec, record.view(np.uint8), out.reshape(-1))
    return status, out


def pillow(data: bytes, color: str, transpose: bool = False) -> Image.Image | None:
    """Return what Pillow makes of it; None when it refuses."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            turned = ImageOps.exif_transpose(image) if transpose else image
            return turned.convert(color)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


def as_rows(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image).reshape(image.height, image.width, -1)


def assert_same(data: bytes, *, transpose: bool = False) -> None:
    """C and Pillow agree in every colour."""
    for color in CHANNELS:
        wanted = pillow(data, color, transpose)
        assert wanted is not None
        status, got = decode(data, color, wanted.size[::-1], None, transpose)
        assert status == core.OK
        np.testing.assert_array_equal(got, as_rows(wanted))
