"""Images on their way into a recipe: where those of a batch lie, and which are still files."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core.image import Spec
from fastcache._core.paths import Paths
from fastcache.fill.images.kept import ABSENT, DECODED, ENCODED, stamp_of
from fastcache.memory.arena import RaggedColumn
from fastcache.read.columns.columns import ArrayReader, DenseReader, RaggedReader, Rows
from fastcache.read.columns.fetch import FetchReader
from fastcache.transforms.steps import STAGE

Sizes = npt.NDArray[np.int32]
Sizes64 = npt.NDArray[np.int64]


def raw(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of an array or of records."""
    return array.reshape(-1).view(np.uint8)


@dataclass(frozen=True, eq=False)
class Found:
    """Where the images of some rows lie, as the C core takes them.

    Attributes
    ----------
    offset : int64 array (n,)
        Bytes to the first pixel; -1: it is a file, or it is aside.
    height, width : int32 arrays (n,)
        Of decoded images; of files: of what is in them.
    aside : bool array (n,) or None
        Images that C cannot make straight from their files. None: there is none.
    files : dict
        Further arguments of a Plane.
    """

    offset: npt.NDArray[np.int64]
    height: Sizes
    width: Sizes
    aside: npt.NDArray[np.bool_] | None = None
    files: dict[str, Any] = field(default_factory=dict)


class ImageRows(ABC):
    """The images of one column.

    Attributes
    ----------
    memory : uint8 array
        In which decoded images lie.
    spec : Spec
    size : (int, int) or None
        Height and width, if all have the same.
    """

    memory: npt.NDArray[np.uint8]
    spec: Spec
    size: tuple[int, int] | None = None

    @abstractmethod
    def find(self, rows: Rows) -> Found:
        """Return where some images lie."""

    @abstractmethod
    def sizes(self, rows: Rows) -> Sizes64:
        """Return int64 (n, 2): height and width of some images, as they are kept."""

    def stale(self, rows: Rows, found: Found) -> npt.NDArray[np.bool_] | None:
        """Return which files are no longer those of the fill; None if none can be."""
        return None


class DenseImages(ImageRows):
    """Images of one size, all decoded."""

    def __init__(self, reader: DenseReader, spec: Spec) -> None:
        column = reader.column
        self.memory, self.spec = column.span, spec
        self.size = (int(column.rows.shape[1]), int(column.rows.shape[2]))
        self._stride = column.stride
        self._last = np.full((2, 0), 0, np.int32)

    def find(self, rows: Rows) -> Found:
        # Batches have one size but for the last: what does not depend on rows is kept.
        sides = self._last
        if sides.shape[1] != len(rows):
            assert self.size is not None
            sides = np.repeat(np.array(self.size, np.int32)[:, None], len(rows), axis=1)
            self._last = sides
        return Found(rows * self._stride, sides[0], sides[1])

    def sizes(self, rows: Rows) -> Sizes64:
        return np.broadcast_to(np.array(self.size, np.int64), (len(rows), 2))


class RaggedImages(ImageRows):
    """Images of different sizes, all decoded."""

    def __init__(self, reader: RaggedReader, spec: Spec) -> None:
        column = reader.column
        self.memory, self.spec = column.values.view(np.uint8), spec
        self._column: RaggedColumn = column
        self._itemsize = column.values.itemsize

    def find(self, rows: Rows) -> Found:
        shapes = np.ascontiguousarray(self._column.shapes[rows, :2].T)
        return Found(self._column.offsets[rows] * self._itemsize, shapes[0], shapes[1])

    def sizes(self, rows: Rows) -> Sizes64:
        return self._column.shapes[rows, :2].astype(np.int64)


