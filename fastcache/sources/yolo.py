"""Images with YOLO's label files: objects to be detected."""

import os
from collections.abc import Sequence
from typing import Any, Literal

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources.base import BoxRows, Layout, Source
from fastcache.sources.detection import Wanted, class_names
from fastcache.sources.walk import path_of
from fastcache.sources.yolo_data import find_images
from fastcache.sources.yolo_labels import Labels, read_labels
from fastcache.transforms.boxes import MIN_VISIBILITY


class Yolo(Source):
    """Images and the objects on them, labelled as for YOLO models.

    Parameters
    ----------
    data : path
        A folder of images, to any depth; a .txt file with the path of an image a line, relative
        ones from the folder of the file; or a data.yaml, or a folder that holds one, which names
        such folders and files (this needs PyYAML).
    split : str
        Which images of a data.yaml: "train", "val" or "test".
    classes : sequence of str, optional
        Names of the classes by index. If left out those of the data.yaml; labels are not checked
        against names that nobody gave.
    boxes : {"list", "yolo", "xyxy"}
        What a batch has of them: "list", a dict of `boxes` and `labels` for each image, which
        torchvision's detection models take; "yolo", one float32 tensor (n, 6) of all boxes, each
        row the number of the image in the batch, class, and centre x, y, width and height as
        shares of the image's size; "xyxy": the same with left, top, right and bottom in pixels.
    min_visibility : float
        Boxes of which less than this share lies on the image after ``store=`` are left out, and so
        are those without area.
    allow_empty : bool
        Whether there may be no label file at all; else this is taken for a mistake in the path.

    Raises
    ------
    SourceNotFoundError
        For missing folders and files, no images, or no labels (unless `allow_empty`).
    ArgumentError
        For a data.yaml that cannot be used.
    MissingPackageError
        For a data.yaml without PyYAML.

    Notes
    -----
    The labels of ``…/images/a/b.jpg`` are in ``…/labels/a/b.txt``: the last "images" of the path
    becomes "labels"; without such a folder they lie beside the image. A file that is not there
    means no objects. Lines are "class cx cy w h", or "class x1 y1 x2 y2 x3 y3 …", points around the
    object, whose bounding box is taken; all are shares of the image's width and height. A line that
    is neither, a class that does not exist, and places outside of the image (but for a hundredth)
    make it a sample that cannot be read: ``on_error=`` says what becomes of it. Lines that are
    there twice are two boxes.

    Places count from the image as it is read. Training tools that turn images as their EXIF
    orientation says need ``exif="apply"`` here; ``report`` counts the images that this concerns.

    Columns: ``image``, ``boxes`` and ``labels``; a sample is ``(image, {"boxes": float32 (n, 4),
    "labels": int64 (n,)})``, with left, top, right and bottom in pixels of the image as it is
    handed out. Masks and key points are not kept.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        split: str = "train",
        classes: Sequence[str] | None = None,
        boxes: Literal["list", "yolo", "xyxy"] = "list",
        min_visibility: float = MIN_VISIBILITY,
        allow_empty: bool = False,
    ) -> None:
        self._wanted = Wanted(boxes, min_visibility)
        if not isinstance(split, str):
            raise ArgumentError(f"split={split!r}: give 'train', 'val' or 'test'")
        self.root = path_of(data, "data")
        given = None if classes is None else class_names(classes, "classes")
        self.paths, told = find_images(self.root, split)
        self.classes = told if given is None else given
        self._allow_empty = allow_empty
        self._labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def label_paths(self) -> list[str]:
        """Where the labels of each image are, or would be."""
        return [label_path(path) for path in self.paths]

    def layout(self) -> Layout:
        """Return ``image`` and the target of ``boxes`` and ``labels``; reads the label files."""
        if self._labels is None:
            self._labels = self._read()
        labels = self._labels
        attributes: dict[str, Any] = {"root": self.root}
        if self.classes is not None:
            attributes["classes"] = self.classes
        rows = BoxRows(
            "image",
            "labels",
            labels.boxes,
            labels.numbers,
            labels.counts,
            relative=True,
            min_visibility=self._wanted.min_visibility,
            failed=labels.failed,
        )
        return self._wanted.layout(self.paths, rows, {}, attributes)

    def _read(self) -> Labels:
        paths = self.label_paths
        labels = read_labels(paths, None if self.classes is None else len(self.classes))
        if not labels.found and not self._allow_empty:
            raise SourceNotFoundError(
                f"there is no label file for any of {len(paths)} images of {self.root!r}; that of "
                f"the first would be {paths[0]!r}. allow_empty=True permits this"
            )
        return labels


def label_path(image: str) -> str:
    """Return where the labels of an image are."""
    sep = os.sep
    parts = image.rsplit(f"{sep}images{sep}", 1)
    if len(parts) == 1 and image.startswith(f"images{sep}"):
        parts = ["", image.removeprefix(f"images{sep}")]
        return os.path.splitext(os.path.join("labels", parts[1]))[0] + ".txt"
    return os.path.splitext(f"{sep}labels{sep}".join(parts))[0] + ".txt"
