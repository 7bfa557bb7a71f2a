"""The codec benchmark: its input files are what they are said to be, and its rows can fail."""

import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import encode, photo
from PIL import Image
from project import source_root

BENCHMARKS = source_root() / "benchmarks"


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    for k, (height, width) in enumerate([(40, 64), (65, 33), (48, 48)]):
        (folder / f"{k}.jpg").write_bytes(encode(photo(height, width, seed=k)))
    (folder / "3.jpg").write_bytes(encode(photo(37, 50, "L")))
    return sorted(map(str, folder.iterdir()))


def opened(path: str) -> Image.Image:
    return Image.open(io.BytesIO(Path(path).read_bytes()))


# ---- input sets

STORED = {
    "png-photos": ("PNG", "RGB", 8),
    "png-flat": ("PNG", "RGB", 8),
    "png-flat-alpha": ("PNG", "RGBA", 8),
    "png-palette": ("PNG", "P", 8),
    "png-grey16": ("PNG", "I;16", 16),
    "webp-lossy": ("WEBP", "RGB", None),
    "webp-lossless": ("WEBP", "RGB", None),
    "webp-window-lossy": ("WEBP", "RGB", None),
    "webp-window-lossless": ("WEBP", "RGB", None),
}
PNG_DEPTH = slice(24, 25)  # of the file: IHDR's fourth field


def test_every_set_is_checked_here(bench):
    assert set(bench.codec_sets.SETS) == set(STORED)
    assert {*bench.codec_rows.PEERS, *bench.codec_rows.WINDOWS} == set(STORED)


@pytest.mark.parametrize("name", STORED)
def test_a_set_holds_what_it_says_and_is_the_same_each_time(name, bench, photos, tmp_path):
    inputs = bench.codec_sets.SETS[name]
    used = photos[:1] if "window" in name else photos  # large ones take a second each
    first = inputs.make(used, tmp_path / "first")
    again = inputs.make(used, tmp_path / "again")
    assert [Path(p).read_bytes() for p in first] == [Path(p).read_bytes() for p in again]
    assert len({Path(p).read_bytes() for p in first}) == len(used)
    for path in first:
        kind, mode, depth = STORED[name]
        with opened(path) as image:
            image.load()
            assert image.format == kind
            assert image.mode in (mode, "I" if mode == "I;16" else mode)  # Pillow 10 has only I
        if depth:
            assert Path(path).read_bytes()[PNG_DEPTH] == bytes([depth])
        bench.decoding.open_as(Path(path).read_bytes(), inputs.color)


def test_sixteen_bits_are_used_and_follow_the_photograph(bench):
    source = photo(64, 80)
    wide = np.asarray(bench.codec_sets.grey16(source, 0)).astype(np.float64)
    assert len(np.unique(wide.astype(np.int64) & 0xFF)) == 256
    grey = np.asarray(source.convert("L")).astype(np.float64)
    assert np.corrcoef(wide.ravel(), grey.ravel())[0, 1] > 0.8


def test_drawings_differ_by_number_and_opacity_is_used(bench):
    sheets = [bench.drawings.draw(number, "RGBA") for number in range(3)]
    assert len({sheet.tobytes() for sheet in sheets}) == 3
    for sheet in sheets:
        assert sheet.getchannel("A").getextrema() == (0, 255)


# ---- mixed folder


@given(st.integers(1, 700))
def test_the_mix_has_its_proportions(bench, count):
    counted = Counter(bench.codec_sets.mixed_kinds(count))
    assert sum(counted.values()) == count
    for suffix, (share, _, _) in bench.codec_sets._MIX.items():
        assert abs(counted[suffix] - share * count / 100) <= 1


def test_mixed_files_are_what_their_names_say(bench, photos, tmp_path):
    paths = bench.codec_sets.write_mixed(photos, tmp_path, 50)
    counted = Counter()
    for path in paths:
        with opened(path) as image:
            image.load()
            counted[image.format] += 1
    assert counted == {"JPEG": 30, "PNG": 15, "WEBP": 2, "GIF": 1, "TIFF": 1, "BMP": 1}
    assert {Path(path).parent.name for path in paths} == {f"class_{k}" for k in range(10)}


def test_spread_keeps_order_and_never_repeats(bench):
    assert bench.inputs.spread("abcdefghij", 5) == list("acegi")
    assert bench.inputs.spread("abc", 99) == list("abc")


# ---- bombs


@given(st.integers(0, 255), st.integers(0, 3 << 20))
def test_a_deflated_run_inflates_to_the_run(bench, byte, count):
    assert zlib.decompress(bench.bomb_files.deflated_run(byte, count)) == bytes([byte]) * count


@pytest.mark.parametrize("side", [1, 33, 64])
def test_small_siblings_of_the_bombs_are_whole_images(bench, side):
    for data in (bench.bomb_files.png(side, text=1000), bench.bomb_files.webp(side)):
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.size == (side, side)
            assert not np.asarray(image).any()


