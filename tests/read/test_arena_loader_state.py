"""States of loaders, and tools that make loaders anew."""

import copy
import inspect
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from loading import PATIENCE, Squares, told
from reading import assert_equal, photo_set
from sampling import Plain, joined
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
)

import fastcache as fc
from fastcache.errors import ArgumentError, LateError

COUNT = 50


def taken(loader, steps=None):
    """Return the samples of an iteration, or of its first steps; leave the iterator as it is."""
    batches = iter(loader)
    parts = list(batches) if steps is None else [next(batches) for _ in range(steps)]
    return batches, joined(part.tolist() for part in parts)


def through_json(state):
    return json.loads(json.dumps(state))


def shuffled(size=4, **options):
    return fc.ArenaLoader(Plain(COUNT), size, shuffle=True, **options)


# -- exact states --------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("steps", [0, 1, 5, 12, 13])
@pytest.mark.parametrize("size", [1, 4, 7, 64])
def test_what_follows_is_what_would_have_followed(workers, steps, size):
    """F5: with another batch size, too; what was made ahead does not count."""
    loader = shuffled(prefetch_factor=3, num_workers=workers)
    if steps == 0:
        state, rest = through_json(loader.state_dict()), taken(loader)[1]
    else:
        batches, before = taken(loader, steps)
        state = through_json(loader.state_dict())
        rest = joined(part.tolist() for part in batches)
        assert sorted(before + rest) == list(range(COUNT))
    resumed = shuffled(size)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert taken(resumed)[1] == rest
    assert taken(resumed)[1] == taken(loader)[1]  # the epoch after it


def test_any_number_of_stops_makes_one_order():
    """F5: random stops, each resumed twice, with other batch sizes: two epochs in all."""
    rng = random.Random(4)
    whole = fc.ArenaLoader(Plain(COUNT), COUNT, shuffle=True)
    wanted = taken(whole)[1] + taken(whole)[1]
    for _ in range(8):
        got, state = [], None
        while len(got) < len(wanted):
            size, steps, parts = rng.choice([1, 2, 5, 7]), rng.randrange(1, 20), []
            for _ in range(2):
                loader = shuffled(size, prefetch_factor=rng.choice([0, 2, 9]))
                if state is not None:
                    loader.load_state_dict(state)
                batches = iter(loader)
                some = [next(batches, None) for _ in range(steps)]
                parts.append(joined(part.tolist() for part in some if part is not None))
            assert parts[0] == parts[1]
            got += parts[0]
            state = through_json(loader.state_dict())
        assert got[: len(wanted)] == wanted


def test_an_epoch_that_ended_means_the_next_one():
    loader = shuffled()
    taken(loader)
    assert loader.state_dict()["sampler"]["epoch"] == 1
    assert loader.state_dict()["sampler"]["position"] == 0
    # Its last batch was delivered, but the loop was not told so yet: an epoch of nothing is left.
    other = shuffled()
    batches, _ = taken(other, 13)
    resumed = shuffled()
    resumed.load_state_dict(other.state_dict())
    assert taken(resumed)[1] == []
    assert taken(resumed)[1] == taken(loader)[1]
    del batches


def test_batches_that_failed_count_as_taken():
    class Bad(Plain):
        def __getitem__(self, index):
            if index == order[5]:
                raise ValueError("bad")
            return index

    order = list(fc.ArenaSampler(Plain(COUNT), rank=0, world=1))
    loader = fc.ArenaLoader(Bad(COUNT), 4, shuffle=True)
    batches = iter(loader)
    next(batches)
    with pytest.raises(ValueError, match="bad"):
        next(batches)
    assert loader.state_dict()["sampler"]["position"] == 8
    assert next(batches).tolist() == order[8:12]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_newest_iteration_is_the_state(workers):
    """What nobody asked for a batch is no iteration, though workers would be ahead of it."""
    loader = shuffled(num_workers=workers)
    unasked = iter(loader)
    assert loader.state_dict()["sampler"]["position"] == 0
    first, _ = taken(loader, 3)
    second, _ = taken(loader, 1)
    next(first)
    state = loader.state_dict()["sampler"]
    assert (state["epoch"], state["position"]) == (1, 4)
    iter(loader)
    assert loader.state_dict()["sampler"] == state
    next(unasked)
    assert loader.state_dict()["sampler"] == {**state, "epoch": 2}


