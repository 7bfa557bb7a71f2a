"""Samples of an arena of files: their pages are asked for before, and may go afterwards."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from fastcache.memory.extents import Extents
from fastcache.memory.paging import Paging
from fastcache.read.columns.columns import Reader, Rows

_SOME = 16  # of so many samples one is asked for to see whether it is in memory


def extents_of(readers: Mapping[str, Reader], rows: Rows) -> Extents:
    """Return which bytes of the arena the samples in some rows are made of."""
    found = [reader.extents(rows) for reader in readers.values()]
    told = [extents for extents in found if extents is not None]
    if not told:
        return Extents(np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Extents(*(np.concatenate(parts) for parts in zip(*told, strict=True)))


@contextmanager
def paged_in(
    paging: Paging, readers: Mapping[str, Reader], rows: Rows, count: int
) -> Iterator[None]:
    """Within it samples are read: what is missing of them is asked for at once.

    Parameters
    ----------
    paging : Paging
    readers : mapping of str to Reader
        Of the arena's columns.
    rows : int64 array (n,)
        The samples' rows.
    count : int
        Rows of the arena.
    """
    if paging.due("reading", len(rows)):
        paging.bring(extents_of(readers, rows))
    yield
    if paging.passes:
        passing = rows[rows >= paging.stays * count]
        if len(passing):
            paging.let_go(extents_of(readers, passing))


def ask_ahead(paging: Paging, readers: Mapping[str, Reader], rows: Rows) -> None:
    """Ask for samples that will be read soon, by this process or others.

    Others may be missing what this process does not know of: if nothing had to be read here of
    late, a few samples are asked for once in a while, to find out.
    """
    if not paging.due("ahead", len(rows)):
        if not paging.probing():
            return
        rows = rows[::_SOME]
    paging.bring_aside(extents_of(readers, rows[: paging.ahead]))
