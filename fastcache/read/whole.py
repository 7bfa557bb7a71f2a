"""An arena as it is saved: with the samples that, until then, are read from their files."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.fill.editing.given import dense_column
from fastcache.fill.images.kept import (
    ABSENT,
    DECODED,
    FORM,
    PLACE,
    STAMP_FIELD,
    STAMP_OF,
    columns_beside,
    counted,
    keep_word,
    places,
)
from fastcache.memory.columns import Column
from fastcache.memory.files.saving import Streamed
from fastcache.read.columns.columns import Rows
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.columns.fetching import Fetch
from fastcache.read.reader import ArenaReader
from fastcache.schema import Field

_TOGETHER = 8 << 20  # bytes of pixels that are decoded at a time


class WholeColumn:
    """Pixels of rows of which some lie decoded in the arena; the others are decoded on their way.

    Parameters
    ----------
    field : Image or Mask
    reader : FetchReader
    rows : int64 array
        Rows of the arena, in their order.
    """

    def __init__(self, field: Field, reader: FetchReader, rows: Rows) -> None:
        # Zeros in the place of a sample would pass for it from then on.
        self._reader = copy.copy(reader)
        self._reader.decoding = replace(reader.decoding, late="raise")
        self._rows = rows
        self.field = field

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def shapes(self) -> npt.NDArray[np.int64]:
        """Shape of each row: int64 [N, ndim]."""
        sizes = self._reader.shapes(self._rows)
        channels = np.full((len(sizes), 1), self._reader.channels, np.int64)
        return np.concatenate([sizes, channels], axis=1)[:, : self._reader.axes]

    @cached_property
    def row_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each row: int64 [N]."""
        size: npt.NDArray[np.int64] = self.shapes.prod(axis=1) * self._reader.pixels_dtype.itemsize
        return size

    def pieces(self, first: int, stop: int, stride: int | None) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the bytes of some rows: see :class:`fastcache.memory.files.saving.Streamed`.

        Raises
        ------
        DecodeError
            Files that cannot be read any more.
        """
        rows, sizes = self._rows[first:stop], self.row_bytes[first:stop]
        ends = np.cumsum(sizes if stride is None else np.full_like(sizes, stride))
        begin, done = 0, 0
        while begin < len(rows):
            end = max(begin + 1, int(np.searchsorted(ends, done + _TOGETHER, "right")))
            memory = np.zeros(int(ends[end - 1]) - done, np.uint8)
            starts = np.concatenate([[done], ends[begin : end - 1]]) - done
            fetch = Fetch(self._reader, rows[begin:end], memory, starts)
            fetch.run()
            fetch.finish()
            yield memory
            begin, done = end, int(ends[end - 1])


class Whole(NamedTuple):
    """What is saved: all columns, and the catalogue that belongs to them."""

    columns: Mapping[str, Column | Streamed]
    catalog: Mapping[str, Any]


def whole_arena(reader: ArenaReader) -> Whole | None:
    """Return an arena with all samples in it; None if they are there already.

    Images that are absent become decoded ones. (Encoded, some could not be told from broken files
    before somebody asks for them, and .npy files have no such form.)
    """
    fetching = {n: r for n, r in reader.readers.items() if isinstance(r, FetchReader)}
    forms = {name: each.kept.forms for name, each in fetching.items()}
    if not any((each == ABSENT).any() for each in forms.values()):
        return None
    arena, catalog = reader.arena, copy.deepcopy(reader.catalog)
    columns: dict[str, Column | Streamed] = {n: arena.column(n) for n in arena.layout.columns}
    report = catalog["report"]
    for name, each in fetching.items():
        forms[name] = made = np.where(forms[name] == ABSENT, DECODED, forms[name]).astype(np.uint8)
        columns[name] = column = WholeColumn(
            reader.fields[name], each, np.flatnonzero(made == DECODED)
        )
        at = np.where(made == DECODED, places(made), each.kept.places)
        beside = columns_beside(name)
        for prefix, table in ((FORM, made), (PLACE, at)):
            columns[prefix + name] = dense_column(beside[prefix + name], table)
        columns[STAMP_OF + name] = dense_column(STAMP_FIELD, each.kept.stamps[:0])
        report["columns"][name]["kept"] = counted(made)
        added = each.kept.forms[made == DECODED] == ABSENT
        report["arena_bytes"] += int(column.row_bytes[added].sum())
    report["keep"] = keep_word(forms.values())
    return Whole(columns, catalog)