def test_a_first_batch_that_was_late_is_not_counted():
    gate = threading.Event()

    class Slow(Plain):
        def __getitem__(self, index):
            gate.wait(PATIENCE)
            return index

    loader = fc.ArenaLoader(Slow(COUNT), 4, shuffle=True, timeout=0.05)
    batches = iter(loader)
    with pytest.raises(LateError):
        next(batches)
    assert loader.state_dict()["sampler"]["position"] == 0
    gate.set()
    next(batches)
    assert loader.state_dict()["sampler"]["position"] == 4


def test_several_threads_may_iterate_over_one_loader():
    """Each iteration is an epoch of its own, and whole."""
    loader = shuffled()
    with ThreadPoolExecutor(4) as pool:
        epochs = list(pool.map(lambda _: taken(loader)[1], range(20)))
    sampler = fc.ArenaSampler(Plain(COUNT), rank=0, world=1)
    assert sorted(epochs) == sorted(list(sampler) for _ in range(20))


def test_what_the_sampler_was_told_counts_more():
    loader = shuffled()
    taken(loader, 3)
    loader.sampler.set_epoch(7)
    assert loader.state_dict()["sampler"]["epoch"] == 7
    assert loader.state_dict()["sampler"]["position"] == 0
    wanted = fc.ArenaSampler(Plain(COUNT), rank=0, world=1)
    wanted.set_epoch(7)
    assert taken(loader)[1] == list(wanted)


def test_ranks_resume_with_another_number_of_ranks():
    """F5."""

    def loaders(world, size):
        return [
            fc.ArenaLoader(
                Plain(COUNT), size, sampler=fc.ArenaSampler(Plain(COUNT), rank=r, world=world)
            )
            for r in range(world)
        ]

    got, running = [], loaders(2, 4)
    for loader in running:
        got += taken(loader, 3)[1]
    states = [through_json(loader.state_dict()) for loader in running]
    assert states[0] == states[1]
    for loader in loaders(3, 5):
        loader.load_state_dict(states[0])
        got += taken(loader)[1]
    assert set(got) == set(range(COUNT))
    assert len(got) - COUNT <= 2


def test_batch_size_none_counts_samples():
    loader = fc.ArenaLoader(Plain(COUNT), None, shuffle=True)
    batches = iter(loader)
    for _ in range(7):
        next(batches)
    assert loader.state_dict()["sampler"]["position"] == 7


# -- other samplers ------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (2, False), (2, True)])
@pytest.mark.parametrize("steps", [1, 4, 13])
def test_other_samplers_are_asked_again_and_skipped(workers, persistent, steps):
    options = {"num_workers": workers, "persistent_workers": persistent}
    loader = fc.ArenaLoader(Plain(COUNT), 4, **options)
    batches, before = taken(loader, steps)
    state = through_json(loader.state_dict())
    assert state == {"epoch": 0, "batches": steps, "batch_size": 4}
    resumed = fc.ArenaLoader(Plain(COUNT), 4, **options)
    if persistent:  # its iterator is there already
        taken(resumed)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    iter(resumed)  # one that nobody asks takes nothing away
    assert before + taken(resumed)[1] == list(range(COUNT))
    assert resumed.state_dict() == {"epoch": 1, "batches": 0, "batch_size": 4}
    assert taken(resumed)[1] == list(range(COUNT))
    del batches


