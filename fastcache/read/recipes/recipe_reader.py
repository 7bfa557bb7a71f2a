"""Columns of images that a recipe makes on each read."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fastcache.errors import ArgumentError
from fastcache.read import buffers
from fastcache.read.columns.columns import ArrayReader, Gathered, Pixels, Reader, Rows
from fastcache.read.recipes.recipe import Made
from fastcache.read.recipes.recipe_batch import RecipeBatch
from fastcache.read.recipes.recipe_rows import ImageRows, image_rows
from fastcache.read.sampling.keys import KeyArrays


class Undrawn(Reader):
    """A column that depends on random numbers: what `drawn` returns is read.

    Attributes
    ----------
    name : str
    """

    name: str

    @abstractmethod
    def drawn(self, keys: KeyArrays, told: Rows) -> "DrawnReader":
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


class DrawnReader(Reader):
    """The rows of one batch, whose random numbers are known: they are gathered together."""

    def item(self, row: int) -> Any:
        """Return what is made of the one row that there is."""
        with buffers.finished():
            gathered = self.gather(np.array([row]))
        if gathered.job is not None:
            gathered.job.run()
        if gathered.finish is not None:
            gathered.finish()
        return self.pick(gathered.values, 0)


class RecipeColumn(Undrawn):
    """A column of images as a recipe makes them.

    Parameters
    ----------
    images : reader
        Of the images in the arena.
    made : Made
    like : RecipeColumn, optional
        The column whose pixels are moved in the same way: sizes have to be equal.
    name : str
    """

    def __init__(
        self, images: Reader, made: Made, name: str, like: "RecipeColumn | None" = None
    ) -> None:
        assert isinstance(images, ArrayReader)
        self.images = images
        self.rows: ImageRows = image_rows(images, made.spec)
        self.outputs = made.outputs
        self.is_mask = made.is_mask
        self.name = name
        self.like = like
        self.has_views = made.is_list
        self.stacks = not self.has_views and made.outputs[0].size is not None

    def drawn(self, keys: KeyArrays, told: Rows) -> "RecipeReader":
        kind = ViewsReader if self.has_views else RecipeReader
        return kind(self, keys, told)

    def check_sizes(self, rows: Rows, told: Rows) -> None:
        """Refuse rows that differ in size from those of the column that this one is like."""
        if self.like is None or (self.rows.size is not None and self.like.rows.size is not None):
            return
        mine, theirs = self.rows.sizes(rows), self.like.rows.sizes(rows)
        differ = np.flatnonzero((mine != theirs).any(axis=1))
        if len(differ):
            k = int(differ[0])
            raise ArgumentError(
                f"sample {told[k]}: {self.name!r} is {mine[k][0]} x {mine[k][1]} pixels and "
                f"{self.like.name!r} {theirs[k][0]} x {theirs[k][1]}: what moves pixels needs "
                "equal sizes"
            )


class RecipeReader(DrawnReader):
    """The images of one batch.

    Parameters
    ----------
    column : RecipeColumn
    keys : KeyArrays
    told : int64 array (B,)
        As for :meth:`RecipeColumn.drawn`.
    """

    def __init__(self, column: RecipeColumn, keys: KeyArrays, told: Rows) -> None:
        self.keys = keys
        self._column = column
        self._told = told
        self.stacks = column.stacks

    def gather(self, rows: Rows) -> Gathered:
        column = self._column
        column.check_sizes(rows, self._told)
        later = buffers.finishes()
        outputs = [o if later is None or o.raw is None else o.raw for o in column.outputs]
        batch = RecipeBatch(column, outputs, rows, self.keys, self._told)
        for output, values in zip(column.outputs, batch.values, strict=True):
            if later is not None and output.raw is not None:
                assert output.finish is not None
                assert isinstance(values, torch.Tensor)
                later.later(values, output.finish)
        return Gathered(self._whole(batch.values), batch, batch.size, batch.finish)

    def _whole(self, views: list[Any]) -> Any:
        return views[0]


class ViewsReader(RecipeReader):
    """The same where a sample is a list of views: so is a batch."""

    def _whole(self, views: list[Any]) -> Any:
        return views

    @staticmethod
    def pick(values: Any, k: int) -> Any:
        return [view[k] for view in values]


class PickedReader(Reader):
    """A column of a batch that was made already; its rows are positions there."""

    def __init__(self, values: Any, reader: Reader) -> None:
        self._values = values
        self._reader = reader

    def item(self, row: int) -> Any:
        return self._reader.pick(self._values, row)

    def gather(self, rows: Rows) -> Gathered:
        return Gathered([self.item(row) for row in rows.tolist()])


def picked(columns: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Reader]:
    """Return readers of columns that were gathered."""
    return {name: PickedReader(columns[name], reader) for name, reader in readers.items()}


def pixels_of(made: torch.Tensor, layout: str) -> Pixels:
    """Return what a recipe has made in some layout as (H, W) or (H, W, C) pixels."""
    pixels = made if made.ndim == 2 or layout == "NHWC" else made.permute(1, 2, 0)
    return np.ascontiguousarray(pixels.numpy())
