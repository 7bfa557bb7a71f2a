"""What datasets are told of epochs: which one it is, and which samples others have had of it."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastcache.read.columns.columns import Rows
from fastcache.read.sampling.checked_ints import LARGEST_EPOCH, checked_int
from fastcache.read.sampling.keys import Keys, current_turn


class Told(NamedTuple):
    """An epoch that was told, and how often one was told until then."""

    epoch: int
    times: int


class HasEpochs:
    """The part of a dataset whose samples may be random that knows of epochs.

    Attributes
    ----------
    epoch_told : Told or None
        What `set_epoch` was told last.
    """

    epoch_told: Told | None = None

    if TYPE_CHECKING:  # what the dataset itself has

        def _keys_in_use(self) -> Keys | None: ...
        def _rows_at(self, indices: Any) -> Rows: ...

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, for what `transform` draws at random from now on.

        All processes that have this dataset hear of it, also workers that are there already: but
        batches may have been made ahead. :class:`fastcache.ArenaLoader`, which takes an epoch that
        is told between two iterations as that of the next, and :class:`fastcache.ArenaSampler` over
        this very dataset count epochs by themselves. Where nobody does, samples still differ from
        visit to visit.

        Parameters
        ----------
        epoch : int
            At least 0. Random numbers are a function of `seed`, the epoch, the sample, and how
            often that was read since this call: the same epoch, told again, gives the same samples.
        """
        epoch = checked_int("epoch", epoch, 0, LARGEST_EPOCH)
        self.epoch_told = Told(epoch, 1 if self.epoch_told is None else self.epoch_told.times + 1)
        self._tell_epoch()

    def _tell_epoch(self) -> None:
        """Tell the keys as well, where there are such now."""
        keys = self._keys_in_use()
        if keys is not None and self.epoch_told is not None:
            keys.set_epoch(self.epoch_told.epoch)

    def count_visits(self, indices: Any) -> None:
        """Count samples as read in this epoch, since they were before the program was stopped.

        Parameters
        ----------
        indices : sequence of int
        """
        keys = self._keys_in_use()
        if keys is not None:
            keys.take(self._rows_at(indices))


def epoch_begins(ds: Any, epoch: int, visited: Rows) -> None:
    """Tell a dataset, and whoever makes batches in this thread, that a sampler begins.

    Parameters
    ----------
    ds : Dataset
        Told if it has methods for that.
    epoch : int
    visited : int64 array
        Samples that came before in this epoch, and come again.
    """
    turn = current_turn()
    if turn is not None:
        turn.epoch = epoch
    tell = getattr(ds, "set_epoch", None)
    if tell is not None:
        tell(epoch)
    if visited.size:
        were_visited(ds, visited)


def told_to(ds: Any) -> Told | None:
    """Return the epoch that a dataset was told last; None if it was not, or cannot be."""
    told = getattr(ds, "epoch_told", None)
    return told if isinstance(told, Told) else None


def were_visited(ds: Any, indices: Any) -> None:
    """Tell a dataset, if it has a method for that, which samples were read before."""
    tell = getattr(ds, "count_visits", None)
    if tell is not None and indices is not None:
        tell(np.atleast_1d(indices) if np.ndim(indices) == 0 else indices)