def test_the_comment_of_the_png_is_all_there(bench):
    with Image.open(io.BytesIO(bench.bomb_files.png(8, text=1000))) as image:
        assert image.info["Comment"] == " " * 1000


def test_scans_are_repeated_and_still_an_image(bench):
    data = bench.bomb_files.jpeg_scans(20, side=64)
    assert data.count(b"\xff\xda") == 20
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == (64, 64)


def test_bombs_ask_for_what_they_are_called(bench):
    made = {name: make() for name, (_, make) in bench.bomb_files.BOMBS.items()}
    assert all(len(data) < 3_000_000 for data in made.values())
    frame = made["JPEG of 65535 x 65535"]
    assert struct.unpack_from(">HH", frame, frame.index(b"\xff\xc0") + 5) == (65535, 65535)
    assert struct.unpack_from(">II", made["PNG of 100,000 x 100,000"], 16) == (100_000, 100_000)
    assert made["JPEG of 1000 scans"].count(b"\xff\xda") == 1000
    for name in ("JPEG of 65535 x 65535", "PNG of 100,000 x 100,000", "WebP of 16384 x 16384"):
        with pytest.raises(Image.DecompressionBombError):
            Image.open(io.BytesIO(made[name]))


def test_a_run_too_long_for_memory_inflates_to_its_length(bench):
    """A part of the 2 GB of the comment, a megabyte at a time; the end tests the checksum."""
    stream, total = bench.bomb_files.deflated_run(ord(" "), (100 << 20) + 7), 0
    inflater = zlib.decompressobj()
    while not inflater.eof:
        total += len(inflater.decompress(stream, 1 << 20))
        stream = inflater.unconsumed_tail
    assert total == (100 << 20) + 7


# ---- comparison and judgement


def test_a_single_wrong_value_is_found(bench):
    files = [encode(photo(9, 12, seed=seed), "PNG") for seed in range(3)]

    def right(data):
        return np.array(Image.open(io.BytesIO(data)))

    def wrong(data):
        pixels = right(data)
        if data is files[1]:
            pixels[4, 5, 1] ^= 8
        return pixels

    assert bench.decoding.compare(right, files, "RGB") == (0, 0)
    assert bench.decoding.compare(wrong, files, "RGB") == (1, 8)
    assert bench.decoding.compare(lambda data: right(data)[1:], files, "RGB") == (3, 255)


@pytest.mark.parametrize("color", ["RGB", "RGBA", "I;16"])
def test_outputs_share_one_memory_and_have_their_files_shapes(bench, color):
    files = [encode(photo(h, w, color), "PNG") for h, w in [(5, 7), (11, 3), (6, 6)]]
    outputs = bench.decoding.output_arrays(files, color)
    for data in files:
        wanted = np.asarray(bench.decoding.open_as(data, color))
        assert outputs[data].shape == wanted.shape
        assert outputs[data].dtype == wanted.dtype
    starts = {out.__array_interface__["data"][0] for out in outputs.values()}
    assert len(starts) == 1


def measured(bench, *seconds, **more):
    rounds = [{"seconds": s, "items": 10, **more} for s in seconds]
    return bench.harness.Measured(rounds=rounds)


def test_a_ratio_is_taken_to_the_fastest_rival_of_each_round(bench):
    ours = measured(bench, 1.0, 1.0)
    ratios = bench.rows.rate_ratio(ours, measured(bench, 2.0, 4.0), measured(bench, 3.0, 3.0))
    assert ratios == pytest.approx([2.0, 3.0])


def outcome(bench, results):
    row = next(r for r in bench.codec_rows.ROWS if r.needs == tuple(results))
    return bench.rows.judge(row, results)


def test_other_pixels_fail_a_row_whoever_made_them(bench):
    names = ("webp-lossy: fastcache", "webp-lossy: OpenCV")
    same = {name: measured(bench, 1.0, differing=0, largest=0) for name in names}
    assert outcome(bench, same).verdict == "met"
    for name in names:
        bad = {**same, name: measured(bench, 1.0, differing=2, largest=7)}
        assert outcome(bench, bad).stat is None
        assert outcome(bench, bad).verdict == (
            f"failed: {name}: other pixels than Pillow's in 2 of 10 images, by up to 7"
        )


def test_windows_and_bombs_are_held_against_their_limits(bench):
    share = {"1": 1.0, "2": 0.76, "4": 0.5}
    results = {"webp-window-lossy": measured(bench, 1.0, share=share)}
    half, quarter = (r for r in bench.codec_rows.ROWS if r.needs == tuple(results))
    assert (half.target, quarter.target) == (75, 62.5)
    assert bench.rows.judge(half, results).verdict == "missed by 1.33%"
    assert bench.rows.judge(quarter, results).verdict == "met"

    bomb = next(iter(bench.bomb_files.BOMBS))
    results = {bomb: measured(bench, 0.049, growth=17e6)}
    time, memory = (r for r in bench.codec_rows.ROWS if r.needs == tuple(results))
    assert bench.rows.judge(time, results).verdict == "met"
    assert bench.rows.judge(memory, results).verdict == "missed by 6.25%"
