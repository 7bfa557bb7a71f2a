"""In which order an epoch takes samples, and which of them are one rank's: arithmetic alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache.memory.permutation import Permutation

Ints: TypeAlias = npt.NDArray[np.int64]
Shuffle: TypeAlias = bool | Literal["blocks"]

# What a permutation is for is part of its key: no two of them are alike.
_SAMPLES, _BLOCKS, _WINDOW = 1, 2, 3


@dataclass(frozen=True)
class Order:
    """The order of one epoch over `count` samples.

    Parameters
    ----------
    count : int
        Samples.
    shuffle : bool or "blocks"
        False: as they are. True: a permutation of all. "blocks": one of blocks of samples, and of
        the samples within each window of consecutive blocks of that.
    seed, epoch : int
        Decide the permutations.
    block : int
        Samples of a block; the last one may have fewer.
    window : int
        Blocks of a window; the last one may have fewer.
    """

    count: int
    shuffle: Shuffle
    seed: int
    epoch: int
    block: int = 1
    window: int = 1

    def at(self, positions: Ints) -> Ints:
        """Return the samples at these positions of the epoch, each of 0..count-1."""
        if self.shuffle == "blocks":
            return self._in_blocks(positions)
        if self.shuffle:
            return Permutation(self.count, self.seed, _SAMPLES, self.epoch).at(positions)
        return positions

    def _in_blocks(self, positions: Ints) -> Ints:
        blocks, order = self._blocks, self._block_order
        missing = blocks * self.block - self.count  # samples that the last block is short of
        short, size = self._short_window, self.window * self.block
        # Behind the window with the short block, all windows begin `missing` earlier.
        before = positions < (short + 1) * size - missing
        windows = np.where(before, positions, positions + missing) // size
        out = np.empty(len(positions), np.int64)
        for window in np.unique(windows).tolist():
            mine = np.flatnonzero(windows == window)
            places = np.arange(window * self.window, min((window + 1) * self.window, blocks))
            starts = order.at(places) * self.block
            sizes = np.minimum(self.count - starts, self.block)
            ends = np.cumsum(sizes)
            inside = positions[mine] - (window * size - missing * (window > short))
            key = (self.seed, _WINDOW, self.epoch, window)
            inside = Permutation(int(ends[-1]), *key).at(inside)
            which = np.searchsorted(ends, inside, side="right")
            out[mine] = starts[which] + inside - (ends - sizes)[which]
        return out

    @property
    def _blocks(self) -> int:
        return -(-self.count // self.block)

    @cached_property
    def _block_order(self) -> Permutation:
        return Permutation(self._blocks, self.seed, _BLOCKS, self.epoch)

    @cached_property
    def _short_window(self) -> int:
        """The window with the last block: looked for once an epoch, not kept in a table."""
        last, step = self._blocks - 1, 1 << 14
        for start in range(0, last + 1, step):
            blocks = self._block_order.at(np.arange(start, min(start + step, last + 1)))
            found = np.flatnonzero(blocks == last)
            if found.size:
                return (start + int(found[0])) // self.window
        raise AssertionError("a permutation has every number")


@dataclass(frozen=True)
class Share:
    """One rank's part of what is left of an epoch: every `world`-th sample.

    Parameters
    ----------
    count : int
        Samples of an epoch.
    start : int
        Samples of it that all ranks together took before.
    rank, world : int
    drop_last : bool
        What does not fill the last step of all ranks is left out; otherwise the ranks that have
        none take samples from the beginning of the epoch once more.
    whole : int
        Samples that an epoch is taken to have when steps are counted: `count`, or what other ranks
        have in datasets of their own. What exceeds `count` begins anew, too.
    """

    count: int
    start: int
    rank: int
    world: int
    drop_last: bool
    whole: int

    def __len__(self) -> int:
        left = max(0, self.whole - self.start)
        return left // self.world if self.drop_last else -(-left // self.world)

    def positions(self, begin: int, end: int) -> Ints:
        """Return where its samples `begin` to `end` (excluded) stand in the epoch."""
        steps = np.arange(begin, min(end, len(self)), dtype=np.int64)
        places: Ints = (self.start + self.rank + steps * self.world) % self.count
        return places

    def to_come_again(self) -> Ints:
        """Return where the samples stand that came before `start`, each time, and come again."""
        if self.world > 1 or not self.start or self.whole <= self.count:
            return np.empty(0, np.int64)  # what several ranks take once more is another rank's
        before = np.arange(self.start, dtype=np.int64) % self.count
        again: Ints = before[np.isin(before, self.positions(0, len(self)))]
        return again

    def reached(self, taken: int) -> int:
        """Return how many samples all ranks together have taken once each took `taken` of these."""
        return min(self.start + taken * self.world, max(self.start, self.whole))
