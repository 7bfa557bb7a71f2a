"""Files that ask for far more than they are: each is a few bytes or MB, made in milliseconds.

The PNG and the WebP are whole: a decoder without limits gets their pixels, all of them.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

_ADLER = 65521
_BLOCK = 1 << 20


def deflated_run(byte: int, count: int) -> bytes:
    """Return the zlib stream of `count` equal bytes, without making them.

    A block that ends in a full flush depends on nothing before it, so that one may be repeated;
    the checksum of equal bytes is a sum that has a formula.
    """
    compressor = zlib.compressobj(9)
    head = compressor.compress(b"") + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(bytes([byte]) * _BLOCK) + compressor.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, wbits=-15)
    tail = last.compress(bytes([byte]) * (count % _BLOCK)) + last.flush()
    a = (1 + count * byte) % _ADLER
    b = (count + byte * count * (count + 1) // 2) % _ADLER
    return head + block * (count // _BLOCK) + tail + struct.pack(">HH", b, a)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(side: int, text: int = 0) -> bytes:
    """Return a black PNG of side x side, one bit a pixel, with `text` bytes of a zTXt comment."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    if text:
        chunks.append(_chunk(b"zTXt", b"Comment\0\0" + deflated_run(ord(" "), text)))
    chunks.append(_chunk(b"IDAT", deflated_run(0, side * (1 + (side + 7) // 8))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def webp(side: int) -> bytes:
    """Return a lossless WebP of side x side (16384 at most) whose every pixel takes 0 bits."""
    bits = count = 0

    def put(value: int, width: int) -> None:
        nonlocal bits, count
        bits |= value << count
        count += width

    put(0x2F, 8)
    put(side - 1, 14)
    put(side - 1, 14)
    put(0, 4)  # no opacity, version 0
    put(0, 3)  # no transform, no colour cache, one group of codes
    for _ in range(5):
        put(0b0001, 4)  # a simple code, of one symbol, which takes one bit: 0
    stream = bits.to_bytes((count + 7) // 8, "little")
    stream += bytes(len(stream) % 2)
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def jpeg(side: int) -> bytes:
    """Return a JPEG whose header says side x side (65535 at most); its data are for 8 x 8."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, side, side)
    return bytes(data)


def jpeg_scans(count: int, side: int = 4096) -> bytes:
    """Return a progressive JPEG of side x side with its last scan repeated up to `count` scans."""
    file = io.BytesIO()
    slope = Image.linear_gradient("L").resize((side, side))
    slope.convert("RGB").save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]  # up to the end marker
    return data[:-2] + scan * (count - data.count(b"\xff\xda")) + data[-2:]


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG of 65535 x 65535": ("size.jpg", lambda: jpeg(65535)),
    "JPEG of 1000 scans": ("scans.jpg", lambda: jpeg_scans(1000)),
    "PNG of 100,000 x 100,000": ("size.png", lambda: png(100_000)),
    "WebP of 16384 x 16384": ("size.webp", lambda: webp(16384)),
    "PNG with 2 GB of compressed text": ("text.png", lambda: png(64, 2 << 30)),
}


def write_bombs(folder: Path) -> dict[str, str]:
    """Write all of them; return their paths by what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, (file, make) in BOMBS.items():
        (folder / file).write_bytes(make())
        paths[name] = str(folder / file)
    return paths
