"""The columns of a sample, and the shape in which they are handed back.

A *field* says what one column holds.  A *structure* is the sample as the user sees it: nested
tuples, lists and dicts whose leaves are column names.  Both turn into plain JSON, because they
travel in an arena's catalogue.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from fastcache.schema.fields import Array, Image, Mask, Nothing, Ragged, Scalar, Text
from fastcache.schema.structure import (
    Structure,
    flatten,
    rebuild,
    structure_from_json,
    structure_to_json,
)
from fastcache.schema.windowed import WindowCopy, WindowLabels, Windows, WindowStatistics

__all__ = [
    "Array",
    "Derived",
    "Field",
    "Image",
    "Mask",
    "Nothing",
    "Once",
    "Ragged",
    "Scalar",
    "Structure",
    "Text",
    "WindowCopy",
    "WindowLabels",
    "WindowStatistics",
    "Windows",
    "field_from_json",
    "flatten",
    "rebuild",
    "structure_from_json",
    "structure_to_json",
]

Once: TypeAlias = Windows | WindowLabels  # an array that the arena has once; rows are parts of it
Derived: TypeAlias = WindowCopy | WindowStatistics  # made of another column on each read
Field: TypeAlias = Image | Mask | Array | Ragged | Scalar | Text | Nothing | Once | Derived
_PLAIN: tuple[type[Field], ...] = (Image, Mask, Array, Ragged, Scalar, Text, Nothing)
_WINDOWED: tuple[type[Field], ...] = (Windows, WindowLabels, WindowCopy, WindowStatistics)
_FIELDS: dict[str, type[Field]] = {cls.kind: cls for cls in (*_PLAIN, *_WINDOWED)}


def field_from_json(data: Mapping[str, Any]) -> Field:
    """Return the field that ``to_json`` wrote."""
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "kind"
    }
    return _FIELDS[data["kind"]](**values)
