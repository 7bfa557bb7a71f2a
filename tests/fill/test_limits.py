"""Limits: each one refuses, says what it met, and how to go on."""

import struct
import zlib

import images
import numpy as np
import pytest
from filling import filled, oracle, reason, row, told
from PIL import Image, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

import fastcache as fc
from fastcache import Limits
from fastcache.errors import ArgumentError
from fastcache.fill import build

GREY = np.full((40, 50), 7, np.uint8)


@pytest.fixture
def files(tmp_path):
    """One file of 40 x 50 pixels per way of decoding."""
    image = Image.fromarray(GREY)
    for fmt in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM"):
        (tmp_path / f"a.{fmt.lower()}").write_bytes(images.encode(image, fmt))
    np.save(tmp_path / "a.npy", GREY)
    return sorted(tmp_path.iterdir())


def test_pixels_bytes_and_their_remedies(files):
    """A5: every format, at the limit and one below it."""
    for path in files:
        size = path.stat().st_size
        exact = Limits(pixels=2000, bytes=size)
        assert filled([path], limits=exact).catalog["visible"] == 1
        why = reason(path, limits=Limits(pixels=1999))
        assert "40 x 50 = 2,000 pixels" in why and "1,999" in why, path
        assert "limits=Limits(pixels=2000)" in why
        why = reason(path, limits=Limits(bytes=size - 1))
        assert f"{size:,} bytes" in why and f"limits=Limits(bytes={size})" in why, path


def test_scans_are_limited(tmp_path):
    """A5: a progressive JPEG of 40 scans, under limits of 39 and 40."""
    path = tmp_path / "a.jpg"
    data = images.encode(images.photo(40, 50), progressive=True)
    path.write_bytes(images.with_many_scans(data, 40))
    assert "more than 39 progressive scans" in reason(path, limits=Limits(scans=39))
    assert "limits=Limits(scans=" in reason(path, limits=Limits(scans=39))
    assert filled([path], limits=Limits(scans=40)).catalog["visible"] == 1


def test_time_is_limited(tmp_path):
    """A5: a JPEG that takes many times the limit is given up."""
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(1).integers(0, 255, (3000, 3000, 3), np.uint8)
    path.write_bytes(images.encode(Image.fromarray(noise), quality=100))
    assert "after 0.001 seconds" in reason(path, limits=Limits(seconds=0.001))
    assert "limits=Limits(seconds=" in reason(path, limits=Limits(seconds=0.001))


def test_refused_files_are_skipped_or_filled_with_labels_aligned(files):
    """A5: a limit is a bad file like any other, for every on_error."""
    np.save(files[0].parent / "large.npy", np.zeros((90, 90), np.uint8))
    (files[0].parent / "large.png").write_bytes(images.encode(images.photo(90, 90), "PNG"))
    paths = sorted(files[0].parent.iterdir())
    large = [k for k, path in enumerate(paths) if path.stem == "large"]
    limits = Limits(pixels=8000)
    skipped = filled(paths, limits=limits, on_error="skip")
    rows = skipped.column("_index").rows[: skipped.catalog["visible"]]
    labels = skipped.column("label").rows[rows].tolist()
    assert labels == [k for k in range(len(paths)) if k not in large]
    kept = filled(paths, limits=limits, on_error="fill")
    assert kept.column("label").rows.tolist() == list(range(len(paths)))
    assert [bool(pixels.any()) for pixels in kept.column("image").rows] == [
        k not in large for k in range(len(paths))
    ]
    assert len(kept.catalog["report"]["failed"]) == 2


def test_the_default_is_pillows_level_as_it_is_now(files, monkeypatch):
    """A5: `Image.MAX_IMAGE_PIXELS` in force decides where pixels= is left out."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 999)
    for path in files:
        assert "pixels" in reason(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.warns(Image.DecompressionBombWarning):
        assert filled(files).catalog["visible"] == len(files)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert filled(files).catalog["visible"] == len(files)


def test_above_pillows_level_only_c_decodes(files, monkeypatch):
    """A5: pixels= reaches what C and NumPy read; for the rest the error names Pillow's level."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    limits = Limits(pixels=2000)
    for path in files:
        if path.suffix in (".jpeg", ".png", ".webp", ".npy"):
            assert filled([path], limits=limits).catalog["visible"] == 1, path
        else:
            assert "raise PIL.Image.MAX_IMAGE_PIXELS" in reason(path, limits=limits), path


