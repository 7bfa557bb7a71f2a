"""Measuring what reading, decoding and copying take, on a few of a column's files.

The machine, the disk, the state of its cache and the kind of files decide by factors, so nothing is
assumed that can be tried: at most 24 files, spread over formats and sizes, and 0.3 seconds.
"""

import mmap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.errors import DecodeError
from fastcache.fill.estimate.costs import (
    TYPICAL_IN_C,
    TYPICAL_MEMORY,
    Costs,
    MemorySpeed,
    fit,
    way_name,
    ways_of,
)
from fastcache.fill.failures import is_no_memory
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.job import ItemJob
from fastcache.fill.limits import open_regular

FILES = 24  # at most
SECONDS = 0.3  # at most, but for the file under way

_IN_PYTHON = 2  # files of a format that are tried in Python, which is slow
_MOST_BYTES = 64 << 20  # of a file, and of what becomes of it: larger ones are not tried
# Written and copied to find out how fast memory is; the less where there is not so much.
_MEMORY_BYTES = (16 << 20, 1 << 20)
_AGAIN = 8  # a file that took less than this part of the time left is decoded twice


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure_memory() -> MemorySpeed:
    """Measure how fast memory is; takes 16 MiB twice and some hundredths of a second.

    Where the system does not give that much, it takes 1 MiB; without that, speeds are typical ones.
    """
    for size in _MEMORY_BYTES:
        with _as_far_as_memory_goes():  # the plan is what has to fit, and not its estimate
            return _speed_of(size)
    return TYPICAL_MEMORY


def _speed_of(size: int) -> MemorySpeed:
    target = np.empty(size, np.uint8)
    # Shared pages, as an arena's are: the system gives them more slowly than private ones.
    source = np.frombuffer(mmap.mmap(-1, size), np.uint8)
    fresh = _timed(lambda: source.fill(1))
    np.copyto(target, source)
    copied = _timed(lambda: np.copyto(target, source))
    return MemorySpeed(fresh / size, copied / size)


def measure_costs(
    table: FileTable,
    spec: core.Spec,
    geometry: npt.NDArray[np.void],
    in_python: Callable[[int], object],
    *,
    seconds: float = SECONDS,
    files: int = FILES,
    memory: MemorySpeed | None = None,
) -> Costs:
    """Read and decode a few files of a column, and fit what they took.

    Parameters
    ----------
    table : FileTable
        Of a column that is planned.
    spec : Spec
    geometry : structured array [N]
        What ``store=`` makes of each file.
    in_python : callable
        ``in_python(row)`` reads and decodes a file that C cannot.
    seconds : float
        No file is begun when so much time has passed, or is likely to have when it is done.
    files : int
        Most files.
    memory : MemorySpeed, optional
        Measured if not given.

    Notes
    -----
    Everything runs on the calling thread. A file that turns out to be damaged is passed over: it
    is the fill's to judge. Random states are untouched: files are chosen by their sizes. Where
    there is no memory for it, no more is measured.
    """
    end = time.perf_counter() + seconds
    if memory is None:
        memory = measure_memory()
    ways = ways_of(table.info, table.status == core.NEEDS_PYTHON)
    output = geometry["out_h"].astype(np.int64) * geometry["out_w"] * spec.pixel_bytes
    good = table.good()
    small = good & (output <= _MOST_BYTES) & (table.info["bytes"] <= _MOST_BYTES)
    pixels = table.height * table.width
    rows = choose(np.flatnonzero(small), ways, pixels, files)
    trial = _Trial(spec, in_python, end)
    with _as_far_as_memory_goes():
        trial.make_room(int(output[rows].max(initial=0)))
        for row in rows.tolist():
            shape = geometry[row : row + 1].view(np.uint8)
            trial.take(row, table.paths[row], int(ways[row]), int(pixels[row]), shape)
    measured = {way: fit(known) for way, known in trial.decodes.items()}
    there = set(np.unique(ways[good]).tolist())
    return Costs(
        read=fit(trial.reads),
        decode=measured,
        memory=memory,
        files=len(trial.reads),
        guessed=tuple(way_name(way) for way in sorted(there - {*measured})),
    )


@contextmanager
def _as_far_as_memory_goes() -> Iterator[None]:
    """End what is measured within where the system has no memory for it."""
    try:
        yield
    except (OSError, MemoryError) as error:
        if not is_no_memory(error):
            raise


