"""One column on its way into the arena."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fastcache.errors import SchemaError
from fastcache.fill.failures import zero_rows
from fastcache.fill.job import Job
from fastcache.fill.target import Target
from fastcache.memory.arena import DenseColumn
from fastcache.memory.layout import row_elements
from fastcache.schema import Derived, Field, Image, Mask, Once
from fastcache.transforms import Operation, StorePlan

_Self = TypeVar("_Self", bound="ColumnFill")


class ColumnFill(ABC):
    """How one column is planned and filled.

    Attributes
    ----------
    name : str
    field : Field
        What a row is; known after `plan`.
    shapes : int64 array (N, ndim) or None
        Row shapes of a ragged column; known after `plan`.
    scratch : int
        Bytes that one thread holds while it fills this column.
    alone : int
        Bytes that a thread holds for items that are done one at a time.
    tables : int
        Bytes that are held beside the arena until the fill ends, whatever the threads.
    failed : dict of int to (str, str)
        Rows that cannot be had: what they are called (a path) and why.
    items : int
        Steps that progress counts for this column.
    can_fail : bool
        Whether rows of it may turn out not to be had.
    """

    name: str
    field: Field
    shapes: npt.NDArray[np.int64] | None = None
    scratch: int = 0
    alone: int = 0
    tables: int = 0
    items: int = 0
    can_fail: bool = True
    threads: int | None = None  # None: as many as the user allows
    on_caller: bool = False  # run its jobs on the thread that asked for the fill

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed: dict[int, tuple[str, str]] = {}

    @abstractmethod
    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Go on with these rows only; they are numbered anew."""

    @abstractmethod
    def plan(self) -> None:
        """Decide field and row shapes."""

    @abstractmethod
    def jobs(self, arena: Target) -> Iterator[Job]:
        """Yield the jobs that fill the column, one after the other."""

    def over(self: _Self, columns: Mapping[str, "ColumnFill"]) -> _Self:
        """Return the same beside other columns, for those that follow one of these."""
        return self

    def part(self: _Self, first: int, stop: int) -> _Self:
        """Return the same for some rows only, numbered from 0; after `plan`, all decoded."""
        made = copy(self)
        made.failed = {}
        if self.shapes is not None:
            made.shapes = self.shapes[first:stop]
        return made

    def take_over(self: _Self, part: _Self, first: int) -> None:
        """Note what became of rows that a part has filled; `first` is its first row."""
        for row, why in part.failed.items():
            self.failed[first + row] = why

    def state(self) -> Any:
        """Return as JSON what a part has found out about its rows, beside failures."""
        return None

    def restore(self, state: Any, first: int) -> None:
        """Note the `state` that the part whose first row this is had in an earlier run."""
        assert state is None, self.name

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        """Return field and row shapes (None: dense) of every arena column this one fills."""
        return {self.name: (self.field, self.shapes)}

    def all_shapes(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """Return the shapes of all rows of ragged columns, in whatever form they are kept."""
        return {name: shapes for name, (_, shapes) in self.layout().items() if shapes is not None}

    def beside(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        """Return the same of arena columns that no sample shows: tables of this one's own."""
        return {}

    def counts(self) -> Mapping[str, int]:
        """Return the rows of those of both that have not one for every sample."""
        return {}

    def clear(self, arena: Target, rows: Sequence[int]) -> None:
        """Make zeros of rows that failed, in which half a sample may stand."""
        for name in self.layout():
            zero_rows(arena, name, rows)

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """Return what the report says of this column."""


def sized(
    field: Image | Mask, store: StorePlan
) -> tuple[Image | Mask, npt.NDArray[np.int64] | None]:
    """Return the field with the one size that all rows of a plan have; else row shapes as well."""
    sizes = np.stack([store.out_h, store.out_w], axis=1).astype(np.int64)
    if (sizes == sizes[0]).all():
        return replace(field, size=(int(sizes[0, 0]), int(sizes[0, 1]))), None
    if isinstance(field, Image):
        sizes = np.insert(sizes, 2, field.channels, axis=1)
    return replace(field, size=None), sizes


def most_pixels(
    operations: Sequence[Operation], heights: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the pixels of each image where it is largest: as read, or between two operations."""
    most = heights * widths
    for operation in operations:
        heights, widths = operation.sizes(heights, widths)
        most = np.maximum(most, heights * widths)
    return most


def rows_of(arena: Target, name: str) -> Callable[[int], npt.NDArray[Any]]:
    """Return ``row → writable array`` for a dense or ragged column that is being filled."""
    column = arena.column(name)
    if isinstance(column, DenseColumn):
        rows = column.rows
        return lambda row: rows[row, ...]
    return column.__getitem__


def write_row(target: npt.NDArray[Any], value: npt.NDArray[Any], what: str) -> int:
    """Copy a value into its row; shapes must agree, nothing is broadcast."""
    if target.shape != value.shape:
        raise SchemaError(
            f"{what} has shape {value.shape}, its place in the arena {target.shape}: the file or "
            'the Dataset changed meanwhile, or its images differ in size (pass infer="scan")'
        )
    target[...] = value
    return value.nbytes


def row_bytes(
    name: str, field: Field, shapes: Mapping[str, npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64] | None:
    """Return the bytes of each row; of one, where all have the same; None without bytes of rows."""
    if isinstance(field, Once | Derived):
        return None
    if name in shapes:
        return row_elements(name, shapes[name]) * field.itemsize
    return np.array([field.row_bytes or 0], np.int64)
