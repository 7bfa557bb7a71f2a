"""PNGs that are damaged, odd or hostile: Pillow's pixels, its refusal, or its own decision."""

import collections
import functools
import struct
import zlib

import numpy as np
import png_writer as png
import pytest
from png_pair import COLOURS, Part, compare, ours

from fastcache._core import image as core

SIDES = (23, 37)


@functools.cache
def sample_file(number: int) -> bytes:
    """Return one of the kinds, plain or interlaced, with chunks around it."""
    colours, depth = png.KINDS[number % len(png.KINDS)]
    before = [png.chunk(b"gAMA", bytes(4)), png.chunk(b"tEXt", b"k\0v")]
    if colours == png.PALETTE:
        before += [png.chunk(b"PLTE", png.random_palette(1 << depth))]
        before += [png.chunk(b"tRNS", b"\x80\xff")]
    return png.write_png(
        png.random_samples(*SIDES, colours, depth),
        colours,
        depth,
        interlaced=bool(number // len(png.KINDS) % 2),
        before=before,
        after=[png.chunk(b"zTXt", b"k\0\0" + zlib.compress(b"v"))],
        sizes=[[], [70], [0, 40, 0]][number % 3],
    )


def with_right_checksums(data: bytes) -> bytes:
    """Return the file with every chunk's checksum made to fit, as far as its lengths lead."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        if at + 12 + length > len(out):
            break
        checksum = zlib.crc32(out[at + 4 : at + 8 + length])
        struct.pack_into(">I", out, at + 8 + length, checksum)
        at += 12 + length
    return bytes(out)


@pytest.mark.parametrize("repaired", [False, True], ids=["as-is", "checksums-repaired"])
@pytest.mark.parametrize("flips", [1, 4])
def test_turned_bits(repaired, flips):
    """A5, F8: pixels are Pillow's, or both refuse, or the core asks Pillow."""
    rng = np.random.default_rng(flips)
    seen = collections.Counter()
    for round_ in range(600):
        data = np.frombuffer(sample_file(round_), np.uint8).copy()
        at = rng.integers(8, len(data), flips)
        data[at] ^= (1 << rng.integers(0, 8, flips)).astype(np.uint8)
        file = with_right_checksums(data.tobytes()) if repaired else data.tobytes()
        seen[compare(file, COLOURS[round_ % 3])] += 1
    assert seen[core.NEEDS_PYTHON] > 50
    assert seen[core.OK] > 10 or flips > 1


@pytest.mark.parametrize("number", range(0, 2 * len(png.KINDS), 4))
def test_every_cut(number):
    """A5: a file that ends anywhere is refused as Pillow refuses it, or read as it reads it."""
    data = sample_file(number)
    seen = collections.Counter(compare(data[:size]) for size in range(1, len(data)))
    assert seen[core.E_TRUNCATED] > 100
    assert seen[core.OK] >= 12


@pytest.mark.parametrize("behind", [b"", b"junk behind the stream"])
def test_cuts_behind_the_last_row(behind):
    """A5: IDATs without pixels are refused when they are cut, one with pixels is not."""
    stream = zlib.compress(rows()) + behind
    for last in range(1, 12 + len(behind)):
        data = rgb_file(stream, [len(stream) - last])[: -12 - 4]
        for size in range(len(data) - last - 14, len(data)):
            compare(data[:size])


def rgb_file(stream: bytes, sizes=(), broken=(), size=SIDES) -> bytes:
    header = png.header(*size, png.RGB, 8)
    return png.join(header, *png.image_data(stream, sizes, broken=broken))


def rows(size=SIDES, filters=png.EVERY_FILTER) -> bytes:
    return png.scanlines(png.random_samples(*size, png.RGB, 8), 8, filters=filters)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("size", [SIDES, (170, 290)], ids=str)
def test_odd_streams(level, size):
    """A5: checksums, lengths and headers of the compressed pixels, in one IDAT and in several."""
    good = zlib.compress(rows(size, (0,)), level)
    wrong = good[:-1] + bytes([good[-1] ^ 1])
    streams = {
        "good": good,
        "wrong checksum": wrong,
        "no checksum": good[:-4],
        "half a checksum": good[:-2],
        "junk behind": good + b"junk",
        "another stream behind": good + good,
        "too short": zlib.compress(rows(size, (0,))[:-5], level),
        "a row too short": zlib.compress(rows(size, (0,))[: -1 - 3 * size[1]], level),
        "too long": zlib.compress(rows(size, (0,)) + b"more" * 100, level),
        "empty": zlib.compress(b"", level),
        "no stream": b"",
        "unknown filter": zlib.compress(rows(size, (0, 7)), level),
        "other method": b"\x79" + good[1:],
        "wrong header": good[:1] + bytes([good[1] ^ 1]) + good[2:],
        "dictionary": b"\x78\xbb" + good[2:],
        "small window": b"\x08\x1d" + good[2:],
        "large window": b"\x88\x1c" + good[2:],
    }
    for name, stream in streams.items():
        for sizes in ([], [len(stream) // 2], [max(0, len(stream) - 4)], [0, 1, 0]):
            status = compare(rgb_file(stream, sizes, size=size))
            if name in ("good", "junk behind", "another stream behind"):
                assert status == core.OK, name
            if name in ("too short", "too long", "no checksum"):
                assert status == core.NEEDS_PYTHON, name


def test_checksums_are_reported():
    """A5: a wrong checksum says where, or is counted when Pillow reads over it."""
    stream = zlib.compress(rows())
    status, warnings, _ = ours(rgb_file(stream, [50, 50], broken=[0, 2]))
    assert (status, warnings) == (core.NEEDS_PYTHON, 2)
    status, detail, _ = ours(rgb_file(stream[:-1] + b"\0"))
    assert "Adler" in core.describe(status, detail)
    text = png.chunk(b"tEXt", b"a\0b", broken=True)
    status, detail, _ = ours(png.join(png.header(*SIDES, png.RGB, 8), text, png.image_data(b"")[0]))
    assert core.describe(status, detail).endswith("wrong checksum in chunk tEXt")


# What may stand around the pixels: sound, odd, damaged, and what only Pillow takes for something.
ACTL = struct.pack(">II", 2, 0)
FCTL = struct.pack(">IIIIIHHBB", 0, SIDES[1], SIDES[0], 0, 0, 1, 10, 0, 0)
AROUND = [
    png.chunk(name, content, broken=broken)
    for name, content, broken in [
        (b"gAMA", bytes(4), False),
        (b"gAMA", bytes(3), False),
        (b"cHRM", bytes(32), False),
        (b"pHYs", bytes(9), True),
        (b"sRGB", b"", False),
        (b"PLTE", bytes(9), False),
        (b"tRNS", bytes(6), False),
        (b"tRNS", bytes(2), False),
        (b"tEXt", b"interlace\x001", False),
        (b"tEXt", b"transparency\x001", False),
        (b"tEXt", b"bbox", False),
        (b"tEXt", b"", False),
        (b"tEXt", b"key\0value", True),
        (b"zTXt", b"key\0\0" + zlib.compress(bytes(1 << 20)), False),
        (b"zTXt", b"key\0\0" + zlib.compress(bytes((1 << 20) + 1)), False),
        (b"zTXt", b"key\0\0" + zlib.compress(bytes((1 << 20) - 1)), False),
        (b"zTXt", b"key\0\0damaged", False),
        (b"zTXt", b"key\0\1", False),
        (b"iTXt", b"key\0\1\0\0\0" + zlib.compress(bytes(2 << 20)), False),
        (b"iTXt", b"key\0\0\0\0\0\xff\xfe", False),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes(5000)), False),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes(2 << 20)), False),
        (b"iCCP", b"name\0\1", False),
        (b"iCCP", b"name", False),
        (b"eXIf", b"nonsense", False),
        (b"acTL", ACTL, False),
        (b"acTL", bytes(8), False),
        (b"acTL", bytes(4), False),
        (b"fcTL", FCTL, False),
        (b"fcTL", FCTL[:4] + struct.pack(">I", 9) + FCTL[8:], False),
        (b"fdAT", bytes(4), False),
        (b"IDAT", b"", False),
        (b"IEND", b"", False),
        (b"IHDR", struct.pack(">IIBBBBB", 5, 5, 8, 2, 0, 0, 0), False),
        (b"prIv", b"anything", False),
        (b"CRIT", b"anything", True),
        (b"no!t", b"a name", False),
        (b"a_09", b"a name", False),
    ]
]


