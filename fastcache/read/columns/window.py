"""Windows of series as tensors: cut out of the series that the arena holds once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.memory.extents import Extents
from fastcache.memory.windows import WindowColumn
from fastcache.read.columns.columns import ArrayReader, Gathered, Pixels, Rows
from fastcache.read.columns.series_rows import SeriesRows
from fastcache.schema import Windows


class WindowReader(ArrayReader):
    """Windows (C, W): batches are one tensor, (B, C, W)."""

    stacks = True

    def __init__(self, column: WindowColumn) -> None:
        super().__init__(column.values.reshape(-1).view(np.uint8), column.field)
        assert isinstance(column.field, Windows)
        self._column = column
        self._shape = column.field.row_shape
        steps = column.values.shape[-1]
        self._channel_bytes = steps * self._itemsize
        # Windows that are whole series lie there in one piece.
        self._runs = 1 if self._shape[1] == steps else self._shape[0]
        # All windows of (n, C, T) that there could be, as (n, C, T - W + 1, W): a view.
        whole = column.values.reshape(-1, self._shape[0], steps)
        self._every = np.lib.stride_tricks.sliding_window_view(whole, self._shape[1], axis=-1)

    @property
    def row_size(self) -> int:
        """Values of a window, all channels together."""
        return self._shape[0] * self._shape[1]

    def array(self, row: int) -> Pixels:
        return self._column[row]

    def arrays(self, rows: Rows) -> npt.NDArray[Any]:
        """Return a copy of many rows: (B, C, W)."""
        channels, possible = self._every.shape[1:3]
        steps = possible + self._shape[1] - 1
        series, step = np.divmod(self._column.starts(rows), channels * steps)
        made: npt.NDArray[Any] = self._every[series[:, None], np.arange(channels), step[:, None]]
        return made

    def extents(self, rows: Rows) -> Extents:
        starts, size = self._column.starts(rows) * self._itemsize, self.row_size * self._itemsize
        if self._runs > 1:
            starts = (starts[:, None] + np.arange(self._runs) * self._channel_bytes).reshape(-1)
        lengths = np.full(len(starts), size // self._runs, np.int64)
        return Extents(self._column.offset + starts, lengths)

    def gather(self, rows: Rows) -> Gathered:
        count, (channels, length) = len(rows), self._shape
        row_bytes = channels * length * self._itemsize
        starts = self._column.starts(rows) * self._itemsize
        if self._runs > 1:
            starts = (starts[:, None] + np.arange(channels) * self._channel_bytes).reshape(-1)
        memory, job = self._copy(starts, row_bytes // self._runs, count * row_bytes)
        return Gathered(memory.view(count, channels, length), job, count * row_bytes)

    def series(self, rows: Rows) -> SeriesRows:
        """Return where the windows of some rows lie."""
        return SeriesRows(
            self.memory,
            self._column.values.dtype,
            self._column.starts(rows) * self._itemsize,
            self._shape[0],
            self._channel_bytes,
            self._shape[1],
        )
