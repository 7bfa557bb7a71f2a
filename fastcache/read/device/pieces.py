"""Pieces of memory that a device copies, and the ranges of it that are page-locked."""

import math

import numpy as np
import numpy.typing as npt

from fastcache.memory.layout import ArenaLayout

_Offsets = npt.NDArray[np.int64]

_PAGE = 4096


def chunk_starts(layout: ArenaLayout, size: int, most: int) -> list[int]:
    """Return where the ranges begin in which an arena of `size` bytes is locked.

    They begin at pages, and where there is one at the beginning of a row, so that no row lies in
    two of them; each has at most `most` bytes.
    """
    starts = [0]
    while size - starts[-1] > most:
        latest = (starts[-1] + most) // _PAGE * _PAGE
        starts.append(max(_row_page(layout, starts[-1], latest), starts[-1] + _PAGE))
    return starts


def _row_page(layout: ArenaLayout, first: int, latest: int) -> int:
    """Return the last page up to `latest`, behind `first`, at which a row begins; else `latest`."""
    for column in layout.columns.values():
        begin, stride = column.values, column.stride
        if not stride or not begin < latest < begin + column.values_bytes:
            continue
        row = (latest - begin) // stride
        # Rows begin at the same places of pages again and again.
        for k in range(row, max(-1, row - _PAGE // math.gcd(stride, _PAGE)), -1):
            place = begin + k * stride
            if place % _PAGE == 0 and place > first:
                return place
    return latest


def merged(starts: _Offsets, lengths: _Offsets) -> tuple[_Offsets, _Offsets]:
    """Return pieces that follow each other in memory as one; empty ones are left out."""
    some = lengths > 0
    starts, lengths = starts[some], lengths[some]
    begins = np.ones(len(starts), np.bool_)
    begins[1:] = starts[1:] != starts[:-1] + lengths[:-1]
    first = np.flatnonzero(begins)
    return starts[first], np.add.reduceat(lengths, first) if len(first) else lengths


def split(starts: _Offsets, lengths: _Offsets, cuts: _Offsets) -> tuple[_Offsets, _Offsets]:
    """Return the same pieces, none of which reaches over a cut (ascending offsets)."""
    inside = np.searchsorted(cuts, starts + lengths) - np.searchsorted(cuts, starts, "right")
    if not inside.any():
        return starts, lengths
    made: list[tuple[int, int]] = []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        between = cuts[(cuts > start) & (cuts < start + length)].tolist()
        ends = [*between, start + length]
        made += [(a, b - a) for a, b in zip([start, *between], ends, strict=True)]
    pieces = np.array(made, np.int64)
    return pieces[:, 0].copy(), pieces[:, 1].copy()
