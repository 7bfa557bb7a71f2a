"""One label per window, out of labels that the arena holds once."""

import numpy as np
import numpy.typing as npt
import torch

from fastcache.memory.windows import WindowColumn
from fastcache.read.columns.columns import NUMBERS, Gathered, NumberReader, Rows
from fastcache.schema import WindowLabels


class WindowLabelReader(NumberReader):
    """Python numbers: batches are int64, float64 or bool tensors."""

    def __init__(self, column: WindowColumn) -> None:
        assert isinstance(column.field, WindowLabels)
        self._column = column
        self._flat = column.values.reshape(-1)
        self._how = column.field.how
        self._length = column.field.length
        kind = "i" if self._how == "any" else self._flat.dtype.kind
        self._wide = NUMBERS.get(kind, np.int64)
        # All windows that there could be, as a view.
        self._every = np.lib.stride_tricks.sliding_window_view(self._flat, self._length)

    def item(self, row: int) -> int | float | bool:
        value: int | float | bool = self._numbers(np.array([row], np.int64))[0].item()
        return value

    def gather(self, rows: Rows) -> Gathered:
        return Gathered(torch.from_numpy(self._numbers(rows)))

    def _numbers(self, rows: Rows) -> npt.NDArray[np.generic]:
        starts = self._column.starts(rows)
        if self._how == "last":
            numbers: npt.NDArray[np.generic] = self._flat[starts + (self._length - 1)]
        elif self._how == "any":
            numbers = (self._every[starts] != 0).any(axis=1)
        else:
            numbers = most_frequent(self._every[starts])
        return numbers.astype(self._wide, copy=False)


def most_frequent(rows: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return of each row the value that it has most often, and of several the smallest.

    Parameters
    ----------
    rows : array of shape (B, W), W at least 1
    """
    count, width = rows.shape
    ordered = np.sort(rows, axis=1)
    changes = np.ones((count, width), np.bool_)
    changes[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    firsts = np.flatnonzero(changes)  # of each run of equal values, rows one behind the other
    lengths = np.diff(firsts, append=count * width)
    row_runs = np.searchsorted(firsts, np.arange(count) * width)
    longest = np.maximum.reduceat(lengths, row_runs) if count else lengths
    row = firsts // width
    candidates = np.flatnonzero(lengths == longest[row])
    _, chosen = np.unique(row[candidates], return_index=True)
    most: npt.NDArray[np.generic] = ordered.reshape(-1)[firsts[candidates[chosen]]]
    return most
