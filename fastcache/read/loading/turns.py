"""The iterations of a loader, and what it takes indices from."""

import os
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from fastcache.read.columns.columns import Rows
from fastcache.read.loading.loader_stats import Meter
from fastcache.read.sampling.epochs import Told, in_hearing, told_to
from fastcache.read.sampling.occurrences import Occurrences, gives_each_once
from fastcache.read.sampling.sampler import ArenaSampler
from fastcache.read.sampling.sampler_state import Run
from fastcache.read.sampling.sent import Sent
from fastcache.read.view import ArenaView

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
    told : tuple of (Told or None)
        What the dataset had been told of epochs when that was decided.
    epoch : int
        Whose random numbers its batches get: `number`, or what an ArenaSampler says.
    occurrences : Occurrences or None
        What counts the samples of its batches; None before the first.
    batches, samples : int
        What was delivered; `batches` with those that were passed over.
    sizes : deque of int
        Samples of the batches that were begun and not delivered.
    run : Run or None
        What the sampler knows of this iteration, if it is an ArenaSampler.
    exhausted : bool
        Whether its samplers have nothing more.
    ended : bool
        Whether it was told that there is nothing more, and had all that its samplers gave.
    meter : Meter
    """

    skip: int
    number: int | None = None
    told: tuple[Told | None, ...] = ()
    epoch: int = 0
    occurrences: Occurrences | None = None
    batches: int = 0
    samples: int = 0
    sizes: deque[int] = field(default_factory=deque)
    run: Run | None = None
    exhausted: bool = False
    ended: bool = False
    meter: Meter = field(default_factory=Meter)

    def begins(self, epoch: int, visited: Rows) -> None:
        """Hear of an ArenaSampler that begins: its epoch, and what came before in that."""
        self.epoch = epoch
        if visited.size and self.occurrences is not None:
            self.occurrences.count(visited, len(visited))

    def __getstate__(self) -> dict[str, Any]:
        # Of a loader that is copied: the copy goes on with no iteration of the original.
        return {**self.__dict__, "occurrences": None}


class Turns:
    """What a loader knows of its iterations, and these of each other.

    Attributes
    ----------
    begun : Turn or None
        The last one that was asked for a batch.
    epoch, skip : int
        Of the next one, as long as none was begun.
    dataset : Dataset
    heard : tuple of (Told or None)
        What the dataset had been told when the last one was begun: that is no news.
    starting : Turn or None
        The one whose batches DataLoader's own iterator is about to ask for.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.begun: Turn | None = None
        self.epoch = 0
        self.skip = 0
        self.heard: tuple[Told | None, ...] = ()
        self.starting: Turn | None = None
        self._renew_lock()

    def _renew_lock(self) -> None:
        self._lock, self._pid = threading.RLock(), os.getpid()

    @property
    def lock(self) -> threading.RLock:
        """Held where an iteration begins: several threads may iterate over one loader."""
        if self._pid != os.getpid():
            self._renew_lock()  # a parent's thread, which is not here, may have held it
        return self._lock

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._renew_lock()

    def make(self) -> Turn:
        """Return a new one."""
        return Turn(self.skip)

    def reset(self, epoch: int, skip: int) -> None:
        """Have the next one be the one after so many iterations, and begin after so many batches.

        Those that are under way go on, and are not the loader's state any more.
        """
        self.begun, self.epoch, self.skip = None, epoch, skip
        self.heard = told_to(self.dataset)

    def number(self, turn: Turn) -> int:
        """Return its epoch: that which the dataset was told since the last one, or the next."""
        if turn.number is None:
            following = self.epoch if self.begun is None else self.number(self.begun) + 1
            turn.told = told_to(self.dataset)
            pairs = zip_longest(turn.told, self.heard)  # a ConcatDataset may have got parts since
            news = [told.epoch for told, old in pairs if told is not None and told != old]
            turn.number = news[0] if news else following
            if turn.number != following:
                turn.skip = 0  # what was passed over is of another epoch
        return turn.number

    def begin(self, turn: Turn) -> None:
        """Note that it is asked for its first batch: it is the loader's state from now on."""
        with self.lock:
            turn.epoch = self.number(turn)
            turn.batches = turn.skip
            self.begun, self.skip, self.heard = turn, 0, turn.told

    @contextmanager
    def beginning(self, turn: Turn) -> Iterator[None]:
        """Within it DataLoader's own iterator begins; if that fails, all is as it was before."""
        with self.lock:
            before = self.begun, self.skip, self.heard
            self.begin(turn)
            self.starting = turn
            try:
                yield
            except BaseException:
                self.begun, self.skip, self.heard = before
                turn.number, turn.run = None, None
                turn.sizes.clear()
                raise


class Batches:
    """What the loader takes indices from: the same, counted, and less those that are skipped.

    They are :class:`Sent`.  A loader with persistent workers keeps it for all iterations.

    Parameters
    ----------
    source : iterable
        Samplers as ``DataLoader`` has them.
    turns : Turns
    listed : bool
        Whether batches of another kind are made lists, in which places can be noted.
    sampler : iterable or None
        Whose samples `source` gives, in its order; None if it is not known what it does.
    """

    def __init__(self, source: Iterable[Any], turns: Turns, sampler: Any, listed: bool) -> None:
        self._source = source
        self._turns = turns
        self._sampler = sampler
        self._listed = listed

    def __len__(self) -> int:
        source: Any = self._source
        return len(source)

    def __iter__(self) -> Iterator[Any]:
        turn = self._turns.starting
        assert turn is not None
        return self.of(turn)

    def of(self, turn: Turn) -> Iterator[Sent]:
        """Return those of an iteration that was begun, or will be before the first is asked for."""
        return self._counted(iter(self._source), turn)

    def _counted(self, source: Iterator[Any], turn: Turn) -> Iterator[Sent]:
        counting = turn.occurrences = Occurrences(self._turns.dataset)
        with self._turns.lock, in_hearing(turn):  # it hears from an ArenaSampler what epoch it is
            indices = next(source, _END)
            if isinstance(self._sampler, ArenaSampler):
                turn.run = self._sampler._run
        once = gives_each_once(self._sampler, turn.run)
        skip = turn.skip
        while indices is not _END:
            count = samples_in(indices)
            if self._listed and isinstance(indices, tuple | range | np.ndarray | torch.Tensor):
                indices = list(indices)
            times = counting.count(indices, count, once)
            if skip:
                skip -= 1
            else:
                turn.sizes.append(count)
                yield Sent(indices, turn.epoch, count, times)
            with in_hearing(turn):
                indices = next(source, _END)
        turn.exhausted = True


def asked_one_by_one(dataset: Any) -> bool:
    """Return whether samples of a dataset are asked for one by one, or as we do it ourselves."""
    together = getattr(type(dataset), "__getitems__", None)
    return together in (None, Subset.__getitems__, ArenaView.__getitems__)


def samples_in(indices: Any) -> int:
    """Return how many samples something stands for that a loader takes from its samplers."""
    is_one = isinstance(indices, str | bytes) or getattr(indices, "ndim", 1) == 0
    return 1 if is_one or not isinstance(indices, Collection) else len(indices)
