"""The iterations of a loader, and what it takes indices from."""

import secrets
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastcache.read.loading.loader_stats import Meter
from fastcache.read.sampling.epochs import Told, told_to, were_visited
from fastcache.read.sampling.keys import Sent, TurnKeys, in_turn
from fastcache.read.sampling.sampler_state import Run

_END = object()


@dataclass
class Turn:
    """One iteration.

    Attributes
    ----------
    skip : int
        Batches at its beginning that are passed over, since another process had them.
    number : int or None
        Which epoch of the loader it is; None as long as nothing depends on it.
    told : Told or None
        What the dataset had been told of epochs when that was decided.
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
    told: Told | None = None
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
    dataset : Dataset
    heard : Told or None
        What the dataset had been told when the last one was begun: that is no news.
    """

    dataset: Any
    made: Turn | None = None
    begun: Turn | None = None
    epoch: int = 0
    skip: int = 0
    heard: Told | None = None

    def make(self) -> Turn:
        """Return a new one."""
        self.made = Turn(self.skip)
        return self.made

    def reset(self, epoch: int, skip: int) -> None:
        """Have the next one be the one after so many iterations, and begin after so many batches.

        Those that are under way go on, and are not the loader's state any more.
        """
        self.begun, self.epoch, self.skip = None, epoch, skip
        self.heard = told_to(self.dataset)

    def number(self, turn: Turn) -> int:
        """Return its epoch: that which the dataset was told since the last one, or the next."""
        if turn.number is None:
            turn.told = told_to(self.dataset)
            if turn.told is not None and turn.told != self.heard:
                turn.number = turn.told.epoch
            else:
                turn.number = self.epoch if self.begun is None else self.number(self.begun) + 1
        return turn.number

    def begin(self, turn: Turn) -> None:
        """Note that it was asked for its first batch: it is the loader's state from now on."""
        self.number(turn)
        turn.batches = turn.skip
        self.begun, self.skip, self.heard = turn, 0, turn.told


class Batches:
    """What the loader takes indices from: the same, counted, and less those that are skipped.

    A loader with persistent workers keeps it, so it does not know one iteration but the newest.

    Parameters
    ----------
    source : iterable
    turns : Turns
    sends : bool
        Whether worker processes get the indices: then they are :class:`Sent`.
    """

    def __init__(self, source: Iterable[Any], turns: Turns, sends: bool) -> None:
        self._source = source
        self._turns = turns
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
                were_visited(self._turns.dataset, next(source, None))
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
