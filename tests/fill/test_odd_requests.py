"""What a hostile reader of the documents found: requests and machines at the edge."""

import os
import zlib

import images
import numpy as np
import png_writer as png
import pytest
from filling import filled, reason, reasons, row
from PIL import Image

import fastcache
from fastcache import transforms as T
from fastcache.errors import BlockError, DecodeError
from fastcache.fill import failures
from fastcache.fill.limits import open_regular
from fastcache.fill.steps import pillow_step
from fastcache.sources import Pairs


@pytest.mark.parametrize("ending", ["png", "pbm", "bmp"])
def test_padding_of_a_mask_of_one_bit_is_any_index(tmp_path, ending):
    Image.new("RGB", (40, 20)).save(tmp_path / "image.png")
    Image.fromarray(np.eye(20, 40, dtype=bool)).save(tmp_path / f"mask.{ending}")
    source = Pairs([str(tmp_path / "image.png")], [str(tmp_path / f"mask.{ending}")], target="mask")
    arena = filled(source, store=T.LetterBox(40, mask_fill=255))
    mask = row(arena, 0, "mask").reshape(40, 40)
    assert set(np.unique(mask)) == {0, 1, 255}
    np.testing.assert_array_equal(mask[10:30], np.eye(20, 40, dtype=np.uint8))


@pytest.mark.parametrize("level", [float("inf"), 2**62, 2**70, np.int32(2**30), np.float64(1e6)])
def test_any_level_of_pillow_is_a_limit(tmp_path, monkeypatch, level):
    """A5: Pillow takes any number there."""
    path = tmp_path / "a.png"
    images.photo(30, 40).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", level)
    assert filled([path]).catalog["visible"] == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_a_directory_leaves_no_descriptor_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(DecodeError, match="not a regular file"):
            open_regular(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def thin_png(*, damaged: bool) -> bytes:
    size = (60000, 1)
    rows = png.scanlines(png.random_samples(*size, png.RGB, 8), 8)

    return png.join(
        png.header(*size, png.RGB, 8),
        *png.image_data(zlib.compress(rows), broken=[0] if damaged else ()),
    )


def test_odd_shapes_do_not_stop_the_others(tmp_path):
    """A5: C resamples them in little memory; what Pillow would need is not planned for."""
    sound, odd = tmp_path / "a.png", tmp_path / "b.png"
    sound.write_bytes(thin_png(damaged=False))
    odd.write_bytes(thin_png(damaged=True))
    store = [T.Resize(256), T.CenterCrop(224)]
    assert filled([sound], store=store, budget="200 MB").catalog["visible"] == 1
    assert "would take Pillow 8" in reason(odd, store=store, budget="200 MB")
    arena = filled([sound, odd], store=store, budget="200 MB", on_error="skip")
    assert list(reasons(arena)) == ["b.png"]
    assert arena.catalog["visible"] == 1


@pytest.mark.parametrize("kind", ["gif", "jp2"])
def test_want_of_memory_is_not_held_against_a_file(tmp_path, monkeypatch, kind):
    """A5, A10: several codecs call a failed allocation damage."""
    path = tmp_path / f"a.{kind}"
    images.photo(60, 80).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    assert "OSError" in reason(path)
    monkeypatch.setattr(pillow_step, "is_available", lambda size: size < 60 * 80)
    with pytest.raises(BlockError, match=r"nothing is known against.*free memory"):
        filled([path], on_error="skip")


def test_memory_is_asked_for_without_being_used():
    assert failures.is_available(1 << 20)
    assert not failures.is_available(1 << 60)
    assert fastcache.Limits().pixels is None
