"""Arenas made by hand, and what is expected of them, for the tests of ``fastcache.read``.

Lies beside the tests so that processes started by spawn can import it too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from fastcache.memory.arena import Arena, RaggedColumn, plan_layout
from fastcache.read.view import ArenaView
from fastcache.schema import (
    Array,
    Field,
    Image,
    Mask,
    Nothing,
    Ragged,
    Scalar,
    Structure,
    Text,
    rebuild,
    structure_to_json,
)


def make_arena(
    structure: Structure,
    columns: Mapping[str, tuple[Field, Any]],
    *,
    attributes: Mapping[str, Any] | None = None,
    paths: list[str] | None = None,
    shown: list[int] | None = None,
    color: str | None = None,
) -> Arena:
    """Return a committed arena; rows are arrays as stored, or strings for a Text field."""
    count = len(next(iter(columns.values()))[1])
    shown = list(range(count)) if shown is None else shown
    rows = {name: _encoded(field, rows) for name, (field, rows) in columns.items()}
    fields = {name: field for name, (field, _) in columns.items()}
    index = np.zeros(count, np.int64)
    index[: len(shown)] = shown
    rows["_index"], fields["_index"] = index, Scalar("int64")
    image = next((n for n, (f, _) in columns.items() if isinstance(f, Image)), "")
    if paths is not None:
        rows[f"_path.{image}"], fields[f"_path.{image}"] = _encoded(Text(), paths), Text()
    shapes = {
        name: np.array([row.shape for row in rows[name]], np.int64).reshape(count, field.ndim)
        for name, field in fields.items()
        if field.row_shape is None
    }
    arena = Arena.allocate(plan_layout(fields, count, shapes))
    for name, field in fields.items():
        if isinstance(field, Nothing):
            continue
        column = arena.column(name)
        for k in range(count):
            if isinstance(column, RaggedColumn):
                column[k][...] = rows[name][k]
            else:
                column.rows[k] = rows[name][k]
        del column
    arena.commit(
        {
            "structure": structure_to_json(structure),
            "columns": {name: field.to_json() for name, (field, _) in columns.items()},
            "attributes": dict(attributes or {}),
            "count": count,
            "visible": len(shown),
            "paths": {} if paths is None else {image: f"_path.{image}"},
            "color": color,
            "exif": "ignore",
            "report": {"arena_bytes": arena.layout.total_bytes, "columns": {}},
        }
    )
    return arena


def _encoded(field: Field, rows: Any) -> Any:
    if isinstance(field, Text):
        return [np.frombuffer(text.encode(), np.uint8) for text in rows]
    return rows


class Expected(Dataset[Any]):
    """The same samples, one by one and in plain Python: the slow, obvious way."""

    def __init__(self, structure: Structure, columns: Mapping[str, tuple[Field, Any]]) -> None:
        self.structure = structure
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))[1])

    def value(self, name: str, k: int) -> Any:
        field, rows = self.columns[name]
        if isinstance(field, Nothing):
            return None
        if isinstance(field, Text):
            return rows[k]
        if isinstance(field, Scalar):
            return rows[k].item()
        tensor = torch.from_numpy(np.array(rows[k]))
        return tensor.permute(2, 0, 1) if isinstance(field, Image) else tensor

    def __getitem__(self, k: int) -> Any:
        if not 0 <= k < len(self):
            raise IndexError(k)
        return rebuild(self.structure, lambda name: self.value(name, k))


def photos(count: int = 23, size: tuple[int, int] = (12, 10), seed: int = 0) -> Any:
    """Return structure and columns of small labelled images."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *size, 3), np.uint8)
    labels = rng.integers(0, 5, count)
    columns = {"image": (Image("uint8", 3, size), pixels), "label": (Scalar("int64"), labels)}
    return ("image", "label"), columns


def photo_set(count: int = 23, size: tuple[int, int] = (12, 10), **options: Any) -> ArenaView:
    """Return them as a dataset."""
    return ArenaView(make_arena(*photos(count, size)), **options)


