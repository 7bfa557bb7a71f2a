"""Whose random numbers the samples of a batch get: of an epoch, of a sample, of its repetitions.

The epoch is, by what is known where a batch is made:

1. that of the *turn*, the iteration of an :class:`~fastcache.ArenaLoader` which the batch belongs
   to (its sampler's, if that is an ArenaSampler; else the loader counts): whatever was made ahead;
2. what ``set_epoch`` told the dataset, which our sampler does at the beginning of each iteration;
3. else how often the sample was visited before, in all processes: crops of a plain ``DataLoader``
   differ from epoch to epoch although nobody counts these.

With 1 and 2, the occurrence says how often the sample was visited before in that turn, or since the
epoch was told: 0 without duplicates.  The thread that makes a turn's batches counts in their order.
Workers count in memory that they share, each batch in its order; which of two batches that two of
them make at once comes first is chance, so then it is chance as well which of the duplicates in
these gets which numbers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fastcache._core.visits import Visits, visits_bytes
from fastcache.errors import ArenaGoneError
from fastcache.memory.writable import Writable
from fastcache.read.columns.columns import Rows


class KeyArrays(NamedTuple):
    """Keys of a batch, as the C core takes them (fc_key); every array has one number per sample."""

    seed: int
    epoch: npt.NDArray[np.uint64]
    sample: npt.NDArray[np.uint64]
    occurrence: npt.NDArray[np.uint32]


class Keys:
    """The keys of a dataset's samples.

    What counts visits is shared with all copies: in children by fork, and wherever it is unpickled
    as long as some process has it.  It takes 4 bytes per row, from the beginning: made later, each
    worker would make its own.

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
        self._take(seed, count, outlives, memory)

    def _take(self, seed: int, count: int, outlives: bool, memory: Writable) -> None:
        self.seed = seed
        self.count = count
        self._outlives = outlives
        self._memory = memory
        self._visits = Visits(memory.words, count)

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
        times = np.empty(len(rows), np.uint32)
        samples = rows.astype(np.uint64)
        turn = current_turn()
        if turn is None:
            epoch = self._visits.visit(0, rows, times)
            if epoch is None:
                return KeyArrays(self.seed, times.astype(np.uint64), samples, times * 0)
        else:
            epoch = turn.epoch
            turn.visits_of(self).visit(turn.whose, rows, times)
        return KeyArrays(self.seed, np.full(len(rows), epoch, np.uint64), samples, times)

    def __copy__(self) -> "Keys":
        return self

    def __deepcopy__(self, memo: object) -> "Keys":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        opening, handle = self._memory.__reduce__()[:2]
        return _unpickled, (self.seed, self.count, self._outlives, opening, handle)


def _unpickled(seed: int, count: int, outlives: bool, opening: Any, handle: Any) -> Keys:
    try:
        memory = opening(*handle)
    except ArenaGoneError:
        if not outlives:
            raise
        return Keys(seed, count, outlives)
    keys = Keys.__new__(Keys)
    keys._take(seed, count, outlives, memory)
    return keys


class TurnKeys:
    """One iteration of a loader, as far as keys depend on it.

    Attributes
    ----------
    epoch : int
    whose : int
        Where worker processes make the batches, its number among all iterations of the machine, by
        which they count visits together. 0: visits are counted here, apart from all others.
    """

    def __init__(self, epoch: int = 0, whose: int = 0) -> None:
        self.epoch = epoch
        self.whose = whose
        self._own: WeakKeyDictionary[Keys, Visits] = WeakKeyDictionary()

    def visits_of(self, keys: Keys) -> Visits:
        """Return what counts visits of this iteration."""
        if self.whose:
            return keys._visits
        own = self._own.get(keys)
        if own is None:
            memory = np.zeros(-(-visits_bytes(keys.count) // 8), np.uint64)
            own = self._own[keys] = Visits(memory, keys.count)
        return own

    def __reduce__(self) -> tuple[Any, ...]:
        # Of a loader that is copied: the copy goes on with no iteration of the original.
        return TurnKeys, (self.epoch, self.whose)


_told = threading.local()


@contextmanager
def in_turn(turn: TurnKeys) -> Iterator[None]:
    """Within it, in this thread, batches are of that iteration, whatever datasets were told."""
    before = current_turn()
    _told.turn = turn
    try:
        yield
    finally:
        _told.turn = before


@contextmanager
def in_epoch(epoch: int) -> Iterator[None]:
    """Within it, in this thread, batches are of an iteration of its own, through that epoch."""
    with in_turn(TurnKeys(epoch)):
        yield


def current_turn() -> TurnKeys | None:
    """Return the iteration that this thread makes batches of, if it was told."""
    turn: TurnKeys | None = getattr(_told, "turn", None)
    return turn


def current_epoch() -> int | None:
    """Return the epoch that this thread was told."""
    turn = current_turn()
    return None if turn is None else turn.epoch


class Sent(NamedTuple):
    """Indices of a batch on their way to a worker process.

    There they are what they were, and the thread that gets them knows from then on of which
    iteration they are: through whatever datasets stand around that which draws.
    """

    indices: Any
    epoch: int
    whose: int

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, tuple(self)


def arrived(indices: Any, epoch: int, whose: int) -> Any:
    """Take in indices that were sent: return them, and note the iteration for this thread."""
    turn = current_turn()
    if turn is None or (turn.epoch, turn.whose) != (epoch, whose):
        _told.turn = TurnKeys(epoch, whose)
    return indices


def no_keys(count: int) -> KeyArrays:
    """Return keys for where nothing is drawn."""
    none = np.zeros(count, np.uint64)
    return KeyArrays(0, none, none, np.zeros(count, np.uint32))
