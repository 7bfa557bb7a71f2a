"""Which rows lie in damaged parts of a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache.memory.files import naming
from fastcache.memory.files.disk import open_regular, read_at
from fastcache.memory.files.manifest import FileEntry, Manifest
from fastcache.memory.files.naming import SUMMED
from fastcache.memory.files.plan import FilePlan, Part, Shard
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Once, Windows

_CHUNK = 1 << 20  # windows looked at together
_NONE = np.empty(0, np.int64)


class Tables:
    """Tables of the columns file, read only where they are needed.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    whole : bool
        Whether the file is as it was written; nothing is read from it otherwise.
    """

    def __init__(self, folder: Path, manifest: Manifest, whole: bool) -> None:
        self._path = folder / manifest.columns_file.file
        self._plan, self.whole = manifest.plan, whole
        self._begin = manifest.columns_file.bytes - manifest.plan.tables.data_bytes

    def read(self, name: str, dtype: str) -> NDArray[Any]:
        """Return a table by the name of its tensor."""
        part = self._plan.tables.parts[name]
        fd, _ = open_regular(self._path)
        with open(fd, "rb"):
            raw = read_at(fd, part.size, self._begin + part.start, self._path)
        return np.frombuffer(raw, dtype).reshape(part.tensor.shape)


def damaged_rows(
    plan: FilePlan, tables: Tables, entry: FileEntry, shard: Shard, damaged: Sequence[int]
) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each column of a shard that have bytes in damaged MiBs.

    Parameters
    ----------
    plan : FilePlan
    tables : Tables
        Without whole ones, all rows of a ragged column count as damaged, and of windows.
    entry, shard
        The file.
    damaged : sequence of int
        Numbers of MiBs of the file.

    Returns
    -------
    dict of str to int64 arrays
        Sorted; columns without such rows are left out.
    """
    begin = entry.bytes - shard.data_bytes
    found = {}
    for name, part in shard.parts.items():
        parts = [_NONE]
        for low, high in _ranges(damaged, begin + part.start, part):
            parts.append(_rows(plan, tables, shard, name, low, high))
        rows = np.unique(np.concatenate(parts))
        if len(rows):
            found[name] = rows
    return found


def _ranges(damaged: Sequence[int], at: int, part: Part) -> Iterator[tuple[int, int]]:
    """Yield which bytes of a part, that begins at a byte of the file, lie in some MiBs of it."""
    for block in damaged:
        low, high = max(0, block * SUMMED - at), min(part.size, (block + 1) * SUMMED - at)
        if low < high:
            yield low, high


def _rows(
    plan: FilePlan, tables: Tables, shard: Shard, name: str, low: int, high: int
) -> NDArray[np.int64]:
    """Return the rows of a column that have bytes ``low`` to ``high`` of its part."""
    saved = plan.saved[name]
    field, stride = saved.field, saved.stride
    if isinstance(field, Once):
        if not tables.whole:
            return np.arange(saved.count, dtype=np.int64)
        first = shard.first + low // field.itemsize
        return _windows(
            tables, field, name, saved.count, first, shard.first - (-high // field.itemsize)
        )
    if stride:
        rows = np.arange(low // stride, -(-high // stride), dtype=np.int64)
        return shard.first + rows
    if not tables.whole:
        return shard.first + np.arange(shard.rows, dtype=np.int64)
    mine = slice(shard.first, shard.first + shard.rows)
    shapes = tables.read(naming.SHAPES + name, "<i4")[mine].astype(np.int64)
    ends = np.cumsum(shapes.prod(axis=1, dtype=np.int64)) * field.itemsize
    starts = np.append(0, ends[:-1])
    return shard.first + np.flatnonzero((starts < high) & (ends > low) & (starts < ends))


def _windows(
    tables: Tables, field: Any, name: str, count: int, first: int, stop: int
) -> NDArray[np.int64]:
    """Return the windows that hold one of the elements ``first`` to ``stop``."""
    grids = tables.read(naming.GRIDS + name, "<i8")
    column = WindowColumn(field, 0, _NONE, grids, count)
    pitch = field.shape[-1] if isinstance(field, Windows) else 0
    found = [_NONE]
    for at in range(0, count, _CHUNK):
        rows = np.arange(at, min(at + _CHUNK, count), dtype=np.int64)
        starts, hit = column.starts(rows), np.zeros(len(rows), bool)
        for channel in range(field.shape[-2] if isinstance(field, Windows) else 1):
            begins = starts + channel * pitch
            hit |= (begins < stop) & (begins + field.length > first)
        found.append(rows[hit])
    return np.concatenate(found)
