"""Rows that are not kept decoded: in which form each is, and where.

A column of images whose rows are not all decoded has columns beside it, which say for each sample
what to do: copy pixels, decode bytes that lie in the arena, or read its file.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill.job import ItemJob
from fastcache.fill.limits import core_limits
from fastcache.fill.steps.python_step import PythonStep
from fastcache.fill.target import dense_rows
from fastcache.memory.arena import Arena, RaggedColumn
from fastcache.schema import Array, Field, Ragged, Scalar
from fastcache.transforms import GEOMETRY

DECODED, ENCODED, ABSENT, FAILED = range(4)
FORM_NAMES = ("decoded", "encoded", "absent", "failed")

# Names of the columns beside NAME. Users' columns cannot be called so.
ENCODED_BYTES, FORM, PLACE, BY_PYTHON, GEOMETRY_OF, STAMP_OF = (
    f"_{word}." for word in ("encoded", "form", "place", "python", "geometry", "stamp")
)
PREFIXES = (ENCODED_BYTES, FORM, PLACE, BY_PYTHON, GEOMETRY_OF, STAMP_OF)

Forms = npt.NDArray[np.uint8]


def columns_beside(name: str) -> dict[str, Field]:
    """Return the columns that a column NAME has beside it, with a row for each of its own."""
    return {
        FORM + name: Scalar("uint8"),
        PLACE + name: Scalar("int64"),
        BY_PYTHON + name: Scalar("bool"),
        GEOMETRY_OF + name: Array("int32", (len(GEOMETRY.names or ()),)),
    }


ENCODED_FIELD = Ragged("uint8", 1)  # a row for each that is encoded
STAMP_FIELD = Array("int64", (2,))  # a row for each that is absent


def stamp_of(path: str) -> tuple[int, int]:
    """Return the bytes of a file and when it was changed, by which a changed one is known."""
    about = os.stat(path)
    # Nanoseconds are 64 bits to us, whatever years a file system knows.
    return about.st_size, (about.st_mtime_ns + (1 << 63)) % (1 << 64) - (1 << 63)


def stamp_job(
    stamps: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    paths: Sequence[str],
    failed: Callable[[int, Exception], None],
) -> ItemJob:
    """Return the job that notes by what the files of absent rows are known again."""

    def work(row: int) -> int:
        stamps[places[row]] = stamp_of(paths[row])
        return 0

    return ItemJob(rows.tolist(), work, failed, counted=False)


def places(forms: Forms) -> npt.NDArray[np.int64]:
    """Return each row's place among the rows of its form."""
    found = np.zeros(len(forms), np.int64)
    for form in (DECODED, ENCODED, ABSENT, FAILED):
        rows = np.flatnonzero(forms == form)
        found[rows] = np.arange(len(rows))
    return found


def counted(forms: Forms) -> dict[str, int]:
    """Return how many rows have which form."""
    counts = np.bincount(forms, minlength=len(FORM_NAMES)).tolist()
    return dict(zip(FORM_NAMES, counts, strict=True))


def keep_word(forms: Iterable[Forms | None]) -> str:
    """Return "decoded", "encoded" or "absent" if all rows of all columns are so, else "mixed".

    Rows that have failed do not count. A column without forms is decoded, and so is no column.
    """
    kinds: set[str] = set()
    for each in forms:
        rows_of = {"decoded": 1} if each is None else counted(each)
        kinds |= {form for form, rows in rows_of.items() if rows and form != "failed"}
    if not kinds:
        return "decoded"
    return kinds.pop() if len(kinds) == 1 else "mixed"


@dataclass(frozen=True, eq=False)
class KeptRows:
    """The columns beside one, as a reader needs them.

    Attributes
    ----------
    forms : uint8 array (N,)
        DECODED, ENCODED, ABSENT or FAILED.
    places : int64 array (N,)
        Which row of the decoded, of the encoded or of the absent ones a sample is.
    by_python : bool array (N,)
        Whether C leaves the decoding of it to Python.
    geometry : structured array (N,), dtype GEOMETRY
    encoded : RaggedColumn
        Files as they are.
    stamps : int64 array (M, 2)
        Of the files of rows that are absent, when the arena was filled: see `stamp_of`.
    """

    forms: Forms
    places: npt.NDArray[np.int64]
    by_python: npt.NDArray[np.bool_]
    geometry: npt.NDArray[np.void]
    encoded: RaggedColumn
    stamps: npt.NDArray[np.int64]

    @classmethod
    def of(cls, arena: Arena, name: str) -> "KeptRows":
        """Return what stands beside a column of an arena."""
        form, place, python, geometry = (
            dense_rows(arena, prefix + name) for prefix in (FORM, PLACE, BY_PYTHON, GEOMETRY_OF)
        )
        encoded = arena.column(ENCODED_BYTES + name)
        assert isinstance(encoded, RaggedColumn)
        stamps = dense_rows(arena, STAMP_OF + name)
        return cls(form, place, python, geometry.view(GEOMETRY).reshape(-1), encoded, stamps)


@dataclass(frozen=True)
class Decoding:
    """What a catalogue says of how the files of such a column are decoded.

    Attributes
    ----------
    step : PythonStep
    channels, filter, fill : int
        As :class:`fastcache._core.image.Spec` has them.
    damaged_needs_python : bool
    folder : str
        Where relative paths start.
    late : {"raise", "fill"}
        What becomes of a file that cannot be read any more: an error, or zeros.
    """

    step: PythonStep
    channels: int
    filter: int
    fill: int
    damaged_needs_python: bool
    folder: str
    late: str

    def spec(self) -> core.Spec:
        """Return what C needs to know."""
        return core.Spec(
            channels=self.channels,
            wide=self.step.wide,
            filter=self.filter,
            apply_orientation=self.step.exif == "apply",
            fill=self.fill,
            **core_limits(self.step.limits),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**vars(self), "step": self.step.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Decoding":
        """Return what `to_json` wrote."""
        return cls(**{**data, "step": PythonStep.from_json(data["step"])})
