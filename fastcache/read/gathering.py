"""Batches, gathered by threads."""

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

from fastcache.read import buffers
from fastcache.read.columns import Reader, Rows
from fastcache.read.notes import note
from fastcache.read.pipeline import Pipeline
from fastcache.read.recipe_reader import picked


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
    assert pipeline.recipe is not None
    made = {name: readers[name] for name in pipeline.recipe.columns}
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
