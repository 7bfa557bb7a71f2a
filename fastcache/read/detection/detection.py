"""Which columns of an arena are boxes, and the reader that makes targets of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import SchemaError
from fastcache.memory.arena import Arena, RaggedColumn
from fastcache.read.columns.columns import Reader, Rows
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.detection.boxes import BoxReader, Sizes
from fastcache.schema import Field, Image, Structure
from fastcache.sources.base import BoxRows
from fastcache.sources.detection import ATTRIBUTE, Wanted


@dataclass(frozen=True)
class Detection:
    """What a catalogue says of boxes.

    Attributes
    ----------
    structure : Structure
        Of samples; the name of the boxes' column stands for the whole target.
    image, boxes, labels : str
        Columns.
    others : dict of str to str
        Columns of further parts of targets, by the keys that they have there.
    field : Image
        What the column of images holds.
    form : {"list", "yolo", "xyxy"}
        What a batch has of targets.
    min_visibility : float
    """

    structure: Structure
    image: str
    boxes: str
    labels: str
    others: Mapping[str, str]
    field: Image
    form: str
    min_visibility: float

    def over(self, readers: Mapping[str, Reader], arena: Arena) -> Mapping[str, Reader]:
        """Return readers of what samples consist of, given those of the arena's columns."""
        boxes, labels = arena.column(self.boxes), arena.column(self.labels)
        assert isinstance(boxes, RaggedColumn)
        assert isinstance(labels, RaggedColumn)
        others = {key: readers[name] for key, name in self.others.items()}
        sizes = self._sizes(readers[self.image], arena)
        made = BoxReader(boxes, labels, others, sizes, self.form, self.min_visibility)
        parts = {self.labels, *self.others.values()}
        kept = {name: reader for name, reader in readers.items() if name not in parts}
        return {**kept, self.boxes: made}

    def _sizes(self, reader: Reader, arena: Arena) -> Sizes:
        """Return how height and width of the images in some rows are found."""
        size = self.field.size
        if size is not None:
            return lambda rows: np.full((len(rows), 2), size, np.int64)
        if isinstance(reader, FetchReader):
            return reader.shapes
        column = arena.column(self.image)
        assert isinstance(column, RaggedColumn)
        shapes: npt.NDArray[np.int32] = column.shapes

        def sizes(rows: Rows) -> npt.NDArray[np.int64]:
            return shapes[rows, :2].astype(np.int64)

        return sizes


def detection_of(
    attributes: Mapping[str, Any], structure: Structure, fields: Mapping[str, Field]
) -> Detection | None:
    """Return what a catalogue says of boxes; None if it says nothing, or their columns are gone.

    Raises
    ------
    ArgumentError, SchemaError, KeyError, TypeError
        For what no source has written.
    """
    told = attributes.get(ATTRIBUTE)
    if told is None:
        return None
    wanted = Wanted(told["form"], told["min_visibility"])
    image, boxes, labels = (told[key] for key in ("image", "boxes", "labels"))
    field = fields.get(image)
    whole = fields.get(boxes) == BoxRows.field and fields.get(labels) == BoxRows.number_field
    if not whole or not isinstance(field, Image) or not isinstance(structure, tuple):
        return None
    for k, part in enumerate(structure):
        if isinstance(part, dict) and part.get("boxes") == boxes and part.get("labels") == labels:
            others = {
                key: name
                for key, name in part.items()
                if isinstance(name, str) and name not in (boxes, labels)
            }
            unknown = [name for name in others.values() if name not in fields]
            if unknown:
                raise SchemaError(f"targets have {unknown}, which are no columns")
            if len(others) + 2 == len(part):
                parts = (*structure[:k], boxes, *structure[k + 1 :])
                form, least = wanted.form, wanted.min_visibility
                return Detection(parts, image, boxes, labels, others, field, form, least)
    return None
