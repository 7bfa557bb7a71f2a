"""What makes the batches of an iteration: this process, or workers that DataLoader has."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, NamedTuple

from fastcache.errors import LateError, LoaderError
from fastcache.read.buffers import Wishes, wishing
from fastcache.read.device.moving import Moved, Mover, bytes_in
from fastcache.read.loading.prefetch import NotYet
from fastcache.read.loading.turns import Turn, Turns, samples_in
from fastcache.read.notes import note
from fastcache.read.sampling.sent import Sent, in_batch

_SHOWN = 8  # samples of a batch that an error names


class Made(NamedTuple):
    """A batch, and how many bytes its tensors have; on a device if there is `moved`."""

    batch: Any
    size: int
    moved: Moved | None = None


class BatchMaker:
    """Makes the batches of a map-style dataset, one with each call.

    Parameters
    ----------
    dataset : Dataset
    batches : iterator of Sent
        With lists of indices; without `collates`, indices.
    collate : callable
        What the loader calls ``collate_fn``.
    collates : bool
        Whether it gets samples of a batch, or one sample.
    threads : int, optional
        Threads that write a batch of an arena. None: as many as its dataset says.
    finish : callable, optional
        Called with each batch; its result is delivered.
    mover : Mover, optional
        Moves batches to a device.

    Attributes
    ----------
    stopped : callable
        Tells whether nobody will see the batch that is being made.
    """

    def __init__(
        self,
        dataset: Any,
        batches: Iterator[Sent],
        collate: Callable[[Any], Any],
        collates: bool,
        threads: int | None,
        finish: Callable[[Any], Any] | None,
        mover: Mover | None,
    ) -> None:
        self._dataset = dataset
        self._batches = batches
        self._collate = collate
        self._collates = collates
        self._threads = threads
        self._finish = finish
        self._mover = mover
        self._begun: Sent | None = None  # what was interrupted is made once more
        self.stopped: Callable[[], bool] = bool

    def __call__(self) -> Made | None:
        sent = self._begun = self._begun or next(self._batches, None)
        if sent is None:
            return None
        indices, keys = sent.opened()
        try:
            with self._memory(), in_batch(keys):
                batch = self._collate(self._samples(indices))
                if self._finish is not None:
                    batch = self._finish(batch)
                made = delivered(batch, self._mover)
        except Exception as error:
            self._begun = None
            note(error, f"in a batch of {_shown(indices)}")
            raise
        except BaseException as error:  # noqa: BLE001 - raised where the batch is asked for
            raise NotYet(error) from None
        self._begun = None
        return made

    def _memory(self) -> AbstractContextManager[None]:
        """Return a context in which the dataset writes batches where they are wanted."""
        mover = self._mover
        return wishing(Wishes(self._threads)) if mover is None else mover.making(self._threads)

    def _samples(self, indices: Any) -> Any:
        dataset = self._dataset
        if not self._collates:
            return dataset[indices]
        together = getattr(dataset, "__getitems__", None)
        if together is not None:
            return together(indices)
        samples: list[Any] = []
        index = None
        try:
            for index in indices:
                if self.stopped():
                    break  # whatever comes of it: nobody will see it
                samples.append(dataset[index])
        except Exception as error:
            note(error, f"sample {index}")
            raise
        return samples


class WorkerBatches:
    """Has batches from ``DataLoader``'s own iterator, and moves them if there is a device.

    Parameters
    ----------
    mover : Mover or None
    turn : Turn
    turns : Turns or None
        Of the loader, if its workers stay: they serve one iteration at a time, the newest.
    """

    def __init__(self, mover: Mover | None, turn: Turn, turns: Turns | None) -> None:
        self._batches: Iterator[Any] = iter(())
        self._mover = mover
        self._turn = turn
        self._turns = turns

    def begin(self, make: Callable[[], Iterator[Any]]) -> None:
        """Take the iterator, made by the thread that wants batches: torch handles signals there."""
        self._batches = make()

    def __call__(self) -> Made | None:
        if self._turns is not None and self._turns.starting is not self._turn:
            raise NotYet(
                LoaderError(
                    "persistent workers serve one iteration at a time, and a newer one of this "
                    "loader has them: give persistent_workers=False, or a loader to each loop"
                )
            )
        batches: Any = self._batches
        received = batches._rcvd_idx
        try:
            batch = next(batches)
        except StopIteration:
            return None
        except BaseException as error:
            if batches._rcvd_idx != received:
                raise  # it is that of a batch
            told = str(error)
            if isinstance(error, RuntimeError) and told.startswith("DataLoader timed out"):
                error = LateError(f"no batch came from the worker processes: {told}")
            raise NotYet(error) from None
        return delivered(batch, self._mover)


def delivered(batch: Any, mover: Mover | None) -> Made:
    """Return a batch as the loop gets it."""
    size = bytes_in(batch)
    if mover is None:
        return Made(batch, size)
    moved = mover.move(batch)
    return Made(moved.batch, size, moved)


def _shown(indices: Any) -> str:
    count = samples_in(indices)
    if count == 1:
        return f"one sample: {indices}"
    names = ", ".join(map(str, islice(indices, _SHOWN)))
    return f"{count} samples: {names}{', …' if count > _SHOWN else ''}"
