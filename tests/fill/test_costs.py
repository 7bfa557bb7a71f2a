"""Costs: measured on a few files, then arithmetic."""

import errno
import mmap
import time

import images
import numpy as np
import pytest
from filling import listed, save, values, write
from hypothesis import given
from hypothesis import strategies as st

from fastcache import transforms as T
from fastcache._core import image as core
from fastcache.fill.estimate import measure
from fastcache.fill.estimate.costs import (
    TYPICAL_MEMORY,
    Costs,
    MemorySpeed,
    Rate,
    fit,
    way_name,
    ways_of,
)
from fastcache.fill.images.file_table import INFO_DTYPE
from fastcache.fill.options import FillOptions
from fastcache.fill.prepare import Preparation
from fastcache.memory.budget import read_budget

MEMORY = MemorySpeed(fresh=2.0, copy=0.5)


def column_of(paths, **options):
    """Return the planned column of some files."""
    prepared = Preparation(listed(*paths), FillOptions(on_error="skip", **options))
    prepared.settle_unreadable()
    prepared.plan(read_budget(None))
    return prepared.files["image"]


def jpegs(folder, count=6, size=40):
    return write(
        folder,
        {f"{k}.jpg": images.encode(images.photo(size + 10 * k, size)) for k in range(count)},
    )


# -- arithmetic ------------------------------------------------------------------------------------


def headers(*rows):
    """Return the headers of images of (format, height, width)."""
    info = np.zeros(len(rows), INFO_DTYPE)
    for at, (kind, height, width) in enumerate(rows):
        info["format"][at], info["height"][at], info["width"][at] = kind, height, width
    return info


def test_seconds_are_a_part_for_the_item_and_one_for_its_size():
    """F3: time saved per byte is chosen by measured costs, sample by sample."""
    jpeg = core.JPEG
    rates = {2 * jpeg: Rate(1.0, 0.5), 2 * jpeg + 1: Rate(10.0, 0.0)}
    costs = Costs(read=Rate(3.0, 0.25), decode=rates, memory=MEMORY, files=2)
    np.testing.assert_array_equal(costs.read_seconds(np.array([0, 8])), [3, 5])
    info = headers((jpeg, 2, 3), (jpeg, 2, 3), (jpeg, 100_000, 100_000))
    in_python = np.array([False, True, False])
    want = [1 + 0.5 * 6, 10, 1 + 0.5 * 1e10]
    np.testing.assert_array_equal(costs.decode_seconds(info, in_python), want)
    pixels = np.array([8, 8, 8])
    np.testing.assert_array_equal(costs.decode_seconds(info, in_python, pixels), [5, 10, 5])
    np.testing.assert_array_equal(costs.copy_seconds(np.array([4, 6])), [2, 3])
    assert costs.read_seconds(np.zeros(0)).shape == (0,)
    assert costs.decode_seconds(headers(), np.zeros(0, bool)).shape == (0,)


def test_formats_that_were_not_measured_count_like_the_others():
    jpeg = core.JPEG
    info = headers((jpeg + 1, 10, 10))
    known = Costs(Rate(0, 0), {2 * jpeg: Rate(5.0, 2.0)}, MEMORY, 1)
    assert known.decode_seconds(info, np.array([False]))[0] == 200
    for in_python in (False, True):  # of Python nothing is known: what is typical
        none = Costs(Rate(0, 0), {}, MEMORY, 0).decode_seconds(info, np.array([in_python]))
        assert 0 < none[0] < 1e-4


def test_a_fill_takes_its_share_and_at_least_its_longest_sample():
    costs = Costs(Rate(0, 0), {}, MEMORY, 0)
    assert costs.fill_seconds(np.array([1.0, 2.0, 3.0]), threads=2) == 3
    assert costs.fill_seconds(np.array([1.0, 1.0, 10.0]), threads=4) == 10
    assert costs.fill_seconds(np.array([1.0, 1.0]), threads=2, new_bytes=3) == 4
    assert costs.fill_seconds(np.zeros(0), threads=2) == 0


