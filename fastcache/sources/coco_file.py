"""A file in COCO's format as arrays, checked so that every complaint names what it is about."""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources.detection import class_names

_LARGEST = (1 << 63) - 1
_FAR = 1e15


class CocoFile(NamedTuple):
    """What such a file says of N images, in the order of their ids.

    Attributes
    ----------
    names : list of str
        Of the files, from the folder of images.
    image_ids : int64 array of shape (N,)
    sizes : int64 array of shape (N, 2)
        Height and width; 0 where nothing is said.
    boxes : float64 array of shape (M, 4)
        Left, top, right and bottom in pixels.
    numbers : int64 array of shape (M,)
        Classes: indices of `classes`.
    counts : int64 array of shape (N,)
        Boxes of each image.
    classes : list of str
    category_ids : list of int
    failed : dict of int to str
        Images with boxes that are none, and what is wrong.
    """

    names: list[str]
    image_ids: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    classes: list[str]
    category_ids: list[int]
    failed: dict[int, str]


def read_coco(path: str, folder: str, crowd: bool) -> CocoFile:
    """Read such a file.

    Raises
    ------
    SourceNotFoundError
        If it, or the folder of images, does not exist.
    ArgumentError
        If it is of another form.
    """
    told = _load(path)
    parts = {name: _listed(path, told, name) for name in _PARTS}
    if not os.path.isdir(folder):
        raise SourceNotFoundError(f"{folder!r} is no folder; give the folder of the images")
    images = _by_id(path, "images", parts["images"])
    if not images:
        raise SourceNotFoundError(f"{path!r} has no images")
    categories = _by_id(path, "categories", parts["categories"])
    row_of = {image_id: row for row, image_id in enumerate(images)}
    class_of = {category_id: k for k, category_id in enumerate(categories)}
    per_image: list[list[tuple[float, ...]]] = [[] for _ in images]
    failed: dict[int, str] = {}
    for k, annotation in enumerate(parts["annotations"]):
        if not isinstance(annotation, dict):
            raise ArgumentError(f"{path!r}: annotation {k} is {annotation!r:.60}, no object")
        row = _known(path, annotation, k, "image_id", row_of, "images")
        number = _known(path, annotation, k, "category_id", class_of, "categories")
        if annotation.get("iscrowd") and not crowd:
            continue
        box = _box_of(annotation.get("bbox"))
        if box is None:
            told_box = f"{annotation.get('bbox')!r:.80}"
            why = f"{_called(annotation, k)}: its bbox is {told_box}, not four finite numbers"
            failed.setdefault(row, why)
            continue
        x, y, width, height = box
        if width > 0 and height > 0:
            per_image[row].append((x, y, x + width, y + height, number))
    lines = np.array([line for lines in per_image for line in lines], np.float64).reshape(-1, 5)
    names = [_text(path, category, "name") for category in categories.values()]
    return CocoFile(
        [_inside(path, _text(path, image, "file_name")) for image in images.values()],
        np.array(list(images), np.int64),
        np.array([_size(path, image) for image in images.values()], np.int64),
        lines[:, :4].copy(),
        lines[:, 4].astype(np.int64),
        np.array([len(lines) for lines in per_image], np.int64),
        class_names(names, f"{path!r}: the names of categories") if names else [],
        list(categories),
        failed,
    )


_PARTS = ("images", "annotations", "categories")


def _load(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            told = json.load(file)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{path!r} does not exist; give a file of annotations") from error
    except OSError as error:
        raise SourceNotFoundError(f"cannot read {path!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{path!r} is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise ArgumentError(f"{path!r} is no file in COCO's format: it holds no object with names")
    return told


def _listed(path: str, told: Mapping[str, Any], name: str) -> list[Any]:
    part = told.get(name)
    if not isinstance(part, list):
        raise ArgumentError(
            f"{path!r} has no list {name!r}, but {', '.join(map(repr, told)) or 'nothing'}: it "
            f"needs {', '.join(_PARTS)}"
        )
    return part


def _by_id(path: str, what: str, entries: list[Any]) -> dict[int, Mapping[str, Any]]:
    """Return entries by id, in the order of these."""
    for k, entry in enumerate(entries):
        number = entry.get("id") if isinstance(entry, dict) else None
        if type(number) is not int or abs(number) > _LARGEST:
            raise ArgumentError(f"{path!r}: entry {k} of {what} has no integer as its id")
    found = {entry["id"]: entry for entry in sorted(entries, key=lambda entry: int(entry["id"]))}
    if len(found) < len(entries):
        twice = Counter(entry["id"] for entry in entries).most_common(1)[0][0]
        raise ArgumentError(f"{path!r}: the id {twice} is there twice in {what}")
    return found


def _known(
    path: str, annotation: Mapping[str, Any], k: int, key: str, known: Mapping[int, int], what: str
) -> int:
    """Return where the entry that an annotation refers to is."""
    number = annotation.get(key)
    found = known.get(number) if type(number) is int else None
    if found is None:
        told = f"has no {key}" if key not in annotation else f"refers to {key} {number!r:.40}"
        raise ArgumentError(f"{path!r}: {_called(annotation, k)} {told}; that is none of {what}")
    return found


def _called(annotation: Mapping[str, Any], k: int) -> str:
    return f"annotation {annotation['id']!r:.40}" if "id" in annotation else f"annotation no. {k}"


def _box_of(box: object) -> list[float] | None:
    """Return a box's four numbers; None if they are not such."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    # Beyond that no image reaches, and sums of integers would not fit into floats.
    fine = all(type(n) in (int, float) and abs(n) < _FAR and math.isfinite(n) for n in box)
    return box if fine else None


def _text(path: str, entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ArgumentError(f"{path!r}: the entry of id {entry['id']} has no {key!r}")
    return value


def _size(path: str, image: Mapping[str, Any]) -> tuple[int, int]:
    height, width = image.get("height"), image.get("width")
    if height is None or width is None:
        return 0, 0
    if not all(type(side) is int and 0 < side < 1 << 31 for side in (height, width)):
        raise ArgumentError(
            f"{path!r}: image {image['id']} is said to be {height!r:.20} x {width!r:.20} pixels "
            "(height, width)"
        )
    return height, width


def _inside(path: str, name: str) -> str:
    """Return the name of a file; refuse one that leads out of the folder of images."""
    if os.path.isabs(name) or "\0" in name or ".." in name.split("/"):
        raise ArgumentError(
            f"{path!r}: file_name {name!r:.80} leads out of the folder of images; give names that "
            "start in it"
        )
    return name
