"""Columns that are decoded from files: geometry, C job, then the Python step."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core.jobs import FillJob
from fastcache.fill import npy_step, pillow_step
from fastcache.fill.column import ColumnFill, most_pixels, rows_of, sized, write_row
from fastcache.fill.costs import Costs, MemorySpeed
from fastcache.fill.facts import file_facts
from fastcache.fill.failures import check_shortage
from fastcache.fill.file_table import FileTable
from fastcache.fill.job import ItemJob, Job
from fastcache.fill.limits import core_limits, too_large_for_pillow
from fastcache.fill.measure import SECONDS, measure_costs
from fastcache.fill.npy_kinds import settle_arrays
from fastcache.fill.options import CHANNELS, FillOptions
from fastcache.memory.arena import Arena
from fastcache.memory.windows import WindowColumn
from fastcache.schema import Image, Mask
from fastcache.transforms import FILTERS, StorePlan, compile_store, store_for_masks


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
    """

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
        self._table = FileTable(paths, mask, options) if table is None else table
        self.failed = self._table.failed
        # Dtype and channels of .npy files that are kept as they are.
        self._kept = None if mask else settle_arrays(self._table, options.color)
        self._store: StorePlan | None = None
        self._warnings = 0
        self._excess = np.zeros(0, np.int64)  # bytes that Pillow would need beyond the plan

    @property
    def table(self) -> FileTable:
        """What is known of the files."""
        return self._table

    @property
    def paths(self) -> list[str]:
        """Paths of the rows."""
        return self._table.paths

    @property
    def color(self) -> str | None:
        """Mode that the files are converted to; None: .npy files are kept as they are."""
        return None if self._kept is not None and self._options.color is None else self._color

    # -- plan -------------------------------------------------------------------------------

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        self._table.keep(rows)
        self.failed = self._table.failed

    def plan(self) -> None:
        table, good = self._table, self._table.good()
        if not good.all():
            # A row kept as zeros although its size is unknown takes the first good one's.
            first = int(np.argmax(good))
            table.height[~good], table.width[~good] = table.height[first], table.width[first]
            table.info["bytes"][~good] = 0  # it is not read any more
        self._store = store = compile_store(self._operations, table.height, table.width)
        in_python = store.needs_python
        if self._color == "I;16":
            in_python = in_python | ~self._wide_in_c(store)
        table.status[in_python & (table.status == core.PENDING)] = core.NEEDS_PYTHON
        self.field, self.shapes = sized(self._field(), store)
        self.items = int(good.sum())
        self.scratch, self.alone = self._scratch()
        known = (store.geometry, store.out_h, store.out_w)
        slots_and_shapes = 2 * 8 * len(table.paths)
        self.tables = table.nbytes + sum(part.nbytes for part in known) + slots_and_shapes

    def _wide_in_c(self, store: StorePlan) -> npt.NDArray[np.bool_]:
        """Which rows C can give 16 bits of: grey ones that are copied, it does not blend them."""
        info, g = self._table.info, store.geometry
        grey = (info["components"] == 1) & (info["depth"] == 16)
        copied = (g["size_h"] == g["crop_h"]) & (g["size_w"] == g["crop_w"])
        in_c: npt.NDArray[np.bool_] = grey & (copied | (store.filter == FILTERS["nearest"]))
        return in_c

    def _field(self) -> Image | Mask:
        if self._mask:
            return Mask(self._table.mask_dtype)
        if self._kept is not None:
            return Image(*self._kept)
        return Image("uint16" if self._color == "I;16" else "uint8", CHANNELS[self._color])

    def _spec(self) -> core.Spec:
        assert self._store is not None
        return core.Spec(
            channels=CHANNELS[self._color],
            wide=self._color == "I;16",
            filter=self._store.filter,
            apply_orientation=self._options.exif == "apply",
            fill=self._store.fill,
            **core_limits(self._options.limits),
        )

    def _scratch(self) -> tuple[int, int]:
        """Bytes of one thread: its file, and what the codec and the resampler, or Pillow, hold.

        The second number is that of a file which C may hand on when it sees its data. (Of JPEGs
        these are progressive ones whose last scans are missing.)
        """
        assert self._store is not None
        table, store = self._table, self._store
        size = table.info["bytes"]
        pixels = most_pixels(self._operations, table.height, table.width)
        pillow = pillow_step.BYTES_PER_PIXEL * pixels
        python = np.where((table.status == core.NEEDS_PYTHON) | table.mends, pillow, 0)
        for row, header in table.npy.items():
            python[row] = max(int(python[row]), header.scratch(int(pixels[row])))
        in_c = table.status == core.PENDING
        # A decoder keeps its buffers from file to file; Python gives everything back.
        held = core.scratch_bytes(
            table.info[in_c].view(np.uint8), self._spec(), store.geometry[in_c].view(np.uint8)
        ) + int(size.max(initial=0, where=in_c))
        late = in_c & (
            (table.info["format"] != core.JPEG) | ((table.info["flags"] & core.MULTISCAN) != 0)
        )
        # What store= makes of odd shapes may be far larger: then a file that is handed on fails.
        image = pillow_step.BYTES_PER_PIXEL * table.height * table.width
        scratch = max(held, int((python + size).max(initial=0)))
        alone = int((image + size).max(initial=0, where=late))
        self._excess = np.where(pillow + size > max(scratch, alone), pillow + size, 0)
        return scratch, alone

    # -- fill -------------------------------------------------------------------------------

    def jobs(self, arena: Arena) -> Iterator[Job]:
        table = self._table
        expected = self._rows_for_python()
        if (table.status == core.PENDING).any():
            yield from self._c_job(arena)
        if len(expected):
            yield self._python_job(expected, arena, None)
        # What C hands on now was planned for one thread at a time, unless all of it was.
        late = np.setdiff1d(self._rows_for_python(), expected)
        for row in late[self._excess[late] > 0].tolist():
            table.fail(row, too_large_for_pillow(int(self._excess[row])))
        late = np.intersect1d(late, self._rows_for_python())
        if len(late):
            yield self._python_job(late, arena, None if table.mends else 1)

    def costs(self, seconds: float = SECONDS, memory: MemorySpeed | None = None) -> Costs:
        """Measure on a few of the files what reading and decoding takes; call after `plan`."""
        assert self._store is not None
        parts = (self._table, self._spec(), self._store.geometry, self._in_python)
        return measure_costs(*parts, seconds=seconds, memory=memory)

    def _rows_for_python(self) -> npt.NDArray[np.int64]:
        table = self._table
        return np.flatnonzero((table.status == core.NEEDS_PYTHON) & table.good())

    def _python_job(self, rows: npt.NDArray[np.int64], arena: Arena, threads: int | None) -> Job:
        place = rows_of(arena, self.name)

        def work(row: int) -> int:
            pixels = self._in_python(row).astype(self.field.dtype, copy=False)
            return write_row(place(row), pixels, self.paths[row])

        return ItemJob(rows.tolist(), work, self._table.record, threads=threads)

    def _in_python(self, row: int) -> npt.NDArray[np.generic]:
        assert self._store is not None
        path, options = self.paths[row], self._options
        header = self._table.npy.get(row)
        if header is None:
            decoded = pillow_step.decode(
                path,
                self._color,
                options.exif,
                self._operations,
                mask=self._mask,
                extra=options.extra_formats,
                limits=options.limits,
                expected=int(self._table.height[row] * self._table.width[row]),
            )
            self._table.animated[row] |= decoded.animated
            return decoded.pixels
        pixels = npy_step.read_pixels(path, header, options.limits, self._mask)
        if self._mask:
            return npy_step.stored_array(pixels, self._store, row, self._operations)[:, :, 0]
        if header.kind == self._kept:
            return npy_step.stored_array(pixels, self._store, row, self._operations)
        return pillow_step.stored_image(npy_step.as_pil(pixels), self._color, self._operations)

    def _c_job(self, arena: Arena) -> Iterator[Job]:
        assert self._store is not None
        table, column = self._table, arena.column(self.name)
        assert not isinstance(column, WindowColumn)
        mine = table.status == core.PENDING
        job = FillJob(
            table.packed_paths(),
            self._spec(),
            self._store.geometry.view(np.uint8),
            arena.buffer,
            column.row_offsets(),
            table.status.view(np.uint8),
            table.detail.view(np.uint8),
            table.mends,
        )
        yield job
        check_shortage(table.status, table.detail)
        judged = np.isin(table.status, (core.OK, core.NEEDS_PYTHON))
        self._warnings += int(table.detail[mine & judged].sum())
        for row in np.flatnonzero(mine).tolist():
            if int(table.status[row]) not in (core.OK, core.NEEDS_PYTHON, core.PENDING):
                table.fail_by_status(row)

    def facts(self) -> dict[str, object]:
        assert self._store is not None
        return {
            **file_facts(self._table),
            "codec_warnings": self._warnings,
            "store_in_python": self._store.why,
        }
