"""Batches that did not come: they are not counted, and come when they are asked for again."""

import multiprocessing
import os
import signal
from contextlib import suppress

import pytest
import torch
from loading import PATIENCE, Squares
from sampling import Plain, joined
from torch.utils.data import ConcatDataset, SequentialSampler

import fastcache as fc
from fastcache.errors import LateError, LoaderError

COUNT = 20


class Gated(Plain):
    """Waits at one of its samples, in a worker, until it is let go."""

    def __init__(self, at=9, interrupts=False):
        super().__init__(COUNT)
        context = multiprocessing.get_context("fork")
        self.gate, self.asked = context.Event(), context.Event()
        self.at = at
        self.interrupts = interrupts

    def __getitem__(self, index):
        if index == self.at and not self.gate.is_set():
            if self.interrupts:
                assert self.asked.wait(PATIENCE)
                os.kill(os.getppid(), signal.SIGINT)
            assert self.gate.wait(PATIENCE)
        return index


class Once(Squares):
    """Raises what is no Exception the first time that it gets to a sample."""

    raised = False

    def __getitem__(self, index):
        if index == 9 and not self.raised:
            self.raised = True
            raise KeyboardInterrupt
        return index


class Dying:
    """Stands for DataLoader's own iterator: gives these batches, or raises these errors."""

    def __init__(self, batches):
        self._rcvd_idx = 0
        self._batches = batches

    def __iter__(self):
        return self

    def __next__(self):
        if not self._batches:
            raise StopIteration
        batch = self._batches.pop(0)
        if isinstance(batch, OSError | RuntimeError):
            raise batch  # a worker died; batches that failed are received, too
        self._rcvd_idx += 1
        if isinstance(batch, Exception):
            raise batch
        return batch


def loader_of(ds, sampler, **options):
    given = fc.ArenaSampler(ds, False) if sampler == "ours" else SequentialSampler(ds)
    return fc.ArenaLoader(ds, 4, sampler=given, **options)


def position(loader):
    """Return how many batches a state counts."""
    state = loader.state_dict()
    return state["sampler"]["position"] // 4 if "sampler" in state else state["batches"]


def asked(ds, batches):
    """Ask for a batch, in the making of which this process may be interrupted."""
    if isinstance(ds, Gated):
        ds.asked.set()
    return next(batches)


def _dying(loader, turn, batches):
    """Begin an iteration of workers that take four batches of indices at once."""
    with loader._turns.beginning(turn):
        indices = iter(loader._index_sampler)
        for _ in range(4):
            next(indices)
        return Dying(batches)


def rest(batches):
    return joined(batch.tolist() for batch in batches)


SAMPLERS = pytest.mark.parametrize("sampler", ["ours", "torch's"])


@SAMPLERS
def test_a_batch_of_workers_that_was_late_is_not_counted(sampler):
    ds = Gated()
    loader = loader_of(ds, sampler, num_workers=1, timeout=1)
    batches = iter(loader)
    assert rest([next(batches), next(batches)]) == list(range(8))
    for _ in range(2):
        with pytest.raises(LateError):
            next(batches)
        assert position(loader) == 2
    ds.gate.set()
    assert rest(batches) == list(range(8, COUNT))


@SAMPLERS
@pytest.mark.parametrize("options", [{"prefetch_factor": 0}, {"num_workers": 1}], ids=str)
def test_an_interrupted_batch_is_not_counted_and_comes_again(sampler, options):
    """Who saves the state on Ctrl-C loses no sample."""
    ds = Gated(interrupts=True) if "num_workers" in options else Once(COUNT)
    loader = loader_of(ds, sampler, **options)
    batches = iter(loader)
    got = [next(batches), next(batches)]
    with pytest.raises(KeyboardInterrupt):
        got.append(asked(ds, batches))
    assert (rest(got), position(loader)) == (list(range(8)), 2)
    if "num_workers" in options:
        ds.gate.set()
    assert rest(batches) == list(range(8, COUNT))


@SAMPLERS
def test_what_workers_that_died_took_along_is_not_counted(sampler, monkeypatch):
    """torch raises that they died, and when it is asked again says that there is nothing more."""
    first, second = torch.arange(4), torch.arange(4, 8)
    errors = [RuntimeError("a worker died"), ConnectionResetError("it did")]
    dying = [first, ValueError("of the batch"), errors[0], second, errors[1]]

    loader = loader_of(Plain(COUNT), sampler, num_workers=1)
    monkeypatch.setattr(loader, "_begin_workers", lambda turn: _dying(loader, turn, dying))
    batches = iter(loader)
    counted = []
    for _ in range(6):
        with suppress(ValueError, OSError, RuntimeError, StopIteration):
            next(batches)
        counted.append(position(loader))
    assert counted == [1, 2, 2, 3, 3, 3]


@pytest.mark.filterwarnings("ignore:Got pickle error")
def test_workers_that_cannot_begin_are_begun_with_the_next_request():
    """The epoch, and where it was to go on, stay; nothing passes for its end."""

    class Local(Plain):
        pass

    options = {"num_workers": 1, "multiprocessing_context": "spawn"}
    loader = fc.ArenaLoader(Local(COUNT), 4, **options)
    state = {"epoch": 3, "batches": 2, "batch_size": 4}
    loader.load_state_dict(state)
    batches = iter(loader)
    for _ in range(2):
        with pytest.raises(AttributeError, match="Local"):
            next(batches)
        assert loader.state_dict() == state
    with pytest.raises(AttributeError, match="Local"):
        next(iter(loader))
    assert loader.state_dict() == state


def test_workers_that_stay_serve_the_newest_iteration():
    loader = fc.ArenaLoader(Plain(COUNT), 4, shuffle=True, num_workers=1, persistent_workers=True)
    wanted = fc.ArenaLoader(Plain(COUNT), 4, shuffle=True)
    epochs = [rest(wanted) for _ in range(3)]
    first, unused, second = iter(loader), iter(loader), iter(loader)
    got = [next(first)]
    del unused
    got.append(next(first))
    assert rest(got) == epochs[0][:8]
    newer = [next(second)]
    with pytest.raises(LoaderError, match="one iteration at a time"):
        next(first)
    assert rest([*newer, *second]) == epochs[1]
    assert rest(loader) == epochs[2]


def test_a_dataset_may_get_parts_between_epochs():
    ds = ConcatDataset([Plain(4)])
    loader = fc.ArenaLoader(ds, 4)
    assert len(list(loader)) == 1
    ds.datasets.append(Plain(4))
    ds.cumulative_sizes = ds.cumsum(ds.datasets)
    assert torch.cat(list(loader)).tolist() == [0, 1, 2, 3] * 2
