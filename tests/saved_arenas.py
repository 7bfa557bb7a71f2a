"""Arenas with columns of every kind, and what must come back of them; folders as they lie."""

from pathlib import Path
from typing import Any

import numpy as np

from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.columns import DenseColumn, RaggedColumn
from fastcache.schema import (
    Array,
    Field,
    Image,
    Mask,
    Nothing,
    Ragged,
    Scalar,
    Text,
    WindowLabels,
    Windows,
)

SMALL = 65536  # bytes of a shard: several of them for a few rows

FIELDS: dict[str, Field] = {
    "image": Image(size=(64, 32)),  # 6144 bytes: pages end with every 32nd row
    "odd": Image(size=(31, 17)),  # 1581 bytes, an odd number
    "mask": Mask(size=(16, 16)),
    "photo": Image(),
    "outline": Mask(),
    "vector": Array("float32", (5,)),
    "complex": Array("complex128", (3,)),
    "flags": Array("bool", (4, 2)),
    "empty": Array("int16", (0, 3)),
    "when": Array("datetime64[ns]", (2,)),
    "boxes": Ragged("float64", 2),
    "phases": Ragged("complex64", 1),
    "words": Ragged("<U3", 1),  # 12 bytes: no page ends with every element
    "label": Scalar("int64"),
    "weight": Scalar("float16"),
    "good": Scalar("bool"),
    "name": Text(),
    "none": Nothing(),
}


def values_of(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Any:
    """Return values of any type."""
    kind = np.dtype(dtype)
    if kind.kind == "U":
        return rng.integers(0, 999, shape).astype(kind)
    if kind.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(kind)
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    return rng.integers(0, 2 if kind.kind == "b" else 120, shape).astype(kind)


def rows_of(fields: dict[str, Field], counts: dict[str, int], seed: int) -> dict[str, list[Any]]:
    """Return rows of every column; of ragged ones, some are empty."""
    rng = np.random.default_rng(seed)
    made: dict[str, list[Any]] = {}
    for name, field in fields.items():
        if isinstance(field, Windows | WindowLabels):
            continue
        made[name] = []
        for i in range(counts[name]):
            shape = field.row_shape
            if shape is None:
                most = 40 if isinstance(field, Image | Mask) else 9
                shape = tuple(rng.integers(0 if i % 3 else 1, most, field.ndim).tolist())
                shape = (*shape[:-1], field.channels) if isinstance(field, Image) else shape
            made[name].append(values_of(rng, field.dtype, shape))
    return made


def make_arena(
    fields: dict[str, Field] | None = None,
    count: int = 100,
    counts: dict[str, int] | None = None,
    seed: int = 0,
    catalog: dict[str, Any] | None = None,
) -> tuple[Arena, dict[str, list[Any]]]:
    """Return a committed arena in memory, and its rows."""
    fields = FIELDS if fields is None else fields
    every = {name: (counts or {}).get(name, count) for name in fields}
    rows = rows_of(fields, every, seed)
    shapes = {
        name: np.array([row.shape for row in rows[name]], np.int64).reshape(every[name], field.ndim)
        for name, field in fields.items()
        if field.row_shape is None
    }
    arena = Arena.allocate(plan_layout(fields, count, shapes, counts))
    for name, given in rows.items():
        column = arena.column(name)
        for i, row in enumerate(given):
            if isinstance(column, DenseColumn):
                column.rows[i] = row
            else:
                column[i][...] = row
    for name, field in fields.items():
        if isinstance(field, Windows | WindowLabels):
            fill_windows(arena, name, field, every[name], seed)
    column = None
    arena.commit({"seed": seed, "pair": [1, None]} if catalog is None else catalog)
    return arena, rows


def fill_windows(arena: Arena, name: str, field: Any, count: int, seed: int) -> None:
    """Fill an array that is kept once; its rows are as many windows, one step apart."""
    column = arena.column(name)
    column.values[...] = values_of(np.random.default_rng(seed), field.dtype, field.shape)
    column.grids[:, 0] = [0, max(count, 1), 0, 0, 1]


def check_rows(arena: Arena, rows: dict[str, list[Any]]) -> None:
    """Compare every row with what was put in."""
    for name, expected in rows.items():
        column = arena.column(name)
        assert len(column) == len(expected)
        for i, row in enumerate(expected):
            assert (column[i].dtype, column[i].shape) == (row.dtype, row.shape), (name, i)
            assert np.array_equal(column[i], row), (name, i)
        if isinstance(column, RaggedColumn):
            assert column.row_sizes().tolist() == [row.nbytes for row in expected]


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def mapped(name: str) -> int:
    """Return how many mappings of this process have a name in their path."""
    return Path("/proc/self/maps").read_text().count(name)
