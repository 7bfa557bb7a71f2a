"""Columns of places on images, such as boxes: they go where a recipe moves their image."""

from abc import abstractmethod
from functools import partial
from typing import Any, NoReturn, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from fastcache._core import drawing
from fastcache.errors import ArgumentError
from fastcache.read.columns.columns import Gathered, Reader, Rows
from fastcache.read.recipes.recipe_output import Output
from fastcache.read.recipes.recipe_reader import DrawnReader, RecipeColumn, Undrawn
from fastcache.read.recipes.recipe_rows import Sizes64, raw
from fastcache.read.sampling.keys import KeyArrays
from fastcache.transforms.steps import DRAWN, MAP


class Places(Protocol):
    """What lies on the images of a batch."""

    def follow(self, maps: npt.NDArray[np.void]) -> Any:
        """Return what is left of it where points go as an array of MAP records, (B,), says."""


class PlacesReader(Reader):
    """A reader of such, as it is told apart from others: by its method `batch`."""

    @abstractmethod
    def batch(self, rows: Rows) -> Places:
        """Return what lies on the images of some rows, in pixels of the arena's images."""


def holds_places(reader: Any) -> TypeGuard[PlacesReader]:
    """Whether the rows of a reader lie on images."""
    return hasattr(reader, "batch")


def maps_of(output: Output, keys: KeyArrays, sizes: Sizes64) -> npt.NDArray[np.void]:
    """Return where a recipe puts the points of images that are kept in some sizes.

    Parameters
    ----------
    output : Output
    keys : KeyArrays
        Of n samples.
    sizes : int64 array (n, 2)
        Height and width.

    Returns
    -------
    array (n,) of MAP records

    Raises
    ------
    ArgumentError
        If a step cannot be done to an image of that size.
    """
    count = len(sizes)
    drawn, maps = np.zeros(count, DRAWN), np.zeros(count, MAP)
    heights, widths = np.ascontiguousarray(sizes.T.astype(np.int32))
    # Of images as the arena shows them, in whatever form they are: places are kept on these.
    bad, _ = drawing.draw(output.raw_steps, *keys, heights, widths, raw(drawn))
    if bad >= 0:
        raise ArgumentError(
            f"the recipe cannot be done to an image of {heights[bad]} x {widths[bad]} pixels"
        )
    drawing.maps(raw(drawn), raw(maps))
    return maps


def _refuse(error: ArgumentError) -> NoReturn:
    raise error


class MovedColumn(Undrawn):
    """A column of places on the images of another one.

    Parameters
    ----------
    reader : PlacesReader
    image : RecipeColumn

    Raises
    ------
    ArgumentError
        For views: places lie on one image.
    """

    def __init__(self, reader: PlacesReader, image: RecipeColumn, name: str) -> None:
        if image.has_views:
            raise ArgumentError(
                f"MultiCrop makes several views of {image.name!r}, and {name!r} lies on one image: "
                "leave one of them out"
            )
        self.name = name
        self._reader = reader
        self._image = image

    def drawn(self, keys: KeyArrays, told: Rows) -> "MovedReader":
        return MovedReader(self._reader, self._image, keys)


class MovedReader(DrawnReader):
    """The rows of one batch.

    Parameters
    ----------
    reader : PlacesReader
    image : RecipeColumn
    keys : KeyArrays
    """

    def __init__(self, reader: PlacesReader, image: RecipeColumn, keys: KeyArrays) -> None:
        self._reader = reader
        self._image = image
        self._keys = keys

    def gather(self, rows: Rows) -> Gathered:
        sizes = self._image.rows.sizes(rows)
        try:
            maps = maps_of(self._image.outputs[0], self._keys, sizes)
        except ArgumentError as error:  # the image's own says more, and is raised before
            return Gathered(None, finish=partial(_refuse, error))
        return Gathered(self._reader.batch(rows).follow(maps))

    def pick(self, values: Any, k: int) -> Any:  # type: ignore[override]  # that of its reader
        return self._reader.pick(values, k)
