"""One iteration of a loader: batches are asked for, counted, and delivered."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NoReturn

from fastcache.errors import LoaderError
from fastcache.read.device.moving import Mover
from fastcache.read.loading.batch_makers import Made
from fastcache.read.loading.prefetch import Ahead, NotYet
from fastcache.read.loading.turns import Batches, Turn


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
            try:
                begin()
            except BaseException:
                self._begin = begin  # the next request tries it again
                raise
        outcome = self._ahead.take(self._timeout)
        if outcome is None:
            turn.ended = turn.exhausted and not turn.sizes
            self.close()
            raise StopIteration
        if outcome.error is not None:
            try:
                self._raise(outcome.error)
            finally:
                del outcome  # or the error would hold, by its traceback, the frame that holds it
        samples = self._count()
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

    def _count(self) -> int:
        """Count a batch as delivered, and return of how many samples."""
        turn = self._turn
        samples = turn.sizes.popleft() if turn.sizes else 0
        turn.batches += 1
        turn.samples += samples
        return samples

    def _raise(self, error: BaseException) -> NoReturn:
        try:
            if isinstance(error, NotYet):
                raise error.error
            self._count()  # what comes next is the batch after it
            if isinstance(error, StopIteration):  # the loop would take it for its end
                raise LoaderError(
                    "no batch could be made: the dataset, or collate_fn, raised StopIteration"
                ) from error
            raise error
        finally:
            del error

    def close(self) -> None:
        """End the iteration: its thread, and what it made ahead, are gone on return."""
        self._ahead.close()
        self._turn.meter.buffers = 0

    def __del__(self) -> None:
        if hasattr(self, "_turn"):
            self.close()
