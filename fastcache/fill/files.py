"""Columns that are decoded from files: what they hold, and how much memory that takes."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill import kept
from fastcache.fill.column import ColumnFill, sized
from fastcache.fill.conversion import told_of, with_dtype
from fastcache.fill.costs import Costs, MemorySpeed
from fastcache.fill.facts import file_facts
from fastcache.fill.file_table import FileTable
from fastcache.fill.files_jobs import FilesJobs
from fastcache.fill.job import Job
from fastcache.fill.measure import SECONDS, measure_costs
from fastcache.fill.npy_kinds import settle_arrays
from fastcache.fill.options import CHANNELS, FillOptions
from fastcache.fill.python_step import PythonStep
from fastcache.fill.scratch import scratch_of
from fastcache.fill.wide import wide_in_c
from fastcache.memory.arena import Arena
from fastcache.schema import Field, Image, Mask
from fastcache.transforms import StorePlan, compile_store, conversion_of, store_for_masks

_TABLE_BYTES = 128  # of a row, copied for the jobs of rows in different forms


class FilesColumn(ColumnFill):
    """An `ImageFiles` feed on its way into the arena.

    Parameters
    ----------
    name : str
    paths : sequence of str
    mask : bool
    options : FillOptions
    table : FileTable, optional
        Of these paths, if they are probed already; it becomes the column's own.

    Attributes
    ----------
    forms : uint8 array (N,) or None
        How each row is kept; None: all decoded.
    """

    field: Image | Mask

    def __init__(
        self,
        name: str,
        paths: Sequence[str],
        mask: bool,
        options: FillOptions,
        table: FileTable | None = None,
    ) -> None:
        super().__init__(name)
        self._mask = mask
        self._options = options
        self._operations = store_for_masks(options.store) if mask else options.store
        self._color = options.color or "RGB"
        self.table = FileTable(paths, mask, options) if table is None else table
        self.failed = self.table.failed
        self.forms: kept.Forms | None = None
        # Dtype and channels of .npy files that are kept as they are.
        self._kept = None if mask else settle_arrays(self.table, options.color)
        self._store: StorePlan | None = None
        self._jobs: FilesJobs | None = None
        self._excess = np.zeros(0, np.int64)
        self._of_plan = 0, 0  # scratch and tables if all is decoded

    @property
    def paths(self) -> list[str]:
        """Paths of the rows."""
        return self.table.paths

    @property
    def color(self) -> str | None:
        """Mode that the files are converted to; None: .npy files are kept as they are."""
        return None if self._kept is not None and self._options.color is None else self._color

    @property
    def store(self) -> StorePlan:
        """What ``store=`` does to each row; known after `plan`."""
        assert self._store is not None
        return self._store

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
        self._of_plan = self.scratch, self.tables
        self.forms, self.items = None, int(good.sum())

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

    # -- forms ------------------------------------------------------------------------------

    @property
    def row_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each row's pixels."""
        channels = self.field.channels if isinstance(self.field, Image) else 1
        size: npt.NDArray[np.int64] = self.store.out_h * self.store.out_w
        return size * (channels * self.field.itemsize)

    @property
    def file_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each row's file."""
        return self.table.info["bytes"].astype(np.int64)

    @property
    def can_be_encoded(self) -> npt.NDArray[np.bool_]:
        """Which rows' files may lie in the arena as they are: .npy files are read from the disk."""
        can = self.table.good() & (self.file_bytes > 0)
        can[list(self.table.npy)] = False
        return can

    def settle(self, forms: kept.Forms) -> None:
        """Keep rows in these forms, but for those that have failed, which take no room."""
        good = self.table.good()
        self.forms = np.where(good, forms, kept.FAILED).astype(np.uint8)
        of_form = kept.counted(self.forms)
        scratch, tables = self._of_plan
        verified = self._options.on_error == "skip"
        # What is verified is decoded into memory that no row has.
        self.scratch = scratch + (int(self.row_bytes.max(initial=0)) if verified else 0)
        self.tables = tables + _TABLE_BYTES * len(self.forms)
        self.items = (int(good.sum()) if verified else of_form["decoded"]) + of_form["encoded"]

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        shapes = self.shapes
        if self.forms is not None and shapes is not None:
            shapes = shapes[self.forms == kept.DECODED]
        return {self.name: (self.field, shapes)}

    def all_shapes(self) -> Mapping[str, npt.NDArray[np.int64]]:
        return {} if self.shapes is None else {self.name: self.shapes}

    def beside(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        if self.forms is None:
            return {}
        sizes = self.file_bytes[self.forms == kept.ENCODED].reshape(-1, 1)
        return {
            **{n: (field, None) for n, field in kept.columns_beside(self.name).items()},
            kept.ENCODED_BYTES + self.name: (kept.ENCODED_FIELD, sizes),
        }

    def counts(self) -> Mapping[str, int]:
        if self.forms is None:
            return {}
        of_form = kept.counted(self.forms)
        return {
            self.name: of_form["decoded"],
            kept.ENCODED_BYTES + self.name: of_form["encoded"],
        }

    # -- fill -------------------------------------------------------------------------------

    def jobs(self, arena: Arena) -> Iterator[Job]:
        verify = self._options.on_error == "skip"
        self._jobs = FilesJobs(self, self.decoding(), self._excess, verify)
        return self._jobs.run(arena)

    def clear(self, arena: Arena, rows: Sequence[int]) -> None:
        assert self._jobs is not None
        self._jobs.clear(arena, rows)

    def facts(self) -> dict[str, object]:
        warnings = 0 if self._jobs is None else self._jobs.warnings
        return {
            **file_facts(self.table),
            "codec_warnings": warnings,
            "store_in_python": told_of(self.store.why, conversion_of(self._operations)),
            **({} if self.forms is None else {"kept": kept.counted(self.forms)}),
        }
