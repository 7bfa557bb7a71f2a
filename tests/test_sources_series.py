"""``sources.Series``: what it takes, which windows there are, and what it refuses (rows F2, B1)."""

import numpy as np
import pytest
import window_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache.errors import ArgumentError, FastcacheError, SchemaError, SourceNotFoundError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Series
from fastcache.sources.series_windows import Place, find_windows


def check(source, series, window, stride=1):
    """Compare with slices of the series, in content and dtype."""
    wanted = reference.windows(series, window, stride)
    got = reference.stored(source)
    assert len(source) == len(wanted)
    assert got.dtype == wanted.dtype.newbyteorder("=")
    assert np.array_equal(got, wanted)


# -- what may be given ----------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 7, 60])
def test_one_series_of_one_channel(stride):
    """F2: a plain array (T,)."""
    x = reference.made(channels=1)[0]
    check(Series(x, window=8, stride=stride), [x], 8, stride)


@pytest.mark.parametrize(
    "kind", ["bool", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64"]
)
def test_the_dtype_is_kept(kind):
    """F2: integers and floats of every width come back as they are."""
    x = np.abs(reference.made()).astype(kind)
    check(Series(x, window=8), [x], 8)


def test_series_of_several_channels_in_any_memory_order():
    """F2: Fortran order, steps between the values, reversed axes, foreign byte order."""
    x = reference.made("float64")
    for same in (
        np.asfortranarray(x),
        np.repeat(x, 2, axis=1)[:, ::2],
        np.ascontiguousarray(x[:, ::-1])[:, ::-1],
        x.astype(">f8"),
        x.astype("<f8"),
    ):
        check(Series(same, window=5, stride=2), [x], 5, 2)


@pytest.mark.parametrize("axis", [0, -2])
def test_time_on_the_first_axis(axis):
    """F2: (T, channels)."""
    x = reference.made()
    check(Series(np.ascontiguousarray(x.T), window=8, time_axis=axis), [x], 8)


def test_many_series_as_one_array():
    """F2: (n, channels, T), and with time before the channels."""
    x = np.stack([reference.made(seed=k) for k in range(5)])
    check(Series(x, window=8, stride=3), list(x), 8, 3)
    check(Series(x.transpose(0, 2, 1), window=8, stride=3, time_axis=1), list(x), 8, 3)
    check(Series(x[::2, ::-1], window=50), list(x[::2, ::-1]), 50)


def test_lists_of_series_of_different_lengths():
    """F2: windows never reach from one series into the next."""
    for shape in ((2, 30), (2, 8), (2, 7), (2, 0), (2, 19)), ((30,), (8,), (7,), (0,), (19,)):
        series = [np.random.default_rng(k).normal(size=s) for k, s in enumerate(shape)]
        check(Series(series, window=8, stride=2), series, 8, 2)
        check(Series(tuple(series), window=8, stride=2), series, 8, 2)


def test_objects_that_are_numbers():
    """F2: an object array is taken if everything in it is a number."""
    check(Series(np.array([1, 2, 3, 4], object), window=2), [np.array([1, 2, 3, 4])], 2)
    x = np.array([[1.5, 2, np.float32(3)]], object)
    check(Series(x, window=2), [np.array([[1.5, 2.0, 3.0]])], 2)


def test_files_are_mapped(tmp_path):
    """F2: a .npy file is not read before the arena is filled."""
    x = reference.made(steps=64)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(64))
    source = Series(tmp_path / "x.npy", str(tmp_path / "y.npy"), window=8)
    assert isinstance(source._data.parts[0].base, np.memmap)
    check(source, [x], 8)
    check(Series([tmp_path / "x.npy", str(tmp_path / "x.npy")], window=60), [x, x], 60)


class Table:
    """What all libraries' tables have in common."""

    def __init__(self, values):
        self.columns = [f"c{k}" for k in range(values.shape[1])]
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return self._values


def test_tables_have_time_on_the_first_axis():
    """F2: a DataFrame is (T, columns), without saying so."""
    x = reference.made()
    check(Series(Table(x.T), window=8), [x], 8)
    check(Series([Table(x.T), Table(x.T[:20])], window=8), [x, x[:, :20]], 8)


