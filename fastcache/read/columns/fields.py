"""Series transforms on their way to batches: images made of the arena's series on arrival."""

from typing import Any, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core import fields as core
from fastcache._core.field_specs import ELEMENTS
from fastcache.errors import ArgumentError
from fastcache.gaf import SeriesTransform
from fastcache.gaf.expand import Plan, refusal
from fastcache.read.buffers import new_bytes
from fastcache.read.columns.columns import Gathered, Reader, Rows
from fastcache.read.columns.series_rows import SeriesRows


class HoldsSeries(Protocol):
    """A reader whose rows are series."""

    def series(self, rows: Rows) -> SeriesRows:
        """Return where the series of some rows lie."""


class _Jobs:
    """The jobs of one batch: a stack has several, which write different planes."""

    def __init__(self, jobs: list[core.FieldJob], where: SeriesRows) -> None:
        self._jobs = jobs
        self._where = where

    def run(self) -> None:
        for job in self._jobs:
            job.run()

    def check(self) -> None:
        """Raise ArgumentError if there is a series that no image can be made of."""
        for job in self._jobs:
            if job.refused is not None:
                sample = job.refused[1]
                raise refusal(job.refused, {sample: self._channels(sample)}, "of the batch")

    def _channels(self, sample: int) -> list[npt.NDArray[Any]]:
        where = self._where
        first, size = int(where.offsets[sample]), where.length * where.dtype.itemsize
        starts = [first + channel * where.channel_bytes for channel in range(where.channels)]
        return [where.data[start : start + size].view(where.dtype) for start in starts]


class FieldReader(Reader):
    """A column of series as the images that a transform makes of them.

    Batches are one tensor (B, planes, m, m), or (B, planes m m) if the transform flattens: C
    threads write the images where they will be used, and nothing is made but them.

    Parameters
    ----------
    series : reader
        Of windows, or of arrays (T,) or (C, T).
    transform : SeriesTransform

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the rows are no series, or the transform cannot be had of series of their length.
    """

    stacks = True

    def __init__(self, series: Reader, transform: SeriesTransform) -> None:
        if not _holds_series(series):
            raise ArgumentError(
                f"transform={transform!r} makes images of series: keep windows of series "
                "(sources.Series) or arrays of shape (T,) or (channels, T)"
            )
        none = series.series(np.empty(0, np.int64))
        if none.dtype.name not in ELEMENTS or not (none.channels and none.length):
            raise ArgumentError(
                f"transform={transform!r} makes images of real numbers, and the rows are "
                f"{none.channels} x {none.length} of {none.dtype}"
            )
        plan: Plan = transform.plan(none.length)
        shape = (none.channels * plan.planes, plan.size, plan.size)
        self._series = series
        self._plan = plan
        self._shape = (int(np.prod(shape)),) if transform.flatten else shape
        self._planes = shape[0]
        self._dtype: torch.dtype = getattr(torch, plan.dtype)
        self._bytes = int(np.prod(shape)) * self._dtype.itemsize  # of a sample
        self._element = none.dtype.name

    def item(self, row: int) -> torch.Tensor:
        images, work, _ = self._begin(np.array([row]))
        work.run()
        work.check()
        return images[0]

    def gather(self, rows: Rows) -> Gathered:
        images, work, size = self._begin(rows)
        return Gathered(images, work, size, work.check)

    def _begin(self, rows: Rows) -> tuple[torch.Tensor, "_Jobs", int]:
        """Return the images of a batch, the jobs that will make them, and their bytes."""
        where = self._series.series(rows)
        count = len(rows)
        size = count * self._bytes
        memory = new_bytes(size)
        jobs = [
            core.FieldJob.of_rows(
                spec,
                where.data,
                self._element,
                where.offsets,
                memory.numpy(),
                channels=where.channels,
                channel_bytes=where.channel_bytes,
                length=where.length,
                planes=self._planes,
                first_plane=first,
            )
            for spec, first in self._plan.placed(where.channels)
        ]

        images = memory.view(self._dtype).view(count, *self._shape)
        return images, _Jobs(jobs, where), size


def _holds_series(reader: Any) -> TypeGuard[HoldsSeries]:
    return hasattr(reader, "series")
