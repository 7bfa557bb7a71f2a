"""One PNG, read by the C core and by Pillow: what the tests of the two compare."""

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fastcache._core import image as core
from fastcache.fill.images.file_table import INFO_DTYPE
from fastcache.transforms import FILTERS, GEOMETRY

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 1}
COLOURS = ("L", "RGB", "RGBA")
REFUSALS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)

Pixels = npt.NDArray[np.generic]
_DECODER = core.Decoder()  # one for all: nothing of one image may be seen in the next


@dataclass(frozen=True)
class Part:
    """A crop (y, x, h, w), and the size (h, w) that it is resampled to."""

    crop: tuple[int, int, int, int]
    size: tuple[int, int]
    filter: str = "bilinear"


def probe(data: bytes) -> tuple[int, np.void]:
    """Return the probe's status, and its record."""
    record = np.zeros(1, INFO_DTYPE)
    status, _ = core.probe_bytes(data, record.view(np.uint8))
    return status, record[0]


def ours(
    data: bytes, colour: str = "RGB", part: Part | None = None, *, upright: bool = False
) -> tuple[int, int, Pixels | None]:
    """Return the core's status, detail and pixels (H, W, C); these only if it decoded them."""
    status, info = probe(data)
    if status != core.OK:
        return status, 0, None
    height, width = int(info["height"]), int(info["width"])
    if upright and info["orientation"] > 4:
        height, width = width, height
    part = part or Part((0, 0, height, width), (height, width))
    record = np.array([(height, width, *part.crop, *part.size, 0, 0, *part.size)], GEOMETRY)
    wide = colour == "I;16"
    out = np.zeros((*part.size, CHANNELS[colour]), np.uint16 if wide else np.uint8)
    spec = core.Spec(
        channels=CHANNELS[colour],
        filter=FILTERS[part.filter],
        wide=wide,
        apply_orientation=upright,
    )
    status, detail = _DECODER.decode(
        data, spec, record.view(np.uint8), out.reshape(-1).view(np.uint8)
    )
    return status, detail, out if status == core.OK else None


def pillows(
    data: bytes, colour: str = "RGB", part: Part | None = None, *, upright: bool = False
) -> Pixels | None:
    """Return Pillow's pixels (H, W, C); None when it refuses the file."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")
            turned = ImageOps.exif_transpose(image) if upright else image
            pixels = turned.convert(colour)
    except REFUSALS:
        return None
    if part:
        y, x, h, w = part.crop
        size = (part.size[1], part.size[0])
        filtered = Image.Resampling[part.filter.upper()]
        pixels = pixels.crop((x, y, x + w, y + h)).resize(size, filtered)
    return np.asarray(pixels).reshape(pixels.height, pixels.width, -1)


def compare(data: bytes, colour: str = "RGB", *, upright: bool = False) -> int:
    """Assert that the core gives Pillow's pixels, or refuses what it refuses; return the status.

    What the core leaves to Pillow (NEEDS_PYTHON) is right by definition.
    """
    status, detail, got = ours(data, colour, upright=upright)
    if status == core.NEEDS_PYTHON:
        return status
    want = pillows(data, colour, upright=upright)
    if got is None:
        assert want is None, f"Pillow reads what the core refuses: {core.describe(status, detail)}"
    else:
        assert want is not None, "the core reads what Pillow refuses"
        np.testing.assert_array_equal(got, want)
    return status
