"""From a budget to forms: what of the files is kept decoded, encoded, or not at all."""

from collections.abc import Callable, Sequence

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.fill.column import ColumnFill
from fastcache.fill.estimate.measure import SECONDS
from fastcache.fill.images.files import FilesColumn
from fastcache.fill.images.keeping import Offer, choose
from fastcache.fill.images.kept import ABSENT, DECODED, ENCODED, FAILED, Forms, counted, keep_word


def settle_forms(
    columns: Sequence[ColumnFill],
    keep: str,
    need: Callable[[], int],
    have: int,
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

    Raises
    ------
    ArgumentError
        For ``keep="encoded"`` without a column of files.

    Notes
    -----
    Where there is something to choose, reading and decoding are measured on a few files.
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
    _keep_none(files)
    room = have - need()
    offers = [_offer(column, SECONDS / len(files)) for column in files]
    offer = Offer(*(np.concatenate(parts) for parts in zip(*offers, strict=True)))
    ends = np.cumsum([len(column.paths) for column in files])[:-1]
    while room > 0:
        for column, forms in zip(files, np.split(choose(offer, room), ends), strict=True):
            column.settle(forms)
        excess = need() - have  # columns begin at boundaries of pages
        if excess <= 0:
            return
        room -= excess
    _keep_none(files)


def _keep_none(files: Sequence[FilesColumn]) -> None:
    for column in files:
        column.settle(np.full(len(column.paths), ABSENT, np.uint8))


def _offer(column: FilesColumn, seconds: float) -> Offer:
    costs = column.costs(seconds)
    read, decode = costs.of_files(column.table)
    good, can = column.table.good(), column.can_be_encoded
    copied = costs.copy_seconds(column.row_bytes)
    return Offer(
        decoded_bytes=np.where(good, column.row_bytes, 0),
        encoded_bytes=column.file_bytes,
        decoded_saves=np.where(good, np.maximum(read + decode - copied, 0), 0),
        encoded_saves=np.where(can, read, 0),
        can_be_encoded=can,
    )


def samples_kept(columns: Sequence[ColumnFill], count: int) -> dict[str, int]:
    """Return how many samples are kept how; of several images the one that is kept least says."""
    files = [column for column in columns if isinstance(column, FilesColumn)]
    forms = [column.forms for column in files if column.forms is not None]
    if not forms:  # no table of millions of windows
        return {"decoded": count, "encoded": 0, "absent": 0}
    least: Forms = np.full(count, DECODED, np.uint8)
    for form in forms:
        least = np.maximum(least, np.where(form == FAILED, DECODED, form))
    found = counted(least)
    return {form: found[form] for form in ("decoded", "encoded", "absent")}


def keep_of(columns: Sequence[ColumnFill]) -> str:
    """Return what a report says of it: "decoded", "encoded", "mixed" or "absent"."""
    return keep_word(column.forms for column in columns if isinstance(column, FilesColumn))
