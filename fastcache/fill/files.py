"""Columns that are decoded from files: probe, geometry, C job, then the Python step."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core import threads as pool
from fastcache._core.jobs import FillJob, Paths, ProbeJob
from fastcache.fill import pillow_step
from fastcache.fill.column import ColumnFill, rows_of, sized, write_row
from fastcache.fill.failures import check_shortage
from fastcache.fill.job import ItemJob, Job, reason_of
from fastcache.fill.options import CHANNELS, FillOptions
from fastcache.fill.progress import finish
from fastcache.memory.arena import Arena
from fastcache.schema import Image, Mask
from fastcache.transforms import StorePlan, compile_store, store_for_masks

_INT32 = ("height", "width", "format", "components", "depth", "orientation", "flags", "scans")
INFO_DTYPE = np.dtype([("bytes", "i8"), *((name, "i4") for name in _INT32)])  # fc_image_info


class FilesColumn(ColumnFill):
    """An `ImageFiles` feed on its way into the arena.

    Parameters
    ----------
    name : str
    paths : sequence of str
    mask : bool
    options : FillOptions
    """

    def __init__(self, name: str, paths: Sequence[str], mask: bool, options: FillOptions) -> None:
        super().__init__(name)
        self._mask = mask
        self._options = options
        self._operations = store_for_masks(options.store) if mask else options.store
        self._color = options.color or "RGB"
        self._threads = pool.resolve_threads(options.threads)
        self.paths = list(paths)
        count = len(self.paths)
        self._info = np.zeros(count, INFO_DTYPE)
        self._status = np.full(count, core.PENDING, np.int32)
        self._detail = np.zeros(count, np.int32)
        self._height = np.zeros(count, np.int64)
        self._width = np.zeros(count, np.int64)
        self._mask_dtype = "uint8"
        self._store: StorePlan | None = None
        self._warnings = 0
        self._mends = pillow_step.loads_truncated_images()
        self._probe()

    # -- probe ------------------------------------------------------------------------------

    def _packed_paths(self) -> Paths:
        return Paths(self.paths, np.empty(len(self.paths), np.int64))

    def _probe(self) -> None:
        info, status = self._info, self._status
        job = ProbeJob(
            self._packed_paths(),
            info.view(np.uint8),
            status.view(np.uint8),
            self._detail.view(np.uint8),
            pillow_step.pixel_limit(),
        )
        finish(job, self._threads)
        check_shortage(status, self._detail)
        turned = (info["orientation"] >= 5) & (self._options.exif == "apply")
        self._height[:] = np.where(turned, info["width"], info["height"])
        self._width[:] = np.where(turned, info["height"], info["width"])

        if self._mends:
            status[status == core.E_TRUNCATED] = core.NEEDS_PYTHON
        known = status == core.OK
        in_c = known & ((info["flags"] & core.IN_C) != 0)
        if self._mask or self._color == "I;16":
            in_c[:] = False
        for row in np.flatnonzero(~known & (status != core.NEEDS_PYTHON)).tolist():
            self._fail(row, core.describe(int(status[row]), int(self._detail[row])))
        # Headers that only Pillow can read; and, when it is to be applied, the orientation of
        # formats whose EXIF block the core does not look for.
        ask = (status == core.NEEDS_PYTHON) | (known & ~in_c & (self._options.exif == "apply"))
        status[known] = core.PENDING
        status[(known & ~in_c) | ask] = core.NEEDS_PYTHON
        asked = ItemJob(np.flatnonzero(ask).tolist(), self._probe_in_python, self._record)
        finish(asked, self._threads)
        if self._mask:
            self._probe_masks()

    def _probe_in_python(self, row: int) -> int:
        self._height[row], self._width[row] = pillow_step.probe(self.paths[row], self._options.exif)
        return 0

    def _probe_masks(self) -> None:
        good = [row for row in range(len(self.paths)) if row not in self.failed]
        kinds: dict[int, str] = {}

        def ask(row: int) -> int:
            kinds[row] = pillow_step.mask_dtype(self.paths[row])
            return 0

        finish(ItemJob(good, ask, self._record), self._threads)
        self._mask_dtype = str(np.result_type("uint8", *set(kinds.values())))

    def _fail(self, row: int, reason: str) -> None:
        self.failed[row] = (self.paths[row], reason)

    def _record(self, row: int, error: Exception) -> None:
        self._fail(row, reason_of(error))

    # -- plan -------------------------------------------------------------------------------

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        position = {int(row): at for at, row in enumerate(rows.tolist())}
        self.failed = {position[r]: why for r, why in self.failed.items() if r in position}
        self.paths = [self.paths[row] for row in rows.tolist()]
        for name in ("_info", "_status", "_detail", "_height", "_width"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[rows]))

    def plan(self) -> None:
        count = len(self.paths)
        good = np.ones(count, bool)
        good[list(self.failed)] = False
        if not good.all():
            # A row kept as zeros although its size is unknown takes the first good one's.
            first = int(np.argmax(good))
            self._height[~good], self._width[~good] = self._height[first], self._width[first]
        self._store = store = compile_store(self._operations, self._height, self._width)
        self._status[store.needs_python & (self._status == core.PENDING)] = core.NEEDS_PYTHON
        dtype = "uint16" if self._color == "I;16" else "uint8"
        self.field, self.shapes = sized(
            Mask(self._mask_dtype) if self._mask else Image(dtype, CHANNELS[self._color]), store
        )
        self.items = count - len(self.failed)
        self.scratch = self._scratch()
        self.tables = self._tables()

    def _spec(self) -> core.Spec:
        assert self._store is not None
        return core.Spec(
            channels=CHANNELS[self._color],
            filter=self._store.filter,
            apply_orientation=self._options.exif == "apply",
            fill=self._store.fill,
            max_pixels=pillow_step.pixel_limit(),
        )

    def _scratch(self) -> int:
        """Bytes of one thread at its largest file: the file, the codec's and resampler's own."""
        assert self._store is not None
        need = np.zeros(len(self.paths), np.int64)
        in_c = self._status == core.PENDING
        in_python = np.full(len(need), self._mends) | (self._status == core.NEEDS_PYTHON)
        if in_c.any():
            here = np.empty(int(in_c.sum()), np.int64)
            core.scratch_bytes(
                self._info[in_c].view(np.uint8),
                self._spec(),
                self._store.geometry[in_c].view(np.uint8),
                here,
            )
            need[in_c] = here
        pixels = np.maximum(self._height * self._width, self._store.out_h * self._store.out_w)
        need = np.maximum(need, in_python * pillow_step.BYTES_PER_PIXEL * pixels)
        return int((need + self._info["bytes"]).max(initial=0))

    def _tables(self) -> int:
        """Bytes of what is known of each file: headers, geometry, slots, the packed paths."""
        assert self._store is not None
        known = (self._info, self._status, self._detail, self._height, self._width)
        planned = (self._store.geometry, self._store.out_h, self._store.out_w)
        places = 3 * 8 * len(self.paths)  # offsets of paths and slots, row shapes
        text = sum(len(path) + 1 for path in self.paths)
        return sum(table.nbytes for table in (*known, *planned)) + places + text

    # -- fill -------------------------------------------------------------------------------

    def jobs(self, arena: Arena) -> Iterator[Job]:
        if (self._status == core.PENDING).any():
            yield from self._c_job(arena)
        rows = np.flatnonzero(self._status == core.NEEDS_PYTHON).tolist()
        if rows:
            place = rows_of(arena, self.name)

            def work(row: int) -> int:
                pixels: npt.NDArray[Any] = pillow_step.decode(
                    self.paths[row],
                    self._color,
                    self._options.exif,
                    self._operations,
                    mask=self._mask,
                )
                return write_row(
                    place(row), pixels.astype(self.field.dtype, copy=False), self.paths[row]
                )

            yield ItemJob(rows, work, self._record)

    def _c_job(self, arena: Arena) -> Iterator[Job]:
        assert self._store is not None
        mine = self._status == core.PENDING
        job = FillJob(
            self._packed_paths(),
            self._spec(),
            self._store.geometry.view(np.uint8),
            arena.buffer,
            arena.column(self.name).row_offsets(),
            self._status.view(np.uint8),
            self._detail.view(np.uint8),
            self._mends,
        )
        yield job
        check_shortage(self._status, self._detail)
        self._warnings += int(self._detail[mine & (self._status == core.OK)].sum())
        for row in np.flatnonzero(mine).tolist():
            status = int(self._status[row])
            if status not in (core.OK, core.NEEDS_PYTHON, core.PENDING):
                self._fail(row, core.describe(status, int(self._detail[row])))

    def facts(self) -> dict[str, object]:
        formats = Counter(core.format_name(int(f)) for f in self._info["format"])
        in_python = self._status == core.NEEDS_PYTHON
        in_python[list(self.failed)] = False
        assert self._store is not None
        return {
            "files": dict(formats),
            "decoded in C": int((self._status == core.OK).sum()),
            "decoded in Python": int(in_python.sum()),
            "codec warnings": self._warnings,
            **({} if self._store.in_c else {"store runs in Python": self._store.why}),
        }
