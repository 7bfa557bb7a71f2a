"""Files in COCO's format: what is taken of them, and what is wrong with bad ones."""

import copy

import numpy as np
import pytest
from detection import NAMES, coco_json, make_yolo, write_coco

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources import Coco

IDS = [40, 7, 25]


@pytest.fixture
def known(tmp_path):
    return make_yolo(tmp_path, [2, 0, 4])


@pytest.fixture
def told(known):
    return coco_json(known, IDS)


def source(tmp_path, told, **options):
    path = write_coco(tmp_path / "instances.json", told)
    return Coco(path, tmp_path / "images" / "train", **options)


def test_images_in_the_order_of_ids(tmp_path, known, told):
    """D7"""
    made = source(tmp_path, told)
    order = [1, 2, 0]  # of 7, 25, 40
    assert made.paths == [known[k]["path"] for k in order]
    assert made.classes == NAMES
    assert made.class_to_idx == {"cat": 0, "dog": 1, "cow": 2}
    assert made.category_ids == [7, 17, 27]
    layout = made.layout()
    target = {"boxes": "boxes", "labels": "labels", "image_id": "image_id"}
    assert layout.structure == ("image", target)
    rows = layout.feeds["boxes"]
    assert layout.feeds["image_id"].rows.tolist() == [7, 25, 40]
    assert rows.counts.tolist() == [0, 4, 2]
    assert rows.sizes.tolist() == [list(known[k]["size"]) for k in order]
    want = [pair for k in order for pair in known[k]["boxes"]]
    assert rows.numbers.tolist() == [label for label, _ in want]
    np.testing.assert_allclose(rows.boxes, [box for _, box in want], atol=1e-9)


def test_crowds_and_boxes_of_no_size(tmp_path, told):
    told["annotations"][0]["iscrowd"] = 1
    told["annotations"][2]["bbox"][2] = 0
    told["annotations"][3]["bbox"][3] = -4.5
    assert source(tmp_path, told).layout().feeds["boxes"].counts.tolist() == [0, 2, 1]
    made = source(tmp_path, told, crowd=True)
    assert made.layout().feeds["boxes"].counts.tolist() == [0, 2, 2]


@pytest.mark.parametrize(
    "box",
    [
        *([1, 2, 3], "1 2 3 4", None, [1, 2, 3, float("nan")], [1, 2, float("inf"), 4]),
        *([1, 2, 3, "4"], [1, 2, 3, True], [1, 2, 3, 10**400], [[1], 2, 3, 4]),
    ],
)
def test_boxes_that_are_none_are_named(tmp_path, known, told, box):
    told["annotations"][0]["bbox"] = box
    failed = source(tmp_path, told).layout().feeds["boxes"].failed
    path, reason = failed.pop(2)
    assert path == known[0]["path"]
    assert reason.startswith("annotation 0: its bbox is")
    assert not failed


def without(part, key):
    def change(told):
        del (told[part][0] if part else told)[key]

    return change


def with_value(part, key, value):
    def change(told):
        told[part][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("", "images"), "no list 'images'"),
        (without("", "annotations"), "no list 'annotations'"),
        (without("", "categories"), "no list 'categories'"),
        (without("images", "id"), "entry 0 of images has no integer"),
        (without("images", "file_name"), "has no 'file_name'"),
        (without("categories", "name"), "has no 'name'"),
        (without("annotations", "image_id"), "annotation 0 has no image_id"),
        (without("annotations", "category_id"), "annotation 0 has no category_id"),
        (with_value("annotations", "image_id", 999), "refers to image_id 999"),
        (with_value("annotations", "image_id", [1]), r"refers to image_id \[1\]"),
        (with_value("annotations", "category_id", 1), "refers to category_id 1"),
        (with_value("images", "id", "40"), "no integer as its id"),
        (with_value("images", "id", 25), "id 25 is there twice"),
        (with_value("images", "id", 1 << 80), "no integer as its id"),
        (with_value("images", "width", -4), "is said to be"),
        (with_value("images", "file_name", "/etc/passwd"), "leads out of the folder"),
        (with_value("images", "file_name", "a/../../b.png"), "leads out of the folder"),
        (with_value("images", "file_name", "a\0b"), "leads out of the folder"),
        (with_value("categories", "name", "dog"), "'dog' twice"),
        (lambda told: told["annotations"].insert(0, 5), "annotation 0 is 5"),
        (lambda told: told["images"].insert(0, None), "entry 0 of images"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, told, change, why):
    made = copy.deepcopy(told)
    change(made)
    with pytest.raises(ArgumentError, match=why):
        source(tmp_path, made)


def test_files_that_are_none(tmp_path, told):
    path = tmp_path / "bad.json"
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        Coco(path, tmp_path)
    for text, why in (("{", "no JSON"), ("[" * 100_000, "no JSON"), ("[]", "no object with names")):
        path.write_text(text)
        with pytest.raises(ArgumentError, match=why):
            Coco(path, tmp_path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ArgumentError, match="no JSON"):
        Coco(path, tmp_path)
    write_coco(path, {"images": [], "annotations": [], "categories": []})
    with pytest.raises(SourceNotFoundError, match="has no images"):
        Coco(path, tmp_path)
    write_coco(path, told)
    with pytest.raises(SourceNotFoundError, match="is no folder"):
        Coco(path, tmp_path / "missing")


def test_no_annotations_at_all(tmp_path, told):
    told["annotations"], told["categories"] = [], []
    made = source(tmp_path, told)
    assert made.classes == []
    assert made.layout().feeds["boxes"].boxes.shape == (0, 4)
