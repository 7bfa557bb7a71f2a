"""One iteration of a loader: batches made, or had from worker processes, and delivered."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

from fastcache.errors import LateError, LoaderError
from fastcache.read.buffers import Wishes, wishing
from fastcache.read.device.moving import Moved, Mover, bytes_in
from fastcache.read.loading.prefetch import Ahead
from fastcache.read.loading.turns import Batches, Turn, samples_in
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
        self.stopped: Callable[[], bool] = bool

    def __call__(self) -> Made | None:
        for sent in self._batches:
            indices, keys = sent.opened()
            with self._memory(), in_batch(keys):
                try:
                    batch = self._collate(self._samples(indices))
                    if self._finish is not None:
                        batch = self._finish(batch)
                except Exception as error:
                    note(error, f"in a batch of {_shown(indices)}")
                    raise
                return delivered(batch, self._mover)
        return None

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
    """

    def __init__(self, mover: Mover | None) -> None:
        self._batches: Iterator[Any] = iter(())
        self._mover = mover

    def begin(self, make: Callable[[], Iterator[Any]]) -> None:
        """Take the iterator, made by the thread that wants batches: torch handles signals there."""
        self._batches = make()

    def __call__(self) -> Made | None:
        try:
            for batch in self._batches:
                return delivered(batch, self._mover)
        except RuntimeError as error:
            if not str(error).startswith("DataLoader timed out"):
                raise
            raise LateError(f"no batch came from the worker processes: {error}") from None
        return None


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


class LoaderIterator(Iterator[Any]):
    """The iterator of :class:`fastcache.ArenaLoader`.

    Parameters
    ----------
    ahead : Ahead
    turn : Turn
    begin : callable
        Called before the first batch is asked for.
    mover : Mover or None
    timeout : float
        Seconds in which a batch has to come; 0: no limit.
    source : sized
        What has as many batches as a whole iteration.
    """

    def __init__(
        self,
        ahead: Ahead[Made],
        turn: Turn,
        begin: Callable[[], None],
        mover: Mover | None,
        timeout: float,
        source: Batches,
    ) -> None:
        self._ahead = ahead
        self._turn = turn
        self._begin: Callable[[], None] | None = begin
        self._mover = mover
        self._timeout = timeout or None
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __next__(self) -> Any:
        turn, asked = self._turn, perf_counter()
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()
        outcome = self._ahead.take(self._timeout)
        if outcome is None:
            turn.ended = True
            self.close()
            raise StopIteration
        samples = turn.sizes.popleft() if turn.sizes else 0
        turn.batches += 1
        turn.samples += samples  # of one that failed, too: what comes next is the batch after it
        if outcome.error is not None:
            try:
                if isinstance(outcome.error, StopIteration):  # the loop would take it for its end
                    raise LoaderError(
                        "no batch could be made: the dataset, or collate_fn, raised StopIteration"
                    ) from outcome.error
                raise outcome.error
            finally:
                del outcome  # or the error would hold, by its traceback, the frame that holds it
        made = outcome.value
        assert made is not None
        batch = made.batch
        if self._mover is not None and made.moved is not None:
            batch = self._mover.hand_over(made.moved)
            turn.meter.locked_bytes = self._mover.buffers.locked_bytes
            if self._mover.gather is not None:
                turn.meter.arena_locked_bytes = self._mover.gather.locked_bytes
                turn.meter.gathered_by = self._mover.gather.way
        turn.meter.buffers, turn.meter.buffers_most = self._ahead.held, self._ahead.most
        turn.meter.delivered(samples, made.size, asked, perf_counter())
        return batch

    def close(self) -> None:
        """End the iteration: its thread, and what it made ahead, are gone on return."""
        self._ahead.close()
        self._turn.meter.buffers = 0

    def __del__(self) -> None:
        if hasattr(self, "_turn"):
            self.close()
