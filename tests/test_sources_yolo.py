"""YOLO's folders: which images, which labels, and what is wrong with bad ones."""

import json
import sys
from types import SimpleNamespace

import images
import numpy as np
import pytest
from detection import NAMES, make_yolo

from fastcache.errors import ArgumentError, MissingPackageError, SourceNotFoundError
from fastcache.sources import Yolo
from fastcache.sources.yolo import label_path
from fastcache.sources.yolo_labels import read_labels


@pytest.fixture
def yolo(tmp_path):
    return make_yolo(tmp_path, [3, 0, -1, 5])


def labels_of(tmp_path, text, classes=None):
    path = tmp_path / "labels.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_labels([str(path)], classes)


def test_images_and_their_labels(tmp_path, yolo):
    """D7"""
    for place in (tmp_path / "images", tmp_path / "images" / "train"):
        source = Yolo(place)
        layout = source.layout()
        assert source.paths == [one["path"] for one in yolo]
        assert layout.structure == ("image", {"boxes": "boxes", "labels": "labels"})
        rows = layout.feeds["boxes"]
        assert rows.counts.tolist() == [3, 0, 0, 5]
        assert rows.numbers.tolist() == [label for one in yolo for label, _ in one["boxes"]]
        sides = np.array([one["size"][::-1] * 2 for one in yolo for _ in one["boxes"]])
        want = [box for one in yolo for _, box in one["boxes"]]
        np.testing.assert_allclose(rows.boxes * sides, want, atol=1e-9)


def test_where_labels_are():
    assert label_path("/a/images/b/images/c/d.x.jpg") == "/a/images/b/labels/c/d.x.txt"
    assert label_path("images/d.jpg") == "labels/d.txt"
    assert label_path("/photos/d.jpg") == "/photos/d.txt"
    assert label_path("/my.images/d") == "/my.images/d.txt"


def test_a_list_of_images(tmp_path, yolo):
    names = tmp_path / "train.txt"
    names.write_text(f"./images/train/003.png\n\n{yolo[0]['path']}\nimages/train/001.png\n")
    source = Yolo(names)
    assert source.paths == [yolo[k]["path"] for k in (3, 0, 1)]
    assert source.layout().feeds["boxes"].counts.tolist() == [5, 3, 0]
    names.write_text("\n")
    with pytest.raises(SourceNotFoundError, match="names no image"):
        Yolo(names)


def test_lines_of_all_kinds(tmp_path):
    text = "\ufeff0 0.5 0.5 0.2 0.4\r\n\r\n  2\t.1 .2 .2 .4  \n"
    text += "1.0 0.1 0.2 0.5 0.3 0.4 0.8 0.2 0.7\n"
    found = labels_of(tmp_path, text, 3)
    assert found.failed == {}
    assert found.numbers.tolist() == [0, 2, 1]
    want = [[0.4, 0.3, 0.6, 0.7], [0, 0, 0.2, 0.4], [0.1, 0.2, 0.5, 0.8]]
    np.testing.assert_allclose(found.boxes, want, atol=1e-12)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 0.5 0.5 0.2", "line 3 has 4 values"),
        ("0 0.5 0.5 0.2 0.2 0.9", "line 3 has 6 values"),
        ("0 0.5 0.5 0.2 0.2 0.9 0.1 0.1", "line 3 has 8 values"),
        ("0 0.5 0.5 0.2 x", "line 3: '0 0.5 0.5 0.2 x' are no numbers"),
        ("1_0 0.5 0.5 0.2 0.2", "line 3: '1_0 0.5 0.5 0.2 0.2' are no numbers"),
        ("0 nan 0.5 0.2 0.2", "line 3: nan and inf"),
        ("0 0.5 0.5 inf 0.2", "line 3: nan and inf"),
        ("0 0.1 0.1 0.2 0.2 nan 0.3", "line 3: nan and inf"),
        ("-1 0.5 0.5 0.2 0.2", "line 3: class -1 is no integer"),
        ("0.5 0.5 0.5 0.2 0.2", "line 3: class 0.5 is no integer"),
        ("3 0.5 0.5 0.2 0.2", "line 3: class 3, but there are 3, 0 to 2"),
        ("1e300 0.5 0.5 0.2 0.2", "line 3: class 1000"),
        ("0 0.5 0.5 -0.2 0.2", "line 3: a box cannot be -0.2 wide and 0.2 high"),
        ("0 320 240 50 60", "line 3: places must be shares"),
        ("0 -0.1 0.5 0.2 0.2", "line 3: places must be shares"),
        ("0 0.1 0.1 0.2 0.2 3 0.3", "line 3: places must be shares"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, why):
    found = labels_of(tmp_path, f"0 0.5 0.5 0.1 0.1\n\n{line}\n1 0.5 0.5 0.1 0.1\n", 3)
    path, reason = found.failed[0]
    assert path == str(tmp_path / "labels.txt")
    assert reason.startswith(why)
    assert found.counts.tolist() == [0]
    assert len(found.boxes) == len(found.numbers) == 0


