"""A PNG encoder that writes what Pillow cannot: every kind, any chunks, and damage on purpose.

Slow and plain, NumPy and zlib only: one row at a time, its filter chosen by the caller.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
# Samples of a pixel, and the depths that the standard allows, by colour type.
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGBA: (8, 16),
}
KINDS = [(kind, depth) for kind, depths in DEPTHS.items() for depth in depths]
EVERY_FILTER = (1, 4, 2, 3, 0)

# Adam7: first row, first column, row step, column step of each pass.
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)

Samples = npt.NDArray[np.integer]


def chunk(name: bytes, data: bytes = b"", *, broken: bool = False) -> bytes:
    """Return one chunk; `broken` gives it a checksum that does not fit."""
    checksum = zlib.crc32(name + data) ^ (0x5A if broken else 0)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def header(
    height: int, width: int, kind: int, depth: int, interlace: int = 0, *, method: bytes = b"\0\0"
) -> bytes:
    """Return an IHDR chunk; `method` holds the numbers for compression and filters."""
    fields = struct.pack(">IIBB", width, height, depth, kind) + method + bytes([interlace])
    return chunk(b"IHDR", fields)


def random_samples(
    height: int, width: int, kind: int, depth: int, *, seed: int = 0, colours: int | None = None
) -> Samples:
    """Return samples (H, W, C), half slopes and half noise, below `colours` for a palette."""
    rng = np.random.default_rng((seed, height, width, kind, depth))
    limit = min(1 << depth, colours or 1 << depth)
    shape = (height, width, CHANNELS[kind])
    noise = rng.integers(0, limit, shape)
    slope = np.add.outer(np.arange(height) * 3, np.arange(width) * 5)[:, :, None]
    slope = (slope * (1 + np.arange(shape[2])) * limit // 256) % limit
    left = np.arange(width)[None, :, None] < width // 2
    return np.where(left, slope, noise)


def random_palette(colours: int, *, seed: int = 0) -> bytes:
    """Return the content of a PLTE chunk."""
    return np.random.default_rng(seed).integers(0, 256, 3 * colours, np.uint8).tobytes()


def packed(samples: Samples, depth: int) -> npt.NDArray[np.uint8]:
    """Return rows of samples as rows of bytes, most significant bits first."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        return np.ascontiguousarray(rows.astype(">u2")).view(np.uint8)
    if depth == 8:
        return rows.astype(np.uint8)
    bits = rows[:, :, None] >> np.arange(depth)[::-1] & 1
    return np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    order = [(abs(guess - left), 0), (abs(guess - above), 1), (abs(guess - corner), 2)]
    return (left, above, corner)[min(order)[1]]


def _filtered(row: bytes, above: bytes, step: int, kind: int) -> bytes:
    """Return one row with its filter byte; unknown filters leave the row as it is."""
    out = bytearray([kind])
    for i, value in enumerate(row):
        left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
        up = above[i]
        guess = {1: left, 2: up, 3: (left + up) // 2, 4: _paeth(left, up, corner)}.get(kind, 0)
        out.append((value - guess) & 255)
    return bytes(out)


def scanlines(
    samples: Samples, depth: int, *, interlaced: bool = False, filters: Sequence[int] = EVERY_FILTER
) -> bytes:
    """Return what a PNG compresses: rows, filtered by each of `filters` in turn."""
    step = max(1, samples.shape[2] * depth // 8)
    out, number = bytearray(), 0
    for y, x, step_y, step_x in _PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[y::step_y, x::step_x]
        if part.size == 0:
            continue
        rows = packed(part, depth)
        above = bytes(rows.shape[1])
        for row in rows:
            out += _filtered(row.tobytes(), above, step, filters[number % len(filters)])
            above = row.tobytes()
            number += 1
    return bytes(out)


def image_data(
    stream: bytes, sizes: Iterable[int] = (), *, broken: Iterable[int] = ()
) -> list[bytes]:
    """Cut a zlib stream into IDAT chunks of these sizes and one of the rest."""
    parts, at = [], 0
    for size in sizes:
        parts.append(stream[at : at + size])
        at += size
    parts.append(stream[at:])
    bad = set(broken)
    return [chunk(b"IDAT", part, broken=i in bad) for i, part in enumerate(parts)]


def join(*chunks: bytes) -> bytes:
    """Return a file: the signature, these chunks, and an IEND."""
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND")


def write_png(
    samples: Samples,
    kind: int,
    depth: int = 8,
    *,
    interlaced: bool = False,
    filters: Sequence[int] = EVERY_FILTER,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    sizes: Iterable[int] = (),
    level: int = 6,
) -> bytes:
    """Return a PNG of samples (H, W, C) with whole chunks `before` and `after` its pixels.

    A palette image needs its PLTE among `before`; `sizes` cuts the pixels as `image_data` does.
    """
    stream = zlib.compress(scanlines(samples, depth, interlaced=interlaced, filters=filters), level)
    height, width = samples.shape[:2]
    return join(
        header(height, width, kind, depth, int(interlaced)),
        *before,
        *image_data(stream, sizes),
        *after,
    )
