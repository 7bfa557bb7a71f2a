"""Files from CSV tables."""

import os

import numpy as np
import pytest

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources import Files

PATHS = ["a.jpg", "b.jpg", "c.jpg"]


def label(source):
    return source.layout().feeds["label"]


@pytest.fixture
def csv(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["3", " 1", "+2"], [3, 1, 2]),
        (["3", "1.5", "1e1"], [3.0, 1.5, 10.0]),
        (["3", "x", "2"], [1, 2, 0]),
        (["9" * 19, "1", "2"], [2, 0, 1]),  # too long for exact numbers: names
    ],
)
def test_csv_columns_are_integers_floats_or_names(csv, values, expected):
    path = csv("path,label\n" + "".join(f"{p},{v}\n" for p, v in zip(PATHS, values, strict=True)))
    source = Files.from_csv(path, root="photos")
    assert source.paths == [os.path.join("photos", p) for p in PATHS]
    assert label(source).rows.tolist() == expected
    assert label(source).rows.dtype == (np.float64 if isinstance(expected[0], float) else np.int64)


def test_csv_options_pass_through(csv):
    path = csv("\ufeffFile;Klasse\n'a;1.jpg';Bär\n\nb.jpg;Kuh\n", "utf-8")
    source = Files.from_csv(path, "File", "Klasse", delimiter=";", quotechar="'")
    assert source.paths == ["a;1.jpg", "b.jpg"]
    assert source.classes == ["Bär", "Kuh"]
    path = csv("path,label\na.jpg,Bär\n", "latin-1")
    assert Files.from_csv(path, encoding="latin-1").classes == ["Bär"]


def test_csv_names_that_look_like_numbers_are_names_if_classes_say_so(csv):
    source = Files.from_csv(csv("path,label\na,10\nb,9\n"), classes=["10", "9"])
    assert label(source).rows.tolist() == [0, 1]


def test_csv_columns_may_be_many_or_none(csv):
    path = csv("cat,path,dog\n1,a.jpg,0\n0,b.jpg,1\n")
    assert label(Files.from_csv(path, label=["dog", "cat"])).rows.tolist() == [[0, 1], [1, 0]]
    assert Files.from_csv(path, label=None).layout().structure == "image"


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("file,label\na,1\n", {}, "no column 'path'; it has file, label"),
        ("path,label\na,1\nb\n", {}, "line 3: column 'label' is empty"),
        ("path,label\na,1\n,2\n", {}, "line 3: column 'path' is empty"),
        ("path,x,y\na,1,2\nb,1,two\n", {"label": ["x", "y"]}, "line 3: column 'y' is 'two'"),
        ("path,x\na,1\n", {"label": []}, "at least one"),
        ("path,label\n", {}, "empty"),
        ("", {}, "no column"),
        ("path,label\na,1\n", {"encoding": "no-such"}, "no-such"),
        ("path,label\na,1\n", {"delimiter": ";;"}, "delimiter"),
        ("path,label\na,1\n", {"colour": "red"}, "colour"),
        ('path,label\na,"1\n', {"strict": True}, "end of data"),
    ],
)
def test_bad_csv_files_are_refused_with_the_line(csv, text, options, match):
    with pytest.raises(ArgumentError, match=match):
        Files.from_csv(csv(text), **options)


def test_csv_files_that_are_missing_or_no_text_are_refused(tmp_path, csv):
    with pytest.raises(SourceNotFoundError, match="gone"):
        Files.from_csv(tmp_path / "gone.csv")
    with pytest.raises(ArgumentError, match="utf-8"):
        Files.from_csv(csv("path,label\nä,1\n", "latin-1"))