@pytest.mark.parametrize("kind", [(png.RGB, 8), (png.PALETTE, 8), (png.GREY, 16)], ids=str)
def test_chunks_in_any_order(kind):
    """A5, E3: each chunk alone before and behind the pixels, then up to four together."""
    rng = np.random.default_rng(kind)
    palette = [png.chunk(b"PLTE", png.random_palette(200))] if kind[0] == png.PALETTE else []
    samples = png.random_samples(*SIDES, *kind)
    alone = [([k], []) for k in AROUND] + [([], [k]) for k in AROUND]
    together = [
        [[AROUND[i] for i in rng.integers(len(AROUND), size=n)] for n in rng.integers(0, 3, 2)]
        for _ in range(300)
    ]
    seen = collections.Counter()
    for before, after in alone + together:
        data = png.write_png(samples, *kind, before=[*palette, *before], after=after)
        for colour in ("RGB", "RGBA"):
            seen[compare(data, colour)] += 1
    assert seen[core.OK] > 50
    assert seen[core.E_BYTES] > 5
    assert seen.total() > 20 + seen[core.OK] + seen[core.NEEDS_PYTHON] + seen[core.E_BYTES]


def test_texts_of_more_than_64_mib():
    """A5: Pillow's limits of text, met within the memory of one of them and without delay."""
    text = png.chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes((1 << 20) - 1), 9))
    stream = png.image_data(zlib.compress(rows()))
    header = png.header(*SIDES, png.RGB, 8)
    for count, status in ((64, core.OK), (65, core.E_BYTES), (2000, core.E_BYTES)):
        texts = [text] * count
        for data in (png.join(header, *texts, *stream), png.join(header, *stream, *texts)):
            assert ours(data)[0] == status
            if count < 100:
                assert compare(data) == status


def test_claims_that_the_data_cannot_meet():
    """A5: a header that claims much refuses at once, before memory is reserved."""
    stream = png.image_data(zlib.compress(rows()))
    huge = png.join(png.header(100_000, 100_000, png.RGB, 8), *stream)
    assert ours(huge)[0] == core.E_PIXELS
    large = png.join(png.header(13_000, 13_000, png.RGBA, 16), *stream)
    assert ours(large, part=Part((0, 0, 1, 1), (1, 1)))[0] == core.NEEDS_PYTHON