class _Trial:
    """Files that are read and decoded against the clock."""

    def __init__(self, spec: core.Spec, in_python: Callable[[int], object], end: float) -> None:
        self._spec = spec
        self._in_python = in_python
        self._end = end
        self._decoder = core.Decoder()
        self._out = np.zeros(0, np.uint8)
        self.reads: list[tuple[int, float]] = []  # bytes and seconds
        self.decodes: dict[int, list[tuple[int, float]]] = {}  # by way: pixels and seconds

    def make_room(self, size: int) -> None:
        """Have bytes to decode into; their pages are there before the clock runs."""
        self._out = np.zeros(size, np.uint8)
        self._out.fill(1)

    def _time_for(self, way: int, pixels: int) -> bool:
        known = self.decodes.get(way, [])
        likely = sum(took for _, took in known) / max(1, sum(size for size, _ in known))
        return time.perf_counter() + (likely or TYPICAL_IN_C) * pixels <= self._end

    def take(
        self, row: int, path: str, way: int, pixels: int, shape: npt.NDArray[np.uint8]
    ) -> None:
        """Try one file, if there is time for it."""
        if not self._time_for(way, pixels):
            return
        took: list[float] = []

        def work(_: int) -> int:
            begun = time.perf_counter()
            with open_regular(path) as file:
                data = file.read()
            self.reads.append((len(data), time.perf_counter() - begun))
            took.extend(self._decoded(row, way, data, shape))
            return len(data)

        # A shortage of descriptors ends it all, as it would the fill.
        ItemJob([row], work, _pass_over).run()
        if took:
            self.decodes.setdefault(way, []).append((pixels, min(took)))

    def _decoded(
        self, row: int, way: int, data: bytes, shape: npt.NDArray[np.uint8]
    ) -> Iterator[float]:
        """Yield the seconds of a decode; of a second one too if the first took little.

        The first one of a kind makes the decoder's buffers and tables, which later ones find.
        """
        for _ in range(2):
            begun = time.perf_counter()
            if way % 2:
                self._in_python(row)
            else:
                status, _detail = self._decoder.decode(data, self._spec, shape, self._out)
                if status != core.OK:
                    raise DecodeError(core.describe(status, 0))
            took = time.perf_counter() - begun
            yield took
            if time.perf_counter() + took * _AGAIN > self._end:
                return


def _pass_over(_row: int, _error: Exception) -> None:
    """Do nothing about a file that cannot be had: the fill will meet it, and say so."""


def choose(
    rows: npt.NDArray[np.int64],
    ways: npt.NDArray[np.int64],
    pixels: npt.NDArray[np.int64],
    files: int,
) -> npt.NDArray[np.int64]:
    """Return rows to try, spread over ways and, within each, over sizes.

    Parameters
    ----------
    rows : int64 array
        Rows to choose from.
    ways, pixels : int64 arrays [N]
        Of all rows.
    files : int
        Most rows. Of what Python decodes there are two at most of each way.

    Returns
    -------
    int64 array
        Ways take turns, so that each is tried before the time is over; its median size comes first.
    """
    kinds, counts = np.unique(ways[rows], return_counts=True)
    order = np.argsort(-counts, kind="stable")  # the commonest first
    most = np.minimum(counts, np.where(kinds % 2, _IN_PYTHON, files))[order]
    share = np.zeros_like(most)
    while share.sum() < files and (share < most).any():
        more = np.flatnonzero(share < most)[: files - share.sum()]
        share[more] += 1
    chosen: list[npt.NDArray[np.int64]] = []
    for way, count in zip(kinds[order].tolist(), share.tolist(), strict=True):
        mine = rows[ways[rows] == way]
        mine = mine[np.argsort(pixels[mine], kind="stable")]
        middles = (np.arange(count) * 2 + 1) * len(mine) // (2 * max(1, count))  # of equal parts
        chosen.append(mine[middles[_from_the_middle(count)]])
    turns = [(turn, k) for k, mine in enumerate(chosen) for turn in range(len(mine))]
    taken = [chosen[k][turn] for turn, k in sorted(turns)]
    return np.array(taken, np.int64)


def _from_the_middle(count: int) -> npt.NDArray[np.int64]:
    """Return 0..count-1, the middle first, then ever further outwards."""
    return np.argsort(np.abs(np.arange(count) - (count - 1) / 2), kind="stable").astype(np.int64)
