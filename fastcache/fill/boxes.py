"""Boxes on their way into the arena: where they lie on the images as these are kept."""

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.column import ColumnFill
from fastcache.fill.images.files import FilesColumn
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.target import Target
from fastcache.memory.arena import RaggedColumn
from fastcache.memory.row_numbers import RowNumbers
from fastcache.schema import Field
from fastcache.sources.base import BoxRows
from fastcache.transforms.boxes import counts_kept, follow, store_map

_CHUNK_ROWS = 16384


class BoxesColumn(ColumnFill):
    """A `BoxRows` feed: two columns, of boxes and of a number for each.

    Parameters
    ----------
    name : str
    feed : BoxRows
    rows : AllRows or int64 array
        Samples of the source that are taken.
    image : ColumnFill
        The column that the boxes follow; planned before this one.
    """

    def __init__(self, name: str, feed: BoxRows, rows: RowNumbers, image: ColumnFill) -> None:
        assert isinstance(image, FilesColumn)
        super().__init__(name)
        self.field = feed.field
        self._feed = feed
        self._rows = np.asarray(rows)
        self._image = image
        self._counts = np.zeros(0, np.int64)  # of what is kept, as are the next two
        self._boxes = np.zeros((0, 4), np.float32)
        self._numbers = np.zeros(0, np.int64)
        self._dropped = 0
        self._find_failed()

    def _find_failed(self) -> None:
        """Note samples without labels that can be used, and images of another size than theirs."""
        feed, rows = self._feed, self._rows
        told = np.isin(rows, list(feed.failed))
        self.failed = {k: feed.failed[int(rows[k])] for k in np.flatnonzero(told).tolist()}
        if feed.sizes is None:
            return
        table, wanted = self._image.table, feed.sizes[rows]
        other = (wanted[:, 0] != table.height) | (wanted[:, 1] != table.width)
        for k in np.flatnonzero(other & (wanted > 0).all(axis=1) & table.good()).tolist():
            height, width = wanted[k].tolist()
            turned = (height, width) == (int(table.width[k]), int(table.height[k]))
            self.failed[k] = (
                table.paths[k],
                f"has {table.height[k]} x {table.width[k]} pixels (height, width), its boxes were "
                f"drawn on {height} x {width}: "
                + (
                    'if it was turned as its EXIF orientation says, pass exif="apply"'
                    if turned
                    else "use the image that was labelled, or check_sizes=False"
                ),
            )

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        position = {int(row): at for at, row in enumerate(rows.tolist())}
        self.failed = {position[r]: why for r, why in self.failed.items() if r in position}
        self._rows = self._rows[rows]

    def over(self, columns: Mapping[str, ColumnFill]) -> "BoxesColumn":
        made = copy(self)
        image = columns[self._feed.image]
        assert isinstance(image, FilesColumn)
        made._image = image
        return made

    def plan(self) -> None:
        feed, table = self._feed, self._image.table
        counts = feed.counts[self._rows].copy()
        starts = (np.cumsum(feed.counts) - feed.counts)[self._rows]
        counts[~table.good()] = 0  # kept as zeros, with on_error="fill": there is nothing on them
        counts[list(self.failed)] = 0
        at = _places(starts, counts)
        boxes = feed.boxes[at]
        if feed.relative:
            image = np.repeat(np.arange(len(counts)), counts)
            boxes = boxes * np.stack([table.width, table.height] * 2, axis=1)[image]
        maps = store_map(self._image.operations, table.height, table.width)
        self._boxes, kept = follow(boxes, counts, maps, feed.min_visibility)
        self._numbers = feed.numbers[at][kept]
        self._counts = counts_kept(counts, kept)
        self._dropped = len(kept) - len(self._boxes)
        # The source's, on their way, and as they are kept.
        self.tables = 2 * boxes.nbytes + self._boxes.nbytes + self._numbers.nbytes
        self.scratch = 8 * 8 * int(self._counts[:_CHUNK_ROWS].sum())

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        boxes = np.stack([self._counts, np.full_like(self._counts, 4)], axis=1)
        return {
            self.name: (self._feed.field, boxes),
            self._feed.labels: (self._feed.number_field, self._counts.reshape(-1, 1)),
        }

    def part(self, first: int, stop: int) -> "BoxesColumn":
        made = super().part(first, stop)
        ends = np.concatenate([[0], np.cumsum(self._counts)])
        made._rows, made._counts = self._rows[first:stop], self._counts[first:stop]
        made._boxes = self._boxes[ends[first] : ends[stop]]
        made._numbers = self._numbers[ends[first] : ends[stop]]
        return made

    def jobs(self, arena: Target) -> Iterator[Job]:
        ends = np.concatenate([[0], np.cumsum(self._counts)])

        def put(first: int) -> int:
            stop = min(first + _CHUNK_ROWS, len(self._counts))
            boxes = slice(ends[first], ends[stop])
            size = _put(arena, self.name, first, stop, self._boxes[boxes].reshape(-1))
            return size + _put(arena, self._feed.labels, first, stop, self._numbers[boxes])

        yield ItemJob(range(0, len(self._counts), _CHUNK_ROWS), put, _raise, counted=False)

    def facts(self) -> dict[str, object]:
        return {"dropped_boxes": self._dropped, "turned_images": self._image.turns_ignored}


def _put(arena: Target, name: str, first: int, stop: int, values: npt.NDArray[Any]) -> int:
    """Write the elements of some rows, which may not lie side by side in the arena."""
    column = arena.column(name)
    assert isinstance(column, RaggedColumn)
    rows = np.arange(first, stop)
    column.values[_places(column.offsets[rows], column.row_elements(rows))] = values
    return values.nbytes


def _places(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return ``start, start + 1, ...`` for each run of so many, one run after the other."""
    before = np.cumsum(counts) - counts
    total = int(counts.sum())
    places: npt.NDArray[np.int64] = np.repeat(starts - before, counts) + np.arange(total)
    return places


def _raise(_row: int, error: Exception) -> None:
    """Let any error end the fill: boxes that are there already cannot fail on their own."""
    raise error