def test_a_png_that_claims_too_much_is_refused_by_its_header(tmp_path):
    """A5: 100,000 x 100,000 pixels in a hundred bytes."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    )
    assert "10,000,000,000 pixels" in reason(path)


@pytest.mark.parametrize(
    "values",
    [
        {"pixels": 0}, {"pixels": -1}, {"pixels": 1.5}, {"pixels": True}, {"pixels": "many"},
        {"bytes": 0}, {"bytes": 1 << 64}, {"scans": 0}, {"scans": 1 << 40},
        {"seconds": 0}, {"seconds": -1.0}, {"seconds": float("nan")}, {"seconds": float("inf")},
        {"seconds": True}, {"seconds": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_limits_without_meaning_are_refused(values):
    (name,) = values
    with pytest.raises(ArgumentError, match=f"Limits: {name}="):
        Limits(**values)


@pytest.mark.parametrize("limits", [100, {"pixels": 5}, (1, 2)], ids=str)
def test_only_limits_are_taken_for_limits(tmp_path, limits):
    with pytest.raises(ArgumentError, match=r"fastcache\.Limits"):
        filled([tmp_path / "nowhere"], limits=limits)


def test_no_limit_can_be_asked_for(files):
    limits = Limits(bytes=None, scans=None, seconds=None, pixels=np.int64(5000))
    assert filled(files, limits=limits).catalog["visible"] == len(files)
    same = fc.Limits(pixels=5000, bytes=None, scans=None, seconds=None)
    assert limits == same and hash(limits) == hash(same)


def test_no_limit_of_scans_is_none(tmp_path):
    """A5: 150 scans are more than the usual limit, and none without it."""
    path = tmp_path / "a.jpg"
    data = images.encode(images.photo(40, 50), progressive=True)
    path.write_bytes(images.with_many_scans(data, 150))
    assert "more than 100 progressive scans" in reason(path)
    assert filled([path], limits=Limits(scans=None)).catalog["visible"] == 1


def test_limits_are_given_by_name_and_seconds_are_a_float():
    with pytest.raises(TypeError):
        Limits(5000)
    assert repr(Limits(pixels=1, seconds=np.int64(5))) == (
        "Limits(pixels=1, bytes=2147483648, scans=100, seconds=5.0)"
    )


def test_pillows_level_is_taken_when_the_fill_begins(files, monkeypatch):
    """A5: changed while headers are read, it decides nothing any more of what C decodes."""
    path = next(path for path in files if path.suffix == ".png")
    read_budget = build.read_budget

    def read_budget_and_change(*args):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        return read_budget(*args)

    monkeypatch.setattr(build, "read_budget", read_budget_and_change)
    arena = filled([path])
    assert told(arena)["decoded_in_c"] == {"PNG": 1}
    assert arena.catalog["loader"]["limits"]["pixels"] == 2 * 89_478_485


# ---- texts in PNGs -------------------------------------------------------------------------------


def with_text(size: int) -> bytes:
    info = PngInfo()
    info.add_text("Comment", "x" * size, zip=True)
    return images.encode(images.photo(20, 30), "PNG", pnginfo=info)


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_large_texts_are_refused_by_the_name_of_pillows_limit(tmp_path, monkeypatch, exif):
    """A5: and read once Pillow is told to read them."""
    path = tmp_path / "a.png"
    path.write_bytes(with_text(3 << 20))
    why = reason(path, exif=exif)
    assert why.startswith("its texts inflate to more than Pillow takes: 1 MiB each")
    assert "PIL.PngImagePlugin.MAX_TEXT_CHUNK" in why
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 4 << 20)
    arena = filled([path], exif=exif)
    assert told(arena)["through_pillow"] == {"PNG": 1}
    np.testing.assert_array_equal(row(arena, 0), oracle(path))


def test_smaller_limits_of_texts_count_too(tmp_path, monkeypatch):
    """A5: what Pillow was told to refuse is refused."""
    path, plain = tmp_path / "a.png", tmp_path / "b.png"
    path.write_bytes(with_text(3000))
    plain.write_bytes(images.encode(images.photo(20, 30), "PNG"))
    assert told(filled([path, plain]))["decoded_in_c"] == {"PNG": 2}
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 2000)
    assert "PngImagePlugin.MAX_TEXT_CHUNK" in reason(path)
    assert filled([plain]).catalog["visible"] == 1