def test_samplers_with_an_epoch_or_a_generator_go_on_when_set_back():
    def make(epoch):
        sampler = DistributedSampler(Plain(COUNT), num_replicas=2, rank=1)
        sampler.set_epoch(epoch)
        return fc.ArenaLoader(Plain(COUNT), 4, sampler=sampler)

    loader, resumed = make(5), make(5)
    batches, _ = taken(loader, 3)
    resumed.load_state_dict(loader.state_dict())
    assert taken(resumed)[1] == joined(part.tolist() for part in batches)

    def drawn():
        sampler = RandomSampler(Plain(9), generator=torch.Generator().manual_seed(1))
        return fc.ArenaLoader(Plain(COUNT), 4, sampler=sampler)

    loader, resumed = drawn(), drawn()
    batches, _ = taken(loader, 1)
    resumed.load_state_dict(loader.state_dict())
    assert taken(resumed)[1] == joined(part.tolist() for part in batches)


def test_samplers_derived_from_ours_that_iterate_otherwise_count_batches():
    """What they give is more, or less, than what the state of ours tells."""

    class Twice(fc.ArenaSampler):
        def __iter__(self):
            for index in super().__iter__():
                yield index
                yield index

    def loader():
        return fc.ArenaLoader(Plain(COUNT), 4, sampler=Twice(Plain(COUNT), rank=0, world=1))

    first = loader()
    batches, _ = taken(first, 5)
    state = through_json(first.state_dict())
    assert state == {"epoch": 0, "batches": 5, "batch_size": 4}
    again = loader()
    again.load_state_dict(state)
    assert taken(again)[1] == joined(part.tolist() for part in batches)


def test_batch_samplers_of_ones_own_count_batches():
    batches = [[1, 2, 3], [4], [5, 6], [7]]
    loader = fc.ArenaLoader(Plain(COUNT), batch_sampler=batches)
    taken(loader, 2)
    resumed = fc.ArenaLoader(Plain(COUNT), batch_sampler=batches)
    resumed.load_state_dict(loader.state_dict())
    assert taken(resumed)[1] == [5, 6, 7]

    class Odd(BatchSampler):
        def __iter__(self):
            return (batch[:1] for batch in super().__iter__())

    loader = fc.ArenaLoader(Plain(COUNT), batch_sampler=Odd(fc.ArenaSampler(Plain(9)), 3, False))
    taken(loader, 2)
    assert loader.state_dict() == {"epoch": 0, "batches": 2, "batch_size": 3}


@pytest.mark.parametrize(
    ("make", "state", "said"),
    [
        (shuffled, None, "no state of an ArenaLoader: None"),
        (shuffled, {}, "it lacks epoch, batches, batch_size"),
        (shuffled, {"epoch": 0, "batches": 1, "batch_size": 4}, "this one has one"),
        (shuffled, {"sampler": {}}, "no state of an ArenaSampler"),
        (lambda: fc.ArenaLoader(Plain(9)), {"sampler": {}}, "this one has none"),
        (lambda: fc.ArenaLoader(Plain(9)), {"epoch": 0, "batches": 1, "batch_size": 4}, "of 4"),
        (lambda: fc.ArenaLoader(Plain(9)), {"epoch": -1, "batches": 1, "batch_size": 1}, "epoch"),
        (lambda: fc.ArenaLoader(Plain(9)), {"epoch": 0, "batches": "x", "batch_size": 1}, "batche"),
    ],
)
def test_what_is_no_state_of_this_loader_is_refused(make, state, said):
    loader = make()
    before = loader.state_dict()
    with pytest.raises(ArgumentError, match=said):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


# -- tools that make loaders anew ----------------------------------------------------------


def remade_by_class(loader, sampler):
    """As a trainer does that exchanges samplers: our class again, of attributes like arguments."""
    attributes = {k: v for k, v in vars(loader).items() if not k.startswith("_")}
    attributes["multiprocessing_context"] = loader.multiprocessing_context
    parameters = inspect.signature(type(loader).__init__).parameters
    given = {
        name: attributes[name]
        for name, parameter in parameters.items()
        if name in attributes and parameter.default is not attributes[name]
    }
    batches = loader.batch_sampler
    if batches is not None and type(batches) is not BatchSampler:
        batches = type(batches)(sampler, batch_size=batches.batch_size, drop_last=batches.drop_last)
        given |= {"sampler": None, "batch_sampler": batches, "batch_size": 1, "drop_last": False}
    else:
        given |= {"sampler": sampler, "batch_sampler": None}
    return type(loader)(**{**given, "shuffle": False})


