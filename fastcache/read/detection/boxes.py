"""Boxes as samples and batches hold them, and how they are read from their columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fastcache.errors import SchemaError
from fastcache.memory.columns import RaggedColumn
from fastcache.read.columns.columns import Gathered, Reader, Rows
from fastcache.read.detection.targets import Targets, joined
from fastcache.transforms.boxes import counts_kept, follow

Sizes = Callable[[Rows], npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class BoxBatch:
    """The targets of B samples: their boxes lie behind each other.

    Attributes
    ----------
    boxes : float32 array of shape (M, 4)
        Left, top, right and bottom in pixels of the images as they are.
    labels : int64 array of shape (M,)
    counts : int64 array of shape (B,)
        Boxes of each sample.
    sizes : int64 array of shape (B, 2)
        Height and width of the images.
    others : mapping of str to list
        Further parts of the targets, one value per sample.
    form : {"list", "yolo", "xyxy"}
        What a batch has of them.
    min_visibility : float
        Share of a box that must be left where images are cut.
    """

    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    others: Mapping[str, list[Any]]
    form: str
    min_visibility: float

    def follow(self, maps: npt.NDArray[np.void]) -> "BoxBatch":
        """Return what is left of the boxes where a recipe puts the images.

        Parameters
        ----------
        maps : structured array of shape (B,), dtype ``MAP``
            As the job's ``maps=``, or :func:`fastcache.transforms.drawn.drawn_maps`, tell.
        """
        boxes, kept = follow(self.boxes, self.counts, maps, self.min_visibility)
        return replace(
            self,
            boxes=boxes,
            labels=self.labels[kept],
            counts=counts_kept(self.counts, kept),
            sizes=np.stack([maps["h"], maps["w"]], axis=1).astype(np.int64),
        )

    def sample(self, k: int) -> Targets:
        """Return the target of one sample; its tensors share the batch's memory."""
        end = int(self.counts[: k + 1].sum())
        return self._target(k, end - int(self.counts[k]), end)

    def samples(self) -> list[Targets]:
        """Return the target of each sample."""
        ends = np.cumsum(self.counts)
        places = zip((ends - self.counts).tolist(), ends.tolist(), strict=True)
        return [self._target(k, *place) for k, place in enumerate(places)]

    def _target(self, k: int, start: int, end: int) -> Targets:
        values: dict[str, Any] = {
            "boxes": torch.from_numpy(self.boxes[start:end]),
            "labels": torch.from_numpy(self.labels[start:end]),
        }
        values.update({name: column[k] for name, column in self.others.items()})
        height, width = self.sizes[k].tolist()
        return Targets.of(values, (height, width), self.form)

    def collated(self) -> Any:
        """Return what a batch has of them: see :class:`fastcache.sources.Yolo`."""
        if self.form == "list":
            return [dict(sample) for sample in self.samples()]
        boxes, labels = torch.from_numpy(self.boxes), torch.from_numpy(self.labels)
        counts, sizes = torch.from_numpy(self.counts), torch.from_numpy(self.sizes)
        return joined(boxes, labels, counts, sizes, self.form)


class BoxReader(Reader):
    """Boxes, labels and what else a target has: one dict per sample.

    Parameters
    ----------
    boxes, labels : RaggedColumn
    others : mapping of str to Reader
        Of columns with one value per sample.
    sizes : callable
        Returns height and width of the images in some rows.
    form, min_visibility
        As :class:`BoxBatch` has them.
    """

    def __init__(
        self,
        boxes: RaggedColumn,
        labels: RaggedColumn,
        others: Mapping[str, Reader],
        sizes: Sizes,
        form: str,
        min_visibility: float,
    ) -> None:
        self._boxes, self._labels, self._others = boxes, labels, others
        self._sizes, self._form, self._min_visibility = sizes, form, min_visibility

    def item(self, row: int) -> Targets:
        return self.batch(np.array([row])).sample(0)

    def items(self, rows: Rows) -> list[Any]:
        return list(self.batch(rows).samples())

    def gather(self, rows: Rows) -> Gathered:
        return Gathered(self.batch(rows))

    @staticmethod
    def pick(values: BoxBatch, k: int) -> Targets:
        return values.sample(k)

    def batch(self, rows: Rows) -> BoxBatch:
        """Return the targets of some rows, as they lie on the images of the arena.

        Raises
        ------
        SchemaError
            For rows that are no boxes, or have not one label each: somebody has put them there.
        """
        shapes, counts = self._boxes.shapes[rows], self._labels.shapes[rows, 0].astype(np.int64)
        bad = (shapes[:, 0] != counts) | (shapes[:, 1] != 4)
        if bad.any():
            k = int(bad.argmax())
            raise SchemaError(
                f"row {rows[k]} of the arena has boxes of shape {tuple(shapes[k].tolist())} and "
                f"{counts[k]} labels: put boxes (n, 4) and labels (n,) there"
            )
        labels = self._labels.values[places(self._labels.offsets[rows], counts)]
        first = places(self._boxes.offsets[rows], counts, 4)
        boxes = self._boxes.values[first[:, None] + np.arange(4)]
        # Zeros stand where samples could not be read, and on_error="fill" has kept them.
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        if not solid.all():
            boxes, labels, counts = boxes[solid], labels[solid], counts_kept(counts, solid)
        others = {name: reader.items(rows) for name, reader in self._others.items()}
        sizes = self._sizes(rows)
        return BoxBatch(boxes, labels, counts, sizes, others, self._form, self._min_visibility)


def places(starts: Rows, counts: npt.NDArray[np.int64], step: int = 1) -> npt.NDArray[np.int64]:
    """Return ``start, start + step, …`` for each run of so many, one run after the other."""
    before = np.cumsum(counts) - counts
    at = np.arange(int(counts.sum()))
    found: npt.NDArray[np.int64] = np.repeat(starts - step * before, counts) + step * at
    return found
