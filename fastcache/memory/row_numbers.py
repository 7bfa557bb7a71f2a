"""Which rows: all of them without a table, or an array of their numbers."""

from collections.abc import Iterator
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray


class AllRows:
    """The rows 0..count-1 in their order: indexed as the array of them would be, and no memory.

    Parameters
    ----------
    count : int
    """

    __slots__ = ("_count",)

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._count))

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> int: ...

    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> NDArray[np.int64]: ...

    def __getitem__(
        self, index: int | np.integer[Any] | slice | NDArray[Any]
    ) -> int | NDArray[np.int64]:
        if isinstance(index, slice):
            return np.arange(*index.indices(self._count), dtype=np.int64)
        if isinstance(index, np.ndarray):
            rows: NDArray[np.int64] = index.astype(np.int64, casting="same_kind")
            # One look tells that no row is negative: as unsigned numbers those are the largest.
            if rows.size and rows.view(np.uint64).max() >= self._count:
                if rows.min() < -self._count or rows.max() >= self._count:
                    raise IndexError(f"rows {rows.min()}..{rows.max()} of {self._count}")
                rows[rows < 0] += self._count
            return rows
        return range(self._count)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.arange(self._count, dtype=dtype or np.int64)

    def tolist(self) -> list[int]:
        """Return the numbers as a list."""
        return list(range(self._count))

    def copy(self) -> NDArray[np.int64]:
        """Return the numbers as an array."""
        return np.arange(self._count, dtype=np.int64)


RowNumbers: TypeAlias = AllRows | NDArray[np.int64]
