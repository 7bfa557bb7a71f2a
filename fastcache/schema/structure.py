"""Structures: the sample as the user sees it."""

from collections.abc import Callable
from typing import Any, TypeAlias

from fastcache.errors import SchemaError

Structure: TypeAlias = "str | tuple[Structure, ...] | list[Structure] | dict[str, Structure]"


def flatten(sample: object, name: str = "") -> tuple[Structure, dict[str, Any]]:
    """Take a sample apart.

    Parameters
    ----------
    sample : nested tuples, lists and dicts (string keys) of leaves
    name : str
        Name of the leaf if the sample is one; else the prefix of the leaves' names, which are
        the keys and positions on the way to them, joined by dots.

    Returns
    -------
    structure, leaves : Structure, dict
        The nesting with names for leaves, and the leaves by name in the order of a walk.
    """
    leaves: dict[str, Any] = {}

    def walk(node: object, path: str) -> Structure:
        prefix = f"{path}." if path else ""
        if type(node) is tuple:
            return tuple(walk(child, f"{prefix}{i}") for i, child in enumerate(node))
        if type(node) is list:
            return [walk(child, f"{prefix}{i}") for i, child in enumerate(node)]
        if type(node) is dict:
            for key in node:
                if not isinstance(key, str):
                    raise SchemaError(
                        f"dict key {key!r} at {path or 'the top'!r}: only strings can name columns"
                    )
            return {key: walk(child, f"{prefix}{key}") for key, child in node.items()}
        if isinstance(node, tuple | list | dict):
            raise SchemaError(
                f"{type(node).__name__} at {path or 'the top'!r}: only plain tuple, list and dict "
                "are rebuilt; return one of these from the Dataset"
            )
        column = path or "value"
        if column in leaves:
            raise SchemaError(f"two leaves would be called {column!r}: rename a dict key")
        leaves[column] = node
        return column

    return walk(sample, name), leaves


def rebuild(structure: Structure, leaf: Callable[[str], Any]) -> Any:
    """Put a sample together: ``leaf(name)`` is called for each leaf in the order of a walk."""
    if isinstance(structure, str):
        return leaf(structure)
    if isinstance(structure, tuple):
        return tuple(rebuild(child, leaf) for child in structure)
    if isinstance(structure, list):
        return [rebuild(child, leaf) for child in structure]
    return {key: rebuild(child, leaf) for key, child in structure.items()}


def structure_to_json(structure: Structure) -> Any:
    """Return the structure as JSON (tuples and lists must stay apart there)."""
    if isinstance(structure, str):
        return structure
    if isinstance(structure, dict):
        return {"dict": {k: structure_to_json(v) for k, v in structure.items()}}
    kind = "tuple" if isinstance(structure, tuple) else "list"
    return {kind: [structure_to_json(child) for child in structure]}


def structure_from_json(data: Any) -> Structure:
    """Return the structure that :func:`structure_to_json` wrote."""
    if isinstance(data, str):
        return data
    ((kind, children),) = data.items()
    if kind == "dict":
        return {k: structure_from_json(v) for k, v in children.items()}
    parts = [structure_from_json(child) for child in children]
    return tuple(parts) if kind == "tuple" else parts
