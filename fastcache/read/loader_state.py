"""Where the iterations of a loader stand: what was delivered, whatever was made ahead."""

import secrets
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch.utils.data import BatchSampler

from fastcache.errors import ArgumentError
from fastcache.read.checked_ints import LARGEST_EPOCH, checked_int
from fastcache.read.epochs import were_visited
from fastcache.read.keys import Sent, TurnKeys, in_turn
from fastcache.read.loader_stats import LoaderStats, Meter
from fastcache.read.sampler import ArenaSampler
from fastcache.read.sampler_state import Run

_END = object()


@dataclass
class Turn:
    """One iteration.

    Attributes
    ----------
    skip : int
        Batches at its beginning that are passed over, since another process had them.
    number : int or None
        Iterations of the loader before this one; None as long as nothing depends on it.
    keys : TurnKeys
        Whose random numbers its batches get.
    batches, samples : int
        What was delivered; `batches` with those that were passed over.
    sizes : deque of int
        Samples of the batches that were begun and not delivered.
    run : Run or None
        What the sampler knows of this iteration, if it is an ArenaSampler.
    ended : bool
        Whether it was told that there is nothing more.
    meter : Meter
    """

    skip: int
    number: int | None = None
    keys: TurnKeys = field(default_factory=TurnKeys)
    batches: int = 0
    samples: int = 0
    sizes: deque[int] = field(default_factory=deque)
    run: Run | None = None
    ended: bool = False
    meter: Meter = field(default_factory=Meter)


@dataclass
class Turns:
    """What a loader knows of its iterations, and these of each other.

    Attributes
    ----------
    made, begun : Turn or None
        The last one that was made, and the last one that was asked for a batch.
    epoch, skip : int
        Of the next one, as long as none was begun.
    """

    made: Turn | None = None
    begun: Turn | None = None
    epoch: int = 0
    skip: int = 0

    def make(self) -> Turn:
        """Return a new one."""
        self.made = Turn(self.skip)
        return self.made

    def reset(self, epoch: int, skip: int) -> None:
        """Have the next one be the one after so many iterations, and begin after so many batches.

        Those that are under way go on, and are not the loader's state any more.
        """
        self.begun, self.epoch, self.skip = None, epoch, skip

    def number(self, turn: Turn) -> int:
        """Return how many iterations there were before it."""
        if turn.number is None:
            turn.number = self.epoch if self.begun is None else self.number(self.begun) + 1
        return turn.number

    def begin(self, turn: Turn) -> None:
        """Note that it was asked for its first batch: it is the loader's state from now on."""
        self.number(turn)
        turn.batches = turn.skip
        self.begun, self.skip = turn, 0


class Batches:
    """What the loader takes indices from: the same, counted, and less those that are skipped.

    A loader with persistent workers keeps it, so it does not know one iteration but the newest.

    Parameters
    ----------
    source : iterable
    turns : Turns
    dataset : Dataset
    sends : bool
        Whether worker processes get the indices: then they are :class:`Sent`.
    """

    def __init__(self, source: Iterable[Any], turns: Turns, dataset: Any, sends: bool) -> None:
        self._source = source
        self._turns = turns
        self._dataset = dataset
        self._sends = sends

    def __len__(self) -> int:
        source: Any = self._source
        return len(source)

    def __iter__(self) -> Iterator[Any]:
        return self._counted(iter(self._source), self._turns.made or self._turns.make())

    def _counted(self, source: Iterator[Any], turn: Turn) -> Iterator[Any]:
        # Random numbers of others, anywhere on this machine, have another one.
        whose = 1 + secrets.randbelow((1 << 32) - 1) if self._sends else 0
        keys = turn.keys = TurnKeys(self._turns.number(turn), whose)
        for _ in range(turn.skip):
            with in_turn(keys):
                were_visited(self._dataset, next(source, None))
        while True:
            with in_turn(keys):  # which hears from an ArenaSampler what epoch it is
                indices = next(source, _END)
            if indices is _END:
                return
            turn.sizes.append(samples_in(indices))
            yield Sent(indices, keys.epoch, whose) if self._sends else indices


