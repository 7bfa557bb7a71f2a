"""Batches on their way from samplers to whoever makes them: indices, and what keys depend on."""

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.read.columns.columns import Rows
from fastcache.read.per_thread import PerThread

Times = npt.NDArray[np.uint32]

# Their bits are well mixed, and they are odd (Steele, Lea and Flood, OOPSLA 2014).
_FACTORS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
_64_BITS = (1 << 64) - 1


def mixed(number: Any, time: Any) -> Any:
    """Return 32 bits for two numbers: other ones for other numbers, but by chance.

    Parameters
    ----------
    number, time : int, or uint64 arrays
    """
    bits = number * _FACTORS[0] + time * _FACTORS[1] & _64_BITS
    bits ^= bits >> 31
    return (bits * _FACTORS[1] & _64_BITS) >> 32


class BatchKeys:
    """A batch of a loader's iteration, as far as keys depend on it.

    Attributes
    ----------
    epoch : int
    count : int
        Samples of the batch.
    times : uint32 array (count,), optional
        The occurrence of each. None: 0 of all.
    at : int or None
        Which of them is being read, where they are read one by one; None if nobody knows.
    """

    def __init__(self, epoch: int, count: int, times: Times | None = None) -> None:
        self.epoch = epoch
        self.count = count
        self.times = times
        self.at: int | None = None
        self._whole: dict[int, Rows] = {}  # of each Keys: what was read at once, and not counted
        self._seen: dict[tuple[int, int, int], int] = {}

    def occurrences(self, keys: object, rows: Rows) -> Times:
        """Return those of some rows: of the batch, or of a part of what is read for it.

        Datasets around ours may read any rows for a sample. What they read again for the same one
        is counted on: by numbers of its own, since base + 1 is that of the sample when it comes
        again.
        """
        if self.at is None and len(rows) == self.count:
            bases = np.zeros(self.count, np.uint32) if self.times is None else self.times
            if not self._seen and id(keys) not in self._whole:
                self._whole[id(keys)] = rows
                return bases
        else:
            bases = np.full(len(rows), self._base(), np.uint32)
        first = self._whole.pop(id(keys), None)
        if first is not None:
            times = [0] * self.count if self.times is None else self.times.tolist()
            for place in zip(first.tolist(), times, strict=True):
                self._read(keys, *place)
        places = zip(rows.tolist(), bases.tolist(), strict=True)
        found = [self._read(keys, *place) for place in places]
        return np.array(found, np.uint32)

    def _base(self) -> int:
        """Return the occurrence of the sample that is being read; a number of the batch if none."""
        if self.times is None:
            return 0
        return zlib.crc32(self.times.tobytes()) if self.at is None else int(self.times[self.at])

    def _read(self, keys: object, row: int, base: int) -> int:
        place = (id(keys), row, base)
        before = self._seen.get(place, 0)
        self._seen[place] = before + 1
        return mixed(base, before) if before else base


told = PerThread[BatchKeys | None](None)

# Within it, in this thread, samples are of a batch, whatever datasets were told.
in_batch = told.within


class Numbered(list[Any]):
    """Indices of a batch; whoever goes through them one by one notes in which place it is."""

    def __init__(self, indices: list[Any], batch: BatchKeys) -> None:
        super().__init__(indices)
        self._batch = batch

    def __iter__(self) -> Iterator[Any]:
        batch = self._batch
        around = batch.at
        try:
            for batch.at, index in enumerate(super().__iter__()):
                yield index
        finally:
            batch.at = around

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self[:],)


class Sent(NamedTuple):
    """Indices of a batch on their way to whoever makes it, a worker process perhaps.

    There they are what they were, and the thread that gets them knows from then on of which
    iteration they are: through whatever datasets stand around that which draws.
    """

    indices: Any
    epoch: int
    samples: int
    times: Times | None

    def opened(self) -> tuple[Any, BatchKeys]:
        """Return the indices, and what keys depend on."""
        batch = BatchKeys(self.epoch, self.samples, self.times)
        indices = self.indices
        if type(indices) is list:
            return Numbered(indices, batch), batch
        if self.samples == 1:
            batch.at = 0
        return indices, batch

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, tuple(self)


def arrived(*sent: Any) -> Any:
    """Take in indices that were sent: return them, and note the batch for this thread."""
    indices, told.value = Sent(*sent).opened()
    return indices
