"""How a camera was held: EXIF and XMP of JPEG and WebP, as Pillow's exif_transpose applies them."""

import struct

import pytest
from images import encode, photo
from one_image import assert_same, decode, probe
from PIL import Image
from webp_files import chunk, frame, riff, vp8x

from fastcache._core import image as core

XMP = "<x:xmpmeta><rdf:Description tiff:Orientation{}/></x:xmpmeta>"


def exif_block(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def jpeg_with_xmp(data: bytes, packet: bytes) -> bytes:
    content = b"http://ns.adobe.com/xap/1.0/\0" + packet
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[2:]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("lossless", [False, True])
def test_exif_orientation_of_webp(lossless, orientation):
    """A5: read and applied as ImageOps.exif_transpose does; ignored unless asked for."""
    data = encode(photo(31, 47), "WEBP", lossless=lossless, exif=exif_block(orientation))
    status, info = probe(data)
    assert status == core.OK
    assert info["orientation"] == (orientation if 1 <= orientation <= 8 else 1)
    assert not info["flags"] & core.ASK_ORIENTATION
    assert_same(data, transpose=True)
    assert_same(data)


@pytest.mark.parametrize("prefixes", range(4))
def test_exif_prefixes_of_webp(prefixes):
    """A5: Pillow cuts off two of them, and gives up on three; C gives up on EXIF only."""
    block = b"Exif\0\0" * prefixes + exif_block(6).removeprefix(b"Exif\0\0")
    data = riff(vp8x(8), frame("lossy")["VP8"], chunk("EXIF", block))
    status, info = probe(data)
    assert status == core.OK
    assert info["orientation"] == (6 if prefixes < 3 else 1)
    if prefixes < 3:
        assert_same(data, transpose=True)


@pytest.mark.parametrize("value", [f'="{k}"' for k in range(10)] + [">6<", "='6'", '=" 6"', ""])
@pytest.mark.parametrize("exif", [None, 1, 3, 9])
@pytest.mark.parametrize("fmt", ["WEBP", "JPEG"])
def test_xmp_orientation(fmt, exif, value):
    """A5: an orientation that stands only in XMP turns the image; EXIF goes first."""
    options = {} if exif is None else {"exif": exif_block(exif)}
    packet = XMP.format(value).encode()
    data = encode(photo(31, 47), fmt, **options, **({"xmp": packet} if fmt == "WEBP" else {}))
    data = jpeg_with_xmp(data, packet) if fmt == "JPEG" else data
    assert probe(data)[0] == core.OK
    assert_same(data, transpose=True)


@pytest.mark.parametrize("kind", [1, 2, 6, 7, 8, 9])
def test_orientations_of_other_types_are_left_to_pillow(kind):
    """A5: bytes, text and signed numbers; some of these turn an image, and some do not."""
    entry = struct.pack("<HHI4s", 0x0112, kind, 1, b"\6\0\0\0")
    tiff = b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)
    data = encode(photo(31, 47), "JPEG", exif=b"Exif\0\0" + tiff)
    status, info = probe(data)
    assert status == core.OK
    assert info["flags"] & core.ASK_ORIENTATION
    assert decode(data, "RGB", (31, 47), apply_orientation=True)[0] == core.NEEDS_PYTHON
    assert_same(data)
