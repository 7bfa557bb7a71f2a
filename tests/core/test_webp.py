"""WebP: what C makes of a file is what Pillow makes of it."""

import numpy as np
import numpy.typing as npt
import pytest
from images import encode, photo, same_passes
from one_image import CHANNELS, Window, as_rows, assert_same, decode, pillow, probe
from PIL import Image
from webp_files import clear_photo, containers, frame, riff

from fastcache._core import image as core


def multiplied(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return colours multiplied by their opacity, where there is one, and the opacity."""
    if rows.shape[2] < 4:
        return rows.astype(float)
    return np.dstack([rows[:, :, :3] * (rows[:, :, 3:] / 255), rows[:, :, 3]])


# -- pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (2, 31), (45, 1), (31, 47), (97, 128)], ids=str)
@pytest.mark.parametrize("quality", [0, 10, 50, 80, 95, 100])
def test_lossy_pixels_are_pillows(quality, size):
    """F8: Pillow's own libwebp is of another version; its pixels are the same."""
    for method in (0, 3, 6):
        assert_same(encode(photo(*size), "WEBP", quality=quality, method=method))


@pytest.mark.parametrize("size", [(1, 1), (2, 31), (45, 1), (31, 47), (97, 128)], ids=str)
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_lossless_pixels_are_pillows(mode, size):
    """F8: with every transform that the encoder picks for such images."""
    image = clear_photo(*size) if mode == "RGBA" else photo(*size, mode)
    for method, exact in ((0, False), (4, True), (6, False)):
        assert_same(encode(image, "WEBP", lossless=True, method=method, exact=exact))


@pytest.mark.parametrize("size", [(1, 1), (2, 31), (31, 47), (97, 128)], ids=str)
@pytest.mark.parametrize("alpha_quality", [0, 20, 60, 99, 100])
def test_opacity_is_pillows(alpha_quality, size):
    """F8: opacity beside lossy colours, with all its levels and with few."""
    for method in (0, 4, 6):
        assert_same(encode(clear_photo(*size), "WEBP", alpha_quality=alpha_quality, method=method))


WINDOWS = [
    Window((0, 0, 97, 128), (24, 32)),
    Window((30, 41, 40, 50), (20, 77)),
    Window((1, 3, 13, 17), (40, 40)),
    Window((64, 90, 33, 38), (8, 9)),
]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("color", CHANNELS)
def test_resampled_windows_are_pillows(color, lossless, window):
    """F8: a part of an image with opacity, resized as Pillow resizes mode RGBA."""
    data = encode(clear_photo(97, 128), "WEBP", lossless=lossless)
    status, got = decode(data, color, (97, 128), window)
    y, x, h, w = window.crop
    whole = pillow(data, color)
    assert status == core.OK and whole is not None
    if not same_passes((h, w), window.size):
        pytest.skip("this Pillow resamples in another order")
    wanted = whole.crop((x, y, x + w, y + h)).resize(window.size[::-1], Image.Resampling.BILINEAR)
    # Divided by a low opacity, one level becomes many; so it is compared as it was resampled.
    off = np.abs(multiplied(got) - multiplied(as_rows(wanted)))
    assert off.max() <= (2 if color == "RGBA" else 1)
    assert (off > 0.5).mean() < 0.01


# -- containers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", containers())
@pytest.mark.parametrize("color", CHANNELS)
def test_containers_are_read_as_pillow_reads_them(color, name):
    """E3: the same pixels, or both refuse, or C leaves it to Pillow."""
    data = containers()[name]
    wanted = pillow(data, color)
    status, info = probe(data)
    if status == core.OK:
        assert wanted is None or wanted.size == (info["width"], info["height"])
        status, got = decode(data, color, (int(info["height"]), int(info["width"])))
    if status == core.OK:
        assert wanted is not None
        np.testing.assert_array_equal(got, as_rows(wanted))
    elif status != core.NEEDS_PYTHON:
        assert wanted is None


@pytest.mark.parametrize("name", containers())
def test_few_sound_containers_are_left_to_pillow(name):
    """E3: C decodes all that is well formed; of the rest Pillow reads these."""
    odd = {
        "more behind a simple frame",
        "opacity behind a simple frame",
        "two simple frames",
        "opacity behind, no flag",
    }
    data = containers()[name]
    status, info = probe(data)
    in_c = status == core.OK and bool(info["flags"] & core.IN_C)
    assert (pillow(data, "RGBA") is not None and not in_c) == (name in odd)


def test_animations_are_marked():
    """E3: of several frames, Pillow decodes the first."""
    frames = [photo(40, 56, seed=k) for k in range(3)]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    status, info = probe(data)
    assert status == core.OK
    assert (info["height"], info["width"]) == (40, 56)
    assert info["flags"] == core.ANIMATED
    assert decode(data, "RGB", (40, 56))[0] == core.NEEDS_PYTHON


# -- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lossy", "alpha", "lossless", "clear"])
def test_truncated_files_are_refused_by_both(kind):
    """E3: wherever the cut is, and even if only the first rows are wanted."""
    data = riff(*frame(kind).values())
    top = Window((0, 0, 2, 56), (2, 56))
    for size in range(12, len(data)):
        assert pillow(data[:size], "RGB") is None
        status, _ = decode(data[:size], "RGB", (40, 56), top)
        assert status == core.E_TRUNCATED


@pytest.mark.parametrize("kind", ["lossy", "alpha", "lossless", "clear"])
def test_flipped_bits_mean_the_same_to_both(kind):
    """E3: either both refuse, or the pixels are the same."""
    data = riff(*frame(kind).values())
    rng = np.random.default_rng(len(data))
    outcomes = {"same": 0, "refused": 0, "left": 0}
    for _ in range(600):
        damaged = bytearray(data)
        damaged[rng.integers(12, len(data))] ^= 1 << rng.integers(8)
        wanted = pillow(bytes(damaged), "RGBA")
        status, info = probe(bytes(damaged))
        if status == core.OK:
            size = int(info["height"]), int(info["width"])
            status, got = decode(bytes(damaged), "RGBA", size)
        if status == core.OK:
            outcomes["same"] += 1
            assert wanted is not None
            np.testing.assert_array_equal(got, as_rows(wanted))
        elif status == core.NEEDS_PYTHON:
            outcomes["left"] += 1
        else:
            outcomes["refused"] += 1
            assert wanted is None, core.describe(status, 0)
    assert outcomes["same"] + outcomes["refused"] > 400
