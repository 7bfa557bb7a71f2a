"""What sources of images with boxes have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.schema import Structure
from fastcache.sources.base import BoxRows, Feed, ImageFiles, Layout
from fastcache.transforms.boxes import check_visibility

FORMS = ("list", "yolo", "xyxy")
IMAGE, BOXES, LABELS = "image", "boxes", "labels"
ATTRIBUTE = "detection"  # in a catalogue: what says that columns are boxes, and of what


class Wanted:
    """How boxes are to be kept and handed out.

    Parameters
    ----------
    boxes : {"list", "yolo", "xyxy"}
    min_visibility : float

    Raises
    ------
    ArgumentError
        For other values.
    """

    def __init__(self, boxes: str, min_visibility: float) -> None:
        if boxes not in FORMS:
            raise ArgumentError(f"boxes={boxes!r}: choose {' or '.join(map(repr, FORMS))}")
        self.form = boxes
        self.min_visibility = check_visibility(min_visibility)

    def layout(
        self,
        paths: Sequence[str],
        boxes: BoxRows,
        others: Mapping[str, Feed],
        attributes: Mapping[str, Any],
    ) -> Layout:
        """Return a layout of images and targets; `others` are further columns of the latter."""
        target: dict[str, Structure] = {BOXES: BOXES, LABELS: LABELS}
        target.update({name: name for name in others})
        told = {
            "image": IMAGE,
            "boxes": BOXES,
            "labels": LABELS,
            "form": self.form,
            "min_visibility": self.min_visibility,
        }
        feed = replace(boxes, min_visibility=self.min_visibility)
        return Layout(
            (IMAGE, target),
            {IMAGE: ImageFiles(paths), BOXES: feed, **others},
            {**attributes, ATTRIBUTE: told},
        )


def class_names(names: object, what: str) -> list[str]:
    """Return names of classes, all of them strings, no two the same."""
    listed = [] if isinstance(names, str) or not isinstance(names, Sequence) else list(names)
    if not listed or not all(isinstance(name, str) for name in listed):
        raise ArgumentError(f"{what} must be a list of names by index, not {names!r}")
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise ArgumentError(f"{what} has {twice!r} twice; each class needs a name of its own")
    return listed
