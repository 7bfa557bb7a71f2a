"""Samples that cannot be had: before the fill, in it, and what the dataset shows in the end."""

import numpy as np

from fastcache.fill.failures import decode_error
from fastcache.fill.prepare import Preparation
from fastcache.memory.row_numbers import AllRows, RowNumbers


class Failures:
    """Which samples of a fill have failed, and what ``on_error`` makes of them.

    Parameters
    ----------
    prepared : Preparation

    Attributes
    ----------
    told : list of (str, str)
        Path (or ``"sample k"``) and reason, as the report tells them.
    """

    def __init__(self, prepared: Preparation) -> None:
        self._prepared = prepared
        self._on_error = prepared.options.on_error
        self.told: list[tuple[str, str]] = []

    @property
    def stop(self) -> bool:
        """Whether the first of them ends the fill."""
        return self._on_error == "raise"

    def check(self) -> dict[int, tuple[str, str]]:
        """Return the rows that failed so far; raise DecodeError if that leaves nothing."""
        bad, count = self._prepared.bad_rows(), len(self._prepared.rows)
        if bad and (self.stop or len(bad) == count):
            raise decode_error(list(bad.values()), count)
        return bad

    def drop_unreadable(self) -> None:
        """Deal with files whose headers cannot be used, before anything is planned."""
        self.check()
        self._prepared.settle_unreadable()
        if self._on_error != "fill":  # else they fail at the end, with those found later
            self.told += self._prepared.unreadable

    def settle(self) -> RowNumbers:
        """Note the rows that failed; return those that the dataset shows."""
        bad = self.check()
        shown = AllRows(len(self._prepared.rows))
        self.told += bad.values()
        if not bad or self._on_error == "fill":
            return shown
        return np.setdiff1d(shown.copy(), [*bad])
