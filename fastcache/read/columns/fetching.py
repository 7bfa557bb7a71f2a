"""One batch of images on its way: copied, decoded by C, or by Python, each into its place."""

import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache._core.jobs import FillJob
from fastcache._core.paths import Paths
from fastcache.errors import DecodeError
from fastcache.fill.conversion import expand
from fastcache.fill.failures import check_shortage, is_shortage, shortage
from fastcache.fill.images.kept import ABSENT, DECODED, ENCODED, FAILED, stamp_of
from fastcache.fill.job import reason_of
from fastcache.fill.limits import Probed, refusal
from fastcache.read.columns.columns import Pixels, Rows

if TYPE_CHECKING:
    from fastcache.read.columns.fetch import FetchReader

_CHANGED = "the file changed after the arena was filled: put it back, or fill a new arena"

_log = logging.getLogger("fastcache")


class Fetch:
    """One batch on its way: any number of threads may enter `run`, then one calls `finish`."""

    def __init__(
        self, reader: "FetchReader", rows: Rows, target: npt.NDArray[np.uint8], places: Rows
    ) -> None:
        self._reader = reader
        self._rows = rows
        self._target = target
        self._places = places
        forms = reader.kept.forms[rows]
        self._forms = forms
        decoded = forms == DECODED
        self._copy = reader.copies(rows[decoded], target, places[decoded])
        self._failed: dict[int, str] = {}  # by position
        wanted = (forms == ENCODED) | (forms == ABSENT)
        python = wanted & reader.kept.by_python[rows]
        self._in_c = np.flatnonzero(wanted & ~python)
        self._status = np.full(len(self._in_c), core.PENDING, np.int32)
        self._detail = np.zeros(len(self._in_c), np.int32)
        self._fill = self._make_fill() if len(self._in_c) else None
        self._lock = threading.Lock()
        self._for_python: Iterator[int] = iter(np.flatnonzero(python).tolist())
        self.decodes = int(wanted.sum())

    def _make_fill(self) -> FillJob:
        reader, at = self._reader, self._in_c
        rows, kept = self._rows[at], self._reader.kept
        encoded = self._forms[at] == ENCODED
        offset, size = np.zeros(len(at), np.int64), np.full(len(at), -1, np.int64)
        places = kept.places[rows[encoded]]
        offset[encoded] = kept.encoded.offsets[places]
        size[encoded] = kept.encoded.row_elements(places)
        paths = ["" if e else reader.path(r) for r, e in zip(rows.tolist(), encoded, strict=True)]
        return FillJob(
            Paths(paths, np.empty(len(at), np.int64)),
            reader.spec,
            kept.geometry[rows].view(np.uint8),
            self._target,
            self._places[at],
            self._status.view(np.uint8),
            self._detail.view(np.uint8),
            reader.decoding.damaged_needs_python,
            data=kept.encoded.values,
            data_offset=offset,
            data_size=size,
        )

    def run(self) -> None:
        """Work until nothing is left."""
        self._copy.run()
        if self._fill is not None:
            self._fill.run()
        while (position := self._take()) is not None:
            self._decode_in_python(position)

    def _take(self) -> int | None:
        with self._lock:
            return next(self._for_python, None)

    def _decode_in_python(self, position: int) -> None:
        reader, row = self._reader, int(self._rows[position])
        geometry = reader.kept.geometry[row]
        data = None
        if self._forms[position] == ENCODED:
            data = reader.kept.encoded[int(reader.kept.places[row])].tobytes()
        try:
            size = (int(geometry["src_h"]), int(geometry["src_w"]))
            pixels = reader.decoding.step.again(reader.path(row), size, data)
            target = self._slot(position)
            if pixels.shape != target.shape:
                raise DecodeError(_CHANGED)
            target[...] = pixels
        except Exception as error:
            if is_shortage(error):
                raise shortage(error) from error
            self._failed[position] = reason_of(error)

    def _slot(self, position: int) -> Pixels:
        reader = self._reader
        shape = reader.row_shape(reader.shapes(self._rows[position : position + 1])[0])
        start = int(self._places[position])
        size = int(np.prod(shape)) * reader.pixels_dtype.itemsize
        return self._target[start : start + size].view(reader.pixels_dtype).reshape(shape)

    def finish(self) -> None:
        """Do what C left, and deal with what could not be had.

        Raises
        ------
        DecodeError
            Files that cannot be read any more, unless the dataset fills such samples with zeros.
        """
        check_shortage(self._status, self._detail)
        for k in np.flatnonzero(self._status != core.OK).tolist():
            position, status = int(self._in_c[k]), int(self._status[k])
            if status == core.NEEDS_PYTHON:
                self._decode_in_python(position)
            else:
                self._failed[position] = self._why(position, status, int(self._detail[k]))
        self._convert(self._in_c[self._status == core.OK])
        for position in np.flatnonzero(self._forms == FAILED).tolist():
            self._slot(position)[...] = 0
        self._check_stamps()
        if self._failed:
            self._settle()

    def _check_stamps(self) -> None:
        """Refuse files that are no longer those of the fill, after they were read.

        A file that changes between the two is refused as well; before, it would be missed.
        """
        kept = self._reader.kept
        for position in np.flatnonzero(self._forms == ABSENT).tolist():
            if position in self._failed:
                continue
            row = int(self._rows[position])
            try:
                now = stamp_of(self._reader.path(row))
            except OSError as error:
                self._failed[position] = reason_of(error)
            else:
                if now != tuple(kept.stamps[kept.places[row]].tolist()):
                    self._failed[position] = _CHANGED

    def _convert(self, positions: Rows) -> None:
        """Make the column's type of the integers that C decoded, where that is another."""
        step = self._reader.decoding.step
        for position in positions.tolist() if step.conversion else ():
            expand(self._slot(position), step, self._reader.path(int(self._rows[position])))

    def _why(self, position: int, status: int, detail: int) -> str:
        row = int(self._rows[position])
        geometry, limits = self._reader.kept.geometry[row], self._reader.decoding.step.limits
        path = self._reader.path(row)
        probed = Probed(path, 0, int(geometry["src_h"]), int(geometry["src_w"]))
        return refusal(limits, status, detail, probed)

    def _settle(self) -> None:
        reader = self._reader
        failed = {
            int(self._rows[position]): (reader.path(int(self._rows[position])), reason)
            for position, reason in sorted(self._failed.items())
        }
        if reader.decoding.late == "raise":
            told = "\n".join(f"  {path}: {reason}" for path, reason in failed.values())
            raise DecodeError(
                f"{len(failed)} samples of the batch cannot be read any more:\n{told}\n"
                'Mend them, or pass on_error="skip" or "fill", which give zeros then.',
                list(failed.values()),
            )
        for position in self._failed:
            self._slot(position)[...] = 0
        for row, (path, reason) in failed.items():
            if row not in reader.late:
                _log.warning(
                    "sample in row %d is zeros for as long as it cannot be had: %s: %s",
                    *(row, path, reason),
                )
        reader.late.update(failed)
