"""Which formats are decoded, by whom, and what the report says of odd files."""

import time

import images
import numpy as np
import pytest
from filling import filled, oracle, row, told, write
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fastcache._core import image as core
from fastcache.fill.images.formats import misnomer
from fastcache.fill.report import Report
from fastcache.fill.steps import pillow_step


@pytest.mark.parametrize("color", ["RGB", "L", "RGBA"])
def test_every_format_that_pillow_writes_is_pillows(tmp_path, color):
    """F8, E3: BMP, PPM, TIFF, GIF, AVIF, JPEG 2000… equal Image.open().convert()."""
    kinds = images.pillow_kinds()
    paths = write(tmp_path, kinds)  # without endings: the content tells
    arena = filled(paths, color=color)
    for index, (name, data) in enumerate(kinds.items()):
        want = images.decoded(data, color)
        np.testing.assert_array_equal(row(arena, index), want.reshape(*want.shape[:2], -1), name)
    assert told(arena)["decoded_in_c"] == {}
    assert sum(told(arena)["through_pillow"].values()) == len(kinds)
    assert told(arena)["through_pillow"]["TIFF"] == 9


def test_formats_are_counted_by_who_decoded_them(tmp_path):
    """A5: the report says how many files of each format went which way."""
    image = images.photo(20, 30)
    files = {f"{k}.jpg": images.encode(image) for k in range(6)}
    files |= {f"{k}.gif": images.encode(image, "GIF") for k in range(3)}
    files |= {"a.tif": images.encode(image, "TIFF"), "b.bmp": images.encode(image, "BMP")}
    arena = filled(write(tmp_path, files))
    assert told(arena)["decoded_in_c"] == {"JPEG": 6}
    assert told(arena)["through_pillow"] == {"GIF": 3, "TIFF": 1, "BMP": 1}
    text = str(Report(arena.catalog["report"]))
    assert "decoded in C: 6 JPEG" in text and "through Pillow: 3 GIF 1 TIFF 1 BMP" in text


def test_png_and_webp_are_decoded_in_c(tmp_path):
    """A5, F8: so are they with their names exchanged, and with transparency."""
    files = {
        "a.png": images.encode(images.photo(20, 30), "PNG"),
        "b.webp": images.encode(images.photo(20, 30, "RGBA"), "PNG"),
        "c.jpg": images.encode(images.photo(20, 30, "RGBA"), "WEBP"),
    }
    arena = filled(write(tmp_path, files), color="RGBA")
    assert told(arena)["decoded_in_c"] == {"PNG": 2, "WEBP": 1}
    for index, data in enumerate(files.values()):
        np.testing.assert_array_equal(row(arena, index), images.decoded(data, "RGBA"))


def test_a_wrong_name_is_noted_and_harmless(tmp_path):
    """A5: content decides; the report counts the mismatches and names the first."""
    image = images.photo(20, 30)
    files = {
        "right.JPG": images.encode(image),
        "wrong.jpg": images.encode(image, "PNG"),
        "wrong.png": images.encode(image, "GIF"),
        "wrong.gif": images.encode(image),
        "wrong.tiff": images.encode(image, "BMP"),
        "no_ending": images.encode(image, "BMP"),
        "unheard.of": images.encode(image, "PNG"),
        "fine.pgm": images.encode(image, "PPM"),
    }
    paths = write(tmp_path, files)
    arena = filled(paths)
    for index, data in enumerate(files.values()):
        np.testing.assert_array_equal(row(arena, index), images.decoded(data))
    assert told(arena)["misnamed"] == 4
    assert [tuple(pair) for pair in told(arena)["misnamed_files"]] == [
        (str(paths[1]), "named .jpg, is PNG"),
        (str(paths[2]), "named .png, is GIF"),
        (str(paths[3]), "named .gif, is JPEG"),
        (str(paths[4]), "named .tiff, is BMP"),
    ]
    assert "misnamed, the first of 4 in column image" in str(Report(arena.catalog["report"]))


@pytest.mark.parametrize(
    ("path", "format_", "wrong"),
    [
        ("a.jpeg", "JPEG", ""),
        ("a.jpg", "MPO", ""),
        ("a.mpo", "JPEG", ""),
        ("a.bmp", "DIB", ""),
        ("a.jp2", "JPEG2000", ""),
        ("a.jp2", "JPEG", "named .jp2, is JPEG"),
        ("a.npy", "NPY", ""),
        ("a.png", "NPY", "named .png, is NPY"),
        (".png", "JPEG", ""),  # a hidden file without an ending
        ("a.b/c", "JPEG", ""),
    ],
)
def test_names_claim_formats_by_their_endings(path, format_, wrong):
    assert misnomer(path, format_) == wrong


