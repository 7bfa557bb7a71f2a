"""PNG decoded in C against Pillow: every kind, every colour, whole and in parts."""

import struct

import numpy as np
import png_writer as png
import pytest
from images import encode, photo, same_passes
from PIL import Image, PngImagePlugin
from png_pair import COLOURS, Part, compare, ours, pillows, probe

from fastcache._core import image as core
from fastcache.transforms import FILTERS

SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (7, 5), (16, 8), (37, 53)]


def kind_name(kind_and_depth):
    names = {0: "grey", 2: "rgb", 3: "palette", 4: "grey-alpha", 6: "rgba"}
    return f"{names[kind_and_depth[0]]}-{kind_and_depth[1]}"


EVERY_KIND = pytest.mark.parametrize("kind", png.KINDS, ids=kind_name)
INTERLACED = pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "adam7"])


def palette_chunks(depth, transparency=b"", entries=None):
    chunks = [png.chunk(b"PLTE", png.random_palette(entries or 1 << depth))]
    return chunks + ([png.chunk(b"tRNS", transparency)] if transparency else [])


def make(kind, size, *, interlaced=False, before=(), filters=png.EVERY_FILTER):
    """Return a file of one kind."""
    colours, depth = kind
    samples = png.random_samples(*size, colours, depth)
    if colours == png.PALETTE and not before:
        before = palette_chunks(depth)
    return png.write_png(
        samples, colours, depth, interlaced=interlaced, before=before, filters=filters
    )


@EVERY_KIND
@INTERLACED
@pytest.mark.parametrize("colour", [*COLOURS, "I;16"])
def test_every_kind_is_pillows_to_the_bit(kind, interlaced, colour):
    """E3, F8: type, depth and interlace of every sort, to every colour, at sizes of every sort."""
    is_kept = kind == (png.GREY, 16)
    for size in SIZES:
        data = make(kind, size, interlaced=interlaced)
        status = compare(data, colour)
        assert status == (core.OK if colour != "I;16" or is_kept else core.NEEDS_PYTHON)
        assert ours(data, colour)[1] == 0


