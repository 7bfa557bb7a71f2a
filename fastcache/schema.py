"""The columns of a sample, and the shape in which they are handed back.

A *field* says what one column holds.  A *structure* is the sample as the user sees it: nested
tuples, lists and dicts whose leaves are column names.  Both turn into plain JSON, because they
travel in an arena's catalogue.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from fastcache.errors import SchemaError

Structure: TypeAlias = "str | tuple[Structure, ...] | list[Structure] | dict[str, Structure]"


@dataclass(frozen=True)
class _Field:
    """What every field answers: the element type, and the shape of a row if all rows share it."""

    kind: ClassVar[str]
    dtype: str

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """Shape of every row, or None for a ragged column."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes of a row."""
        shape = self.row_shape
        assert shape is not None
        return len(shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def row_bytes(self) -> int | None:
        """Bytes of a row, or None for a ragged column."""
        shape = self.row_shape
        return None if shape is None else int(np.prod(shape, dtype=np.int64)) * self.itemsize

    def to_json(self) -> dict[str, Any]:
        """Return a dict that :func:`field_from_json` turns back into this field."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Image(_Field):
    """Pixels, stored (H, W, C); handed out (C, H, W). ``size`` None: each row has its own."""

    kind: ClassVar[str] = "image"
    dtype: str = "uint8"
    channels: int = 3
    size: tuple[int, int] | None = None

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        return None if self.size is None else (*self.size, self.channels)

    @property
    def ndim(self) -> int:
        return 3


@dataclass(frozen=True)
class Mask(_Field):
    """Class indices per pixel, (H, W), as stored in the file; never interpolated."""

    kind: ClassVar[str] = "mask"
    dtype: str = "uint8"
    size: tuple[int, int] | None = None

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        return self.size

    @property
    def ndim(self) -> int:
        return 2


@dataclass(frozen=True)
class Array(_Field):
    """An array of one shape in every sample."""

    kind: ClassVar[str] = "array"
    shape: tuple[int, ...] = ()

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape


@dataclass(frozen=True)
class Ragged(_Field):
    """An array whose shape differs from sample to sample; ``axes`` is the number of its axes."""

    kind: ClassVar[str] = "ragged"
    axes: int = 1

    @property
    def row_shape(self) -> None:
        return None

    @property
    def ndim(self) -> int:
        return self.axes


@dataclass(frozen=True)
class Scalar(_Field):
    """A Python number: handed back as ``int``, ``float`` or ``bool`` according to the dtype."""

    kind: ClassVar[str] = "scalar"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class Text(_Field):
    """A string, stored as UTF-8."""

    kind: ClassVar[str] = "text"
    dtype: str = "uint8"

    @property
    def row_shape(self) -> None:
        return None

    @property
    def ndim(self) -> int:
        return 1


@dataclass(frozen=True)
class Nothing(_Field):
    """A leaf that is None in every sample; it takes no memory."""

    kind: ClassVar[str] = "nothing"
    dtype: str = "uint8"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (0,)


Field: TypeAlias = Image | Mask | Array | Ragged | Scalar | Text | Nothing
_FIELDS: dict[str, type[Field]] = {
    cls.kind: cls for cls in (Image, Mask, Array, Ragged, Scalar, Text, Nothing)
}


def field_from_json(data: Mapping[str, Any]) -> Field:
    """Return the field that ``to_json`` wrote."""
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "kind"
    }
    return _FIELDS[data["kind"]](**values)


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
