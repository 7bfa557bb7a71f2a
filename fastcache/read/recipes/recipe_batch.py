"""One column of one batch on its way through a recipe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core import image as core
from fastcache._core.planes import Plane
from fastcache._core.recipe import MOST_PLANES, MakeJob
from fastcache.errors import ArgumentError
from fastcache.fill.failures import check_shortage
from fastcache.read.columns.columns import Rows
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.columns.fetching import Fetch
from fastcache.read.recipes.recipe_output import Output, Room
from fastcache.read.recipes.recipe_rows import Found, raw
from fastcache.read.sampling.keys import KeyArrays

if TYPE_CHECKING:
    from fastcache.read.recipes.recipe_reader import RecipeColumn

# Decoding an image is worth a thread; this many bytes of copying are, too.
_WORTH = 2 << 20


class _View:
    """One output of a batch: its memory, and what became of each sample."""

    def __init__(self, column: "RecipeColumn", output: Output, room: Room, count: int) -> None:
        self._column = column
        self.output = output
        self.room = room
        self.status = np.full(count, core.PENDING, np.int32)
        self.detail = np.zeros(count, np.int32)

    def plane(self, memory: npt.NDArray[np.uint8], found: Found, at: Rows | None = None) -> Plane:
        """Return what is made of images in `memory`, or of those at some positions."""
        room = self.room
        offset, length = room.offset, room.length
        if at is not None:
            offset, length = offset[at], length[at]
        return Plane(
            self._column.rows.spec,
            self.output.emit(room.size),
            memory,
            found.offset,
            found.height,
            found.width,
            room.memory.numpy(),
            offset,
            length,
            is_mask=self._column.is_mask,
            **found.files,
        )

    def job(
        self, memory: npt.NDArray[np.uint8], found: Found, keys: KeyArrays, at: Rows | None = None
    ) -> MakeJob:
        """Return the job that makes it."""
        if at is not None:
            keys = KeyArrays(keys.seed, keys.epoch[at], keys.sample[at], keys.occurrence[at])
            self.status = np.full(len(at), core.PENDING, np.int32)
            self.detail = np.zeros(len(at), np.int32)
        return _job([self.plane(memory, found, at)], self.output.raw_steps, keys, self)

    def share(self, first: "_View") -> None:
        """Have its samples end with those of another view."""
        self.status, self.detail = first.status, first.detail


def _job(
    planes: list[Plane],
    steps: npt.NDArray[np.uint8] | list[npt.NDArray[np.uint8]],
    keys: KeyArrays,
    view: _View,
) -> MakeJob:
    return MakeJob(
        planes,
        steps,
        keys.seed,
        keys.epoch,
        keys.sample,
        keys.occurrence,
        raw(view.status),
        raw(view.detail),
        damaged_needs_python=True,
    )


class RecipeBatch:
    """One column of one batch: any number of threads may enter `run`, then one calls `finish`.

    Images that C cannot make straight from their files are decoded whole, by what does so without
    a recipe, and made of those pixels.

    Attributes
    ----------
    values : list
        For each view a tensor (B, ...) or a list of tensors.
    size : int
        Bytes that are worth as much as the work.
    """

    def __init__(
        self,
        column: "RecipeColumn",
        outputs: Sequence[Output],
        rows: Rows,
        keys: KeyArrays,
        told: Rows,
    ) -> None:
        self._column = column
        self._rows = rows
        self._keys = keys
        self._told = told
        images, count = column.rows, len(rows)
        found = self._found = images.find(rows)
        fixed = all(output.size is not None for output in outputs)
        sizes = None if fixed else images.sizes(rows)
        self._views = [
            _View(column, output, output.allocate(count, sizes), count) for output in outputs
        ]
        self.values: list[torch.Tensor | list[torch.Tensor]] = [v.room.values for v in self._views]
        self._aside: Fetched | None = None
        if found.aside is not None:
            for view in self._views:
                view.status[found.aside] = core.NEEDS_PYTHON
            self._aside = Fetched(column.images, rows, np.flatnonzero(found.aside))
        # Of files all views are made together, so that none is decoded for each.
        together = MOST_PLANES if found.files and len(outputs) > 1 else 1
        self._is_together = together > 1
        views = self._views
        self._jobs = [self._job_of(views[k : k + together]) for k in range(0, len(views), together)]
        read = int(found.height @ found.width.astype(np.int64)) * images.spec.pixel_bytes
        written = sum(view.room.size for view in self._views)
        decodes = int((found.offset < 0).sum()) if found.files else 0
        self.size = written + read + _WORTH * decodes

    def _job_of(self, views: "list[_View]") -> MakeJob:
        memory, found, keys = self._column.rows.memory, self._found, self._keys
        if not self._is_together:
            return views[0].job(memory, found, keys)
        for view in views:
            view.share(views[0])
        planes = [view.plane(memory, found) for view in views]
        return _job(planes, [view.output.raw_steps for view in views], keys, views[0])

    def run(self) -> None:
        """Work until nothing is left."""
        for job in self._jobs:
            job.run()
        if self._aside is not None:
            self._aside.fetch.run()

    def finish(self) -> None:
        """Do what C left.

        Raises
        ------
        ArgumentError
            If a step cannot be done to a sample.
        DecodeError
            Files that cannot be read any more, unless the dataset fills such samples with zeros.
        """
        stale = self._column.rows.stale(self._rows, self._found) if self._found.files else None
        if stale is None and all(self._is_made(job) for job in self._jobs):
            return
        late = np.zeros(len(self._rows), np.bool_)
        if stale is not None:
            late |= stale
        is_file = self._found.offset < 0
        for view in self._views:
            if (view.status == core.OK).all():
                continue
            check_shortage(view.status, view.detail)
            if not self._is_together:  # else it is found out by making what is late, one by one
                self._check(view, np.flatnonzero((view.status == core.E_ARGUMENT) & ~is_file))
            late |= view.status != core.OK
        if self._aside is not None:
            late[self._aside.at] = False
            self._make(self._aside)
        if late.any():
            fetched = Fetched(self._column.images, self._rows, np.flatnonzero(late))
            fetched.fetch.run()
            self._make(fetched)

    def _is_made(self, job: MakeJob) -> bool:
        """Whether C has made every sample."""
        done, failed, _ = job.progress()
        return done == len(self._rows) and not failed

    def _make(self, fetched: "Fetched") -> None:
        """Make samples of the pixels that were fetched for them."""
        fetched.fetch.finish()
        for view in self._views:
            view.job(fetched.memory, fetched.found, self._keys, fetched.at).run()
            check_shortage(view.status, view.detail)
            self._check(view, np.flatnonzero(view.status != core.OK), fetched.at)

    def _check(self, view: _View, bad: Rows, at: Rows | None = None) -> None:
        """Say what cannot be done to the first of some samples."""
        if not len(bad):
            return
        k = int(bad[0])
        position = k if at is None else int(at[k])
        height, width = self._column.rows.sizes(self._rows[position : position + 1])[0].tolist()
        step = int(view.detail[k])
        told = "the recipe"
        if 0 <= step < len(view.output.steps):
            record = view.output.steps[step]
            told = next(
                (repr(o) for o in view.output.operations if (o.steps() == record).any()), told
            )
        raise ArgumentError(
            f"sample {self._told[position]}: {told} cannot be done to {self._column.name!r} of "
            f"{height} x {width} pixels: it would take pixels that are not there, or make too many"
        )


class Fetched:
    """Images that are decoded whole, since C cannot make results of their files.

    Attributes
    ----------
    at : int64 array (n,)
        Their positions in the batch.
    fetch : Fetch
    memory : uint8 array
        Where their pixels are once it has run.
    found : Found
        Where they lie there.
    """

    def __init__(self, reader: object, rows: Rows, at: Rows) -> None:
        assert isinstance(reader, FetchReader)
        sizes = reader.shapes(rows[at])
        lengths = sizes.prod(axis=1) * (reader.channels * reader.pixels_dtype.itemsize)
        ends = np.cumsum(lengths)
        self.at = at
        self.memory = np.empty(int(lengths.sum()), np.uint8)
        self.fetch = Fetch(reader, rows[at], self.memory, ends - lengths)
        sides = np.ascontiguousarray(sizes.T.astype(np.int32))
        self.found = Found(ends - lengths, sides[0], sides[1])