def transparencies(kind):
    """Contents of tRNS that match a pixel, that match one as Pillow compares it, and none."""
    colours, depth = kind
    if colours == png.PALETTE:
        some = np.random.default_rng(depth).integers(0, 256, 1 << depth, np.uint8).tobytes()
        return [some, some[:1], b"\0", b"\xff\0", b"\xff\0\n", b"\0\n", b"\0\0\n", b"\xff\xff\n"]
    samples = png.random_samples(37, 53, colours, depth)[5, 7]
    colour = (samples * np.ones(3 if colours == png.RGB else 1, int)).tolist()
    variants = [colour, [v >> 8 for v in colour], [v + 256 & 0xFFFF for v in colour], [0], [255]]
    scaled = [v * 255 // ((1 << min(depth, 8)) - 1) & 0xFFFF for v in colour]
    length = 3 if colours == png.RGB else 1
    return [struct.pack(f">{length}H", *(v * length)[:length]) for v in [*variants, scaled]]


@pytest.mark.parametrize(
    "kind", [k for k in png.KINDS if k[0] in (png.GREY, png.RGB, png.PALETTE)], ids=kind_name
)
@INTERLACED
def test_transparency_is_pillows(kind, interlaced):
    """E3: tRNS of colours and of palettes, its rules for other depths included."""
    opaque = 0
    for content in transparencies(kind):
        chunk = png.chunk(b"tRNS", content)
        before = [*palette_chunks(kind[1]), chunk] if kind[0] == png.PALETTE else [chunk]
        data = make(kind, (37, 53), interlaced=interlaced, before=before)
        for colour in COLOURS:
            assert compare(data, colour) == core.OK
        pixels = ours(data, "RGBA")[2]
        opaque += int(pixels[:, :, 3].min() == 255)
        assert probe(data)[1]["flags"] & 4  # FC_IMAGE_ALPHA
    assert opaque < len(transparencies(kind))


@pytest.mark.parametrize("entries", [1, 3, 200, 256])
def test_palettes_shorter_than_their_indices(entries):
    data = make((png.PALETTE, 8), (31, 47), before=palette_chunks(8, b"\x10\x80", entries))
    for colour in COLOURS:
        assert compare(data, colour) == core.OK


def test_bytes_behind_the_last_palette_entry():
    before = [png.chunk(b"PLTE", bytes(range(1, 12)))]
    assert compare(make((png.PALETTE, 2), (9, 9), before=before)) == core.OK


def weighed(pixels):
    """Return pixels whose colours count as far as they are seen: faint ones are mostly rounding."""
    out = pixels.astype(float)
    if pixels.shape[2] == 4:
        out[:, :, :3] *= out[:, :, 3:] / 255
    return out


@EVERY_KIND
def test_resampled_parts_are_pillows_within_rounding(kind):
    """F8: crops resampled by every filter; transparent pixels do not bleed."""
    rng = np.random.default_rng(kind)
    off, values = 0, 0
    for name in FILTERS:
        for colour in COLOURS:
            h, w = (int(v) for v in rng.integers(1, [61, 83], endpoint=True))
            y, x = int(rng.integers(0, 62 - h)), int(rng.integers(0, 84 - w))
            size = tuple(int(v) for v in rng.integers(1, 70, 2))
            if not same_passes((h, w), size):
                continue
            part = Part((y, x, h, w), size, name)
            data = make(kind, (61, 83), interlaced=bool(rng.integers(2)))
            status, _, got = ours(data, colour, part)
            assert status == core.OK
            want = pillows(data, colour, part)
            difference = np.abs(weighed(got) - weighed(want))
            assert difference.max() <= (0 if name == "nearest" else 2.01), (name, colour, part)
            off, values = off + int((difference > 1).sum()), values + difference.size
    assert off <= values / 1000


@EVERY_KIND
@INTERLACED
def test_parts_are_parts(kind, interlaced):
    data = make(kind, (61, 83), interlaced=interlaced)
    rng = np.random.default_rng(kind)
    for _ in range(12):
        h, w = (int(v) for v in rng.integers(1, [61, 83], endpoint=True))
        y, x = int(rng.integers(0, 62 - h)), int(rng.integers(0, 84 - w))
        colour = COLOURS[rng.integers(3)]
        _, _, got = ours(data, colour, Part((y, x, h, w), (h, w)))
        np.testing.assert_array_equal(got, pillows(data, colour)[y : y + h, x : x + w])


def test_wide_pixels_are_cut_out_but_not_blended():
    data = make((png.GREY, 16), (61, 83))
    crop = (3, 5, 40, 50)
    nearest = [Part(crop, (size, 151 - size), "nearest") for size in range(1, 151)]
    for part in (Part(crop, crop[2:]), *nearest):
        np.testing.assert_array_equal(ours(data, "I;16", part)[2], pillows(data, "I;16", part))
    assert ours(data, "I;16", Part((0, 0, 61, 83), (30, 40)))[0] == core.NEEDS_PYTHON


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("options", [{}, {"compress_level": 0}, {"optimize": True}], ids=str)
def test_files_of_pillows_own(mode, options):
    """E3: what Pillow writes, with large IDATs, comments and colour profiles."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "plain")
    info.add_text("Long", "compressed " * 5000, zip=True)
    info.add_itxt("Title", "größer", lang="de", zip=True)
    data = encode(photo(307, 203, mode), "PNG", pnginfo=info, icc_profile=bytes(3000), **options)
    for colour in COLOURS:
        assert compare(data, colour) == core.OK


@pytest.mark.parametrize("default_image", [False, True])
def test_animations_give_their_first_frame(default_image):
    """E3: APNG; the frames' metadata behind the pixels are no matter."""
    frames = [photo(31, 47, seed=seed) for seed in range(4)]
    data = encode(
        frames[0],
        "PNG",
        save_all=True,
        append_images=frames[1:],
        default_image=default_image,
        duration=100,
    )
    assert probe(data)[1]["flags"] & core.ANIMATED
    assert compare(data) == core.OK
    np.testing.assert_array_equal(ours(data)[2], np.asarray(frames[0]))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("place", ["before", "after"])
def test_exif_turns_the_image(orientation, place):
    """E3: eXIf before and behind the pixels; without it nothing is turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    chunk = png.chunk(b"eXIf", exif.tobytes()[6:])
    samples = png.random_samples(23, 37, png.RGB, 8)
    data = png.write_png(samples, png.RGB, **{place: [chunk]})
    assert probe(data)[1]["orientation"] == orientation
    for colour in COLOURS:
        assert compare(data, colour, upright=True) == core.OK
        assert compare(data, colour) == core.OK


def test_wide_images_turn():
    exif = Image.Exif()
    exif[0x0112] = 6
    before = [png.chunk(b"eXIf", exif.tobytes()[6:])]
    data = make((png.GREY, 16), (23, 37), before=before)
    assert compare(data, "I;16", upright=True) == core.OK


def test_orientation_in_xmp_is_left_to_pillow():
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="6"/>'
    data = png.write_png(
        png.random_samples(9, 7, png.RGB, 8), png.RGB, after=[png.chunk(b"iTXt", xmp)]
    )
    assert probe(data)[1]["flags"] & core.ASK_ORIENTATION
    assert compare(data, upright=True) == core.NEEDS_PYTHON
    assert compare(data) == core.OK
    assert pillows(data, upright=True).shape == (7, 9, 3)
