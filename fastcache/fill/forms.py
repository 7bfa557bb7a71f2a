"""From a budget to forms: what of the files is kept decoded, encoded, or not at all."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.fill.column import ColumnFill
from fastcache.fill.files import FilesColumn
from fastcache.fill.keeping import Offer, choose
from fastcache.fill.kept import ABSENT, ENCODED, Forms


class UseCosts(NamedTuple):
    """Seconds that one use of each of N files takes, float64 arrays (N,)."""

    read: npt.NDArray[np.float64]
    decode: npt.NDArray[np.float64]


def settle_forms(
    columns: Sequence[ColumnFill],
    keep: str,
    need: Callable[[], int],
    have: int,
    costs: Callable[[FilesColumn], UseCosts],
) -> None:
    """Decide in which form the rows of all columns of files are kept.

    Parameters
    ----------
    columns : sequence of ColumnFill
        Planned.
    keep : {"auto", "decoded", "encoded"}
    need : callable
        Returns the bytes of arena and scratch as the columns are now.
    have : int
        Bytes that these may be.
    costs : callable
        Measures a column; called only where there is something to choose.

    Raises
    ------
    ArgumentError
        For ``keep="encoded"`` without a column of files.
    """
    files = [column for column in columns if isinstance(column, FilesColumn)]
    if keep == "encoded":
        if not files:
            raise ArgumentError(
                'keep="encoded" keeps files as they are, and this source has no image files: '
                'leave keep= out, or pass "decoded"'
            )
        for column in files:
            column.settle(np.where(column.can_be_encoded, ENCODED, ABSENT).astype(np.uint8))
    if keep != "auto" or not files or need() <= have:
        return
    for column in files:
        column.settle(np.full(len(column.paths), ABSENT, np.uint8))
    room = have - need()
    offers = [_offer(column, costs(column)) for column in files]
    offer = Offer(*(np.concatenate(parts) for parts in zip(*offers, strict=True)))
    ends = np.cumsum([len(column.paths) for column in files])[:-1]
    while room > 0:
        for column, forms in zip(files, np.split(choose(offer, room), ends), strict=True):
            column.settle(forms)
        excess = need() - have  # columns begin at boundaries of pages
        if excess <= 0:
            return
        room -= excess
    for column in files:
        column.settle(np.full(len(column.paths), ABSENT, np.uint8))


def _offer(column: FilesColumn, costs: UseCosts) -> Offer:
    can, good = column.can_be_encoded, column.table.good()
    return Offer(
        decoded_bytes=np.where(good, column.row_bytes, 0),
        encoded_bytes=column.file_bytes,
        decoded_saves=np.where(good, costs.read + costs.decode, 0.0),
        encoded_saves=np.where(can, costs.read, 0.0),
        can_be_encoded=can,
    )


def keep_of(columns: Sequence[ColumnFill]) -> str:
    """Return what a report says of it: "decoded", "encoded", "mixed" or "absent"."""
    found: Forms = np.concatenate(
        [
            np.zeros(1, np.uint8) if column.forms is None else np.unique(column.forms)
            for column in columns
            if isinstance(column, FilesColumn)
        ]
        or [np.zeros(1, np.uint8)]
    )
    kinds = {name for code, name in enumerate(("decoded", "encoded", "absent")) if code in found}
    return kinds.pop() if len(kinds) == 1 else "mixed"
