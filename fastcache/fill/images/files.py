"""Columns that are decoded from files: what they hold, and how much memory that takes."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill.column import sized
from fastcache.fill.conversion import told_of, with_dtype
from fastcache.fill.estimate.costs import Costs, MemorySpeed
from fastcache.fill.estimate.measure import SECONDS, measure_costs
from fastcache.fill.images import kept
from fastcache.fill.images.facts import file_facts
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.images.files_jobs import FilesJobs
from fastcache.fill.images.formed import FormedColumn
from fastcache.fill.images.scratch import scratch_of
from fastcache.fill.images.wide import wide_in_c
from fastcache.fill.job import Job
from fastcache.fill.options import CHANNELS, FillOptions
from fastcache.fill.steps.npy_kinds import settle_arrays
from fastcache.fill.steps.python_step import PythonStep
from fastcache.fill.target import Target
from fastcache.schema import Image, Mask
from fastcache.transforms import Operation, compile_store, conversion_of, store_for_masks


class FilesColumn(FormedColumn):
    """An `ImageFiles` feed on its way into the arena.

    Parameters
    ----------
    name : str
    paths : sequence of str
    mask : bool
    options : FillOptions
    table : FileTable, optional
        Of these paths, if they are probed already; it becomes the column's own.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[str],
        mask: bool,
        options: FillOptions,
        table: FileTable | None = None,
    ) -> None:
        super().__init__(name, FileTable(paths, mask, options) if table is None else table)
        self._mask = mask
        self._options = options
        self._operations = store_for_masks(options.store) if mask else options.store
        self._color = options.color or "RGB"
        # Dtype and channels of .npy files that are kept as they are.
        self._kept = None if mask else settle_arrays(self.table, options.color)
        self._jobs: FilesJobs | None = None
        self._excess = np.zeros(0, np.int64)
        self._warnings = 0  # of parts

    @property
    def paths(self) -> list[str]:
        """Paths of the rows."""
        return self.table.paths

    @property
    def operations(self) -> Sequence[Operation]:
        """What ``store=`` does to the rows."""
        return self._operations

    @property
    def turns_ignored(self) -> int:
        """Files that are kept as they lie although their EXIF orientation turns them."""
        ignored = self._options.exif == "ignore"
        return int((self.table.info["orientation"] > 1).sum()) if ignored else 0

    @property
    def color(self) -> str | None:
        """Mode that the files are converted to; None: .npy files are kept as they are."""
        return None if self._kept is not None and self._options.color is None else self._color

    # -- plan -------------------------------------------------------------------------------

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self.table.keep(rows)
        self.failed = self.table.failed

    def plan(self) -> None:
        table, good = self.table, self.table.good()
        if not good.all():
            # A row kept as zeros although its size is unknown takes the first good one's.
            first = int(np.argmax(good))
            table.height[~good], table.width[~good] = table.height[first], table.width[first]
            table.info["bytes"][~good] = 0  # it is not read any more
        self._store = store = compile_store(self._operations, table.height, table.width)
        in_python = store.needs_python
        if self._color == "I;16":
            in_python = in_python | ~wide_in_c(table.info, store)
        table.status[in_python & (table.status == core.PENDING)] = core.NEEDS_PYTHON
        self.field, self.shapes = sized(self._field(), store)
        spec = self.decoding().spec()
        self.scratch, self.alone, self._excess = scratch_of(table, store, spec, self._operations)
        known = (store.geometry, store.out_h, store.out_w)
        slots_and_shapes = 2 * 8 * len(table.paths)
        self.tables = table.nbytes + sum(part.nbytes for part in known) + slots_and_shapes
        self.items = int(good.sum())
        self.all_decoded(verified=self._options.on_error == "skip")

    def _field(self) -> Image | Mask:
        if self._mask:
            return Mask(self.table.mask_dtype)
        if self._kept is not None:
            return with_dtype(Image(*self._kept), conversion_of(self._operations))
        image = Image("uint16" if self._color == "I;16" else "uint8", CHANNELS[self._color])
        return with_dtype(image, conversion_of(self._operations))

    def _step(self) -> PythonStep:
        options = self._options
        return PythonStep(
            self.field.dtype,
            self._color,
            self._mask,
            self._kept,
            tuple(self._operations),
            options.exif,
            tuple(options.extra_formats),
            options.limits,
        )

    def decoding(self) -> kept.Decoding:
        """Return how the files are decoded, in the fill and whenever they are read again."""
        return kept.Decoding(
            self._step(),
            CHANNELS[self._color],
            self.store.filter,
            self.store.fill,
            self.table.mends,
            os.getcwd(),
            "raise" if self._options.on_error == "raise" else "fill",
        )

    def costs(self, seconds: float = SECONDS, memory: MemorySpeed | None = None) -> Costs:
        """Measure what reading and decoding take, on a few of the files; after `plan`."""
        decoding = self.decoding()

        def in_python(row: int) -> object:
            return self.in_python(decoding.step, row)

        parts = (self.table, decoding.spec(), self.store.geometry, in_python)
        return measure_costs(*parts, seconds=seconds, memory=memory)

    def in_python(
        self, step: PythonStep, row: int, data: bytes | None = None
    ) -> npt.NDArray[np.generic]:
        """Return the pixels of a row that C leaves; `data`: its file, if that is in memory."""
        table, header = self.table, self.table.npy.get(row)
        if header is not None:
            return step.from_npy(table.paths[row], header, self.store, row)
        expected = int(table.height[row] * table.width[row])
        decoded = step.from_image(table.paths[row], expected, data)
        table.animated[row] |= decoded.animated
        return decoded.pixels

    # -- parts ------------------------------------------------------------------------------

    def part(self, first: int, stop: int) -> "FilesColumn":
        made = super().part(first, stop)
        made.table = self.table.part(first, stop)
        made.failed = made.table.failed
        made._store = self.store.part(first, stop)
        made._excess = self._excess[first:stop]
        made._jobs = None
        made.items = int(made.table.good().sum())
        return made

    def take_over(self, part: "FilesColumn", first: int) -> None:
        super().take_over(part, first)
        self._warnings += part.warnings

    def state(self) -> Any:
        return [self.table.outcome(), self.warnings]

    def restore(self, state: Any, first: int) -> None:
        self.table.set_outcome(state[0], first)
        self._warnings += int(state[1])

    @property
    def warnings(self) -> int:
        """Warnings of the codecs in C, so far."""
        return self._warnings + (0 if self._jobs is None else self._jobs.warnings)

    # -- fill -------------------------------------------------------------------------------

    def jobs(self, arena: Target) -> Iterator[Job]:
        self._jobs = FilesJobs(self, self.decoding(), self._excess, self._verified)
        return self._jobs.run(arena)

    def clear(self, arena: Target, rows: Sequence[int]) -> None:
        assert self._jobs is not None
        self._jobs.clear(arena, rows)

    def facts(self) -> dict[str, object]:
        return {
            **file_facts(self.table),
            "codec_warnings": self.warnings,
            "store_in_python": told_of(self.store.why, conversion_of(self._operations)),
            **({} if self.forms is None else {"kept": kept.counted(self.forms)}),
        }