def rows_of_sizes(sizes: list[tuple[int, ...]], dtype: str, seed: int = 0) -> list[Any]:
    """Return an array of each shape."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 200, size).astype(dtype) for size in sizes]


def every_field(count: int = 9) -> Any:
    """Return structure and columns with each kind of field, nested in each kind of container."""
    rng = np.random.default_rng(7)
    sizes = [(3 + k, 4 + k % 3) for k in range(count)]
    columns: dict[str, tuple[Field, Any]] = {
        "image": (Image("uint8", 3, (6, 5)), rng.integers(0, 256, (count, 6, 5, 3), np.uint8)),
        "deep": (
            Image("uint16", 1, (4, 4)),
            rng.integers(0, 2**16, (count, 4, 4, 1)).astype(np.uint16),
        ),
        "free": (Image("uint8", 4), rows_of_sizes([(*size, 4) for size in sizes], "uint8")),
        "mask": (Mask("uint8", (6, 5)), rng.integers(0, 9, (count, 6, 5), np.uint8)),
        "freemask": (Mask("int32"), rows_of_sizes(sizes, "int32")),
        "vector": (Array("float32", (7,)), rng.random((count, 7), np.float32)),
        "point": (Array("float64", ()), rng.random(count)),
        "empty": (Array("int16", (0, 2)), np.empty((count, 0, 2), np.int16)),
        "flags": (Array("bool", (3,)), rng.random((count, 3)) > 0.5),
        "wave": (Array("complex64", (2,)), rng.random((count, 2)).astype(np.complex64)),
        "boxes": (Ragged("float32", 2), rows_of_sizes([(k % 4, 4) for k in range(count)], "f4")),
        "int": (Scalar("int64"), rng.integers(-(2**60), 2**60, count)),
        "byte": (Scalar("uint8"), rng.integers(0, 256, count).astype(np.uint8)),
        "real": (Scalar("float32"), rng.random(count, np.float32)),
        "double": (Scalar("float64"), rng.random(count)),
        "half": (Scalar("float16"), rng.random(count).astype(np.float16)),
        "yes": (Scalar("bool"), rng.random(count) > 0.5),
        "name": (Text(), [f"näme {k}" * (k % 3) for k in range(count)]),
        "none": (Nothing(), [None] * count),
    }
    structure: Structure = (
        "image",
        {"deep": "deep", "both": ("free", "mask"), "name": "name"},
        ["freemask", "vector", ("point", "empty", "flags")],
        {"wave": "wave", "boxes": "boxes", "numbers": ["int", "byte", "real", "double"]},
        "half",
        "yes",
        "none",
    )
    columns["title"] = (Text(), [str(k) for k in range(count)])
    return (*structure, "title"), columns


def assert_equal(got: Any, wanted: Any) -> None:
    """Compare nested values: types, dtypes, shapes and content."""
    assert type(got) is type(wanted), (type(got), type(wanted))
    if isinstance(wanted, torch.Tensor):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        assert torch.equal(got, wanted)
    elif isinstance(wanted, dict):
        assert list(got) == list(wanted)
        for key in wanted:
            assert_equal(got[key], wanted[key])
    elif isinstance(wanted, tuple | list):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert_equal(a, b)
    else:
        assert got == wanted


def stacked(batch: list[Any]) -> Any:
    """Collate in a function of the user's own: module level, as spawn needs it."""
    return default_collate([tuple(sample) for sample in batch])


class Doubled(ArenaView):
    """A subclass that has its own idea of a sample."""

    def __getitem__(self, index: Any) -> Any:
        image, label = super().__getitem__(index)
        return image, 2 * label


def add_one(label: int) -> int:
    """Transform labels, at module level."""
    return label + 1


def darker(image: Any) -> torch.Tensor:
    """Turn a PIL image into a tensor of half its levels, at module level."""
    return torch.from_numpy(np.array(image) // 2)
