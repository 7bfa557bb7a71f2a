"""Series with values that are not finite: an error, windows left out, or interpolation (row F2)."""

import numpy as np
import pytest
import window_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache.errors import ArgumentError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Series

BAD = (np.nan, np.inf, -np.inf)


@st.composite
def gappy(draw):
    """Return series (C, T_k), all of one length in half of the cases."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    channels, share = draw(st.integers(1, 3)), draw(st.sampled_from([0.0, 0.02, 0.2, 0.7]))
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    lengths = [lengths[0]] * len(lengths) if draw(st.booleans()) else lengths
    kind = draw(st.sampled_from(["float16", "float32", "float64", ">f8"]))
    series = [rng.normal(size=(channels, steps)).astype(kind) for steps in lengths]
    for one in series:
        bad = rng.random(one.shape) < share
        one[bad] = rng.choice(BAD, bad.sum())
    return series


def given_as(series):
    """Return series of one length as an array (n, C, T), others as a list."""
    return np.stack(series) if len({one.shape for one in series}) == 1 else series


@settings(deadline=None, max_examples=100)
@given(gappy(), st.integers(1, 7), st.integers(1, 4))
def test_skip_leaves_out_what_a_loop_leaves_out(series, window, stride):
    """F2: exactly the windows without NaN and infinity remain."""
    if max(one.shape[1] for one in series) < window:
        return
    source = Series(given_as(series), window=window, stride=stride, on_nan="skip")
    wanted = reference.windows(series, window, stride, skip=True)
    if not len(wanted):
        with pytest.raises(ArgumentError, match="each window of .* not finite"):
            len(source)
        with pytest.raises(ArgumentError, match="each window of .* not finite"):
            fill_arena(source, FillOptions())
        return
    assert len(source) == len(wanted)
    assert np.array_equal(reference.stored(source), wanted)
    facts = fill_arena(source, FillOptions()).catalog["report"]["columns"]["series"]
    left_out = len(reference.positions(series, window, stride)) - len(wanted)
    assert facts["skipped_windows"] == left_out


@settings(deadline=None, max_examples=100)
@given(gappy(), st.integers(1, 7))
def test_interpolation_is_numpys(series, window):
    """F2: linear within a channel, ends take the nearest; nothing crosses into other series."""
    if max(one.shape[1] for one in series) < window:
        return
    source = Series(given_as(series), window=window, on_nan="interpolate")
    bad = [(k, c) for k, one in enumerate(series) for c in range(len(one))]
    bad = [(k, c) for k, c in bad if not np.isfinite(series[k][c]).any()]
    if bad:
        with pytest.raises(ArgumentError, match=f"series {bad[0][0]}, channel {bad[0][1]} has no"):
            fill_arena(source, FillOptions())
        return
    wanted = reference.windows([reference.interpolated(one) for one in series], window)
    got = reference.stored(source)
    assert np.allclose(got, wanted, rtol=2 * np.finfo(got.dtype).eps, atol=1e-6)
    untouched = np.isfinite(reference.windows(series, window))
    assert np.array_equal(got[untouched], wanted[untouched])


def test_the_ends_are_exact():
    """F2: what stands at an end is the neighbour itself, to the last bit."""
    x = np.array([np.nan, 0.1, np.inf, 0.3, np.nan, np.nan])
    (row,) = reference.stored(Series(x, window=6, on_nan="interpolate"))
    assert row[0, [0, 1, 3, 4, 5]].tolist() == [0.1, 0.1, 0.3, 0.3, 0.3]
    assert row[0, 2] == pytest.approx(0.2)


def test_interpolation_does_not_overflow():
    """F2: neighbours of opposite sign and the largest size."""
    top = np.finfo(np.float32).max
    (row,) = reference.stored(
        Series(np.array([-top, np.nan, top], np.float32), window=3, on_nan="interpolate")
    )
    assert row[0].tolist() == [-top, 0, top]


def test_the_users_array_is_not_changed():
    """F2: values are filled in in the arena."""
    x = np.array([1, np.nan, 3.0])
    arena = fill_arena(Series(x, window=2, on_nan="interpolate"), FillOptions())
    assert arena.column("series").values.tolist() == [[1, 2, 3]]
    assert arena.catalog["report"]["columns"]["series"]["interpolated_values"] == 1
    assert np.isnan(x[1])


def test_a_limit_does_not_change_what_is_filled_in():
    """F2: a gap at the end of the last window is filled from behind it."""
    x = np.array([0, 1, np.nan, 3, 4.0])
    rows = reference.stored(Series(x, window=3, on_nan="interpolate"), limit=1)
    assert rows.tolist() == [[[0, 1, 2]]]


@pytest.mark.parametrize("value", BAD)
def test_raise_names_the_first_and_the_number(value):
    """F2: series, channel, step, value and count, and both other choices."""
    x = [np.zeros((3, 2_000_000), np.float32) for _ in range(2)]
    x[1][2, 1_000_000] = x[1][0, 1_500_000] = x[1][1, 1_000_001] = value
    with pytest.raises(ArgumentError) as caught:
        len(Series(x, window=5))
    for part in (
        "3 values",
        f"{value}",
        "series 1, channel 2",
        "step 1000000",
        "'skip'",
        "'interp",
    ):
        assert part in str(caught.value)
    with pytest.raises(ArgumentError, match="series 0, channel 2, at step 1000000"):
        fill_arena(Series(np.stack(x[1:]), window=5), FillOptions())
    few = np.zeros((9, 2, 5))
    few[7, 1, 3] = value
    with pytest.raises(ArgumentError, match="1 values .* series 7, channel 1, at step 3"):
        len(Series(few, window=5))


def test_integers_are_always_finite():
    """F2: nothing is looked for where nothing can be."""
    for policy in ("raise", "skip", "interpolate"):
        assert len(Series(np.arange(9), window=3, on_nan=policy)) == 7


def test_skipped_windows_are_kept_as_runs():
    """B8: memory follows the number of gaps, not that of windows."""
    x = np.zeros(1_000_000, np.float32)
    x[::100_000] = np.nan
    arena = fill_arena(Series(x, window=96, on_nan="skip"), FillOptions())
    assert arena.column("series").grids.shape == (5, 10)
    assert arena.layout.total_bytes < x.nbytes + 65_536


def test_labels_go_with_the_windows_that_remain():
    """F2: label and window are of the same steps after a skip."""
    x = np.arange(40.0)
    x[[7, 20]] = np.nan
    arena = fill_arena(Series(x, np.arange(40), window=4, on_nan="skip"), FillOptions())
    windows, labels = arena.column("series"), arena.column("label")
    assert len(arena) == 37 - 8
    assert all(np.array_equal(windows[row][0], labels[row]) for row in range(len(arena)))
