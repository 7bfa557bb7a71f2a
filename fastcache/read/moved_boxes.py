"""Boxes that follow what a recipe does to their images on each read."""

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.read.boxes import BoxBatch, BoxReader
from fastcache.read.columns import Gathered, Rows
from fastcache.read.drawable import Drawable, DrawnReader
from fastcache.read.keys import KeyArrays
from fastcache.read.recipe import Recipe
from fastcache.read.targets import Targets
from fastcache.transforms.drawn import draw_steps, drawn_maps


class MovedBoxes(Drawable):
    """Targets whose images a recipe makes.

    Parameters
    ----------
    boxes : BoxReader
        Of the targets in the arena.
    recipe : Recipe
    name : str

    Raises
    ------
    ArgumentError
        For recipes that make several images of one, or one of several.
    """

    def __init__(self, boxes: BoxReader, recipe: Recipe, name: str) -> None:
        super().__init__(name)
        mixing = next((plan.batch_step for plan in recipe.plans if plan.batch_step), None)
        if recipe.has_views or mixing is not None:
            told = "MultiCrop" if mixing is None else repr(mixing)
            raise ArgumentError(
                f"{told} does not make one image of each, so {name!r} cannot follow: leave it out "
                "of transform="
            )
        self.boxes = boxes
        self.steps = recipe.plans[0].steps

    def drawn(self, keys: KeyArrays, told: Rows) -> "MovedReader":
        return MovedReader(self, keys)


class MovedReader(DrawnReader):
    """The targets of one batch; the same numbers are drawn for them as for its images."""

    def __init__(self, column: MovedBoxes, keys: KeyArrays) -> None:
        self._column = column
        self._keys = keys

    def gather(self, rows: Rows) -> Gathered:
        batch = self._column.boxes.batch(rows)
        # Last, so that what cannot be done is told by the column of images, which is asked first.
        return Gathered(batch, finish=lambda: self._move(batch))

    def _move(self, batch: BoxBatch) -> None:
        keys = self._keys
        drawn = draw_steps(
            self._column.steps,
            np.ascontiguousarray(batch.sizes[:, 0]),
            np.ascontiguousarray(batch.sizes[:, 1]),
            seed=keys.seed,
            epoch=keys.epoch,
            sample=keys.sample,
            occurrence=keys.occurrence,
        )
        batch.follow(drawn_maps(drawn))

    @staticmethod
    def pick(values: BoxBatch, k: int) -> Targets:
        return values.sample(k)