def test_ways_are_formats_in_c_or_in_python():
    info = headers((core.JPEG, 1, 1), (core.UNKNOWN, 1, 1))
    ways = ways_of(info, np.array([False, True])).tolist()
    assert ways == [2 * core.JPEG, 2 * core.UNKNOWN + 1]
    assert way_name(ways[0]) == "JPEG" and way_name(ways[1]).endswith(" in Python")


@given(
    st.floats(0, 1),
    st.floats(0, 1e-6),
    st.lists(st.integers(1, 10**8), min_size=2, max_size=9, unique=True),
)
def test_a_fit_finds_the_line_again(item, unit, sizes):
    rate = fit([(size, item + unit * size) for size in sizes])
    assert rate.of(sizes) == pytest.approx(item + unit * np.array(sizes), rel=1e-6, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 100)), max_size=9))
def test_a_fit_is_never_negative(points):
    rate = fit(points)
    assert rate.item >= 0 and rate.unit >= 0
    assert np.isfinite(rate.item) and np.isfinite(rate.unit)


def test_fits_of_odd_points():
    assert fit([]) == Rate(0, 0)
    assert fit([(10, 5.0)]) == Rate(0, 0.5)
    assert fit([(10, 5.0), (10, 7.0)]) == Rate(0, 0.6)
    assert fit([(10, 5.0), (20, 3.0)]) == Rate(4.0, 0)  # the larger one was faster
    assert fit([(10, 0.0), (20, 30.0)]) == Rate(0, 1.0)  # a line below nothing at 0


# -- the choice of files ---------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 1000)), max_size=60))
def test_files_are_chosen_once_and_from_every_way(files):
    ways = np.array([way for way, _ in files], np.int64)
    pixels = np.array([size for _, size in files], np.int64)
    rows = measure.choose(np.arange(len(files)), ways, pixels, 24)
    assert len(rows) == len(set(rows.tolist())) <= 24
    assert set(ways[rows].tolist()) == set(ways.tolist())
    for way in set(ways.tolist()):
        assert way % 2 == 0 or (ways[rows] == way).sum() <= 2
    turns = ways[rows[: len(set(ways.tolist()))]].tolist()
    assert len(turns) == len(set(turns))  # each way once before any comes twice


def test_sizes_are_spread_and_the_median_comes_first():
    ways, pixels = np.zeros(99, np.int64), np.arange(99)[::-1]
    rows = measure.choose(np.arange(99), ways, pixels, 3)
    assert pixels[rows].tolist() == [49, 16, 82]


# -- measuring -------------------------------------------------------------------------------------


def test_every_kind_of_file_is_measured(tmp_path):
    paths = [
        *jpegs(tmp_path / "a"),
        *write(tmp_path / "b", {"a.png": images.encode(images.photo(30, 40), "PNG")}),
        *write(tmp_path / "b", {"a.webp": images.encode(images.photo(30, 40), "WEBP")}),
        *write(tmp_path / "b", {"a.gif": images.encode(images.photo(30, 40), "GIF")}),
        save(tmp_path / "a.npy", values("uint8")),
    ]
    column = column_of(paths, store=T.LetterBox(32))
    costs = column.costs(seconds=60)
    in_python = column.table.status == core.NEEDS_PYTHON
    assert set(costs.decode) == set(ways_of(column.table.info, in_python).tolist())
    assert costs.guessed == ()
    assert costs.files == len(paths) == 10
    read, decode = costs.of_files(column.table)
    assert (read > 0).all() and (decode > 0).all()
    assert costs.memory.copy > 0 and costs.memory.fresh > 0


def test_measuring_leaves_the_column_as_it_was(tmp_path):
    column = column_of(jpegs(tmp_path), store=T.Resize(16))
    before = column.table.status.copy(), column.table.info.copy()
    column.costs()
    assert (column.table.status == before[0]).all() and (column.table.info == before[1]).all()


