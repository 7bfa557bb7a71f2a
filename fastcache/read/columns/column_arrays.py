"""What ``ds.arrays`` is: the columns of an arena as arrays."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from fastcache.errors import NotKeptError
from fastcache.memory.columns import Column, RaggedColumn
from fastcache.memory.windows import WindowColumn


class _Arrays(dict[str, Any]):
    """Columns by name; says why some are not among them."""

    mixed: Collection[str] = ()
    why: str = ""

    def __missing__(self, name: str) -> Any:
        if name in self.mixed:
            raise NotKeptError(f"column {name!r} is no array: {self.why}")
        raise KeyError(name)


def column_arrays(
    columns: Mapping[str, Column], mixed: Collection[str], why: str
) -> Mapping[str, npt.NDArray[Any] | RaggedColumn]:
    """Return columns as arrays, without a copy; `mixed` are those of which there are none."""
    arrays = _Arrays({name: _whole(column) for name, column in columns.items()})
    arrays.mixed, arrays.why = mixed, why
    return MappingProxyType(arrays)


def _whole(column: Column) -> npt.NDArray[Any] | RaggedColumn:
    if isinstance(column, RaggedColumn):
        return column
    return column.values if isinstance(column, WindowColumn) else column.rows