def remade_as_torchs(loader, batch_sampler):
    """As a launcher does that shards batches: torch's class, of what getattr gives."""
    dealt_with = {"self", "dataset", "batch_size", "shuffle", "sampler", "batch_sampler"}
    names = set(inspect.signature(DataLoader.__init__).parameters) - dealt_with - {"drop_last"}
    options = {name: getattr(loader, name) for name in names}
    return DataLoader(loader.dataset, batch_sampler=batch_sampler, **options)


class Grouped(BatchSampler):
    """A batch sampler of a user's own."""


OPTIONS = [
    {"batch_size": 4, "shuffle": True, "prefetch_factor": 0},
    {"batch_size": 4, "shuffle": True, "prefetch_factor": 7, "threads": 1, "device": "cpu"},
    {"batch_size": 4, "drop_last": True, "timeout": 30, "collate_fn": list, "prefetch_factor": 1},
    {"batch_size": 4, "num_workers": 2, "prefetch_factor": 3, "persistent_workers": True},
    {"batch_size": 4, "num_workers": 1, "multiprocessing_context": "fork", "in_order": False},
    {"batch_size": None},
    {"batch_sampler": Grouped(SequentialSampler(range(COUNT)), 6, True)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=told)
def test_a_trainer_may_exchange_the_sampler(options):
    loader = fc.ArenaLoader(Plain(COUNT), **copy.copy(options))
    sampler = DistributedSampler(Plain(COUNT), num_replicas=2, rank=1, shuffle=False)
    again = remade_by_class(loader, sampler)
    assert type(again) is fc.ArenaLoader
    batches = again.batch_sampler
    assert (again.sampler if batches is None else batches.sampler) is sampler
    for name in ("num_workers", "collate_fn", "timeout", "persistent_workers", "in_order"):
        assert getattr(again, name) == getattr(loader, name), name
    assert (again.ahead, again.threads, again.device) == (
        loader.ahead,
        loader.threads,
        loader.device,
    )
    assert again.prefetch_factor == loader.prefetch_factor
    got = [batch if isinstance(batch, int | list) else batch.tolist() for batch in again]
    if options.get("batch_size", 4) is None:
        assert got == list(sampler)
    else:
        kept = 24 if options.get("drop_last") or "batch_sampler" in options else 25
        assert joined(got) == list(sampler)[:kept]
    # And once more, of what was made anew.
    assert remade_by_class(again, sampler).ahead == loader.ahead


@pytest.mark.parametrize("options", [o for o in OPTIONS if o.get("batch_size", 4)], ids=told)
def test_a_launcher_may_make_torchs_loader_of_it(options):
    loader = fc.ArenaLoader(Plain(COUNT), **{**options, "timeout": 0})
    half = [batch for k, batch in enumerate(loader.batch_sampler) if k % 2]
    wanted = remade_as_torchs(loader, half)
    assert type(wanted) is DataLoader
    got = joined(batch if isinstance(batch, list) else batch.tolist() for batch in wanted)
    assert sorted(got) == sorted(joined(half))


def test_attributes_that_may_be_set_take_effect():
    loader = fc.ArenaLoader(Squares(9), 2)
    loader.prefetch_factor = 5
    assert (loader.prefetch_factor, loader.ahead) == (None, 5)
    loader.collate_fn = len
    assert list(loader) == [2, 2, 2, 2, 1]
    with pytest.raises(ValueError, match="batch_size"):
        loader.batch_size = 3
    assert_equal(len(fc.ArenaLoader(photo_set(9), 2)), 5)
