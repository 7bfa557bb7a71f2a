"""ds.loader: a file as a PIL image, as the arena was filled."""

import pickle

import images
import numpy as np
import pytest
from filling import oracle, save
from PIL import Image

from fastcache import Limits
from fastcache.errors import DecodeError
from fastcache.read.dataset import ArenaDataset
from fastcache.sources import Files, Pairs


def loaded(paths, **options):
    """Return the loader of a dataset of these files, which is closed."""
    with ArenaDataset(Files([str(path) for path in paths], [0] * len(paths)), **options) as ds:
        return pickle.loads(pickle.dumps(ds.loader))


@pytest.mark.parametrize("color", [None, "RGB", "L", "RGBA"])
def test_arrays_beside_images_have_the_mode_of_the_arena(tmp_path, color):
    """E3: uint8 of one and of four channels among JPEGs."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    paths = [save(tmp_path / f"{c}.npy", images.pixels(30, 41, c)) for c in (1, 3, 4)]
    loader = loaded([tmp_path / "a.jpg", *paths], color=color)
    mode = color or "RGB"
    assert [loader(str(path)).mode for path in (*paths, tmp_path / "a.jpg")] == [mode] * 4
    np.testing.assert_array_equal(
        np.asarray(loader(tmp_path / "a.jpg")).reshape(30, 41, -1), oracle(tmp_path / "a.jpg", mode)
    )
    want = Image.fromarray(images.pixels(30, 41, 4)).convert(mode)
    np.testing.assert_array_equal(np.asarray(loader(paths[2])), np.asarray(want))


def test_arrays_that_are_kept_keep_their_mode(tmp_path):
    """E3: a column of arrays of one kind has no colour."""
    x = images.pixels(30, 41, 4)
    path = save(tmp_path / "a.npy", x)
    image = loaded([path])(path)
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), x)


def test_sixteen_bits_stay_sixteen(tmp_path):
    x = images.pixels(30, 41, 1)[:, :, 0].astype(np.uint16) * 257
    paths = [save(tmp_path / "a.npy", x), tmp_path / "b.png"]
    paths[1].write_bytes(images.encode(Image.fromarray(x), "PNG"))
    loader = loaded(paths, color="I;16")
    for path in paths:
        assert loader(path).mode == "I;16"
        np.testing.assert_array_equal(np.asarray(loader(path)), x)
    (tmp_path / "p.png").write_bytes(images.encode(images.photo(30, 41, "P"), "PNG"))
    with pytest.raises(DecodeError, match="has mode P, of which Pillow makes no I;16"):
        loader(tmp_path / "p.png")


def test_the_image_column_decides_not_the_target(tmp_path):
    """E3: in pairs of a JPEG and a float array the loader is that of the image."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 41)))
    depth = save(tmp_path / "depth.npy", np.ones((30, 41), np.float32))
    with ArenaDataset(Pairs([str(tmp_path / "a.jpg")], [str(depth)], "image")) as ds:
        assert ds.loader.keywords["color"] == "RGB"


def test_the_limits_of_the_fill_hold(tmp_path, monkeypatch):
    """A5: what was loaded under raised limits is loaded again, and nothing beyond them."""
    small, large = (save(tmp_path / f"{n}.npy", np.ones((n, n), np.uint8)) for n in (40, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    loader = loaded([small], limits=Limits(pixels=1600))
    assert loader(small).size == (40, 40)
    with pytest.raises(DecodeError, match=r"50 x 50 = 2,500 pixels, the limit is 1,600"):
        loader(large)


def test_the_level_of_the_fill_holds_where_no_limit_was_given(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npy", np.ones((40, 40), np.uint8))
    loader = loaded([path])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert loader(path).size == (40, 40)
