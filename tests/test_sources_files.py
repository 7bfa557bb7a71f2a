"""Files, its CSV reader and its labels; Pairs."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from fastcache.errors import ArgumentError
from fastcache.schema import Array, Scalar
from fastcache.sources import Files, ImageFiles

PATHS = ["a.jpg", "b.jpg", "c.jpg"]


class Column:
    """A table's column as pandas and its kin have them: it turns itself into an array."""

    def __init__(self, values):
        self._values = np.array(values)

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        return iter(self._values)

    def __array__(self, dtype=None, copy=None):
        return self._values


def label(source):
    return source.layout().feeds["label"]


# ---- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths", [PATHS, tuple(PATHS), map(Path, PATHS), np.array(PATHS), Column(PATHS), iter(PATHS)]
)
def test_paths_of_any_kind_become_strings(paths):
    source = Files(paths, root="photos")
    assert source.paths == [os.path.join("photos", path) for path in PATHS]
    assert {type(path) for path in source.paths} == {str}
    assert len(source) == 3


def test_absolute_paths_do_not_move(tmp_path):
    assert Files([tmp_path / "a.jpg"], root="photos").paths == [str(tmp_path / "a.jpg")]


def test_without_labels_a_sample_is_the_image():
    layout = Files(PATHS).layout()
    assert layout.structure == "image"
    assert layout.feeds == {"image": ImageFiles(PATHS)}
    assert layout.attributes == {}


@pytest.mark.parametrize(
    ("paths", "match"),
    [
        ("photos", "ClassFolder"),
        (Path("photos"), "ClassFolder"),
        ({"a.jpg"}, "list of paths"),
        ({"a.jpg": 1}, "list of paths"),
        (None, "list of paths"),
        ([], "empty"),
        (["a.jpg", None], r"paths\[1\]"),
        (["a.jpg", 3.0], r"paths\[1\]"),
        (["a.jpg", ""], r"paths\[1\]"),
        (["a\0.jpg"], r"paths\[0\]"),
        ([b"a.jpg"], r"paths\[0\]"),
    ],
)
def test_bad_paths_are_refused(paths, match):
    with pytest.raises(ArgumentError, match=match):
        Files(paths)


# ---- labels -------------------------------------------------------------------------------------

NUMBERS = [
    ([3, 1, 2], "int64"),
    ([True, False, True], "bool"),
    ([0.5, 1.0, -2.0], "float64"),
    ([1, 0.5, 2], "float64"),
]


@pytest.mark.parametrize(("values", "dtype"), NUMBERS)
@pytest.mark.parametrize("kind", [list, tuple, np.array, Column, iter])
def test_numbers_are_kept_as_pythons_own(values, dtype, kind):
    column = label(Files(PATHS, kind(values)))
    assert column.field == Scalar(dtype)
    assert column.rows.dtype == dtype
    assert column.rows.tolist() == values


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64", "float32", "float16", ">i4"])
def test_narrow_numbers_are_widened_without_loss(dtype):
    column = label(Files(PATHS, np.array([1, 2, 3], dtype)))
    assert column.rows.dtype == ("float64" if "float" in dtype else "int64")
    assert column.rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", [list, np.array, Column, lambda v: np.array(v, object)])
def test_names_become_sorted_classes(kind):
    source = Files(PATHS, kind(["dog", "cat", "dog"]))
    assert source.classes == ["cat", "dog"]
    assert label(source).rows.tolist() == [1, 0, 1]
    assert source.layout().attributes == {"classes": ["cat", "dog"]}
    assert source.layout().structure == ("image", "label")


def test_given_classes_keep_their_order():
    source = Files(PATHS, ["dog", "cat", "dog"], root="r", classes=["dog", "cat", "cow"])
    assert label(source).rows.tolist() == [0, 1, 0]
    assert source.layout().attributes == {"root": "r", "classes": ["dog", "cat", "cow"]}
    assert label(Files(PATHS, [1, 0, 1], classes=["dog", "cat"])).rows.tolist() == [1, 0, 1]