def test_tensors():
    """F2: tensors, also such that require gradients."""
    torch = pytest.importorskip("torch")
    x = reference.made()
    check(Series(torch.from_numpy(x).requires_grad_(), window=8), [x], 8)
    check(Series([torch.from_numpy(x).T.contiguous().T], window=8), [x], 8)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_lengths_strides_and_bad_steps(data):
    """F2: the runs hold exactly the windows that a loop finds; so do parts of them."""
    block = data.draw(st.booleans())
    most = st.integers(0, 25)
    lengths = (
        [data.draw(most)] * data.draw(st.integers(1, 5))
        if block
        else data.draw(st.lists(most, min_size=1, max_size=5))
    )
    window, stride = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 12))
    series = [np.zeros(steps) for steps in lengths]
    bad = data.draw(
        st.lists(st.sampled_from([(k, s) for k, n in enumerate(lengths) for s in range(n)] or [0]))
    )
    bad = [pair for pair in bad if pair]
    for k, step in bad:
        series[k][step] = np.nan
    extent = (len(lengths), lengths[0]) if block else np.array(lengths)
    pairs = tuple(np.array([p[axis] for p in bad], np.int64) for axis in range(2))
    found = find_windows(extent, window, stride, pairs if bad else None)
    wanted = reference.positions(series, window, stride, skip=True)
    assert located(found) == wanted
    if wanted:
        count = data.draw(st.integers(1, len(wanted)))
        assert located(found.head(count)) == wanted[:count]
        rows = sorted(data.draw(st.sets(st.integers(0, len(wanted) - 1), min_size=1)))
        assert located(found.take(np.array(rows))) == [wanted[row] for row in rows]
        last = max(k for k, _ in wanted)
        assert found.last == (last, max(s for k, s in wanted if k == last) + window)


def located(found):
    """Return the windows one by one, and check that the table of grids says the same."""
    series, start = found.locate(np.arange(len(found)))
    place = Place(pitch=1000)
    grids, row = found.grids(place), 0
    for first, inner, begin, pitch, step in grids.T.tolist():
        count = int(found.counts[np.flatnonzero(grids[0] == first)[0]])
        assert first == row
        for k in range(count):
            at = begin + k // inner * pitch + k % inner * step
            assert at == series[row] * 1000 + start[row]
            row += 1
    return list(zip(series.tolist(), start.tolist()))


# -- labels ---------------------------------------------------------------------------------------


def test_names_are_classes():
    """F2: names become indices of the sorted classes; these go into the catalogue."""
    names = [["b", "a", "c"][k % 3] for k in range(20)]
    source = Series(np.arange(20.0), names, window=4)
    layout = source.layout()
    assert layout.structure == ("series", "label")
    assert layout.attributes == {"classes": ["a", "b", "c"]}
    assert layout.feeds["label"].parts[0].tolist() == ["abc".index(name) for name in names]
    assert layout.feeds["label"].parts[0].dtype == np.uint8


def test_the_structure_is_what_was_asked_for():
    """F2: series, window, statistics, label, in this order; a lone series is bare."""
    x, y = np.arange(20.0), np.arange(20)
    assert Series(x, window=4).layout().structure == "series"
    both = ("statistics", "window")
    assert Series(x, window=4, extra=both).layout().structure == ("series", "window", "statistics")
    everything = Series(x, y, window=4, extra=both).layout()
    assert everything.structure == ("series", "window", "statistics", "label")
    assert list(everything.feeds) == list(everything.structure)


# -- the arena ------------------------------------------------------------------------------------


def test_the_series_lie_there_once():
    """B8: the plan is exact, and holds the series and their grids, none per window."""
    x = reference.made(channels=26, steps=10_000)
    arena = fill_arena(Series(x, np.arange(10_000), window=96), FillOptions())
    lines = {column["name"]: column for column in arena.catalog["plan"]["columns"]}
    assert lines["series"]["bytes"] == x.nbytes
    assert lines["series"]["row"] == "series float32 26x10000, 9,905 windows of 96"
    assert arena.layout.total_bytes == arena.catalog["plan"]["arena_bytes"]
    assert arena.layout.total_bytes <= x.nbytes + 80_000 + 65_536  # that one begins on a page
    assert set(arena.layout.columns) == {"series", "label"}
    assert not arena.column("series").values.flags.writeable


def test_limits_take_no_more_than_they_need():
    """F2: with a limit the arena holds the steps up to the last window, and the series up to it."""
    x = reference.made(steps=1000)
    assert filled_shape(Series(x, window=8, stride=2), 5) == (3, 16)
    assert filled_shape(Series([x[:, :100], x, x], window=8), 100) == (3, 114)
    assert filled_shape(Series(np.stack([x] * 4), window=8, stride=100), 12) == (2, 3, 1000)


def filled_shape(source, limit):
    wanted = reference.stored(source)
    arena = fill_arena(source, FillOptions(limit=limit))
    column = arena.column("series")
    assert len(arena) == limit
    assert all(np.array_equal(column[row], wanted[row]) for row in range(limit))
    return column.values.shape