def test_bytes_that_are_no_text(tmp_path):
    found = labels_of(tmp_path, b"\xff\xfe\x000 1 2\n")
    assert "are no numbers" in found.failed[0][1]
    assert labels_of(tmp_path, "9999999 0.5 0.5 1 1").numbers.tolist() == [9999999]
    assert "no number of a class" in labels_of(tmp_path, "1e300 0.5 0.5 1 1").failed[0][1]


def test_one_bad_file_among_good_ones(tmp_path):
    paths = [tmp_path / f"{k}.txt" for k in range(6)]
    for k, text in enumerate(["0 .5 .5 .1 .1", "0 7 .5 .1 .1", "", "x", "1 .2 .2 .1 .1\n" * 2]):
        paths[k].write_text(text)
    (tmp_path / "6.txt").mkdir()
    found = read_labels([*map(str, paths), str(tmp_path / "6.txt")], None)
    assert sorted(found.failed) == [1, 3, 6]
    assert found.counts.tolist() == [1, 0, 0, 0, 2, 0, 0]
    assert found.numbers.tolist() == [0, 1, 1]
    assert found.found == 6


def test_no_labels_at_all(tmp_path):
    make_yolo(tmp_path, [-1, -1])
    with pytest.raises(SourceNotFoundError, match=r"no label file for any of 2 images.*labels"):
        Yolo(tmp_path / "images").layout()
    rows = Yolo(tmp_path / "images", allow_empty=True).layout().feeds["boxes"]
    assert rows.counts.tolist() == [0, 0]
    assert rows.boxes.shape == (0, 4)


@pytest.fixture
def json_as_yaml(monkeypatch):
    """Stand in for PyYAML, which need not be there: JSON is YAML."""
    fake = SimpleNamespace(safe_load=json.load, YAMLError=json.JSONDecodeError)
    monkeypatch.setitem(sys.modules, "yaml", fake)


def write_yaml(tmp_path, told):
    path = tmp_path / "data.yaml"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return path


@pytest.mark.usefixtures("json_as_yaml")
def test_data_yaml(tmp_path, yolo):
    """D7"""
    other = tmp_path / "more" / "images"
    other.mkdir(parents=True)
    (other / "x.png").write_bytes(images.encode(images.photo(8, 8), "PNG"))
    (tmp_path / "val.txt").write_text("more/images/x.png\n")
    told = {"train": ["images/train", "more/images"], "val": "val.txt", "names": NAMES}
    path = write_yaml(tmp_path, told)
    paths = [one["path"] for one in yolo]
    for data in (path, tmp_path):
        source = Yolo(data)
        assert source.paths == [*paths, str(other / "x.png")]
        assert source.classes == NAMES
    assert Yolo(path, "val").paths == [str(other / "x.png")]
    assert Yolo(path, classes=["a", "b", "c"]).classes == ["a", "b", "c"]
    with pytest.raises(ArgumentError, match="no paths under 'test'; it has train, val"):
        Yolo(path, "test")
    told = {"path": "..", "train": f"{tmp_path.name}/images/train", "names": {"0": "x"}}
    with pytest.raises(ArgumentError, match="names must be numbered 0 to 0"):
        Yolo(write_yaml(tmp_path, told))
    assert Yolo(write_yaml(tmp_path, {**told, "names": None})).paths == paths
    assert Yolo(write_yaml(tmp_path, {"train": "../images/train"})).paths == paths


@pytest.mark.usefixtures("json_as_yaml")
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("{", "is no YAML"),
        ([1], "holds no names"),
        ({}, "no split at all"),
        ({"train": 5}, "no paths under 'train'"),
        ({"train": "images", "path": 3}, "path is 3"),
        ({"train": "images/train", "names": "cat"}, "must be a list of names"),
        ({"train": "images/train", "names": ["a", "a"]}, "'a' twice"),
    ],
)
def test_data_yaml_that_cannot_be_used(tmp_path, yolo, told, why):
    with pytest.raises(ArgumentError, match=why):
        Yolo(write_yaml(tmp_path, told))


def test_data_yaml_without_pyyaml(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingPackageError, match=r"pip install pyyaml.*classes="):
        Yolo(write_yaml(tmp_path, {"train": "images"}))


def test_places_and_arguments_that_cannot_be_used(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(SourceNotFoundError, match="no images"):
        Yolo(tmp_path / "empty")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        Yolo(tmp_path / "missing")
    with pytest.raises(SourceNotFoundError, match=r"neither a folder nor a \.txt"):
        Yolo(tmp_path / "photo.jpg")
    with pytest.raises(ArgumentError, match="boxes='dict'"):
        Yolo(tmp_path, boxes="dict")
    for share in (-0.1, 1.5, float("nan"), "half", True):
        with pytest.raises(ArgumentError, match="min_visibility="):
            Yolo(tmp_path, min_visibility=share)
    with pytest.raises(ArgumentError, match="list of names"):
        Yolo(tmp_path, classes="cat")
    with pytest.raises(ArgumentError, match="split="):
        Yolo(tmp_path, split=1)