MULTI = [[1, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize(
    "labels", [MULTI, np.array(MULTI), [np.array(row) for row in MULTI], map(tuple, MULTI)]
)
def test_rows_of_labels_are_arrays(labels):
    column = label(Files(PATHS, labels))
    assert column.field == Array("int64", (2,))
    assert column.rows.tolist() == MULTI


def test_arrays_of_labels_keep_their_dtype():
    assert label(Files(PATHS, np.ones((3, 4, 5), np.float32))).field == Array("float32", (4, 5))


def test_tensors_are_labels_too():
    torch = pytest.importorskip("torch")
    assert label(Files(PATHS, torch.tensor([2, 1, 0]))).rows.tolist() == [2, 1, 0]
    rows = [torch.tensor([1.0, 0.0], requires_grad=True)] * 3
    assert label(Files(PATHS, rows)).field == Array("float32", (2,))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([1, 2], "3 samples but 2 labels"),
        (["a", "b", "c", "d"], "3 samples but 4 labels"),
        (np.zeros((4, 2)), "3 samples but 4 labels"),
        ("abc", "one label per sample"),
        (7, "one label per sample"),
        ({1, 2, 3}, "one label per sample"),
        (np.array(7), "one label per sample"),
        (["a", 1, "b"], "label 1 is 1"),
        ([1, None, 2], "label 1 is missing"),
        ([[1, 0], [1], [0, 1]], "label 1 has shape"),
        ([[[1], [1, 2]]] * 3, "label 0 has shape"),
        ([1j, 2j, 3j], "complex128"),
        ([b"a", b"b", b"c"], "dtype"),
        ([2**70, 1, 2], "object"),
        (np.array([2**63, 1, 2], np.uint64), "label 0 does not fit"),
        (np.array(["2020-01-01"] * 3, "M8[D]"), "datetime64"),
    ],
)
def test_bad_labels_are_refused(labels, match):
    with pytest.raises(ArgumentError, match=match):
        Files(PATHS, labels)


@pytest.mark.parametrize(
    ("labels", "classes", "match"),
    [
        (["a", "b", "x"], ["a", "b"], "'x'"),
        ([0, 1, 2], ["a", "b"], "label 2 is 2, but there are 2 classes"),
        ([0, -1, 0], ["a", "b"], "label 1 is -1"),
        ([0.5, 1.0, 0.0], ["a", "b"], "float64"),
        (["a", "a", "a"], ["a", "a"], "more than once: a"),
        (["a", "a", "a"], "a", "list of names"),
        (["a", "a", "a"], ["a", 3], "list of names"),
        (None, ["a"], "without labels"),
    ],
)
def test_bad_classes_are_refused(labels, classes, match):
    with pytest.raises(ArgumentError, match=match):
        Files(PATHS, labels, classes=classes)


def test_files_travel():
    source = pickle.loads(pickle.dumps(Files(PATHS, ["x", "y", "x"])))
    assert (source.paths, source.classes) == (PATHS, ["x", "y"])


@pytest.mark.parametrize(
    "names",
    [["1_1", "11"], ["nan", "1"], ["inf", "2"], ["1" * 22, "1" * 21 + "2"], ["\u0661", "1"]],
    ids=str,
)
def test_csv_values_that_only_python_reads_as_numbers_are_names(tmp_path, names):
    """Two names never become one number."""
    table = tmp_path / "t.csv"
    table.write_text("path,label\n" + "".join(f"{k}.jpg,{n}\n" for k, n in enumerate(names)))
    source = Files.from_csv(str(table))
    assert source.classes == sorted(names)
    with pytest.raises(ArgumentError, match="no number"):
        Files.from_csv(str(table), label=["label"])


def test_csv_numbers_are_numbers(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,a,b\nx.jpg,-3,.5\ny.jpg,+12,1e-3\nz.jpg,007,2.\n")
    labels = {n: Files.from_csv(str(table), label=n).layout().feeds["label"].rows for n in "ab"}
    assert labels["a"].tolist() == [-3, 12, 7]
    assert labels["b"].tolist() == [0.5, 0.001, 2.0]
