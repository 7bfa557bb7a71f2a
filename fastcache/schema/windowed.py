"""Fields of windows: rows that overlap in an array which the arena holds once."""

import math
from dataclasses import dataclass
from typing import ClassVar

from fastcache.schema.fields import FieldBase


@dataclass(frozen=True)
class _OnceBase(FieldBase):
    """An array that lies in the arena once, and a table of grids that says where rows begin.

    Parameters
    ----------
    shape : tuple of int
        Of the array as it is stored.
    length : int
        Steps of a window.
    grids : int
        Columns of the table: see :class:`fastcache.memory.windows.WindowColumn`.
    """

    shape: tuple[int, ...] = ()
    length: int = 1
    grids: int = 1

    def elements(self, count: int) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Windows(_OnceBase):
    """Windows (C, length) of series, stored (C, T) or, as many series of one length, (n, C, T)."""

    kind: ClassVar[str] = "windows"

    @property
    def row_shape(self) -> tuple[int, int]:
        return (self.shape[-2], self.length)


@dataclass(frozen=True)
class WindowLabels(_OnceBase):
    """One number per window, of labels stored once per step, or per series with ``length`` 1.

    ``how``: "last" takes the label of the window's last step, "majority" its most frequent one
    (the smallest of several), "any" tells whether one of them is not zero.
    """

    kind: ClassVar[str] = "window_labels"
    how: str = "last"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class _DerivedBase(FieldBase):
    """Made of the column ``of`` on each read; takes no memory. Rows have the given ``shape``."""

    of: str = ""
    shape: tuple[int, ...] = ()

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape

    def elements(self, count: int) -> int:
        return 0


@dataclass(frozen=True)
class WindowCopy(_DerivedBase):
    """The same windows once more, for those who want them beside what a transform made."""

    kind: ClassVar[str] = "window_copy"


@dataclass(frozen=True)
class WindowStatistics(_DerivedBase):
    """Statistics of each channel of a window: (C, len(names))."""

    kind: ClassVar[str] = "window_statistics"
    names: tuple[str, ...] = ()
