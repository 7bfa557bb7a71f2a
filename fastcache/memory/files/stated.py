"""What a manifest states about columns and cuts, checked value by value: it may be hostile."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields as members
from typing import Any

import numpy as np

from fastcache.errors import ArenaFormatError, SchemaError
from fastcache.memory.files.cut import MOST_AXES, check_saved_field
from fastcache.memory.files.derive import derive_plan
from fastcache.memory.files.naming import MOST_BYTES
from fastcache.memory.files.plan import Cut, FilePlan, Saved, is_cut
from fastcache.memory.files.sums import digest_of, seal
from fastcache.schema import (
    Field,
    Image,
    Mask,
    Once,
    Ragged,
    Text,
    WindowLabels,
    Windows,
    field_from_json,
)

_DTYPE = re.compile(r"[<>=|]?[a-zA-Z][a-zA-Z_]{0,15}[0-9]{0,8}(?:\[[0-9a-zA-Z]{1,12}\])?")


def fail(what: str) -> ArenaFormatError:
    """Return the error for a manifest that states what cannot be."""
    return ArenaFormatError(f"the manifest states what cannot be: {what}")


def member(document: Any, name: str, kind: type[Any], what: str) -> Any:
    """Return a member of a JSON object, which must have exactly this type."""
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not kind:
        raise fail(f"{what} needs {name!r}, {_KINDS[kind]}")
    return value


_KINDS = {int: "a number", str: "a text", dict: "an object", list: "a list"}


def number(document: Any, name: str, what: str, least: int = 0) -> int:
    """Return a member that counts something."""
    value: int = member(document, name, int, what)
    if not least <= value <= MOST_BYTES:
        raise fail(f"{name} of {what} is {value}")
    return value


def _is_shape(value: object) -> bool:
    good = isinstance(value, tuple) and len(value) <= MOST_AXES
    return good and all(type(axis) is int and 0 <= axis <= MOST_BYTES for axis in value)  # type: ignore[attr-defined]


def _check_values(field: Field, what: str) -> None:
    """Check the type of each parameter, and what the classes take for granted."""
    for each in members(field):
        value = getattr(field, each.name)
        if each.name in ("dtype", "how"):
            good = isinstance(value, str)
        elif each.name in ("shape", "size"):
            good = _is_shape(value) or (each.name == "size" and value is None)
        else:
            good = type(value) is int and 0 <= value <= MOST_BYTES
        if not good:
            raise fail(f"{each.name} of {what} is {value!r}")
    if _DTYPE.fullmatch(field.dtype) is None:
        raise fail(f"dtype of {what} is {field.dtype!r}")
    try:
        np.dtype(field.dtype)
    except (TypeError, ValueError, OverflowError):
        raise fail(f"dtype of {what} is {field.dtype!r}") from None
    good = True
    if isinstance(field, Image | Mask):
        good = field.size is None or len(field.size) == 2
    elif isinstance(field, Ragged):
        good = field.axes <= MOST_AXES
    elif isinstance(field, Windows):
        good = len(field.shape) in (2, 3) and field.length >= 1
    elif isinstance(field, WindowLabels):
        good = len(field.shape) >= 1 and field.length >= 1
        good = good and field.how in ("last", "majority", "any")
    if not good:
        raise fail(f"{what} is {field}")


def _field(document: Any, name: str) -> Field:
    what = f"column {name!r}"
    values = member(document, "field", dict, what)
    try:
        field = field_from_json(values)
    except (KeyError, TypeError, ValueError):
        raise fail(f"{what} is {str(values)[:200]}") from None
    _check_values(field, what)
    try:
        check_saved_field(name, field)
    except SchemaError as error:
        raise fail(str(error)) from None
    return field


def _saved(document: Any, name: str) -> Saved:
    what = f"column {name!r}"
    field = _field(document, name)
    count = number(document, "count", what)
    if isinstance(field, Text):
        return Saved(field, count, elements=number(document, "elements", what))
    if isinstance(field, Once):
        if math.prod(field.shape) * field.itemsize > MOST_BYTES:
            raise fail(f"{what} has the shape {field.shape}")
        return Saved(field, count)
    shape = field.row_shape
    if shape is None:
        return Saved(field, count)
    size = math.prod(shape) * field.itemsize
    stride = size
    if is_cut(field) and "stride" in document:
        stride = number(document, "stride", what, least=size)
    if count * stride > MOST_BYTES:
        raise fail(f"{what} has {count} rows of {stride} bytes")
    return Saved(field, count, stride)


def _cut(document: Any, ragged: set[str], what: str) -> Cut:
    elements = document.get("elements", {}) if isinstance(document, dict) else None
    if not isinstance(elements, dict) or elements.keys() != ragged:
        raise fail(f"{what} needs the elements of {sorted(ragged)}")
    counts = {name: number(elements, name, what) for name in elements}
    return Cut(number(document, "rows", what), counts)


def _family(document: Any, saved: Mapping[str, Saved], what: str) -> tuple[list[str], list[Cut]]:
    names = member(document, "columns", list, what)
    cut = {name for name, each in saved.items() if is_cut(each.field)}
    if not names or not all(isinstance(name, str) and name in cut for name in names):
        raise fail(f"{what} has the columns {str(names)[:200]}")
    once = [isinstance(saved[name].field, Once) for name in names]
    if any(once) and len(names) > 1:
        raise fail(f"{what} has other columns beside an array that is kept once")
    ragged = {n for n in names if saved[n].field.row_shape is None}
    shards = member(document, "shards", list, what)
    cuts = [_cut(each, ragged, f"shard {k} of {what}") for k, each in enumerate(shards)]
    rows = sum(cut.rows for cut in cuts)
    for name in names:
        each = saved[name]
        whole = each.field.elements(each.count) if isinstance(each.field, Once) else each.count
        if rows != whole:
            raise fail(f"the shards of column {name!r} have {rows} rows, it has {whole}")
    return names, cuts


def plan_digest(plan: FilePlan) -> str:
    """Return what tells a plan from another in a journal."""
    return digest_of(seal(plan_to_json(plan)))


def plan_to_json(plan: FilePlan) -> dict[str, Any]:
    """Return what a manifest states about a plan: enough to derive it again."""
    columns: dict[str, Any] = {}
    for name, saved in plan.saved.items():
        columns[name] = {"field": saved.field.to_json(), "count": saved.count}
        if saved.stride is not None and saved.stride != saved.field.row_bytes:
            columns[name]["stride"] = saved.stride
        if saved.elements is not None:
            columns[name]["elements"] = saved.elements
    families = []
    for family in plan.families:
        ragged = [name for name in family.columns if _is_ragged(plan.saved[name].field)]
        shards: list[dict[str, Any]] = []
        for shard in family.shards:
            shards.append({"rows": shard.rows})
            if ragged:
                sizes = {n: shard.parts[n].size // plan.saved[n].field.itemsize for n in ragged}
                shards[-1]["elements"] = sizes
        families.append({"columns": [*family.columns], "shards": shards})
    return {"count": plan.layout.count, "columns": columns, "families": families}


def _is_ragged(field: Field) -> bool:
    return field.row_shape is None


def plan_from_json(document: Mapping[str, Any]) -> FilePlan:
    """Derive the plan of a manifest.

    Raises
    ------
    ArenaFormatError
        Unless all that it states is possible.
    """
    count = number(document, "count", "the arena")
    stated = member(document, "columns", dict, "the arena")
    saved = {name: _saved(each, name) for name, each in stated.items()}
    lists = member(document, "families", list, "the arena")
    families = [_family(each, saved, f"family {k}") for k, each in enumerate(lists)]
    placed = sorted(name for names, _ in families for name in names)
    if placed != sorted(name for name, each in saved.items() if is_cut(each.field)):
        raise fail(f"the columns in shards are {placed}")
    return derive_plan(count, saved, families)
