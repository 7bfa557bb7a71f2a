"""Ranges of an arena's bytes, and those of them that touch put together."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Extents(NamedTuple):
    """Ranges of an arena's bytes: int64 (n,) each, counted from its first."""

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


def joined(extents: Extents, grain: int, limit: int) -> Extents:
    """Return whole grains that hold the same bytes, in ascending order, none of them twice.

    Parameters
    ----------
    extents : Extents
    grain : int
        Borders become multiples of it.
    limit : int
        No range ends behind it.
    """
    wanted = extents.lengths > 0
    starts, lengths = extents.starts[wanted], extents.lengths[wanted]
    begins = starts // grain * grain
    order = np.argsort(begins, kind="stable")
    begins = begins[order]
    ends = np.minimum(-(-(starts + lengths) // grain) * grain, limit)[order]
    reached = np.maximum.accumulate(ends)
    new = np.ones(len(begins), np.bool_)
    new[1:] = begins[1:] > reached[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(begins))[: len(first)] - 1
    return Extents(begins[first], reached[last] - begins[first])
