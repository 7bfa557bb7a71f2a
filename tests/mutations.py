"""Damage to files, a pure function of the file and a seed; and what Pillow says to it.

Bytes are flipped, overwritten, removed, doubled and cut off anywhere. A PNG is also changed behind
its checksums and its compression, where damage of the first kind hardly ever gets.
"""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import png_writer
from PIL import Image

Chunk = tuple[bytes, bytes]  # name and content
INTERESTING = (0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 200, 254, 255)
MOST = 6  # changes of one kind
LARGEST_ROWS = 1 << 20  # a PNG that inflates to more is not changed uncompressed
# What Pillow raises for damaged files.
REFUSALS = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, MemoryError, RuntimeError),
    *(ArithmeticError, AttributeError, LookupError, struct.error, zlib.error),
    Image.DecompressionBombError,
)


def by_pillow(data: bytes, colour: str = "RGB") -> npt.NDArray[Any] | None:
    """Return Pillow's pixels of a file; None when it refuses."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert(colour))
    except REFUSALS:
        return None


def mutated(data: bytes, seed: int) -> bytes:
    """Return the file with some damage; the same for the same seed."""
    rng = random.Random(seed)
    if data.startswith(png_writer.SIGNATURE) and rng.random() < 0.8:
        return _mutated_png(data, rng)
    return _mutated_bytes(data, rng)


def _mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    what = rng.randrange(7)
    for _ in range(rng.randint(1, MOST)):
        if not out:
            break
        at = rng.randrange(len(out))
        length = min(rng.randint(1, 8), len(out) - at)
        if what == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            out[at] = rng.choice(INTERESTING)
        elif what == 2:
            out[at : at + length] = rng.randbytes(length)
        elif what == 3:
            del out[at : at + length]
        elif what == 4:
            out[at:at] = out[at : at + length]
        elif what == 5:
            to = rng.randrange(len(out))
            out[to : to + length] = out[at : at + length]
        else:
            return bytes(out[:at])
    return bytes(out)


# ---- PNG --------------------------------------------------------------------------------------


def chunks_of(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG up to the first that does not fit into the file."""
    at = len(png_writer.SIGNATURE)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if length > len(data) - at - 12:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def joined(chunks: list[Chunk]) -> bytes:
    """Return a PNG of these chunks, their checksums right."""
    return png_writer.SIGNATURE + b"".join(png_writer.chunk(*chunk) for chunk in chunks)


def _mutated_png(data: bytes, rng: random.Random) -> bytes:
    chunks = list(chunks_of(data))
    if not chunks:
        return _mutated_bytes(data, rng)
    what = rng.randrange(4)
    at = rng.randrange(len(chunks))
    name, content = chunks[at]
    if what == 0:
        return joined(_with_other_rows(chunks, rng))
    if what == 1:
        chunks[at] = name, _mutated_bytes(content, rng)
    elif what == 2:
        place = rng.randrange(3)
        if place == 0:
            del chunks[at]
        elif place == 1:
            chunks.insert(rng.randrange(len(chunks)), (name, content))
        else:
            other = rng.randrange(len(chunks))
            chunks[at], chunks[other] = chunks[other], chunks[at]
    else:
        chunks[0] = chunks[0][0], _mutated_header(chunks[0][1], rng)
    return joined(chunks)


def _mutated_header(content: bytes, rng: random.Random) -> bytes:
    if len(content) != 13:
        return _mutated_bytes(content, rng)
    width, height, depth, kind, *rest, interlace = struct.unpack(">IIBBBBB", content)
    what = rng.randrange(5)
    if what == 0:
        width = rng.randint(1, 80)
    elif what == 1:
        height = rng.randint(1, 80)
    elif what == 2:
        depth = rng.choice((1, 2, 4, 8, 16))
    elif what == 3:
        kind = rng.choice((0, 2, 3, 4, 6))
    else:
        interlace ^= 1
    return struct.pack(">IIBBBBB", width, height, depth, kind, *rest, interlace)


def _with_other_rows(chunks: list[Chunk], rng: random.Random) -> list[Chunk]:
    """Change the pixels uncompressed, and compress them again."""
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    inflate = zlib.decompressobj()
    try:
        rows = inflate.decompress(packed, LARGEST_ROWS)
    except zlib.error:
        return [(name, _mutated_bytes(content, rng)) for name, content in chunks]
    rows = zlib.compress(_mutated_bytes(rows, rng), rng.choice((0, 1, 6)))
    names = [name for name, _ in chunks]
    at = names.index(b"IDAT") if b"IDAT" in names else len(names)
    cut = rng.randrange(len(rows))
    parts = [(b"IDAT", rows[:cut]), (b"IDAT", rows[cut:])] if rng.random() < 0.3 else None
    kept_before = [chunk for chunk in chunks[:at] if chunk[0] != b"IDAT"]
    kept_behind = [chunk for chunk in chunks[at:] if chunk[0] != b"IDAT"]
    return [*kept_before, *(parts or [(b"IDAT", rows)]), *kept_behind]
