"""Colours of pixels in memory against plain formulas, and on every instruction set."""

import colorsys
import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from colours import EVERY, FACTORS, TURNS, Pixels, changed, grid, photo
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache._core import tint as core
from fastcache._core.tint import BRIGHTNESS, CONTRAST, GREY, HUE, SATURATION
from fastcache.errors import ArgumentError


def grey_of(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Return floor of the luma; a hundred-thousandth up or down never matters twice in a row."""
    luma = pixels.astype(np.float64) @ np.array([0.2989, 0.587, 0.114])
    return np.floor(luma + 1e-6)


def near(ours: Pixels, expected: npt.NDArray[Any], levels: int = 1) -> bool:
    return bool(np.abs(ours - np.floor(np.clip(expected, 0, 255) + 1e-6)).max() <= levels)


@pytest.mark.parametrize("by", FACTORS)
def test_factors_are_blends(by):
    pixels = photo(37, 53)
    by = float(np.float32(by))
    grey = grey_of(pixels)[..., None]
    assert near(changed(pixels, (BRIGHTNESS, by)), by * pixels)
    assert near(changed(pixels, (SATURATION, by)), by * pixels + (1 - by) * grey)
    assert near(changed(pixels, (CONTRAST, by)), by * pixels + (1 - by) * grey.mean())
    assert near(changed(pixels, (GREY, 0)), np.repeat(grey, 3, axis=2))
    alone = pixels[..., :1].copy()
    assert near(changed(alone, (BRIGHTNESS, by)), by * alone)
    assert near(changed(alone, (CONTRAST, by)), by * alone + (1 - by) * alone.mean())


@pytest.mark.parametrize("by", TURNS)
def test_hue_is_a_turn_in_hsv(by):
    pixels = np.concatenate([grid(64), photo(25, 25).reshape(5, -1, 3)], axis=1)
    expected = []
    for pixel in pixels.reshape(-1, 3):
        h, s, v = colorsys.rgb_to_hsv(*(pixel / 255))
        expected.append(colorsys.hsv_to_rgb((h + by) % 1, s, v))
    assert near(changed(pixels, (HUE, by)), 255 * np.array(expected).reshape(pixels.shape))


def test_what_changes_nothing():
    pixels = grid(7)
    for same in ((BRIGHTNESS, 1), (CONTRAST, 1), (SATURATION, 1), (HUE, 0)):
        np.testing.assert_array_equal(changed(pixels, same), pixels)
    np.testing.assert_array_equal(changed(pixels), pixels)
    grey = photo(9, 9, 1)
    np.testing.assert_array_equal(changed(grey, (SATURATION, 2), (HUE, 0.3), (GREY, 0)), grey)


@pytest.mark.parametrize("colour", EVERY)
def test_alpha_stays(colour):
    pixels = photo(13, 21, 4)
    made = changed(pixels, colour)
    np.testing.assert_array_equal(made[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(made[..., :3], changed(pixels[..., :3].copy(), colour))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 70),
    st.sampled_from([1, 3, 4]),
    st.integers(0, 40),
    st.sampled_from(EVERY),
)
def test_rows_apart(height, width, channels, gap, colour):
    rng = np.random.default_rng((height, width, gap))
    wide = rng.integers(0, 256, (height, width * channels + gap), dtype=np.uint8)
    before = wide.copy()
    size, strides = (height, width, channels), (wide.strides[0], channels, 1)
    view = np.lib.stride_tricks.as_strided(wide, size, strides)
    expected = changed(np.ascontiguousarray(view), colour)
    core.apply_colours(view, [colour[0]], [colour[1]])
    np.testing.assert_array_equal(view, expected)
    np.testing.assert_array_equal(wide[:, width * channels :], before[:, width * channels :])


DIGEST = """
    import hashlib, numpy as np
    from fastcache._core import image, tint
    rng = np.random.default_rng(5)
    digest = hashlib.sha256()
    for channels in (1, 3, 4):
        for width in (1, 15, 16, 33, 530):
            pixels = rng.integers(0, 256, (40, width, channels), dtype=np.uint8)
            for kinds in rng.integers(0, 5, (30, 4)):
                amounts = np.where(kinds == tint.HUE, rng.uniform(-.5, .5, 4), rng.uniform(0, 2, 4))
                made = pixels.copy()
                tint.apply_colours(made, kinds, amounts)
                digest.update(made)
    print(image.cpu_name(), digest.hexdigest())
"""


def test_all_instruction_sets_give_the_same_bytes():
    digests = {}
    for mask in ("scalar", "avx2", "avx512"):
        environment = {**os.environ, "FASTCACHE_CPU": mask}
        command = [sys.executable, "-c", textwrap.dedent(DIGEST)]
        name, digest = subprocess.check_output(command, env=environment, text=True).split()
        digests[name] = digest
    assert "scalar" in digests
    assert len(set(digests.values())) == 1, digests


# ---- bad input ----


@pytest.mark.parametrize(
    ("colour", "words"),
    [
        ((BRIGHTNESS, -0.1), "brightness by -0.1"),
        ((CONTRAST, float("nan")), "contrast by nan"),
        ((SATURATION, float("inf")), "saturation by inf"),
        ((SATURATION, 1e300), "finite"),
        ((HUE, 0.51), "-0.5 to 0.5"),
        ((HUE, float("nan")), "hue turns by nan"),
        ((HUE, "red"), "is a number, not 'red'"),
        ((BRIGHTNESS, None), "is a number, not None"),
        ((5, 1.0), "no kind of colour is 5"),
        ((-1, 1.0), "no kind of colour is -1"),
        (("hue", 0.1), "no kind of colour is 'hue'"),
        (([], 0.1), "no kind of colour"),
    ],
)
def test_colours_that_there_are_not(colour, words):
    pixels = photo(4, 4)
    with pytest.raises(ArgumentError, match=words):
        core.apply_colours(pixels, [BRIGHTNESS, colour[0]], [0.5, colour[1]])
    np.testing.assert_array_equal(pixels, photo(4, 4))


def read_only() -> Pixels:
    pixels = photo(4, 4)
    pixels.setflags(write=False)
    return pixels


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (read_only(), "writable"),
        (photo(4, 4).astype(np.float32), "uint8"),
        (photo(4, 4)[..., 0].copy(), "height, width, channels"),
        ([[1, 2, 3]], "not list"),
        (None, "not NoneType"),
        (np.zeros((4, 4, 2), np.uint8), "2 channels"),
        (np.zeros((4, 4, 5), np.uint8), "5 channels"),
        (np.zeros((4, 4, 0), np.uint8), "0 channels"),
        (photo(4, 4)[::-1], "strides"),
        (photo(4, 4)[:, ::-1], "strides"),
        (photo(4, 4)[..., ::-1], "strides"),
        (photo(4, 8)[:, ::2], "strides"),
        (photo(4, 4).transpose(1, 0, 2), "strides"),
    ],
)
def test_pixels_that_cannot_be_changed(pixels, words):
    with pytest.raises(ArgumentError, match=words):
        core.apply_colours(pixels, [BRIGHTNESS], [0.5])


def test_lists_of_different_lengths():
    with pytest.raises(ArgumentError, match="2 kinds of colour with 1 amounts"):
        core.apply_colours(photo(2, 2), [GREY, GREY], [0])


def test_no_pixels():
    for shape in ((0, 4, 3), (4, 0, 3), (0, 0, 1)):
        core.apply_colours(np.empty(shape, np.uint8), [CONTRAST, HUE], [0.5, 0.1])
