"""Columns whose rows are there already, and columns that a Dataset gives one by one."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, NotFrozenError, SchemaError
from fastcache.fill.column import ColumnFill, rows_of, sized, write_row
from fastcache.fill.conversion import conversion_for, with_dtype
from fastcache.fill.job import ItemJob, Job, reason_of
from fastcache.fill.options import CHANNELS, FillOptions
from fastcache.fill.steps.pillow_step import mask_array, stored_image
from fastcache.fill.target import Target
from fastcache.memory.arena import DenseColumn
from fastcache.memory.row_numbers import RowNumbers
from fastcache.schema import Field, Image, Mask, Nothing, Ragged, Text
from fastcache.sources.base import Items, Source, Values
from fastcache.transforms import Operation, apply_store, compile_store, store_for_masks

_CHUNK_BYTES = 4 << 20  # of a column of values, copied as one step


def encode_text(value: object, what: str) -> bytes:
    """Return a string's UTF-8 bytes."""
    if not isinstance(value, str):
        raise SchemaError(f"{what} is {type(value).__name__}, not a string")
    return value.encode("utf-8", "surrogateescape")


class ValuesColumn(ColumnFill):
    """A `Values` feed: copied in chunks of rows."""

    can_fail = False

    def __init__(
        self, name: str, feed: Values, rows: RowNumbers, store: Sequence[Operation] = ()
    ) -> None:
        super().__init__(name)
        self._feed = feed
        self._conversion = conversion_for(name, feed.field, store)
        self._rows = rows
        self._text: npt.NDArray[np.uint8] | None = None

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = self._rows[rows]

    def plan(self) -> None:
        self.field = with_dtype(self._feed.field, self._conversion)
        if isinstance(self.field, Text):
            texts = cast("Sequence[str]", self._feed.rows)
            encoded = [encode_text(texts[row], self.name) for row in self._rows.tolist()]
            self.shapes = np.fromiter(map(len, encoded), np.int64).reshape(-1, 1)
            self._text = np.frombuffer(b"".join(encoded), np.uint8)
            self.tables = self._text.nbytes + self.shapes.nbytes
        else:
            row = self._row_bytes
            self.scratch = min(row * len(self._rows), max(row, _CHUNK_BYTES))

    @property
    def _row_bytes(self) -> int:
        """Bytes that a row takes on its way: as the source has it, and as the arena does."""
        row, source = self.field.row_bytes or 0, self._feed.field.row_bytes or 0
        return row if self._conversion is None else row + source

    def part(self, first: int, stop: int) -> "ValuesColumn":
        made = super().part(first, stop)
        made._rows = self._rows[first:stop]
        return made

    def jobs(self, arena: Target) -> Iterator[Job]:
        count = len(self._rows)
        column = arena.column(self.name)
        if not isinstance(column, DenseColumn):  # texts, already in the form of the arena
            text, values = self._text, column.values
            assert text is not None
            yield ItemJob([0], lambda _: write_row(values, text, self.name), _raise, counted=False)
            return
        target = column.rows
        source = cast("npt.NDArray[Any]", self._feed.rows)
        if self._feed.axes is not None:
            source = source.transpose(0, *(axis + 1 for axis in self._feed.axes))
        step = max(1, _CHUNK_BYTES // max(1, self._row_bytes))

        def copy(start: int) -> int:
            rows = self._rows[start : start + step]
            if self._conversion is None:
                target[start : start + step] = source[rows]
            else:
                self._conversion.put(
                    source[rows], target[start : start + step], lambda k: f"sample {rows[k]}"
                )
            return int(target[start : start + step].nbytes)

        yield ItemJob(range(0, count, step), copy, _raise, counted=False)

    def facts(self) -> dict[str, object]:
        return {}


def _raise(_row: int, error: Exception) -> None:
    """Let any error end the fill: rows that are there already cannot fail on their own."""
    raise error


class ItemsColumns(ColumnFill):
    """All `Items` feeds of a source, which one ``read`` per sample fills together."""

    def __init__(
        self,
        source: Source,
        feeds: dict[str, Items],
        rows: RowNumbers,
        options: FillOptions,
    ) -> None:
        super().__init__("sample")
        self._source = source
        self._rows = rows
        self.columns = {
            name: _ItemColumn(name, feed, rows, options) for name, feed in feeds.items()
        }
        if not source.parallel:
            self.threads, self.on_caller = 1, True

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = self._rows[rows]
        for column in self.columns.values():
            column.keep(rows)

    def plan(self) -> None:
        self.items = len(self._rows)
        for column in self.columns.values():
            column.plan()
        # A sample as the Dataset returns it, and its copy in the form of the arena.
        self.scratch = 2 * sum(column.largest for column in self.columns.values())

    def part(self, first: int, stop: int) -> "ItemsColumns":
        made = super().part(first, stop)
        made._rows = self._rows[first:stop]
        made.columns = {n: column.part(first, stop) for n, column in self.columns.items()}
        made.items = stop - first
        return made

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        return {name: (column.field, column.shapes) for name, column in self.columns.items()}

    def jobs(self, arena: Target) -> Iterator[Job]:
        places = {name: rows_of(arena, name) for name in self.columns}

        def work(row: int) -> int:
            index = int(self._rows[row])
            values = self._source.read(index)
            size = 0
            for name, column in self.columns.items():
                what = f"sample {index}, column {name!r}"
                size += write_row(places[name](row), column.convert(values[name], what), what)
            return size

        yield ItemJob(range(len(self._rows)), work, self._record)

    def _record(self, row: int, error: Exception) -> None:
        if isinstance(error, SchemaError | NotFrozenError | ArgumentError):
            raise error  # the Dataset and the schema disagree: skipping would hide a bug
        self.failed[row] = (f"sample {int(self._rows[row])}", reason_of(error))

    def facts(self) -> dict[str, object]:
        return {}


class _ItemColumn:
    """One of them."""

    def __init__(self, name: str, feed: Items, rows: RowNumbers, options: FillOptions) -> None:
        self.name = name
        self._feed = feed
        self._shapes = None if feed.shapes is None else feed.shapes[np.asarray(rows)]
        self._count = len(rows)
        self._color = options.color
        self._store: Sequence[Operation] = (
            store_for_masks(options.store) if isinstance(feed.field, Mask) else options.store
        )
        self._conversion = conversion_for(name, feed.field, self._store)
        self.field = feed.field
        self.shapes: npt.NDArray[np.int64] | None = None

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self._count = len(rows)
        if self._shapes is not None:
            self._shapes = self._shapes[rows]

    def part(self, first: int, stop: int) -> "_ItemColumn":
        made = copy(self)
        if self.shapes is not None:
            made.shapes = self.shapes[first:stop]
        return made

    def plan(self) -> None:
        field = self._feed.field
        if isinstance(field, Image | Mask) and self._feed.pil:
            if isinstance(field, Image) and self._color is not None:
                dtype = "uint16" if self._color == "I;16" else "uint8"
                field = Image(dtype, CHANNELS[self._color], field.size)
            if self._shapes is not None:
                heights, widths = self._shapes[:, 0], self._shapes[:, 1]
            else:
                assert field.size is not None
                heights = np.full(self._count, field.size[0])
                widths = np.full(self._count, field.size[1])
            self.field, self.shapes = sized(field, compile_store(self._store, heights, widths))
        else:
            self.field = field
            ragged = isinstance(field, Ragged | Text) or field.row_shape is None
            self.shapes = self._shapes if ragged else None
        self.field = with_dtype(self.field, self._conversion)

    @property
    def largest(self) -> int:
        """Bytes of the largest row."""
        if self.shapes is None:
            return self.field.row_bytes or 0
        return int(self.shapes.prod(axis=1).max(initial=0)) * self.field.itemsize

    def convert(self, value: Any, what: str) -> npt.NDArray[Any]:
        """Return what ``read`` gave as the array that the arena keeps."""
        if isinstance(self.field, Text):
            return np.frombuffer(encode_text(value, what), np.uint8)
        if isinstance(self.field, Nothing):
            return np.empty(0, np.uint8)
        if not self._feed.pil:
            return self._converted(np.asarray(value), what)
        if isinstance(self.field, Mask):
            return mask_array(apply_store(self._store, value))
        return self._converted(stored_image(value, self._color or value.mode, self._store), what)

    def _converted(self, value: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
        if self._conversion is None:
            return value
        made = np.empty(value.shape, self.field.dtype)
        self._conversion.put(value[None], made[None], lambda _: what)
        return made
