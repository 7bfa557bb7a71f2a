"""WebPs put together from chunks: sound, contradictory and broken containers."""

import functools
import struct

import numpy as np
from images import encode, photo, pixels
from PIL import Image


def clear_photo(height: int, width: int) -> Image.Image:
    """Return an RGBA image that is opaque, clear and everything between in different places."""
    image = pixels(height, width, 4)
    image[:, :, 3] = np.clip(3 * image[:, :, 3].astype(int) - 255, 0, 255)
    return Image.fromarray(image)


def chunk(name: str, content: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def vp8x(flags: int, height: int = 40, width: int = 56) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return chunk("VP8X", bytes([flags, 0, 0, 0]) + size)


@functools.cache
def frame(kind: str) -> dict[str, bytes]:
    """Return the chunks of a 40 x 56 file by name, each with its header."""
    data = {
        "lossy": lambda: encode(photo(40, 56), "WEBP"),
        "alpha": lambda: encode(clear_photo(40, 56), "WEBP"),
        "lossless": lambda: encode(photo(40, 56), "WEBP", lossless=True),
        "clear": lambda: encode(clear_photo(40, 56), "WEBP", lossless=True),
    }[kind]()
    chunks, at = {}, 12
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + length + length % 2
        chunks[data[at : at + 4].decode().strip()] = data[at:end]
        at = end
    return chunks


def containers() -> dict[str, bytes]:
    """Return files whose chunks and flags fit, contradict each other or are not there."""
    vp8, vp8l, clear = frame("lossy")["VP8"], frame("lossless")["VP8L"], frame("clear")["VP8L"]
    alph, under = frame("alpha")["ALPH"], frame("alpha")["VP8"]
    other = chunk("abcd", b"xyz")
    denied = bytearray(clear)
    denied[12] &= 0xEF  # the bit that announces opacity
    return {
        "simple": riff(vp8),
        "simple lossless": riff(vp8l),
        "opacity denied": riff(bytes(denied)),
        "more behind a simple frame": riff(vp8, other),
        "opacity behind a simple frame": riff(vp8, alph),
        "two simple frames": riff(vp8, vp8),
        "opacity before a simple frame": riff(alph, under),
        "extended": riff(vp8x(0), vp8),
        "extended lossless": riff(vp8x(0), vp8l),
        "opacity": riff(vp8x(0x10), alph, under),
        "opacity without flag": riff(vp8x(0), alph, under),
        "flag without opacity": riff(vp8x(0x10), vp8),
        "flag without lossless opacity": riff(vp8x(0x10), vp8l),
        "lossless opacity without flag": riff(vp8x(0), clear),
        "lossless opacity": riff(vp8x(0x10), clear),
        "opacity for lossless": riff(vp8x(0x10), alph, vp8l),
        "opacity behind": riff(vp8x(0x10), under, alph),
        "opacity behind, no flag": riff(vp8x(0), under, alph),
        "opacity apart": riff(vp8x(0x10), alph, other, under),
        "opacity twice": riff(vp8x(0x10), alph, alph, under),
        "opacity of another size": riff(vp8x(0x10), chunk("ALPH", b"\1xy"), under),
        "no frame": riff(vp8x(0)),
        "two frames": riff(vp8x(0), vp8, vp8),
        "larger canvas": riff(vp8x(0, 41, 56), vp8),
        "smaller canvas": riff(vp8x(0, 40, 55), vp8),
        "unknown chunks": riff(vp8x(0), other, vp8, other),
        "unknown flag": riff(vp8x(0x40), vp8),
        "reserved bit": riff(vp8x(0x01), vp8),
        "longer VP8X": riff(chunk("VP8X", vp8x(0)[8:] + b"\0\0"), vp8),
        "shorter VP8X": riff(chunk("VP8X", vp8x(0)[8:-2]), vp8),
        "two VP8X": riff(vp8x(0), vp8x(0), vp8),
        "animation without flag": riff(vp8x(0), chunk("ANIM", bytes(6)), vp8),
        "animation flag": riff(vp8x(2), vp8),
        "frame of an animation": riff(vp8x(0), chunk("ANMF", bytes(16) + vp8), vp8),
        "metadata without flags": riff(vp8x(0), vp8, chunk("EXIF", b"x"), chunk("XMP ", b"y")),
        "flags without metadata": riff(vp8x(0x2C), vp8),
        "trailing bytes": riff(vp8) + b"more",
        "trailing bytes inside": riff(vp8, b"more"),
        "no padding": riff(vp8x(0), vp8, other[:-1]),
        "chunk beyond the end": riff(vp8x(0), vp8, b"abcd\x20\0\0\0xyz"),
        "frame beyond the end": riff(vp8x(0), vp8[:-40]),
        "empty": riff(),
        "unknown first chunk": riff(other, vp8),
        "wrong start code": riff(vp8[:11] + b"x" + vp8[12:]),
        "interframe": riff(vp8[:8] + bytes([vp8[8] | 1]) + vp8[9:]),
        "hidden frame": riff(vp8[:8] + bytes([vp8[8] & 0xEF]) + vp8[9:]),
        "another lossless version": riff(vp8l[:12] + bytes([vp8l[12] | 0x20]) + vp8l[13:]),
        "short size": b"RIFF\x04\0\0\0" + riff(vp8)[8:],
    }
