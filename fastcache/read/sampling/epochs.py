"""What datasets are told of epochs: which one it is, and which samples others have had of it."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fastcache.read.columns.columns import Rows
from fastcache.read.per_thread import PerThread
from fastcache.read.sampling.checked_ints import LARGEST_EPOCH, checked_int
from fastcache.read.sampling.keys import Keys
from fastcache.read.sampling.origins import Origins, datasets_in


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
        is told between two iterations as that of the next, and :class:`fastcache.ArenaSampler`
        count epochs by themselves. Where nobody does, samples still differ from visit to visit.

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

    def rows_drawn(self, indices: Any) -> tuple[Keys, Rows] | None:
        """Return whose random numbers some samples get, and their rows; None if they get none.

        Parameters
        ----------
        indices : sequence of int
        """
        keys = self._keys_in_use()
        return None if keys is None else (keys, self._rows_at(indices))


def epoch_begins(ds: Any, epoch: int, visited: Rows) -> None:
    """Tell a dataset, or the loader's iteration that asks, that a sampler begins.

    An iteration has its own epoch, and tells the dataset nothing: another loader may be in the
    middle of one that the dataset was told.

    Parameters
    ----------
    ds : Dataset
        Told if it has a method ``set_epoch``, and what it consists of likewise.
    epoch : int
    visited : int64 array
        Samples that came before in this epoch, and come again.
    """
    hearing = _hearing.value
    if hearing is not None:
        hearing.begins(epoch, visited)
    for part in datasets_in(ds):
        tell = getattr(part, "set_epoch", None)
        if tell is not None and (hearing is None or not isinstance(part, HasEpochs)):
            tell(epoch)
    if hearing is None and visited.size:
        for part, indices, _ in Origins(ds).of(visited):
            drawing = part.rows_drawn(indices) if isinstance(part, HasEpochs) else None
            if drawing is not None:
                keys, rows = drawing
                keys.take(rows)


class Hearing(Protocol):
    """A loader's iteration, which takes indices from samplers."""

    def begins(self, epoch: int, visited: Rows) -> None:
        """Hear of a sampler that begins; arguments as for `epoch_begins`."""


_hearing = PerThread[Hearing | None](None)

# Within it, in this thread, samplers are asked for an iteration of a loader.
in_hearing = _hearing.within


def told_to(ds: Any) -> tuple[Told | None, ...]:
    """Return the epoch that each dataset of those in `ds` was told last; None for none."""
    return tuple(
        part.epoch_told if isinstance(part, HasEpochs) else None for part in datasets_in(ds)
    )
