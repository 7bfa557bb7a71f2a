"""Whose random numbers the samples of a batch get: of an epoch, of a sample, of its repetitions.

The epoch is, by what is known where a batch is made:

1. that of the iteration of an :class:`~fastcache.ArenaLoader` which the batch belongs to (its
   sampler's, if that is an ArenaSampler; else the loader counts): whatever was made ahead;
2. what ``set_epoch`` told the dataset, which our sampler does under other loaders;
3. else how often the sample was visited before, in all processes: crops of a plain ``DataLoader``
   differ from epoch to epoch although nobody counts these.

The occurrence tells the repetitions of a sample apart.  With 1 the loader counts these where it
takes indices, and sends the numbers along: they are the same whoever makes the batches.  With 2 and
3 visits are counted where samples are read, in memory that all processes share.  With 2 the
occurrence is how often the sample was since the epoch was told; with 3 it is the rank, since each
counts visits of its own.  Which of two batches that two workers make at once comes first is chance,
so then it is chance as well which of the duplicates in these gets which numbers.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache._core.visits import Visits, visits_bytes
from fastcache.errors import ArenaGoneError
from fastcache.memory.writable import Writable
from fastcache.read.columns.columns import Rows
from fastcache.read.sampling.ranks import rank_here
from fastcache.read.sampling.sent import Times, told


class KeyArrays(NamedTuple):
    """Keys of a batch, as the C core takes them (fc_key); every array has one number per sample."""

    seed: int
    epoch: npt.NDArray[np.uint64]
    sample: npt.NDArray[np.uint64]
    occurrence: Times


class Keys:
    """The keys of a dataset's samples.

    What counts visits is shared with all copies: in children by fork, and wherever it is unpickled
    as long as some process has it.  It takes 4 bytes per row, from the beginning: made later, each
    worker would make its own.  Of more than a million visits in one epoch it counts no more.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    count : int
        Rows of the arena.
    outlives : bool
        Whether pickles are of use when no process has it any more, as those of an arena in files
        are: visits are counted anew then.

    Raises
    ------
    BudgetError, BlockError
        If there is no memory for the counters.
    """

    def __init__(self, seed: int, count: int, outlives: bool = False) -> None:
        memory = Writable.make(visits_bytes(count), "fastcache-visits")
        self._take(seed, count, outlives, memory, 0)

    def _take(self, seed: int, count: int, outlives: bool, memory: Writable, rank: int) -> None:
        self.seed = seed
        self.count = count
        self._outlives = outlives
        self._memory = memory
        self._visits = Visits(memory.words, count)
        self._rank = rank  # of the process that it comes from, for workers that do not know theirs

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is from now on, in all processes: it begins, also if it did before.

        Parameters
        ----------
        epoch : int
            0 to 2**64 - 2.
        """
        self._visits.tell(epoch)

    def take(self, rows: Rows) -> KeyArrays:
        """Return the keys of a batch of rows, in its order, and count these as visited.

        Parameters
        ----------
        rows : int64 array of shape (B,)
            Rows of the arena.

        Raises
        ------
        ArgumentError
            For a row that the arena has not.
        """
        count, samples = len(rows), rows.astype(np.uint64)
        batch = told.value
        if batch is not None:
            epochs = np.full(count, batch.epoch, np.uint64)
            return KeyArrays(self.seed, epochs, samples, batch.occurrences(self, rows))
        times = np.empty(count, np.uint32)
        epoch = self._visits.visit(rows, times)
        if epoch is not None:
            return KeyArrays(self.seed, np.full(count, epoch, np.uint64), samples, times)
        rank = np.full(count, rank_here(self._rank), np.uint32)
        return KeyArrays(self.seed, times.astype(np.uint64), samples, rank)

    def __copy__(self) -> "Keys":
        return self

    def __deepcopy__(self, memo: object) -> "Keys":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        opening, handle = self._memory.__reduce__()[:2]
        rank = rank_here(self._rank)
        return _unpickled, (self.seed, self.count, self._outlives, rank, opening, handle)


def _unpickled(seed: int, count: int, outlives: bool, rank: int, opening: Any, handle: Any) -> Keys:
    try:
        memory = opening(*handle)
    except ArenaGoneError:
        if not outlives:
            raise
        memory = Writable.make(visits_bytes(count), "fastcache-visits")
    keys = Keys.__new__(Keys)
    keys._take(seed, count, outlives, memory, rank)
    return keys


def no_keys(count: int) -> KeyArrays:
    """Return keys for where nothing is drawn."""
    none = np.zeros(count, np.uint64)
    return KeyArrays(0, none, none, np.zeros(count, np.uint32))
