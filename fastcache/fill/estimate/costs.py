"""What reading, decoding and copying take: the arithmetic on what `measure` found out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill.images.file_table import FileTable

# Where nothing of a kind could be measured (files too large for the time): seconds per pixel.
TYPICAL_IN_C, TYPICAL_IN_PYTHON = 8e-9, 25e-9

Seconds = npt.NDArray[np.float64]


def ways_of(info: npt.NDArray[np.void], in_python: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the way of each file, int64 [N]: twice its format, and one more if in Python."""
    ways: npt.NDArray[np.int64] = 2 * info["format"].astype(np.int64) + in_python
    return ways


def way_name(way: int) -> str:
    """Return what a way is called: a format, and who decodes it if that is not C."""
    name = core.format_name(way // 2).upper()
    return f"{name} in Python" if way % 2 else name


@dataclass(frozen=True)
class Rate:
    """A time that grows with a size: seconds for each item, and for each unit of its size."""

    item: float
    unit: float

    def of(self, sizes: npt.ArrayLike) -> Seconds:
        """Return seconds float64 [N] for sizes [N]."""
        seconds: Seconds = self.item + self.unit * np.asarray(sizes, np.float64)
        return seconds


@dataclass(frozen=True)
class MemorySpeed:
    """Seconds per byte: of fresh memory that is touched first, and of a copy."""

    fresh: float
    copy: float


TYPICAL_MEMORY = MemorySpeed(fresh=5e-10, copy=1e-10)  # where there is none left to measure it


@dataclass(frozen=True)
class Costs:
    """Seconds on one thread, as measured; everything asked of it is arithmetic.

    Attributes
    ----------
    read : Rate
        Of a file's bytes, with the system's cache as it was: files just written or read come from
        memory, and a disk is slower.
    decode : dict of int to Rate
        Of a file's pixels as the header states them, by way (see `ways_of`), together
        with what ``store=`` makes of them.
    memory : MemorySpeed
    files : int
        Files that were measured.
    guessed : tuple of str
        Formats of which none could be measured; they count like the others, or typically.
    """

    read: Rate
    decode: Mapping[int, Rate]
    memory: MemorySpeed
    files: int
    guessed: tuple[str, ...] = ()

    def read_seconds(self, sizes: npt.ArrayLike) -> Seconds:
        """Return what it takes to read files of these sizes in bytes, int64 [N]: float64 [N]."""
        return self.read.of(sizes)

    def decode_seconds(
        self,
        info: npt.NDArray[np.void],
        in_python: npt.NDArray[np.bool_],
        pixels: npt.NDArray[np.int64] | None = None,
    ) -> Seconds:
        """Return what it takes to decode files that are in memory already.

        Parameters
        ----------
        info : structured array [N], INFO_DTYPE
            Their headers.
        in_python : bool array [N]
            Files that C leaves to Pillow or NumPy.
        pixels : int64 array [N], optional
            Height times width, where the headers in `info` lack them (what only Pillow knows).

        Returns
        -------
        float64 array [N]
        """
        if pixels is None:
            pixels = info["height"].astype(np.int64) * info["width"]
        ways = ways_of(info, in_python)
        seconds = np.zeros(len(ways))
        for way in np.unique(ways).tolist():
            seconds[ways == way] = self._rate(way).of(pixels[ways == way])
        return seconds

    def of_files(self, table: FileTable) -> tuple[Seconds, Seconds]:
        """Return (reading, decoding) of each file of a planned column; zeros where it failed."""
        good = table.good()
        in_python = table.status == core.NEEDS_PYTHON
        read = self.read_seconds(table.info["bytes"])
        decode = self.decode_seconds(table.info, in_python, table.height * table.width)
        return np.where(good, read, 0), np.where(good, decode, 0)

    def copy_seconds(self, sizes: npt.ArrayLike) -> Seconds:
        """Return what it takes to copy these numbers of bytes within memory: float64 [N]."""
        return np.asarray(sizes, np.float64) * self.memory.copy

    def fill_seconds(self, work: Seconds, threads: int, new_bytes: int = 0) -> float:
        """Return what a fill takes on so many threads.

        Parameters
        ----------
        work : float64 array [N]
            Reading and decoding of each sample on one thread.
        threads : int
        new_bytes : int
            Of memory that is fresh, which the system clears before it is written.
        """
        shared = (float(work.sum()) + new_bytes * self.memory.fresh) / threads
        return max(shared, float(work.max(initial=0.0)))

    def _rate(self, way: int) -> Rate:
        if way in self.decode:
            return self.decode[way]
        python = way % 2
        units = [rate.unit for known, rate in self.decode.items() if known % 2 == python]
        typical = TYPICAL_IN_PYTHON if python else TYPICAL_IN_C
        return Rate(0.0, float(np.mean(units)) if units else typical)


def fit(points: Sequence[tuple[int, float]]) -> Rate:
    """Return the rate that (size, seconds) pairs follow, by least squares; neither part negative.

    Pairs of one size, or a single one, give no seconds per item.
    """
    if not points:
        return Rate(0.0, 0.0)
    sizes, seconds = np.array(points, np.float64).T
    spread = sizes - sizes.mean()
    if (spread**2).sum() > 0:
        unit = float((spread * seconds).sum() / (spread**2).sum())
        item = float(seconds.mean() - unit * sizes.mean())
        if unit >= 0 and item >= 0:
            return Rate(item, unit)
        if unit < 0:
            return Rate(float(seconds.mean()), 0.0)
    return Rate(0.0, float(seconds.sum() / max(1.0, sizes.sum())))
