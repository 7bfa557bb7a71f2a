"""``Series.from_csv`` and ``Series.from_parquet`` (row F2)."""

import functools
import sys

import numpy as np
import pytest
import window_reference as reference

from fastcache.errors import ArgumentError, MissingPackageError, SourceNotFoundError
from fastcache.sources import Series

CSV = "when,a,b,state,text\n" + "".join(
    f"2024-01-{k + 1:02},{k},{k / 7!r},{'on' if k % 3 else 'off'},{k}x\n" for k in range(20)
)
A, B = np.arange(20.0), np.arange(20) / 7


@pytest.fixture
def csv_file(tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "x.csv").write_text(CSV)
    return tmp_path / "x.csv"


@pytest.fixture
def parquet_file(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    when = np.datetime64("2024-01-01", "s") + np.arange(20) * np.timedelta64(86400, "s")
    columns = {
        "when": when,
        "a": np.arange(20),
        "b": B,
        "state": ["on" if k % 3 else "off" for k in range(20)],
        "text": [f"{k}x" for k in range(20)],
        "gaps": [None if k == 3 else float(k) for k in range(20)],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


@pytest.fixture(params=["csv_file", "parquet_file"])
def made(request):
    path = request.getfixturevalue(request.param)
    reader = Series.from_csv if request.param == "csv_file" else Series.from_parquet
    return functools.partial(reader, path)


def test_columns_are_channels(made):
    """F2: in the order in which they are named, to the last bit."""
    both = np.stack([B, A])
    source = made(["b", "a"], window=5, stride=2)
    assert np.array_equal(reference.stored(source), reference.windows([both], 5, 2))
    assert np.array_equal(reference.stored(made("b", window=5)), reference.windows([B], 5))


def test_labels_and_times_of_columns(made):
    """F2: names are classes, dates split."""
    source = made("b", "state", window=5, how="majority", time="when")
    assert source.layout().attributes == {"classes": ["off", "on"]}
    assert source.layout().feeds["label"].field.how == "majority"
    train, valid = source.split(at="2024-01-11")
    assert np.array_equal(reference.stored(train), reference.windows([B[:10]], 5))
    assert len(valid) == 6
    numbers = made("b", "a", window=5).layout().feeds["label"].parts[0]
    assert numbers.dtype == np.int64


def test_empty_fields_are_gaps(tmp_path, parquet_file):
    """F2: what is missing is NaN, and treated as on_nan says."""
    (tmp_path / "gaps.csv").write_text("a\n1\n\n3\n".replace("\n\n", "\nnan\n"))
    for source in (
        Series.from_parquet(parquet_file, "gaps", window=2, on_nan="interpolate"),
        Series.from_parquet(parquet_file, "gaps", window=2, on_nan="skip"),
    ):
        assert np.isfinite(reference.stored(source)).all()
    with pytest.raises(ArgumentError, match="at step 3"):
        len(Series.from_parquet(parquet_file, "gaps", window=2))
    pytest.importorskip("pandas")
    filled = Series.from_csv(tmp_path / "gaps.csv", "a", window=3, on_nan="interpolate")
    assert reference.stored(filled).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((["a", "c"],), {}, "no column 'c'; it has when, a, b"),
        (("a", "label"), {}, "no column 'label'"),
        (("a",), {"time": "t"}, "no column 't'"),
        (("text",), {}, "'text' .* needs numbers"),
        (([],), {}, "give the names"),
        (([1],), {}, "give the names"),
    ],
)
def test_refused(made, args, options, message):
    """F2: columns that are not there, or hold no numbers."""
    with pytest.raises(ArgumentError, match=message):
        made(*args, window=5, **options)


def test_files_that_are_none(tmp_path, made):
    """F2: a missing file, and one that is something else."""
    reader = made.func
    with pytest.raises(SourceNotFoundError):
        reader(tmp_path / "none", "a", window=5)
    (tmp_path / "broken").write_bytes(b"\xff\xfe\x00PAR1\x00\xd8")
    with pytest.raises(ArgumentError, match="broken"):
        reader(tmp_path / "broken", "a", window=5)


@pytest.mark.parametrize(
    ("reader", "package", "module"),
    [("from_csv", "pandas", "pandas"), ("from_parquet", "pyarrow", "pyarrow.parquet")],
)
def test_without_the_package(tmp_path, monkeypatch, reader, package, module):
    """F2: the error says what to install, and is an ImportError."""
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "x").write_text(CSV)
    with pytest.raises(MissingPackageError, match=f"pip install {package}") as caught:
        getattr(Series, reader)(tmp_path / "x", "a", window=5)
    assert isinstance(caught.value, ImportError)
