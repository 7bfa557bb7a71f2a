"""What is known of a column's files before any of them is decoded."""

import sys
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from copy import copy

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core import threads as pool
from fastcache._core.jobs import ProbeJob
from fastcache._core.paths import Paths
from fastcache.errors import ArgumentError
from fastcache.fill.failures import check_shortage
from fastcache.fill.images.formats import NPY
from fastcache.fill.job import ItemJob, reason_of
from fastcache.fill.limits import Probed, bomb, bomb_level, core_limits, refusal
from fastcache.fill.options import FillOptions
from fastcache.fill.progress import finish
from fastcache.fill.steps import pillow_step
from fastcache.fill.steps.npy_header import NpyHeader, is_npy, read_header

_INT32 = ("height", "width", "format", "components", "depth", "orientation", "flags", "scans")
INFO_DTYPE = np.dtype([("bytes", "i8"), *((name, "i4") for name in _INT32)])  # fc_image_info

_ARRAYS = ("info", "status", "detail", "height", "width", "animated")  # of a table, one per file

# Python objects of one row: an NpyHeader with its shape, numbers and names; a pair and its text.
_HEADER_BYTES, _FAILURE_BYTES = 512, 256


class FileTable:
    """Headers, states and failures of N files; probed on construction.

    Parameters
    ----------
    paths : sequence of str
    mask : bool
        Whether the files hold class indices: C decodes none of them.
    options : FillOptions

    Attributes
    ----------
    paths : list of str
    mask : bool
    info : structured array [N], INFO_DTYPE
        What C read.
    status, detail : int32 arrays [N]
        PENDING: C is to decode the file; NEEDS_PYTHON: Python is.
    height, width : int64 arrays [N]
        After orientation, if it is applied.
    animated : bool array [N]
        Files of more than one frame, as far as that is known.
    npy : dict of int to NpyHeader
        Rows that are .npy files, as long as they have not failed.
    failed : dict of int to (str, str)
        Rows that cannot be had: path and reason.
    """

    def __init__(self, paths: Sequence[str], mask: bool, options: FillOptions) -> None:
        self.mask = mask
        self._options = options
        self._limits = options.limits
        self._threads = pool.resolve_threads(options.threads)
        self.mends = pillow_step.mends()
        self.paths = list(paths)
        count = len(self.paths)
        self.info = np.zeros(count, INFO_DTYPE)
        self.status = np.full(count, core.PENDING, np.int32)
        self.detail = np.zeros(count, np.int32)
        self.height = np.zeros(count, np.int64)
        self.width = np.zeros(count, np.int64)
        self.animated = np.zeros(count, bool)
        self.npy: dict[int, NpyHeader] = {}
        self.failed: dict[int, tuple[str, str]] = {}
        self._named: dict[int, str] = {}  # formats that only Python knows
        self._ask_c()
        self._ask_python()

    def packed_paths(self) -> Paths:
        """Return the paths as C takes them."""
        return Paths(self.paths, np.empty(len(self.paths), np.int64))

    def _ask_c(self) -> None:
        applied = self._options.exif == "apply"
        job = ProbeJob(
            self.packed_paths(),
            self.info.view(np.uint8),
            self.status.view(np.uint8),
            self.detail.view(np.uint8),
            whole=applied,
            **core_limits(self._limits),
        )
        finish(job, self._threads)
        check_shortage(self.status, self.detail)
        info = self.info
        turned = (info["orientation"] >= 5) & applied
        self.height[:] = np.where(turned, info["width"], info["height"])
        self.width[:] = np.where(turned, info["height"], info["width"])
        self.animated[:] = (info["flags"] & core.ANIMATED) != 0
        if self.mends:
            refused = np.isin(self.status, (core.E_TRUNCATED, core.E_CORRUPT, core.E_BYTES))
            self.status[refused] = core.NEEDS_PYTHON
        if pillow_step.refuses_texts():
            png = np.array([name == "PNG" for name in self.formats()], bool)
            self.status[png & (self.status == core.OK)] = core.NEEDS_PYTHON
        for row in np.flatnonzero(~np.isin(self.status, (core.OK, core.NEEDS_PYTHON))).tolist():
            self.fail_by_status(row)

    def _ask_python(self) -> None:
        """Ask for what C leaves open: sizes, orientations, the dtypes of masks."""
        status, flags = self.status, self.info["flags"]
        known = status == core.OK
        in_c = known & ((flags & core.IN_C) != 0) & (not self.mask)
        # Headers that only Pillow can read; and, when it is to be applied, the orientation of
        # formats whose metadata the core does not look for, or cannot read.
        ask = status == core.NEEDS_PYTHON
        if self._options.exif == "apply":
            ask |= known & (~in_c | ((flags & core.ASK_ORIENTATION) != 0))
        status[known] = core.PENDING
        status[(known & ~in_c) | ask] = core.NEEDS_PYTHON
        over = self.height * self.width > bomb_level()
        for row in np.flatnonzero(known & ~in_c & ~ask & over).tolist():
            size = f"{self.height[row]} x {self.width[row]} pixels"
            self.fail(row, bomb(size))
        finish(ItemJob(np.flatnonzero(ask).tolist(), self._ask_row, self.record), self._threads)
        self.mask_dtype = self._ask_masks() if self.mask else ""

    def _ask_row(self, row: int) -> int:
        path = self.paths[row]
        if self.info["format"][row] == core.UNKNOWN and is_npy(path):
            npy = read_header(path, self._limits, self.mask)
            self.npy[row] = npy
            self.height[row], self.width[row], self._named[row] = npy.height, npy.width, NPY
        else:
            header = pillow_step.probe(
                path, self._options.exif, self._options.extra_formats, self._limits
            )
            self.height[row], self.width[row], self._named[row] = header
        return 0

    def _ask_masks(self) -> str:
        kinds = {header.dtype for header in self.npy.values()}
        others = [row for row in np.flatnonzero(self.good()).tolist() if row not in self.npy]

        def ask(row: int) -> int:
            extra = self._options.extra_formats
            kinds.add(pillow_step.mask_dtype(self.paths[row], extra, self._limits))
            return 0

        finish(ItemJob(others, ask, self.record), self._threads)
        return str(np.result_type("uint8", *kinds))

    # -- states -----------------------------------------------------------------------------

    def formats(self) -> list[str]:
        """Return the format of every file, as Pillow calls it."""
        codes = self.info["format"].tolist()
        names = {code: core.format_name(code).upper() for code in set(codes)}
        return [self._named.get(row) or names[code] for row, code in enumerate(codes)]

    def good(self) -> npt.NDArray[np.bool_]:
        """Return which rows have not failed."""
        good = np.ones(len(self.paths), bool)
        good[list(self.failed)] = False
        return good

    def fail(self, row: int, reason: str) -> None:
        """Note that a row cannot be had."""
        self.failed[row] = (self.paths[row], reason)
        self.npy.pop(row, None)

    def fail_by_status(self, row: int) -> None:
        """Note a row that C refused."""
        size, height, width = (int(self.info[k][row]) for k in ("bytes", "height", "width"))
        status, detail = int(self.status[row]), int(self.detail[row])
        probed = Probed(self.paths[row], size, height, width)
        self.fail(row, refusal(self._limits, status, detail, probed))

    def record(self, row: int, error: Exception) -> None:
        """Note a row at which Python failed; what was asked for of all is no failure of one."""
        if isinstance(error, ArgumentError):
            raise error
        self.fail(row, reason_of(error))

    def copy(self) -> "FileTable":
        """Return a table of its own with what this one knows; no file is touched."""
        made = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray | dict | list):
                setattr(made, name, value.copy())
        return made

    def part(self, first: int, stop: int) -> "FileTable":
        """Return the same of some rows, numbered from 0; they share the arrays."""
        made = copy(self)
        rows = range(first, stop)
        made.paths = self.paths[first:stop]
        made.failed = {r - first: self.failed[r] for r in rows if r in self.failed}
        made.npy = {r - first: self.npy[r] for r in rows if r in self.npy}
        made._named = {r - first: self._named[r] for r in rows if r in self._named}
        for name in _ARRAYS:
            setattr(made, name, getattr(self, name)[first:stop])
        return made

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Go on with these rows only; they are numbered anew."""
        position = {int(row): at for at, row in enumerate(rows.tolist())}
        self.failed = {position[r]: why for r, why in self.failed.items() if r in position}
        self.npy = {position[r]: npy for r, npy in self.npy.items() if r in position}
        self._named = {position[r]: name for r, name in self._named.items() if r in position}
        self.paths = [self.paths[row] for row in rows.tolist()]
        for name in _ARRAYS:
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[rows]))

    def outcome(self) -> str:
        """Return as text what has become of the files, for the next run of a fill."""
        return b64encode(zlib.compress(self.status.tobytes() + self.animated.tobytes())).decode()

    def set_outcome(self, outcome: str, first: int) -> None:
        """Note what :meth:`outcome` said of a part; `first` is its first row."""
        packed = zlib.decompress(b64decode(outcome))
        count = len(packed) // (self.status.itemsize + self.animated.itemsize)
        rows = slice(first, first + count)
        self.status[rows] = np.frombuffer(packed, self.status.dtype, count)
        self.animated[rows] = np.frombuffer(packed, bool, offset=count * self.status.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of the tables, of what is noted of single rows, and of the paths packed for C."""
        tables = (self.info, self.status, self.detail, self.height, self.width, self.animated)
        noted = (self.npy, self._named, self.failed)
        text = sum(len(path) + 1 for path in self.paths)
        return (
            sum(table.nbytes for table in tables)
            + sum(sys.getsizeof(notes) for notes in noted)
            + _HEADER_BYTES * len(self.npy)
            + sum(_FAILURE_BYTES + len(reason) for _, reason in self.failed.values())
            + 16 * len(self.paths)
            + text
        )
