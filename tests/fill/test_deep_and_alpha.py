"""16 bits and transparency: whoever decodes, Pillow's pixels."""

import images
import numpy as np
import PIL
import pytest
from filling import filled, oracle, reason, row, told
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import DecodeError

STORES = [
    None,
    T.CenterCrop(24),
    T.CenterCrop(70),
    T.Resize(20, "nearest"),
    T.Resize((50, 20)),
    T.Resize(90, "bicubic"),
    [T.Resize(30, "lanczos"), T.CenterCrop(25)],
    T.LetterBox(40),
    T.LetterBox(64, fill=200, interpolation="nearest"),
    [T.Resize(30), T.Resize(20)],
]


@pytest.fixture
def deep(tmp_path):
    """16-bit grey PNGs, and an 8-bit one among them."""
    rng = np.random.default_rng(3)
    for k, shape in enumerate([(60, 47), (47, 60), (33, 33)]):
        noise = rng.integers(0, 1 << 16, shape, np.uint16)
        (tmp_path / f"{k}.png").write_bytes(images.encode(Image.fromarray(noise), "PNG"))
    (tmp_path / "8.png").write_bytes(images.encode(images.photo(40, 50, "L"), "PNG"))
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize(
    "store", [*STORES, *(T.Resize((h, 61 - h), "nearest") for h in range(1, 61))], ids=str
)
def test_sixteen_bits_are_pillows(deep, store):
    """F8: color="I;16" with every kind of store; slots are counted in bytes, not pixels."""
    try:
        oracle(deep[0], "I;16", store)
    except ValueError:  # an older Pillow
        with pytest.raises(DecodeError, match="does not resample 16-bit images"):
            filled(deep, color="I;16", store=store)
        return
    arena = filled(deep, color="I;16", store=store)
    assert arena.catalog["columns"]["image"]["dtype"] == "uint16"
    for k, path in enumerate(deep):
        np.testing.assert_array_equal(row(arena, k), oracle(path, "I;16", store), path.name)


def test_sixteen_bits_go_through_c_where_nothing_is_blended(deep):
    """F8: copies, cuts, padding and nearest in C; real resampling by Pillow, and that is said."""
    for store in (None, T.CenterCrop(24), T.CenterCrop(70), T.Resize(20, "nearest")):
        assert told(filled(deep, color="I;16", store=store))["decoded_in_c"] == {"PNG": 3}, store
    if not images.pillow_blends_16_bits():
        return
    resized = told(filled(deep, color="I;16", store=T.Resize(20)))
    assert (resized["decoded_in_c"], resized["through_pillow"]) == ({}, {"PNG": 4})


@pytest.fixture
def clear(tmp_path):
    """Files with every kind of transparency, and without."""
    rng = np.random.default_rng(4)
    kinds = {}
    for k, (h, w) in enumerate([(61, 48), (48, 61), (120, 30)]):
        pixels = images.pixels(h, w, 4, k)
        pixels[:, :, 3] = rng.choice([0, 0, 1, 100, 254, 255, 255], (h, w))
        image = Image.fromarray(pixels)
        kinds[f"{k}-rgba.png"] = images.encode(image, "PNG")
        kinds[f"{k}-la.png"] = images.encode(image.convert("LA"), "PNG")
        kinds[f"{k}.webp"] = images.encode(image, "WEBP", lossless=True, exact=True)
        kinds[f"{k}-lossy.webp"] = images.encode(image, "WEBP")
    kinds["palette.png"] = images.encode(images.photo(31, 47, "P"), "PNG", transparency=3)
    kinds["key.png"] = images.encode(images.photo(31, 47, "L"), "PNG", transparency=90)
    kinds["opaque.png"] = images.encode(images.photo(31, 47), "PNG")
    kinds["opaque.jpg"] = images.encode(images.photo(31, 47))
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize("store", STORES, ids=str)
@pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13,
    reason="Pillow before 13 never shrinks the height first; see tests/core/test_resample.py",
)
def test_transparency_is_resampled_as_pillow_does(clear, store):
    """F8: colours count by their opacity; 1 level of rounding, more where nothing is seen.

    Colours are divided by their opacity again, so that one level before the division may be many
    after it where the opacity is low: the comparison is of what is seen.
    """
    arena = filled(clear, color="RGBA", store=store)
    ways = told(arena)["decoded_in_c"], told(arena)["through_pillow"]
    if store == STORES[-1]:  # resampled twice, but for the images that are 30 wide
        assert ways == ({"PNG": 2, "WEBP": 2}, {"JPEG": 1, "PNG": 7, "WEBP": 4})
    else:
        assert ways == ({"JPEG": 1, "PNG": 9, "WEBP": 6}, {})
    for k, path in enumerate(clear):
        got, want = row(arena, k).astype(int), oracle(path, "RGBA", store).astype(int)
        assert got.shape == want.shape
        if store is None or isinstance(store, T.CenterCrop):
            np.testing.assert_array_equal(got, want, path.name)
            continue
        assert np.abs(got[..., 3] - want[..., 3]).max() <= 1, path.name
        seen = [pixels[..., :3] * pixels[..., 3:] / 255 for pixels in (got, want)]
        assert np.abs(seen[0] - seen[1]).max() <= 2.01, path.name


def test_palettes_have_no_sixteen_bits(tmp_path):
    """A5: Pillow's words for it would be "conversion not supported"."""
    path = tmp_path / "a.png"
    path.write_bytes(images.encode(images.photo(20, 30, "P"), "PNG"))
    assert reason(path, color="I;16") == (
        'has mode P, of which Pillow makes no I;16: pass color="L" or "RGB", or save it as 16-bit '
        "grey"
    )
