"""What threads hold beside a batch while they make it."""

from collections.abc import Iterable

import numpy as np

from fastcache._core import recipe as core
from fastcache.read.columns.columns import Reader
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.recipes.recipe_output import Output
from fastcache.read.recipes.recipe_reader import RecipeColumn

_ROUNDED = 64 << 10  # to pages, which have this size at most


def thread_scratch(readers: Iterable[Reader], rows: int, decoding: int) -> int:
    """Return the most bytes that one thread holds beside a batch.

    Parameters
    ----------
    readers : iterable of Reader
        Of what samples consist of.
    rows : int
        Of the arena.
    decoding : int
        Bytes that a thread needs to decode a file of the arena's, as the fill planned it.

    Raises
    ------
    ArgumentError
        If a recipe cannot be done to the largest images.
    """
    most = 0
    for reader in readers:
        images = reader.images if isinstance(reader, RecipeColumn) else reader
        held = decoding if isinstance(images, FetchReader) else 0
        if isinstance(reader, RecipeColumn):
            held += max(_making(reader, output, rows) for output in reader.outputs)
            if isinstance(images, FetchReader) and len(reader.outputs) > 1:
                held += _whole(reader, rows)
        most = max(most, held)  # a thread makes one column after the other
    return most


def _making(column: RecipeColumn, output: Output, rows: int) -> int:
    size = _largest(column, rows)
    return int(core.scratch_bytes(output.raw_steps, *size, column.rows.spec, output.emit(0)))


def _whole(column: RecipeColumn, rows: int) -> int:
    """Return the bytes of a file that is decoded once for several views."""
    height, width = _largest(column, rows)
    return height * width * column.rows.spec.pixel_bytes + _ROUNDED


def _largest(column: RecipeColumn, rows: int) -> tuple[int, int]:
    images = column.rows
    if images.size is not None:
        return images.size
    sizes = images.sizes(np.arange(rows))
    return int(sizes[:, 0].max(initial=1)), int(sizes[:, 1].max(initial=1))