def test_a_drawn_share():
    """F2: a share is drawn from the windows; the same seed draws the same."""
    x = reference.made(channels=1, steps=400)
    source = Series(x, np.arange(400), window=8)
    every = reference.stored(source)
    drawn = [reference.stored(source, limit=0.3, seed=seed) for seed in (1, 1, 2)]
    assert len(drawn[0]) == round(0.3 * len(every))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    firsts = {window[0, 0]: window for window in every}
    assert all(np.array_equal(window, firsts[window[0, 0]]) for window in drawn[2])
    assert np.array_equal(reference.stored(source, limit=1.0), every)


def test_the_report_names_short_series():
    """B8: series that are too short for a window are counted."""
    arena = fill_arena(Series([np.ones(3), np.ones(9), np.ones(0)], window=4), FillOptions())
    assert arena.catalog["report"]["columns"]["series"]["short_series"] == 2
    assert len(arena) == 6


# -- what is refused ------------------------------------------------------------------------------

X = np.arange(20.0)
BAD = {
    "window longer than the series": (
        (X,),
        {"window": 21},
        "21 is longer .* 20 steps .* at most 20",
    ),
    "window longer than every series": (([X, X[:5]],), {"window": 30}, "longest of 2 .* 20 steps"),
    "window longer than (T, C)": ((X.reshape(4, 5),), {"window": 6}, "time_axis="),
    "window 0": ((X,), {"window": 0}, "window=0: .* at least 1"),
    "window True": ((X,), {"window": True}, "window=True"),
    "window 2.0": ((X,), {"window": 2.0}, "window=2.0"),
    "stride 0": ((X,), {"window": 4, "stride": 0}, "stride=0: .* at least 1"),
    "stride -1": ((X,), {"window": 4, "stride": -1}, "stride=-1"),
    "stride 1.5": ((X,), {"window": 4, "stride": 1.5}, "stride=1.5"),
    "no series": (([],), {"window": 4}, "empty list"),
    "empty": ((X[:0],), {"window": 4}, "empty, its shape is \\(0,\\)"),
    "empty n": ((np.ones((0, 2, 9)),), {"window": 4}, "empty, its shape is \\(0, 2, 9\\)"),
    "no channels": ((np.ones((0, 9)),), {"window": 4}, "empty"),
    "only empty ones": (([X[:0]],), {"window": 4}, "without a value"),
    "four axes": ((np.ones((1, 2, 3, 4)),), {"window": 2}, "shape \\(1, 2, 3, 4\\)"),
    "a number": ((np.float64(3),), {"window": 2}, "shape \\(\\)"),
    "three axes in a list": (([np.ones((1, 2, 3))],), {"window": 2}, "series 0 of x has shape"),
    "a list of numbers": (([1.0, 2.0],), {"window": 2}, "numpy.asarray"),
    "a generator": ((iter([X]),), {"window": 2}, "must be an array"),
    "None": ((None,), {"window": 2}, "not NoneType"),
    "complex": ((X * 1j,), {"window": 2}, "complex128"),
    "text": ((np.array(["1", "2"]),), {"window": 2}, "<U1"),
    "dates": ((np.arange(9).astype("M8[D]"),), {"window": 2}, "datetime64"),
    "wide floats": ((X.astype(np.longdouble),), {"window": 2}, "float128|longdouble"),
    "objects": ((np.array([1, None, "a"], object),), {"window": 2}, "at 1 is None"),
    "objects of two axes": ((np.array([[1, "a"]], object),), {"window": 2}, "at \\(0, 1\\) is 'a'"),
    "objects too large": ((np.array([2**70, 1], object),), {"window": 2}, "64 bits"),
    "a masked array": ((np.ma.masked_invalid(X),), {"window": 2}, "filled"),
    "channels differ": (([np.ones((2, 9)), np.ones((3, 9))],), {"window": 2}, "3 channels"),
    "dtypes differ": (([X, X.astype("f4")],), {"window": 2}, "float32.*float64"),
    "time axis of (T,)": ((X,), {"window": 2, "time_axis": 1}, "time_axis=1"),
    "time axis of (n, C, T)": ((np.ones((2, 3, 9)),), {"window": 2, "time_axis": 0}, "axes 1, 2"),
    "time axis 0.0": ((X,), {"window": 2, "time_axis": 0.0}, "time_axis=0.0"),
    "extra text": ((X,), {"window": 2, "extra": "window"}, "extra='window': give a tuple"),
    "extra unknown": ((X,), {"window": 2, "extra": ("windows",)}, "'windows': choose 'window'"),
    "statistics unknown": ((X,), {"window": 2, "statistics": ("mode",)}, "'mode': choose 'mean'"),
    "quantile 2": ((X,), {"window": 2, "statistics": ("q2",)}, "'q2': choose .*'q0.25'"),
    "quantile x": ((X,), {"window": 2, "statistics": ("qx",)}, "'qx'"),
    "quantile nan": ((X,), {"window": 2, "statistics": ("qnan",)}, "'qnan'"),
    "no statistics": ((X,), {"window": 2, "statistics": ()}, "names none"),
    "on_nan": ((X,), {"window": 2, "on_nan": "drop"}, "'raise' or 'skip' or 'interpolate'"),
    "label": ((X, X), {"window": 2, "label": "first"}, "'last' or 'majority' or 'any'"),
    "label without labels": ((X,), {"window": 2, "label": "any"}, "no labels="),
    "label of series": (
        ([X, X], [1, 2]),
        {"window": 2, "label": "majority"},
        "one for each series",
    ),
    "any of names": ((X, ["a"] * 20), {"window": 2, "label": "any"}, "the labels are names"),
    "labels too few": ((X, X[1:]), {"window": 2}, "20 steps .* 19 labels"),
    "labels by channel": ((np.ones((5, 9)), np.ones(5)), {"window": 2}, "time_axis=0"),
    "labels of fewer series": (([X, X], [1]), {"window": 2}, "2 series but 1 labels"),
    "labels of a block": ((np.ones((3, 2, 9)), np.ones((3, 8))), {"window": 2}, "9 steps .* 8 lab"),
    "labels of one series short": (([X, X], [X, X[1:]]), {"window": 2}, "series 1 has 20 .* 19"),
    "labels mixed": (([X, X], [1, X]), {"window": 2}, "labels of series 0 are 1"),
    "labels names and numbers": (([X, X], [["a"] * 20, X]), {"window": 2}, "names .* numbers"),
    "labels missing": ((X, [None] * 20), {"window": 2}, "missing"),
    "labels a number": ((X, 3), {"window": 2}, "must be a sequence"),
    "labels complex": ((X, X * 1j), {"window": 2}, "complex128"),
    "labels of two axes": ((X, np.ones((20, 2))), {"window": 2}, "one number or name per step"),
    "labels masked": ((X, np.ma.masked_greater(X, 0.5)), {"window": 2}, "masked"),
    "labels too large": ((X, np.full(20, 2**63, np.uint64)), {"window": 2}, "64 signed bits"),
    "time short": ((X,), {"window": 2, "time": X[1:]}, "20 steps but 19 times"),
    "time unsorted": ((X,), {"window": 2, "time": X[::-1]}, "not sorted"),
    "time with NaN": ((X,), {"window": 2, "time": [*X[1:], np.nan]}, "not sorted, or has gaps"),
    "time text": ((X,), {"window": 2, "time": ["noon"] * 20}, "no date"),
    "time of no series": (([X, X, X],), {"window": 2, "time": [X, X]}, "3 series but times of 2"),
    "time None": ((X,), {"window": 2, "time": 5}, "time is int"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case):
    """F2: what cannot be used is a ValueError that says what is needed, and what there is."""
    args, options, message = BAD[case]
    with pytest.raises(ArgumentError, match=message):
        Series(*args, **options)


def test_missing_and_pickled_files(tmp_path):
    """F2: files that are not there, or would run code."""
    with pytest.raises(SourceNotFoundError):
        Series(tmp_path / "none.npy", window=2)
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ArgumentError, match="Pickled"):
        Series(tmp_path / "objects.npy", window=2)


def test_store_has_nothing_to_do_here():
    """F2: store= is for images."""
    from fastcache import transforms as T

    with pytest.raises(FastcacheError, match="no images"):
        fill_arena(Series(X, window=4), FillOptions(store=T.Resize(4)))


def test_functions_whose_labels_no_column_holds():
    labels = np.arange(20)
    for made in (1 << 63, np.uint64(1 << 63)):
        source = Series(X, labels, window=4, label=lambda _, made=made: made)
        with pytest.raises(SchemaError, match="window 0, which exceeds int64"):
            source.layout()
    source = Series(X, labels, window=4, label=lambda own: 1 << 63 if own[0] == 2 else 1)
    with pytest.raises(SchemaError, match="window 2, which exceeds int64"):
        source.read(2)


def test_strides_beyond_all_numbers():
    assert len(Series(X, window=4, stride=1 << 70)) == 1