def test_of_animations_the_first_frame_is_kept_and_that_is_said(tmp_path):
    """A5: animated GIF, WebP and APNG, and TIFFs of several pages."""
    kinds = images.animated_kinds()
    files = {f"{fmt}.{fmt.lower()}": data for fmt, data in kinds.items()}
    files["still.gif"] = images.encode(images.photo(31, 47), "GIF")
    arena = filled(write(tmp_path, files))
    for index, data in enumerate(files.values()):
        np.testing.assert_array_equal(row(arena, index), images.decoded(data))
    assert told(arena)["animated"] == 4
    assert "first frame kept of 4 animated files" in str(Report(arena.catalog["report"]))


def test_a_damaged_second_frame_changes_nothing(tmp_path):
    """A5: the first frame is whole, so the file is."""
    data = images.animated_kinds()["GIF"]
    with Image.open(write(tmp_path, {"whole.gif": data})[0]) as image:
        image.seek(1)
        second = image.tile[0][2]
    (path,) = write(tmp_path, {"cut.gif": data[: second + 1]})
    np.testing.assert_array_equal(row(filled([path]), 0), images.decoded(data))


def test_a_jpeg_of_several_pictures_is_a_jpeg(tmp_path):
    """A5: Pillow calls it MPO, a format that it opens by the name of JPEG only."""
    image = images.photo(20, 30)
    data = images.encode(image, "MPO", save_all=True, append_images=[images.photo(20, 30, seed=1)])
    (path,) = write(tmp_path, {"a.jpg": data})
    arena = filled([path])
    np.testing.assert_array_equal(row(arena, 0), oracle(path))
    assert told(arena)["decoded_in_c"] == {"JPEG": 1}
    np.testing.assert_array_equal(row(filled([path], color="L"), 0), oracle(path, "L"))


def with_orientations(fmt: str) -> dict[str, bytes]:
    return {
        f"{o}.{fmt.lower()}": images.with_png_orientation(images.photo(31, 40), o, fmt)
        for o in range(1, 9)
    }


@pytest.mark.parametrize("fmt", ["PNG", "WEBP"])
def test_orientation_of_png_and_webp_is_applied_in_c(tmp_path, fmt):
    """F8: exif="apply" turns PNG and WebP as Pillow does, without asking it."""
    files = with_orientations(fmt)
    paths = write(tmp_path, files)
    arena = filled(paths, exif="apply")
    assert told(arena)["decoded_in_c"] == {fmt: 8}
    for index, path in enumerate(paths):
        np.testing.assert_array_equal(row(arena, index), oracle(path, exif="apply"), path.name)


def test_orientation_that_only_pillow_reads_is_asked_of_pillow(tmp_path):
    """F8: XMP may turn a PNG too; such files, and only these, are decoded by Pillow."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    image = images.photo(31, 40)
    files = {"xmp.png": images.encode(image, "PNG", pnginfo=info)}
    files["plain.png"] = images.encode(image, "PNG")
    paths = write(tmp_path, files)
    arena = filled(paths, exif="apply")
    assert told(arena)["through_pillow"] == {"PNG": 1}
    assert told(arena)["decoded_in_c"] == {"PNG": 1}
    np.testing.assert_array_equal(row(arena, 0), oracle(paths[0], exif="apply"))
    ignored = filled(paths)
    assert told(ignored)["decoded_in_c"] == {"PNG": 2}


def test_what_c_hands_on_late_is_decoded_within_the_planned_scratch(tmp_path, monkeypatch):
    """A2: Pillow then takes one file at a time; the plan counts that file's worth of memory."""
    image = images.photo(1000, 1200)  # much more than the plan allows each thread for itself
    files = {f"{k}.png": images.encode(image, "PNG") for k in range(12)}
    paths = write(tmp_path, files)
    want = row(filled(paths), 0)
    busy, most = 0, 0

    class HandsOn:
        """A C job that finds out about every file that it is for Pillow."""

        def __init__(self, paths, spec, geometry, target, slot, status, *rest):
            status.view(np.int32)[:] = core.NEEDS_PYTHON

        def run(self):
            pass

        def progress(self):
            return 0, 0, 0

    decode = pillow_step.decode

    def watched(*args, **kwargs):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.002)
        try:
            return decode(*args, **kwargs)
        finally:
            busy -= 1

    monkeypatch.setattr("fastcache.fill.images.files_jobs.FillJob", HandsOn)
    monkeypatch.setattr(pillow_step, "decode", watched)
    arena = filled(paths, threads=4)
    assert told(arena)["through_pillow"] == {"PNG": 12}
    assert all((pixels == want).all() for pixels in arena.column("image").rows)
    assert most == 1
    plan = arena.catalog["plan"]
    one = pillow_step.BYTES_PER_PIXEL * 1000 * 1200
    assert one <= plan["scratch_bytes"] < 2 * one
