"""Where every byte of a saved arena lies: in which file, and at which address once it is mapped.

All of it follows from what the columns are and from where they are cut.  Writers plan it from the
shapes of rows, readers derive it again from what the manifest states; offsets are never read from
a file, so nothing that one says can make two things overlap.

Addresses begin with the data of the columns file; then follow the families, and in each of them the
columns one after the other, the parts of a column side by side and each on a page of 64 KiB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcache.memory.files import naming
from fastcache.memory.files.header import Tensor, make_header
from fastcache.memory.layout import SHAPE_DTYPE, ArenaLayout, row_elements, row_ends
from fastcache.schema import Field, Nothing, Scalar, Text


def is_cut(field: Field) -> bool:
    """Whether a column is cut into shards; the others are small, or take no place at all."""
    return not isinstance(field, Scalar | Text | Nothing)


@dataclass(frozen=True)
class Saved:
    """What the manifest states of a column.

    Attributes
    ----------
    field : Field
    count : int
        Rows.
    stride : int or None
        Dense columns: bytes from row to row.
    elements : int or None
        Texts: bytes of all of them.
    """

    field: Field
    count: int
    stride: int | None = None
    elements: int | None = None


class Cut(NamedTuple):
    """Rows of one shard, and the elements of its part of each ragged column."""

    rows: int
    elements: Mapping[str, int]


class Part(NamedTuple):
    """What one file holds of one column, or a table.

    Attributes
    ----------
    at : int
        Address: bytes from the start of the arena.
    start : int
        Bytes from the end of the file's header.
    size : int
        Bytes; in a shard, zeros follow up to a multiple of 64 KiB.
    room : int
        Bytes with these zeros.
    tensor : Tensor
    """

    at: int
    start: int
    size: int
    room: int
    tensor: Tensor


@dataclass(frozen=True)
class Shard:
    """One file of a family.

    Attributes
    ----------
    first, rows : int
        Its first row, and their number.
    parts : dict of str to Part
        By column, in the order in which they lie.
    data_bytes : int
        Bytes behind the header.
    """

    first: int
    rows: int
    parts: Mapping[str, Part]
    data_bytes: int

    @cached_property
    def header(self) -> bytes:
        """The file's first bytes, up to where data begin."""
        return make_header({n: part.tensor for n, part in self.parts.items()}, self.data_bytes)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return len(self.header) + self.data_bytes


@dataclass(frozen=True)
class Family:
    """Columns that are cut together: each shard has the same rows of all of them."""

    columns: tuple[str, ...]
    count: int
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class FilePlan:
    """All files of an arena.

    Attributes
    ----------
    layout : ArenaLayout
        Of the arena that these files are, once they are mapped.
    saved : dict of str to Saved
    families : tuple of Family
    tables : Shard
        The columns file: scalars, texts, and the tables of the others. It has no rows of its own.
    """

    layout: ArenaLayout
    saved: Mapping[str, Saved]
    families: tuple[Family, ...]
    tables: Shard

    @property
    def file_bytes(self) -> int:
        """Size of all files but the manifest."""
        shards = [shard for family in self.families for shard in family.shards]
        return self.tables.file_bytes + sum(shard.file_bytes for shard in shards)

    def number(self, family: int, shard: int) -> int:
        """Return the number of a shard among those of all families."""
        return sum(len(each.shards) for each in self.families[:family]) + shard

    def shards_of(self, name: str) -> tuple[Shard, ...]:
        """Return the shards that hold a column; none for one that lies in the columns file."""
        for family in self.families:
            if name in family.columns:
                return family.shards
        return ()

    def tables_of_rows(self, name: str, shapes: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return what the columns file has of the rows of a ragged column.

        Parameters
        ----------
        name : str
        shapes : int array [N, ndim]
        """
        return {
            naming.OFFSETS + name: self._offsets(name, shapes.astype(np.int64)),
            naming.SHAPES + name: shapes.astype(SHAPE_DTYPE),
        }

    def _offsets(self, name: str, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 [N + 1]: where each row begins, in elements."""
        offsets = row_ends(row_elements(name, shapes))
        base, itemsize = self.layout.columns[name].values, self.saved[name].field.itemsize
        for shard in self.shards_of(name):
            rows = slice(shard.first, shard.first + shard.rows)
            skipped = (shard.parts[name].at - base) // itemsize - int(offsets[shard.first])
            offsets[rows] += skipped
            if rows.stop == len(shapes):
                offsets[-1] += skipped
        return offsets