def test_no_more_files_and_no_more_time_than_said(tmp_path):
    column = column_of(jpegs(tmp_path, count=30))
    assert column.costs(seconds=60).files == 24
    none = column.costs(seconds=0)
    assert (none.files, none.decode, none.guessed) == (0, {}, ("JPEG",))
    assert (none.of_files(column.table)[1] > 0).all()


def test_a_file_that_is_likely_to_take_too_long_is_not_begun(tmp_path, monkeypatch):
    column = column_of(jpegs(tmp_path, count=3))
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def decoded(self, row, way, data, shape):
        took = 1e-4 * int(column.table.height[row] * column.table.width[row])
        now[0] += took
        yield took

    monkeypatch.setattr(measure._Trial, "_decoded", decoded)
    pixels = (column.table.height * column.table.width).tolist()
    whole = 1e-4 * sum(pixels)
    assert column.costs(seconds=whole * 1.01).files == 3
    # Two of them end in time, the median and the smallest; the largest would not.
    costs = column.costs(seconds=whole * 0.99)
    assert costs.files == 2
    assert costs.decode_seconds(column.table.info, np.zeros(3, bool)) == pytest.approx(
        1e-4 * np.array(pixels)
    )


def test_files_too_large_to_try_are_guessed(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_MOST_BYTES", 3 * 40 * 45)
    column = column_of(jpegs(tmp_path, count=1, size=50))
    assert column.costs(seconds=60).guessed == ("JPEG",)


def test_files_that_change_or_vanish_meanwhile_are_passed_over(tmp_path):
    paths = jpegs(tmp_path)
    gif = write(tmp_path, {"a.gif": images.encode(images.photo(30, 40), "GIF")})
    column = column_of([*paths, *gif])
    paths[0].unlink()
    paths[1].write_bytes(b"no image any more")
    paths[2].write_bytes(paths[2].read_bytes()[:200])
    gif[0].write_bytes(b"GIF89a")
    costs = column.costs(seconds=60)
    assert costs.files == 6  # one is gone
    assert costs.guessed == (way_name(2 * int(column.table.info["format"][6]) + 1),)
    assert (costs.of_files(column.table)[1] > 0).all()


def test_failed_rows_cost_nothing(tmp_path):
    paths = jpegs(tmp_path)
    paths[1].write_bytes(b"no image")
    prepared = Preparation(listed(*paths), FillOptions(on_error="fill"))
    prepared.settle_unreadable()
    prepared.plan(read_budget(None))
    column = prepared.files["image"]
    read, decode = column.costs(seconds=60).of_files(column.table)
    assert (read > 0).tolist() == (decode > 0).tolist() == [True, False, True, True, True, True]


# -- little memory ---------------------------------------------------------------------------------


def refusing(monkeypatch, most):
    """Have mappings refused that are larger than so many bytes."""
    real = mmap.mmap

    def mapped(fd, size, *args):
        if size > most:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return real(fd, size, *args)

    monkeypatch.setattr("fastcache.fill.estimate.measure.mmap.mmap", mapped)


@pytest.mark.parametrize("most", [1 << 20, 0])
def test_less_is_measured_where_memory_is_short(monkeypatch, most):
    """F3: the estimate gives way to what is planned."""
    refusing(monkeypatch, most)
    speed = measure.measure_memory()
    assert speed.fresh > 0
    assert speed.copy > 0
    assert (speed == TYPICAL_MEMORY) == (most == 0)


def test_a_trial_ends_where_there_is_no_memory_for_it(tmp_path, monkeypatch):
    column = column_of(jpegs(tmp_path))

    def no_room(*_):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr(measure._Trial, "make_room", no_room)
    costs = column.costs()
    assert costs.files == 0
    assert costs.guessed == ("JPEG",)
