"""What every source offers: columns, how each is fed, and the shape of a sample.

A source knows nothing of memory.  To add a kind of input, write one class derived from
:class:`Source` in a file of its own; nothing else needs to change.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as with_default
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache.schema import Derived, Field, Once, Ragged, Structure
from fastcache.sources.series_windows import Place, SeriesWindows


@dataclass(frozen=True)
class ImageFiles:
    """A column that is decoded from one file per sample.

    Parameters
    ----------
    paths : sequence of str
        One path per sample.
    mask : bool
        True: the file holds class indices. They are kept as stored (palette indices are not
        turned into colours) and resized with the nearest filter only.
    """

    paths: Sequence[str]
    mask: bool = False


@dataclass(frozen=True)
class Values:
    """A column whose rows are known at once.

    Parameters
    ----------
    rows : ndarray or sequence of str
        Array of shape (N, *row_shape), possibly mapped from a file; strings for a Text field.
    field : Field
        What a row is. An :class:`~fastcache.schema.Image` takes rows (H, W, C).
    axes : tuple of int, optional
        Order in which the row axes of `rows` are to be stored, e.g. ``(1, 2, 0)`` for (C, H, W)
        rows of an Image; None keeps them.
    """

    rows: npt.NDArray[Any] | Sequence[str]
    field: Field
    axes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Items:
    """A column that is read in Python, one sample at a time, by ``Source.read``.

    Parameters
    ----------
    field : Field
        What a row is. For an Image or Mask with ``size=None``, a Ragged or a Text, `shapes` is
        needed.
    shapes : int64 array of shape (N, ndim), optional
        Shape of each row *as read* (for an Image (H, W, C), before any ``store`` operation).
    pil : bool
        True: ``read`` returns a PIL image for this column, to which ``store`` applies.
    """

    field: Field
    shapes: npt.NDArray[np.int64] | None = None
    pil: bool = False


@dataclass(frozen=True)
class Windowed:
    """A column whose rows are windows of arrays that the arena holds once.

    Parameters
    ----------
    field : Windows or WindowLabels
        Element type and length; shape and grids follow from the rest.
    parts : sequence of arrays
        Pieces that lie behind each other along the last axis in the arena, a series each; or one
        array whose first axis counts series.
    windows : SeriesWindows
    place : Place
        Where each series begins in the joined array.
    repair : callable, optional
        ``repair(values)`` is called once all pieces are in their place in the arena.
    facts : mapping of str to int
        What the report tells of the column.
    """

    field: Once
    parts: Sequence[npt.NDArray[Any]]
    windows: SeriesWindows
    place: Place
    repair: Callable[[npt.NDArray[Any]], None] | None = None
    facts: Mapping[str, int] = with_default(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the joined array."""
        return (*self.parts[0].shape[:-1], sum(part.shape[-1] for part in self.parts))

    def narrowed(self, windows: SeriesWindows) -> "Windowed":
        """Return the column with some of its windows, and no more of the arrays than these need."""
        if self.repair is not None or not len(windows):  # a gap may be filled from behind the last
            return replace(self, windows=windows)
        last, end = windows.last
        if self.place.starts is None:
            parts = [self.parts[0][: last + 1]]
        else:
            parts = [*self.parts[:last], self.parts[last][..., :end]]
        return replace(self, windows=windows, parts=parts)


@dataclass(frozen=True)
class DerivedValues:
    """A column that is made of another one on each read."""

    field: Derived


@dataclass(frozen=True)
class BoxRows:
    """Two columns: the boxes on each image, and a number for each of them.

    They follow what ``store=`` does to the image; boxes that it leaves nothing of are dropped. The
    column that this feed is given for is the boxes': float32 rows (n, 4), left, top, right, bottom
    in pixels of the image as it is kept.

    Parameters
    ----------
    image : str
        The `ImageFiles` column that they lie on.
    labels : str
        Name of the column of the numbers: int64 rows (n,).
    boxes : float64 array of shape (M, 4)
        Left, top, right and bottom, finite; those of one sample after those of the other.
    numbers : int64 array of shape (M,)
    counts : int64 array of shape (N,)
        Boxes of each sample.
    relative : bool
        Whether they are shares of the image's width and height, as its file is read (turned, with
        ``exif="apply"``), and not pixels of that.
    sizes : int64 array of shape (N, 2), optional
        Height and width that each file must have when it is read; 0: any.
    min_visibility : float
        See :func:`fastcache.transforms.boxes.follow`.
    failed : mapping of int to (str, str)
        Samples whose boxes cannot be had: which file says so, and why.
    """

    field: ClassVar[Ragged] = Ragged("float32", 2)
    number_field: ClassVar[Ragged] = Ragged("int64", 1)

    image: str
    labels: str
    boxes: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    relative: bool
    min_visibility: float
    sizes: npt.NDArray[np.int64] | None = None
    failed: Mapping[int, tuple[str, str]] = with_default(default_factory=dict)


Feed: TypeAlias = ImageFiles | Values | Items | Windowed | DerivedValues | BoxRows


@dataclass(frozen=True)
class Layout:
    """What a source is made of.

    Parameters
    ----------
    structure : Structure
        The sample as the user gets it; its leaves name the columns.
    feeds : mapping of str to Feed
        How each column comes to be.
    attributes : mapping
        JSON that goes into the arena's catalogue and comes back as attributes of the dataset
        (``classes``, ``root``…).
    """

    structure: Structure
    feeds: Mapping[str, Feed]
    attributes: Mapping[str, Any] = with_default(default_factory=dict)


class Source(ABC):
    """Something that an arena can be filled from."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def layout(self) -> Layout:
        """Return columns and structure; may read what it must to know them (wrapped Datasets)."""

    def read(self, index: int) -> Mapping[str, Any]:
        """Return the values of every `Items` column of a sample: PIL images, arrays or strings.

        Called from one thread at a time unless :attr:`parallel`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no Items columns")

    @property
    def parallel(self) -> bool:
        """Whether `read` may be called from several threads at once."""
        return False

    @property
    def basis(self) -> str:
        """What the sizes of `Items` columns are known from, in words for a plan."""
        return "what the source says of its samples"
