"""``Series.split``: parts that share no step (row F2)."""

import datetime as dt

import numpy as np
import pytest
import window_reference as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastcache.errors import ArgumentError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Series


def numbered(lengths):
    """Return series whose values say which series and step they are."""
    return [1000.0 * k + np.arange(steps) for k, steps in enumerate(lengths)]


def steps_seen(source):
    """Return the values that any window of a source shows."""
    return set(reference.stored(source).ravel().tolist())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(1, 5),
    st.one_of(st.integers(1, 39), st.floats(0.05, 0.95)),
    st.integers(0, 8),
    st.booleans(),
)
def test_no_step_is_in_both(lengths, window, stride, at, gap, block):
    """F2: training ends before `at`, validation begins at or after at + gap; none is lost."""
    lengths = [lengths[0]] * len(lengths) if block else lengths
    series = numbered(lengths)
    assume(max(lengths) >= window)
    x = np.stack(series)[:, None] if block else series
    ends = [int(n * at) if isinstance(at, float) else min(at, n) for n in lengths]
    every = reference.positions(series, window, stride)
    before = [(k, s) for k, s in every if s + window <= ends[k]]
    after = [(k, s) for k, s in every if s >= ends[k] + gap]
    source = Series(x, window=window, stride=stride)
    if not (before and after):
        with pytest.raises(ArgumentError, match="leaves no window"):
            source.split(at=at, gap=gap)
        return
    train, valid = source.split(at=at, gap=gap)
    for part, wanted in ((train, before), (valid, after)):
        firsts = [(int(w[0, 0]) // 1000, int(w[0, 0]) % 1000) for w in reference.stored(part)]
        assert firsts == wanted
    assert not steps_seen(train) & steps_seen(valid)


def test_labels_go_with_their_steps():
    """F2: labels per step are split as the series are, labels per series stay."""
    series = numbered([30, 20])
    labels = [np.arange(30), 100 + np.arange(20)]
    for part in Series(series, labels, window=4, stride=3).split(at=0.5, gap=1):
        arena = fill_arena(part, FillOptions())
        windows, label = arena.column("series"), arena.column("label")
        for row in range(len(arena)):
            last = windows[row][0, -1]
            assert label[row][-1] == last % 1000 + 100 * (last >= 1000)
    for part in Series(series, ["a", "b"], window=4).split(at=10):
        arena = fill_arena(part, FillOptions())
        windows, label = arena.column("series"), arena.column("label")
        assert all(label[row][0] == windows[row][0, 0] // 1000 for row in range(len(arena)))


def test_parts_look_at_the_same_memory_and_split_again():
    """F2, B8: no copy is made; validation can be split into validation and test."""
    x = np.arange(100.0)
    train, rest = Series(x, window=5).split(at=0.6, gap=2)
    valid, test = rest.split(at=0.5)
    for part in (train, valid, test):
        assert np.shares_memory(part._data.parts[0], x)
    shown = [steps_seen(part) for part in (train, valid, test)]
    assert [min(steps) for steps in shown] == [0, 62, 81]
    assert [max(steps) for steps in shown] == [59, 80, 99]


def test_nothing_leaks_through_interpolation():
    """F2: a gap at the border takes values of its own part only."""
    x = np.arange(20.0)
    x[8:12] = np.nan
    x[12:] += 1000
    train, valid = Series(x, window=4, on_nan="interpolate").split(at=10)
    assert steps_seen(train) == {0, 1, 2, 3, 4, 5, 6, 7}  # the end takes the last one, 7
    assert steps_seen(valid) == {1012.0 + k for k in range(8)}


DAYS = np.datetime64("2024-01-01") + np.arange(30)


@pytest.mark.parametrize(
    ("at", "gap", "ends", "begins"),
    [
        ("2024-01-11", 0, 9, 10),
        (np.datetime64("2024-01-11"), 3, 9, 13),
        (dt.date(2024, 1, 11), dt.timedelta(days=4), 9, 14),
        (dt.datetime(2024, 1, 11, 12), np.timedelta64(2, "D"), 10, 13),
        (0.5, dt.timedelta(days=4), 14, 19),
        (15, dt.timedelta(hours=36), 14, 17),
        (15, 2, 14, 17),
    ],
)
def test_points_in_time(at, gap, ends, begins):
    """F2: a date splits before the first step that is not earlier."""
    train, valid = Series(np.arange(30.0), window=3, time=DAYS).split(at=at, gap=gap)
    assert max(steps_seen(train)) == ends
    assert min(steps_seen(valid)) == begins


def test_times_of_each_series():
    """F2: series that begin at different times are split at the same moment."""
    x = numbered([30, 20])
    source = Series(x, window=3, time=[DAYS, DAYS[10:]])
    train, valid = source.split(at="2024-01-16", gap=dt.timedelta(days=1))
    assert steps_seen(train) == {*x[0][:15], *x[1][:5]}
    assert steps_seen(valid) == {*x[0][16:], *x[1][6:]}
    again, _ = train.split(at="2024-01-13")
    assert steps_seen(again) == set(x[0][:12])
    block = Series(np.stack([x[0], x[0]])[:, None], window=3, time=DAYS.tolist())
    assert max(steps_seen(block.split(at="2024-01-16")[0])) == 14


def test_times_that_are_numbers():
    """F2: with time= of numbers `at` is such a number, but for a share in (0, 1)."""
    source = Series(np.arange(30.0), window=3, time=np.arange(30) * 10)
    train, valid = source.split(at=105, gap=1)
    assert max(steps_seen(train)) == 10
    assert min(steps_seen(valid)) == 12
    assert max(steps_seen(source.split(at=0.5)[0])) == 14


def test_a_pandas_index():
    """F2: a DatetimeIndex is a time, a Timestamp a moment."""
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2024-01-01", periods=30)
    train, _ = Series(np.arange(30.0), window=3, time=index).split(at=index[10])
    assert max(steps_seen(train)) == 9


BAD = {
    "everything": ({"at": 30}, "no window for validation: .* the longest piece has 0"),
    "nothing": ({"at": 0}, "no window for training"),
    "negative": ({"at": -3}, "no window for training"),
    "gap too large": ({"at": 20, "gap": 9}, "no window for validation: .* 3 steps, .* has 1"),
    "share of 1": ({"at": 1.0}, "at=1.0: give a share"),
    "True": ({"at": True}, "at=True"),
    "None": ({"at": None}, "at=None"),
    "a date without time": ({"at": "2024-01-05"}, "pass time="),
    "gap -1": ({"at": 10, "gap": -1}, "gap=-1"),
    "gap 1.5": ({"at": 10, "gap": 1.5}, "gap=1.5"),
    "gap of time without time": ({"at": 10, "gap": dt.timedelta(1)}, "needs time= of dates"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case):
    """F2: what makes no two parts is an error that names the values."""
    options, message = BAD[case]
    with pytest.raises(ArgumentError, match=message):
        Series(np.arange(30.0), window=3).split(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "noon"}, "no date"),
        ({"at": 1e9}, "at=1000000000.0: give"),
        ({"at": dt.datetime(2024, 1, 9, tzinfo=dt.timezone.utc)}, "time zone"),
        ({"at": "2024-01-09", "gap": dt.timedelta(-1)}, "at least 0"),
    ],
)
def test_moments_that_cannot_be_used(options, message):
    """F2: the same for dates."""
    with pytest.raises(ArgumentError, match=message):
        Series(np.arange(30.0), window=3, time=DAYS).split(**options)


def test_dates_and_numbers_do_not_mix():
    """F2: a date says nothing about times that are numbers."""
    with pytest.raises(ArgumentError, match="time= holds numbers"):
        Series(np.arange(9.0), window=3, time=np.arange(9)).split(at="2024-01-09")


NANOSECONDS = np.datetime64("2020-01-01", "ns") + np.arange(100)


def test_pandas_nanoseconds_count():
    """A Timestamp and a Timedelta are datetime's own only down to the microsecond."""
    pandas = pytest.importorskip("pandas")
    source = Series(np.arange(100.0), window=10, time=NANOSECONDS)
    at = pandas.Timestamp("2020-01-01") + pandas.Timedelta(40, "ns")
    train, valid = source.split(at=at, gap=pandas.Timedelta(20, "ns"))
    assert steps_seen(train) == set(range(40))
    assert steps_seen(valid) == set(range(60, 100))


@pytest.mark.parametrize(
    ("at", "gap", "message"),
    [
        (np.datetime64("2604-07-22"), 0, "beyond what the units"),
        (np.datetime64("2020-01-01", "ns") + 50, dt.timedelta(days=999_999), "beyond what the un"),
        (50, dt.timedelta(days=999_999), "beyond what the units"),
        (50, np.timedelta64(290, "D") * 365, "beyond what its units"),
        (50, np.timedelta64(1, "Y"), "units of time="),
        (50, (1 << 63) - 1, "no window for validation"),
        (50, 10**30, "no window for validation"),
        (10**30, 0, "no window for validation"),
        (-(10**30), 0, "no window for training"),
    ],
)
def test_numbers_that_would_wrap_around(at, gap, message):
    """None of them may come back as a step before `at`, where training is."""
    source = Series(np.arange(100.0), window=10, time=NANOSECONDS)
    with pytest.raises(ArgumentError, match=message):
        source.split(at=at, gap=gap)