def samples_in(indices: Any) -> int:
    """Return how many samples something stands for that a loader takes from its samplers."""
    is_one = isinstance(indices, str | bytes) or getattr(indices, "ndim", 1) == 0
    return 1 if is_one or not isinstance(indices, Collection) else len(indices)


def arena_sampler(sampler: Any, batch_sampler: Any) -> ArenaSampler | None:
    """Return the ArenaSampler whose order, unchanged, is that of the batches; None without one."""
    if batch_sampler is not None:
        if type(batch_sampler) is not BatchSampler:
            return None  # it may leave out samples, or take them in another order
        sampler = batch_sampler.sampler
    return sampler if isinstance(sampler, ArenaSampler) else None


class Resumable:
    """The part of :class:`~fastcache.ArenaLoader` that tells where it stands, and goes on there."""

    _turns: Turns
    sampler: Any
    batch_sampler: Any

    @property
    def _arena_sampler(self) -> ArenaSampler | None:
        return arena_sampler(self.sampler, self.batch_sampler)

    @property
    def _size(self) -> int | None:
        batches = self.batch_sampler
        return batches.batch_size if isinstance(batches, BatchSampler) else None

    def stats(self) -> LoaderStats:
        """Return how the newest iteration went up to now; prints as a table."""
        turn = self._turns.begun
        return LoaderStats() if turn is None else turn.meter.stats()

    def state_dict(self) -> dict[str, Any]:
        """Return where the newest iteration stands, as plain values.

        It counts what the loop was given, whatever was made ahead. Once the loop has ended it means
        the next epoch's beginning.

        Returns
        -------
        dict
            With an ArenaSampler its state: samples are counted, so batch size, workers and ranks
            may be others when it is loaded, and what follows is exactly what would have followed.
            With other samplers, or a batch sampler of one's own, the number of iterations before
            this one and of batches: see `load_state_dict`.
        """
        turns, turn, sampler = self._turns, self._turns.begun, self._arena_sampler
        if sampler is not None:
            # Somebody may have told the sampler meanwhile where to go on, or iterate over it.
            ours = turn is not None and turn.run is not None and turn.run is sampler._run
            consumed = turn.samples if ours and turn is not None and not turn.ended else None
            return {"sampler": sampler.state_dict(consumed)}
        if turn is None:
            epoch, batches = turns.epoch, turns.skip
        elif turn.ended:
            epoch, batches = turns.number(turn) + 1, 0
        else:
            epoch, batches = turns.number(turn), turn.batches
        return {"epoch": epoch, "batches": batches, "batch_size": self._size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where another one stood.

        Without an ArenaSampler that means: the sampler is asked for the batches that were delivered
        before, and these are not read. So the same samples follow only if the sampler gives the
        same order again: one that goes straight on does, as one whose epoch or whose generator's
        state was set back as it was.

        Raises
        ------
        ArgumentError
            For what is no state, or one of a loader with other samples, another kind of sampler or,
            without an ArenaSampler, another batch size.
        """
        if not isinstance(state, Mapping):
            raise ArgumentError(f"no state of an ArenaLoader: {state!r}")
        sampler = self._arena_sampler
        if "sampler" in state:
            if sampler is None:
                raise ArgumentError(
                    "the state is that of a loader with an ArenaSampler, and this one has none: "
                    "make it with shuffle=True or sampler=fc.ArenaSampler(...), as it was made"
                )
            sampler.load_state_dict(state["sampler"])
            self._turns.reset(0, 0)
            return
        missing = [key for key in ("epoch", "batches", "batch_size") if key not in state]
        if missing:
            raise ArgumentError(f"no state of an ArenaLoader: it lacks {', '.join(missing)}")
        if sampler is not None:
            raise ArgumentError(
                "the state counts batches of a loader without an ArenaSampler, and this one has "
                "one: make it with the sampler that it had"
            )
        if state["batch_size"] != self._size:
            raise ArgumentError(
                f"the state counts batches of {state['batch_size']}, and this loader makes them of "
                f"{self._size}: use that batch size, or fc.ArenaSampler, which counts samples"
            )
        epoch = checked_int("epoch", state["epoch"], 0, LARGEST_EPOCH)
        self._turns.reset(epoch, checked_int("batches", state["batches"], 0))
