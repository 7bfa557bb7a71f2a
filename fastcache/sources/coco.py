"""Images with annotations in COCO's format: objects to be detected."""

import os
from typing import Any, Literal

import numpy as np

from fastcache.schema import Scalar
from fastcache.sources.base import BoxRows, Layout, Source, Values
from fastcache.sources.coco_file import read_coco
from fastcache.sources.detection import Wanted
from fastcache.sources.walk import path_of
from fastcache.transforms.boxes import MIN_VISIBILITY


class Coco(Source):
    """Images and the objects on them, from a file in COCO's format.

    Parameters
    ----------
    annotations : path
        JSON with `images`, `annotations` and `categories`: instances_train2017.json, say.
    images : path
        Folder that the images' `file_name` starts from.
    crowd : bool
        Whether to keep boxes around crowds (`iscrowd`), which say that there are many objects.
    boxes : {"list", "yolo", "xyxy"}
        What a batch has of them: as for :class:`Yolo`.
    min_visibility : float
        Boxes of which less than this share lies on the image after ``store=`` are left out, and so
        are those without area.
    check_sizes : bool
        Whether images must have the `width` and `height` that the file says, if it says them: where
        these differ, boxes lie in wrong places.

    Raises
    ------
    SourceNotFoundError
        For a missing file or folder.
    ArgumentError
        For a file that is not of this format: no JSON, missing keys, annotations of images or
        categories that it does not have, names of files that lead out of the folder.

    Notes
    -----
    Images are in the order of their ids, as in torchvision's CocoDetection, those without objects
    among them. Categories are numbered 0, 1, … in the order of their ids: ``classes`` are their
    names, ``category_ids`` their ids. Boxes (x, y, width, height) of no width or height, or a
    negative one, are left out, as torchvision's training scripts do; a box that is not four finite
    numbers makes a sample that cannot be read: ``on_error=`` says what becomes of it.

    Boxes lie on the image as it is read: with ``exif="ignore"`` as its file has the pixels, which
    is what torchvision does, with "apply" as it is turned.

    Columns: ``image``, ``boxes``, ``labels`` and ``image_id``; a sample is ``(image, {"boxes":
    float32 (n, 4), "labels": int64 (n,), "image_id": int})``, with left, top, right and bottom in
    pixels of the image as it is handed out. Segmentations and key points are not kept.
    """

    def __init__(
        self,
        annotations: str | os.PathLike[str],
        images: str | os.PathLike[str],
        crowd: bool = False,
        boxes: Literal["list", "yolo", "xyxy"] = "list",
        min_visibility: float = MIN_VISIBILITY,
        check_sizes: bool = True,
    ) -> None:
        self._wanted = Wanted(boxes, min_visibility)
        self.root = path_of(images, "images")
        self._told = told = read_coco(path_of(annotations, "annotations"), self.root, crowd)
        self._sizes = told.sizes if check_sizes else np.zeros_like(told.sizes)
        self.paths = [os.path.join(self.root, name) for name in told.names]
        self.classes = told.classes
        self.category_ids = told.category_ids
        self.class_to_idx = {name: k for k, name in enumerate(told.classes)}

    def __len__(self) -> int:
        return len(self.paths)

    def layout(self) -> Layout:
        """Return ``image`` and the target of ``boxes``, ``labels`` and ``image_id``."""
        told = self._told
        failed = {row: (self.paths[row], why) for row, why in told.failed.items()}
        rows = BoxRows(
            "image",
            "labels",
            told.boxes,
            told.numbers,
            told.counts,
            relative=False,
            min_visibility=self._wanted.min_visibility,
            sizes=self._sizes,
            failed=failed,
        )
        attributes: dict[str, Any] = {
            "root": self.root,
            "classes": self.classes,
            "category_ids": self.category_ids,
        }
        ids = {"image_id": Values(told.image_ids, Scalar("int64"))}
        return self._wanted.layout(self.paths, rows, ids, attributes)
