"""Where a YOLO data set has its images: a folder, a list, or what a data.yaml says."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fastcache.errors import ArgumentError, MissingPackageError, SourceNotFoundError
from fastcache.sources.detection import class_names
from fastcache.sources.walk import IMG_EXTENSIONS, by_extension, files_below

_YAML = (".yaml", ".yml")
_DATA = "data.yaml"


def find_images(data: str, split: str) -> tuple[list[str], list[str] | None]:
    """Return the paths of the images, and the names of the classes if a data.yaml tells them.

    Parameters
    ----------
    data : str
        A folder of images, one that holds a data.yaml, such a file, or a .txt with a path a line.
    split : str
        Which of the entries of a data.yaml.

    Raises
    ------
    SourceNotFoundError, ArgumentError, MissingPackageError
    """
    if os.path.isdir(data) and os.path.isfile(os.path.join(data, _DATA)):
        data = os.path.join(data, _DATA)
    if data.lower().endswith(_YAML):
        return _from_yaml(data, split)
    return _images(data), None


def _images(place: str) -> list[str]:
    if os.path.isdir(place):
        found = list(files_below(place, by_extension(IMG_EXTENSIONS)))
        if not found:
            raise SourceNotFoundError(
                f"there are no images in {place!r}; give the folder of images, or a data.yaml"
            )
        return found
    if place.lower().endswith(".txt"):
        return _from_list(place)
    state = "is neither a folder nor a .txt" if os.path.lexists(place) else "does not exist"
    raise SourceNotFoundError(
        f"{place!r} {state}: give a folder of images, a .txt of their paths, or a data.yaml"
    )


def _from_list(path: str) -> list[str]:
    """Return the images that a file names, a path a line, relative ones from the file's folder."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise SourceNotFoundError(f"cannot read {path!r}: {error.strerror}") from error
    folder = os.path.dirname(path)
    found = [os.path.normpath(os.path.join(folder, line)) for line in lines if line]
    if not found:
        raise SourceNotFoundError(f"{path!r} names no image; give a path a line")
    if any("\0" in name for name in found):
        raise ArgumentError(f"{path!r} is no list of paths: there is a zero byte in it")
    return found


def _from_yaml(path: str, split: str) -> tuple[list[str], list[str] | None]:
    told = _load(path)
    places = told.get(split)
    if isinstance(places, str):
        places = [places]
    if not places or not isinstance(places, list) or not all(isinstance(p, str) for p in places):
        has = [name for name in ("train", "val", "test") if told.get(name)]
        raise ArgumentError(
            f"{path!r} has no paths under {split!r}; it has {', '.join(has) or 'no split at all'}: "
            "pass split="
        )
    base = told.get("path") or ""
    if not isinstance(base, str):
        raise ArgumentError(f"{path!r}: path is {base!r}, no folder")
    folder = os.path.join(os.path.dirname(path), base)
    images = [image for place in places for image in _images(_place(folder, place))]
    return images, _names(path, told)


def _place(folder: str, place: str) -> str:
    """Return the folder or list that is meant, seen from the folder that the others lie in."""
    whole = os.path.join(folder, place)
    if not os.path.exists(whole) and place.startswith("../"):
        # Exports of some tools count from a folder that is not there.
        inside = os.path.join(folder, place[3:])
        if os.path.exists(inside):
            return inside
    return os.path.normpath(whole)


def _load(path: str) -> Mapping[str, Any]:
    try:
        yaml = import_module("yaml")
    except ImportError as error:
        raise MissingPackageError(
            f"reading {path!r} needs PyYAML (pip install pyyaml); or give the folder of images and "
            "classes="
        ) from error
    try:
        with open(path, encoding="utf-8") as file:
            told = yaml.safe_load(file)
    except OSError as error:
        raise SourceNotFoundError(f"cannot read {path!r}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise ArgumentError(f"{path!r} is no YAML: {error}") from error
    if not isinstance(told, Mapping):
        raise ArgumentError(f"{path!r} holds no names with values, such as 'train: images/train'")
    return told


def _names(path: str, told: Mapping[str, Any]) -> list[str] | None:
    names = told.get("names")
    if names is None:
        return None
    if isinstance(names, Mapping):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise ArgumentError(f"{path!r}: names must be numbered 0 to {len(names) - 1}")
        names = [names[k] for k in range(len(names))]
    listed = names if isinstance(names, list) else []
    return class_names([str(name) for name in listed], f"{path!r}: names")
