"""The makers of test images make what they say; Pillow is the judge."""

import io

import images
import numpy as np
import pytest
from jpeg_writer import write_jpeg
from PIL import Image


def opened(data):
    return Image.open(io.BytesIO(data))


def sampling_factors(data):
    """Return (h, v) of each component, from the frame header."""
    (start,) = [start for marker, start, _ in images.segments(data) if marker in (0xC0, 0xC1, 0xC2)]
    return [divmod(data[start + 11 + 3 * c], 16) for c in range(data[start + 9])]


@pytest.mark.parametrize("kind", images.jpeg_kinds())
def test_good_jpegs_decode(jpeg_kinds, kind):
    assert images.decoded(jpeg_kinds[kind]).ndim == 3


@pytest.mark.parametrize("kind", images.other_kinds())
def test_other_formats_are_what_they_are_called(kind):
    with opened(images.other_kinds()[kind]) as image:
        assert image.format.lower() == kind.split("-")[0]


@pytest.mark.parametrize("kind", sorted(images.broken_kinds().keys() - {"1000-scans"}))
def test_broken_files_are_refused_by_pillow(broken_kinds, kind):
    with pytest.raises((OSError, Image.DecompressionBombError)):
        images.decoded(broken_kinds[kind])


def test_thousand_scans(broken_kinds):
    markers = [marker for marker, _, _ in images.segments(broken_kinds["1000-scans"])]
    assert markers.count(0xDA) == 1000


@pytest.mark.parametrize("sampling", images.RARE_SAMPLINGS)
def test_rare_samplings_are_in_the_file(sampling):
    assert sampling_factors(images.rare_jpeg(sampling)) == images.RARE_SAMPLINGS[sampling]


@pytest.mark.parametrize("interval", [0, 1, 3])
@pytest.mark.parametrize("size", images.SIZES)
def test_the_jpeg_writer_is_nearly_lossless(size, interval):
    grey = images.pixels(*size, 1)
    out = images.decoded(write_jpeg(grey, [(1, 1)], step=1, restart_interval=interval), None)
    assert np.abs(out.astype(int) - grey[:, :, 0]).max() <= 3


def test_jpeg_editors():
    cmyk = images.encode(images.photo(20, 30, "CMYK"))
    assert opened(cmyk).info["adobe_transform"] == 0
    assert opened(images.with_adobe_transform(cmyk, 2)).info["adobe_transform"] == 2
    assert "adobe" not in opened(images.without_segment(cmyk, 0xEE)).info
    turned = opened(images.with_orientation(images.photo(20, 30), 6))
    assert turned.getexif()[0x0112] == 6
    small = images.with_claimed_size(images.encode(images.photo(20, 30)), 9, 11)
    assert opened(small).size == (11, 9)
