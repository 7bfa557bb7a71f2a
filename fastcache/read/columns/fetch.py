"""Images that are not all kept decoded: what is missing is decoded into the batch's own memory."""

import os

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core.batch import CopyJob
from fastcache.fill.images.kept import DECODED, ENCODED, Decoding, KeptRows
from fastcache.memory.arena import DenseColumn, RaggedColumn
from fastcache.memory.extents import Extents
from fastcache.read.buffers import STREAM_FROM, new_bytes
from fastcache.read.columns.columns import ArrayReader, Gathered, Pixels, Reader, Rows, extents_in
from fastcache.read.columns.fetching import Fetch
from fastcache.schema import Image, Mask

# Decoding an image is worth a thread; this many bytes of copying are, too.
_WORTH = 2 << 20


class FetchReader(ArrayReader):
    """A column of images of which some are decoded, others are files in the arena or on disk.

    Parameters
    ----------
    column : DenseColumn or RaggedColumn
        The rows that are decoded.
    field : Image or Mask
    kept : KeptRows
    decoding : Decoding
    paths : Reader
        The path of each row.

    Attributes
    ----------
    late : dict of int to (str, str)
        Rows that could not be had when they were asked for, in this process: path and reason.
    """

    def __init__(
        self,
        column: DenseColumn | RaggedColumn,
        field: Image | Mask,
        kept: KeptRows,
        decoding: Decoding,
        paths: Reader,
    ) -> None:
        memory = column.span if isinstance(column, DenseColumn) else column.values.view(np.uint8)
        super().__init__(memory, field)
        self.size = field.size
        self.stacks = field.size is not None
        self.late: dict[int, tuple[str, str]] = {}
        self.kept = kept
        self.decoding = decoding
        self.spec = decoding.spec()
        self.channels = field.channels if isinstance(field, Image) else 1
        self.axes = field.ndim
        self.pixels_dtype = np.dtype(field.dtype)
        self.column = column
        self._paths = paths

    def path(self, row: int) -> str:
        """Return the path of a row's file, from the root if need be."""
        return os.path.join(self.decoding.folder, self._paths.item(row))

    def starts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return int64 (n,): where some rows that are decoded begin in `memory`, in bytes."""
        return self.column.row_offsets(self.kept.places[rows]) - self.column.offset

    def shapes(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return int64 (n, 2): height and width of some rows."""
        geometry = self.kept.geometry[rows]
        return np.stack([geometry["out_h"], geometry["out_w"]], axis=1).astype(np.int64)

    def row_shape(self, size: npt.NDArray[np.int64]) -> tuple[int, ...]:
        """Return the shape of a row of this height and width."""
        height, width = size.tolist()
        return (height, width, self.channels)[: self.axes]

    def array(self, row: int) -> Pixels:
        if self.kept.forms[row] == DECODED:
            return self.column[int(self.kept.places[row])]
        rows = np.array([row])
        shape = self.row_shape(self.shapes(rows)[0])
        out = np.empty(shape, self.pixels_dtype)
        batch = Fetch(self, rows, out.reshape(-1).view(np.uint8), np.zeros(1, np.int64))
        batch.run()
        batch.finish()
        return out

    def extents(self, rows: Rows) -> Extents:
        forms, places = self.kept.forms[rows], self.kept.places[rows]
        decoded = extents_in(self.column, places[forms == DECODED])
        encoded = extents_in(self.kept.encoded, places[forms == ENCODED])
        return Extents(*(np.concatenate(pair) for pair in zip(decoded, encoded, strict=True)))

    def gather(self, rows: Rows) -> Gathered:
        shapes = self.shapes(rows)
        sizes = shapes.prod(axis=1) * (self.channels * self._itemsize)
        ends = np.cumsum(sizes)
        memory = new_bytes(int(sizes.sum()))
        fetch = Fetch(self, rows, memory.numpy(), ends - sizes)
        size = len(memory) + _WORTH * fetch.decodes
        return Gathered(self._values(memory, rows, shapes, ends), fetch, size, fetch.finish)

    def _values(
        self, memory: torch.Tensor, rows: Rows, shapes: npt.NDArray[np.int64], ends: Rows
    ) -> torch.Tensor | list[torch.Tensor]:
        typed = memory.view(self.dtype)
        if self.stacks:
            shape = self.row_shape(self.shapes(np.zeros(1, np.int64))[0])
            batch = typed.view(len(rows), *shape)
            return batch.permute(0, 3, 1, 2) if self.is_image else batch
        stops = (ends // self._itemsize).tolist()
        starts = [0, *stops[:-1]]
        values = [
            typed[start:stop].view(self.row_shape(shape))
            for start, stop, shape in zip(starts, stops, shapes, strict=True)
        ]
        return [value.permute(2, 0, 1) for value in values] if self.is_image else values

    def copies(self, rows: Rows, target: npt.NDArray[np.uint8], places: Rows) -> CopyJob:
        """Return the job that copies rows which are decoded."""
        starts = self.starts(rows)
        lengths = self.column.row_sizes(self.kept.places[rows])
        streaming = len(target) >= STREAM_FROM
        return CopyJob(self.memory, target, starts, lengths, streaming=streaming, places=places)