class KeptImages(ImageRows):
    """Images of which some are decoded, others are files in the arena or on disk.

    Parameters
    ----------
    reader : FetchReader
    spec : Spec
    """

    def __init__(self, reader: FetchReader, spec: Spec) -> None:
        self.reader = reader
        self.spec = spec
        self.size = reader.size
        self.memory = reader.memory
        told = reader.spec.arguments()
        # What C would decode, if it is what the column holds.
        self._in_c = (
            reader.pixels_dtype == (np.uint16 if told["wide"] else np.uint8)
            and told["channels"] == reader.channels
        )
        before = np.zeros((), STAGE)
        before["filter"], before["fill"] = told["filter"], _levels(told["fill"], told["wide"])
        self._before = before

    def sizes(self, rows: Rows) -> Sizes64:
        return self.reader.shapes(rows)

    def find(self, rows: Rows) -> Found:
        reader, kept, count = self.reader, self.reader.kept, len(rows)
        forms, geometry = kept.forms[rows], kept.geometry[rows]
        decoded, encoded, absent = (forms == form for form in (DECODED, ENCODED, ABSENT))
        straight = (encoded | absent) & ~kept.by_python[rows] & self._in_c
        offset = np.full(count, -1, np.int64)
        offset[decoded] = reader.starts(rows[decoded])
        sides = {
            name: np.where(straight, geometry[f"src_{name}"], geometry[f"out_{name}"])
            for name in "hw"
        }
        aside = ~(decoded | straight)
        files: dict[str, Any] = {}
        if not decoded.all():
            files = self._files(rows, encoded & straight, absent & straight, geometry)
        return Found(offset, sides["h"], sides["w"], aside if aside.any() else None, files)

    def _files(
        self,
        rows: Rows,
        encoded: npt.NDArray[np.bool_],
        absent: npt.NDArray[np.bool_],
        geometry: npt.NDArray[np.void],
    ) -> dict[str, Any]:
        kept, count = self.reader.kept, len(rows)
        offset, size = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        places = kept.places[rows[encoded]]
        offset[encoded] = kept.encoded.offsets[places]
        size[encoded] = kept.encoded.row_elements(places)
        before = np.full(count, self._before)
        before["geometry"] = geometry
        return {
            "paths": self._paths(rows, absent),
            "data": kept.encoded.values,
            "data_offset": offset,
            "data_size": size,
            "before": before,
        }

    def _paths(self, rows: Rows, absent: npt.NDArray[np.bool_]) -> Paths:
        if not absent.any():
            return Paths.packed(np.zeros(1, np.uint8), np.zeros(len(rows), np.int64))
        pairs = zip(rows.tolist(), absent.tolist(), strict=True)
        paths = [self.reader.path(row) if is_absent else "" for row, is_absent in pairs]
        return Paths(paths, np.empty(len(rows), np.int64))

    def stale(self, rows: Rows, found: Found) -> npt.NDArray[np.bool_] | None:
        kept = self.reader.kept
        absent = kept.forms[rows] == ABSENT
        if not absent.any():
            return None
        changed = np.zeros(len(rows), np.bool_)
        for position in np.flatnonzero(absent).tolist():
            row = int(rows[position])
            try:
                now = stamp_of(self.reader.path(row))
            except OSError:
                changed[position] = True
            else:
                changed[position] = now != tuple(kept.stamps[kept.places[row]].tolist())
        return changed


def _levels(fill: int, wide: bool) -> npt.NDArray[np.uint8]:
    """Return the bytes of a fill, as Spec has them."""
    if wide:
        return np.array([fill, 0], np.uint16).view(np.uint8)
    return np.full(4, fill, np.uint8)


def image_rows(reader: ArrayReader, spec: Spec) -> ImageRows:
    """Return the images of a column's reader; `spec` is of the pixels in the arena."""
    if isinstance(reader, FetchReader):
        limits = {
            name: value
            for name, value in reader.spec.arguments().items()
            if name.startswith("max_") or name in ("filter", "apply_orientation")
        }
        return KeptImages(reader, Spec(**{**spec.arguments(), **limits}))
    if isinstance(reader, RaggedReader):
        return RaggedImages(reader, spec)
    assert isinstance(reader, DenseReader)
    return DenseImages(reader, spec)
