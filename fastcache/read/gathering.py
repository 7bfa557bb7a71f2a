"""Batches, gathered by threads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex

from fastcache.errors import ArgumentError
from fastcache.read import buffers
from fastcache.read.columns.columns import Reader, Rows
from fastcache.read.notes import note
from fastcache.read.pipeline import Pipeline
from fastcache.read.recipes.mixing import Mixer
from fastcache.read.recipes.recipe import Recipe
from fastcache.read.recipes.recipe_reader import DrawnReader, RecipeReader, picked


def gather(readers: Mapping[str, Reader], rows: Mapping[str, Rows], threads: int) -> dict[str, Any]:
    """Return the columns of a batch.

    Parameters
    ----------
    readers : mapping of str to Reader
    rows : mapping of str to int64 array of shape (B,)
        Which rows of each column, in the order of the batch.
    threads : int
        At most so many are used.
    """
    gathered = {name: reader.gather(rows[name]) for name, reader in readers.items()}
    jobs = [column.job for column in gathered.values() if column.job is not None and column.size]
    if jobs:
        buffers.run(jobs, sum(column.size for column in gathered.values()), threads)
    for column in gathered.values():
        if column.finish is not None:
            column.finish()
    return {name: column.values for name, column in gathered.items()}


def samples_of(
    pipeline: Pipeline,
    readers: Mapping[str, Reader],
    rows: Rows,
    indices: Sequence[SupportsIndex],
    threads: int,
) -> list[Any]:
    """Return samples whose images C makes together, before Python goes on with each.

    Parameters
    ----------
    pipeline : Pipeline
        With a recipe.
    readers : mapping of str to Reader
        Of the batch.
    rows : int64 array (B,)
    indices : sequence of int
        What the samples were asked for by.
    threads : int
        At most so many are used.
    """
    made = {name: reader for name, reader in readers.items() if isinstance(reader, DrawnReader)}
    with buffers.finished():
        columns = gather(made, dict.fromkeys(made, rows), threads)
    both = {**readers, **picked(columns, made)}
    samples: list[Any] = []
    try:
        for k, row in enumerate(rows.tolist()):
            row_of = {**dict.fromkeys(readers, row), **dict.fromkeys(made, k)}
            samples.append(pipeline.sample(both, row_of.__getitem__))
    except Exception as error:
        note(error, f"sample {indices[len(samples)]}")
        raise
    return samples


def mix(
    pipeline: Pipeline,
    readers: Mapping[str, Reader],
    columns: dict[str, Any],
    attributes: Mapping[str, Any],
) -> dict[str, Callable[[Any, int], Any]]:
    """Mix a batch, if its recipe says so: images in place; labels become soft.

    Parameters
    ----------
    pipeline : Pipeline
    readers : mapping of str to Reader
        Of the batch.
    columns : dict of str to object
        What `gather` returned.
    attributes : mapping
        Of the dataset; its classes, if it has any, are counted.

    Returns
    -------
    dict of str to callable
        How samples are cut out of the columns.
    """
    picks: dict[str, Callable[[Any, int], Any]] = {n: r.pick for n, r in readers.items()}
    recipe, label = pipeline.recipe, pipeline.label
    if recipe is None or recipe.mixing is None or label is None:
        return picks
    images = readers[recipe.image]
    assert isinstance(images, RecipeReader)
    classes = len(attributes["classes"]) if "classes" in attributes else None
    mixer = Mixer(recipe.mixing, classes, nhwc=recipe.plans[0].layout == "NHWC")
    _, columns[label] = mixer.mix(columns[recipe.image], columns[label], images.keys)
    return {**picks, label: Reader.pick}


def check_unmixed(recipe: Recipe | None) -> None:
    """Refuse to make samples one by one where a recipe mixes those of a batch."""
    if recipe is not None and recipe.mixing is not None:
        raise ArgumentError(
            f"{recipe.mixing!r} mixes batches that C makes as a whole: samples=, or a class of "
            "yours, has them made one by one; leave one of them out"
        )
