"""From the columns of an arena to values: one reader per kind of field.

A reader answers twice: ``item`` gives one row as the value that a sample holds, ``gather`` gives
many rows as the value that a batch holds. Both are copies; nothing that leaves here is the arena.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core.batch import CopyJob
from fastcache._core.threads import Work
from fastcache.errors import ArgumentError
from fastcache.memory.arena import DenseColumn, RaggedColumn
from fastcache.memory.extents import Extents
from fastcache.read.buffers import STREAM_FROM, gathered, new_bytes
from fastcache.read.columns.series_rows import SeriesRows
from fastcache.schema import Array, Field, Image

Rows: TypeAlias = npt.NDArray[np.int64]
Pixels: TypeAlias = npt.NDArray[Any]


class Gathered(NamedTuple):
    """A column of a batch. Its tensors are complete once the job, if there is one, has run.

    `finish`, if there is one, is called after that, and raises what the job found wrong.
    """

    values: Any
    job: Work | None = None
    size: int = 0
    finish: Callable[[], None] | None = None


def extents_in(column: DenseColumn | RaggedColumn, rows: Rows) -> Extents:
    """Return where some rows of a column lie in the arena."""
    return Extents(column.row_offsets(rows), column.row_sizes(rows))


class Reader(ABC):
    """How one column is read.

    Attributes
    ----------
    stacks : bool
        Whether items are tensors of one shape, and batches one tensor of them.
    """

    stacks = False

    @abstractmethod
    def item(self, row: int) -> Any:
        """Return the value of one row."""

    @abstractmethod
    def gather(self, rows: Rows) -> Gathered:
        """Return the values of many rows, in the order of `rows`."""

    def extents(self, rows: Rows) -> Extents | None:
        """Return which bytes of the arena are looked at for some rows; None if hardly any."""
        return None

    def items(self, rows: Rows) -> list[Any]:
        """Return what ``item`` gives of many rows."""
        return [self.item(row) for row in rows.tolist()]

    @staticmethod
    def pick(values: Any, k: int) -> Any:
        """Return what ``item`` would have given, out of what ``gather`` gave."""
        return values[k]


class ArrayReader(Reader):
    """Rows that become tensors; an image's axes are turned from (H, W, C) to (C, H, W)."""

    def __init__(self, memory: npt.NDArray[np.uint8], field: Field) -> None:
        self.dtype = torch.from_numpy(np.empty(0, field.dtype)).dtype
        self.is_image = isinstance(field, Image)
        self._itemsize = field.itemsize
        self.memory = memory

    @abstractmethod
    def array(self, row: int) -> Pixels:
        """Return one row as it lies in the arena: read-only, not a copy."""

    def item(self, row: int) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(self.array(row)))
        return tensor.permute(2, 0, 1) if self.is_image else tensor

    def _copy(
        self, starts: Rows, lengths: int | Rows, size: int
    ) -> tuple[torch.Tensor, CopyJob | None]:
        there = gathered(self.memory, starts, lengths)
        if there is not None:
            return there.view(self.dtype), None
        memory = new_bytes(size)
        streaming = size >= STREAM_FROM
        job = CopyJob(self.memory, memory.numpy(), starts, lengths, streaming=streaming)
        return memory.view(self.dtype), job


class DenseReader(ArrayReader):
    """Rows of one shape: batches are one tensor, (B, C, H, W) in channels_last order for images."""

    stacks = True

    def __init__(self, column: DenseColumn, field: Field) -> None:
        super().__init__(column.span, field)
        self.column = column
        self._is_array = isinstance(field, Array)
        self._rows = column.rows
        self._shape = tuple(column.rows.shape[1:])
        self._row_bytes, self._stride = column.row_bytes, column.stride

    def array(self, row: int) -> Pixels:
        return self._rows[row, ...]

    def extents(self, rows: Rows) -> Extents:
        return extents_in(self.column, rows)

    def gather(self, rows: Rows) -> Gathered:
        count = len(rows)
        size = count * self._row_bytes
        memory, job = self._copy(rows * self._stride, self._row_bytes, size)
        batch = memory.view(count, *self._shape)
        return Gathered(batch.permute(0, 3, 1, 2) if self.is_image else batch, job, size)

    def series(self, rows: Rows) -> SeriesRows:
        """Return where the series of some rows lie: for rows (T,) and (C, T) of plain arrays.

        Raises
        ------
        ArgumentError
            For images, masks, and arrays of other shapes.
        """
        if not self._is_array or len(self._shape) not in (1, 2):
            raise ArgumentError(
                f"rows of shape {self._shape} are no series: keep arrays (T,) or (channels, T)"
            )
        channels, length = (1, *self._shape)[-2:]
        return SeriesRows(
            self.memory,
            self._rows.dtype,
            rows * self._stride,
            channels,
            length * self._itemsize,
            length,
        )


class RaggedReader(ArrayReader):
    """Rows that have a shape each: batches are lists of tensors, which share one memory."""

    def __init__(self, column: RaggedColumn, field: Field) -> None:
        super().__init__(column.values.view(np.uint8), field)
        self.column = column

    def array(self, row: int) -> Pixels:
        return self.column[row]

    def extents(self, rows: Rows) -> Extents:
        return extents_in(self.column, rows)

    def gather(self, rows: Rows) -> Gathered:
        starts = self.column.offsets[rows]
        counts = self.column.row_elements(rows)
        size = int(counts.sum()) * self._itemsize
        memory, job = self._copy(starts * self._itemsize, counts * self._itemsize, size)
        shapes = self.column.shapes[rows].tolist()
        places = (np.cumsum(counts) - counts).tolist()
        values = [
            memory[place : place + count].view(shape)
            for place, count, shape in zip(places, counts.tolist(), shapes, strict=True)
        ]
        if self.is_image:
            values = [value.permute(2, 0, 1) for value in values]
        return Gathered(values, job, size)


# Python numbers become these in batches, as torch collates them; all others int64.
NUMBERS: dict[str, Any] = {"b": np.bool_, "f": np.float64}


class NumberReader(Reader):
    """Python numbers: batches are int64, float64 or bool tensors, as torch collates those."""

    @staticmethod
    def pick(values: torch.Tensor, k: int) -> int | float | bool:
        return values[k].item()

    def items(self, rows: Rows) -> list[Any]:
        numbers: list[Any] = self.gather(rows).values.tolist()
        return numbers


class ScalarReader(NumberReader):
    """Numbers that stand there, one per row."""

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self._rows = rows
        self._wide = NUMBERS.get(rows.dtype.kind, np.int64)

    def item(self, row: int) -> int | float | bool:
        value: int | float | bool = self._rows[row].item()
        return value

    def gather(self, rows: Rows) -> Gathered:
        values = self._rows[rows]
        if values.dtype == np.uint64 and values.max(initial=0) > np.iinfo(np.int64).max:
            raise ArgumentError(
                f"{values.max()} exceeds int64, which torch makes of ints in batches"
            )
        return Gathered(torch.from_numpy(values.astype(self._wide, copy=False)))


class TextReader(Reader):
    """Strings: batches are lists of them."""

    def __init__(self, column: RaggedColumn) -> None:
        self.column = column

    def item(self, row: int) -> str:
        return self.column[row].tobytes().decode("utf-8", "surrogateescape")  # paths

    def gather(self, rows: Rows) -> Gathered:
        return Gathered([self.item(row) for row in rows.tolist()])


class NothingReader(Reader):
    """None in every row: batches are lists of None."""

    def item(self, row: int) -> None:
        return None

    def gather(self, rows: Rows) -> Gathered:
        return Gathered([None] * len(rows))
