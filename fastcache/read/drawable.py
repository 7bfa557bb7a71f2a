"""Columns whose rows follow from random numbers: first these are drawn, for a batch, then read."""

from abc import abstractmethod
from typing import Any

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.read.columns import Gathered, Reader, Rows
from fastcache.read.keys import KeyArrays


class DrawnReader(Reader):
    """The rows of one batch, whose random numbers are known."""

    def item(self, row: int) -> Any:
        """Return what is made of the one row that there is."""
        gathered = self.gather(np.array([row]))
        if gathered.job is not None:
            gathered.job.run()
        if gathered.finish is not None:
            gathered.finish()
        return self.pick(gathered.values, 0)


class Drawable(Reader):
    """A column that is not read itself, but what `drawn` returns.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def drawn(self, keys: KeyArrays, told: Rows) -> DrawnReader:
        """Return the reader of one batch.

        Parameters
        ----------
        keys : KeyArrays
            Of its samples.
        told : int64 array (B,)
            By which numbers the samples are known to users.
        """

    def item(self, row: int) -> Any:
        raise ArgumentError(f"row {row} of {self.name!r} is made with random numbers: draw first")

    def gather(self, rows: Rows) -> Gathered:
        raise ArgumentError(f"{self.name!r} is made with random numbers: draw first")
