"""A column whose rows are windows of an array that lies in the arena once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcache.schema import Once, Windows


@dataclass(frozen=True, eq=False)
class WindowColumn:
    """Rows that overlap: where each begins is computed.

    Rows are numbered through a table of grids. In a grid, every series has the same number of
    rows, the series lie at one distance from each other, and so do the rows of a series.

    Attributes
    ----------
    field : Windows or WindowLabels
    offset : int
        Bytes from the start of the arena to the first element.
    values : array of shape field.shape, over the arena's memory
        Writable until the arena is committed, as is `grids`.
    grids : int64 array [5, G]
        Of each grid: its first row, its rows per series, the element at which its first row
        begins, and the elements from one series to the next and from one row to the next.
    count : int
        Rows of all grids together.
    """

    field: Once
    offset: int
    values: NDArray[Any]
    grids: NDArray[np.int64]
    count: int

    def __len__(self) -> int:
        return self.count

    def start(self, row: int) -> int:
        """Return the element of ``values``, counted through all of it, at which a row begins."""
        grid = int(np.searchsorted(self.grids[0], row, side="right")) - 1
        first_row, inner, first, outer_step, inner_step = self.grids[:, grid].tolist()
        series, step = divmod(row - first_row, inner)
        return int(first + series * outer_step + step * inner_step)

    def starts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the same for many rows, all of which must be there."""
        if self.grids.shape[1] == 1:  # numbers instead of arrays: one grid is the usual case
            first_row, inner, first, outer_step, inner_step = self.grids[:, 0].tolist()
        else:
            grid = np.searchsorted(self.grids[0], rows, side="right") - 1
            first_row, inner, first, outer_step, inner_step = self.grids[:, grid]
        series, step = np.divmod(rows - first_row, inner)
        starts: NDArray[np.int64] = first + series * outer_step + step * inner_step
        return starts

    def __getitem__(self, row: int) -> NDArray[Any]:
        """Return a row as it lies in the arena: (C, length) of Windows, (length,) of labels."""
        start, length = self.start(row), self.field.length
        if not isinstance(self.field, Windows):
            return self.values.reshape(-1)[start : start + length]
        channels, steps = self.values.shape[-2:]
        series, step = divmod(start, channels * steps)
        whole = self.values.reshape(-1, channels, steps)
        return whole[series, :, step : step + length]
