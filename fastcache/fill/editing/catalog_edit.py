"""The catalogue of an arena that is edited: what it says of new columns and of more samples."""

from collections.abc import Mapping
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.fill.text import row_text
from fastcache.schema import (
    Derived,
    Field,
    Structure,
    field_from_json,
    structure_from_json,
    structure_to_json,
)


def check_place(catalog: Mapping[str, Any], name: str) -> None:
    """Refuse a column that cannot be put.

    Raises
    ------
    ArgumentError
        If samples are dicts that hold something else under this name, or others are made of it.
    """
    for other, said in catalog["columns"].items():
        made = field_from_json(said)
        if isinstance(made, Derived) and made.of == name:
            raise ArgumentError(
                f"column {name!r} cannot be replaced: column {other!r} is made of it on each read"
            )
    structure = structure_from_json(catalog["structure"])
    if name not in catalog["columns"] and isinstance(structure, dict) and name in structure:
        inner = ", ".join(map(repr, sorted(n for n in catalog["columns"] if _is_in(n, name))))
        raise ArgumentError(
            f"{name!r} is a key of the samples already, and not of one column: its columns are "
            f"{inner}; choose another name"
        )


def _is_in(column: str, key: str) -> bool:
    return column.startswith(f"{key}.")


def note_column(catalog: dict[str, Any], name: str, field: Field, count: int) -> None:
    """Note a column that was put: at the end of samples, if it is new."""
    if name not in catalog["columns"]:
        structure = structure_from_json(catalog["structure"])
        catalog["structure"] = structure_to_json(_with_leaf(structure, name))
    catalog["columns"][name] = field.to_json()
    catalog["kept"].pop(name, None)
    catalog["report"]["columns"][name] = {"row": row_text(field, count)}


def _with_leaf(structure: Structure, name: str) -> Structure:
    if isinstance(structure, dict):
        return {**structure, name: name}
    if isinstance(structure, list):
        return [*structure, name]
    return (*structure, name) if isinstance(structure, tuple) else (structure, name)


def note_samples(
    catalog: dict[str, Any], added: Mapping[str, Any], count: int, visible: int
) -> None:
    """Note that samples were appended.

    Parameters
    ----------
    catalog : dict
    added : mapping
        Catalogue of the samples that came, as an arena of their own.
    count, visible : int
        Samples that the arena has now, and those of them that datasets show.
    """
    catalog["count"], catalog["visible"] = count, visible
    report, more = catalog["report"], added["report"]
    report["samples"] = visible
    report["failed"] = [*report["failed"], *more["failed"]]
    for name, facts in more["columns"].items():
        if name in report["columns"]:
            row = report["columns"][name]["row"]
            report["columns"][name] = {**_sum(report["columns"][name], facts), "row": row}


def _sum(a: Any, b: Any) -> Any:
    """Return what two fills have found out, of the same kind, together."""
    if isinstance(a, dict) and isinstance(b, dict):
        return {k: _sum(a[k], b[k]) if k in a and k in b else a.get(k, b.get(k)) for k in (*a, *b)}
    if isinstance(a, list) and isinstance(b, list):
        return [*a, *b]
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a + b
    return a or b
