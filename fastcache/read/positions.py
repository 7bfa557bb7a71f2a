"""Which samples a dataset is asked for."""

import operator
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from fastcache.read.columns.columns import Rows


def positions_of(indices: Sequence[SupportsIndex], count: int) -> Rows:
    """Return indices as int64 array of 0..count-1."""
    if isinstance(indices, list):
        indices = indices[:]  # of a derived class too NumPy does not take the items one by one then
    positions = np.asarray(indices)
    if positions.dtype.kind != "i" or positions.ndim != 1:  # tensors, bools, unsigned; not floats
        try:
            positions = np.fromiter(map(operator.index, indices), np.int64)
        except OverflowError:
            far = (index for index in map(operator.index, indices) if not -count <= index < count)
            raise outside(next(far), count) from None
    positions = positions.astype(np.int64, copy=False)
    # One look tells that none is negative: as unsigned numbers those are the largest.
    if not len(positions) or positions.view(np.uint64).max() < count:
        return positions
    beyond = (positions < -count) | (positions >= count)
    if beyond.any():
        raise outside(int(positions[beyond][0]), count)
    wrapped: Rows = positions + count * (positions < 0)
    return wrapped


def outside(position: int, count: int) -> IndexError:
    """Return the error for a sample that is not there."""
    bits = position.bit_length()  # Python does not print numbers of many thousand digits
    told = str(position) if bits < 64 else f"{'-' * (position < 0)}2^{bits - 1} or further"
    return IndexError(f"sample {told} of {count}")
