"""Where a sampler stands, and going on there with other ranks, workers and batches (row F5)."""

import json
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from sampling import Plain, joined
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache.errors import ArgumentError


def samplers(count, world, state=None, **options):
    made = [fc.ArenaSampler(Plain(count), rank=r, world=world, **options) for r in range(world)]
    for sampler in made:
        if state is not None:
            sampler.load_state_dict(state)
    return made


def drawn(group, steps=None):
    """Return what all ranks took in so many steps, or to the end, and where they stand."""
    iterators = [iter(sampler) for sampler in group]
    taken = []
    if steps is None:
        rows = [list(iterator) for iterator in iterators]
        assert len({len(row) for row in rows}) == 1
        return joined(rows), [sampler.state_dict() for sampler in group]
    for _ in range(steps):
        taken += [next(iterator) for iterator in iterators]
    return taken, [sampler.state_dict() for sampler in group]


@pytest.mark.parametrize("shuffle", [False, True, "blocks"])
@pytest.mark.parametrize("count", [7, 100, 1013])
def test_two_resumes_with_other_ranks_each(count, shuffle):
    """F5: at random positions; every index exactly once, then the padding of the last step."""
    rng = np.random.default_rng(count)
    options = {"shuffle": shuffle, "block": 8, "window": 3, "seed": 5}
    for _ in range(12):
        worlds = rng.integers(1, 6, 3).tolist()
        epoch = int(rng.integers(0, 4))
        group = samplers(count, worlds[0], **options)
        for sampler in group:
            sampler.set_epoch(epoch)
        taken, position, state = [], 0, None
        for world in worlds[:2]:
            if state is not None:
                group = samplers(count, world, state, **options)
            part, states = drawn(group, int(rng.integers(0, (count - position) // world + 1)))
            taken += part
            position = len(taken)
            assert all(each == states[0] for each in states)
            state = json.loads(json.dumps(states[0]))
            if position:
                assert (state["epoch"], state["position"]) == (epoch, position)
        if state["position"] == 0:
            state["epoch"] = epoch  # nothing was taken: no iteration has begun
        part, _ = drawn(samplers(count, worlds[2], state, **options))
        taken += part
        padding = len(taken) - count
        assert 0 <= padding < worlds[2]
        first = fc.ArenaSampler(Plain(count), rank=0, world=1, **options)
        first.set_epoch(epoch)
        order = list(first)
        assert taken[:position] == order[:position]
        assert Counter(taken) == Counter(range(count)) + Counter(order[:padding])


def test_the_tail_is_dropped_after_a_resume_too():
    """F5: with drop_last what is left is cut to whole steps of the ranks that are there then."""
    taken, (state, *_) = drawn(samplers(29, 3, drop_last=True), 4)
    part, _ = drawn(samplers(29, 4, state, drop_last=True))
    assert len(taken + part) == len(set(taken + part)) == 12 + 16


def test_the_end_of_an_epoch():
    """F5: all taken is not yet ended; ended is the next epoch's beginning."""
    (sampler,) = samplers(6, 1)
    steps = iter(sampler)
    assert sampler.state_dict() | {"seed": 0} == sampler.state_dict()
    assert (sampler.state_dict()["epoch"], sampler.state_dict()["position"]) == (0, 0)
    for _ in range(6):
        next(steps)
    state = sampler.state_dict()
    assert (state["epoch"], state["position"]) == (0, 6)
    (again,) = samplers(6, 1, state)
    assert list(again) == []
    after = list(again)
    assert list(steps) == []
    ended = sampler.state_dict()
    assert (ended["epoch"], ended["position"]) == (1, 0)
    assert list(samplers(6, 1, ended)[0]) == after == list(sampler)


def test_samples_that_were_prefetched_are_not_consumed():
    """F5: the state counts what this rank says it has trained on."""
    for world in (1, 3):
        group = samplers(50, world)
        order = list(samplers(50, 1)[0])
        iterators = [iter(sampler) for sampler in group]
        for iterator in iterators:
            for _ in range(10):
                next(iterator)
        states = [sampler.state_dict(consumed=4) for sampler in group]
        assert all(state["position"] == 4 * world for state in states)
        (alone,) = samplers(50, 1, states[0])
        assert list(alone) == order[4 * world :]
        with pytest.raises(ArgumentError, match="has handed out 10 samples"):
            group[0].state_dict(consumed=11)
        for _ in iterators[0]:
            pass  # workers came to the end; training did not
        assert group[0].state_dict(consumed=4) == states[0]
        assert group[0].state_dict()["epoch"] == 1
    (fresh,) = samplers(50, 1)
    assert fresh.state_dict(consumed=0)["position"] == 0
    for wrong in (1, -1, 1.5):
        with pytest.raises(ArgumentError, match="consumed="):
            fresh.state_dict(consumed=wrong)


def test_consumed_after_a_resume_counts_from_there():
    """F5."""
    _, (state,) = drawn(samplers(50, 1), 20)
    group = samplers(50, 2, state)
    iterators = [iter(sampler) for sampler in group]
    for iterator in iterators:
        for _ in range(9):
            next(iterator)
    assert group[1].state_dict(consumed=5)["position"] == 30


def test_set_epoch_keeps_the_position_of_its_own_epoch():
    """F5: loops call set_epoch at each epoch's beginning, after a resume as well."""
    _, (state,) = drawn(samplers(50, 1), 20)
    (sampler,) = samplers(50, 1, state)
    sampler.set_epoch(0)
    assert sampler.state_dict()["position"] == 20
    assert len(list(sampler)) == 30
    (sampler,) = samplers(50, 1, state)
    sampler.set_epoch(1)
    assert sampler.state_dict()["position"] == 0
    assert len(list(sampler)) == 50


def test_a_loop_that_was_left_is_not_gone_on_with():
    """F5: the next loop is the next epoch, from its beginning."""
    (sampler,) = samplers(50, 1)
    for _ in sampler:
        break
    assert sampler.state_dict()["position"] == 1
    assert len(list(sampler)) == 50
    assert sampler.epoch == 2
    sampler.set_epoch(7)
    assert (sampler.state_dict()["epoch"], sampler.state_dict()["position"]) == (7, 0)
    for _ in sampler:
        break
    sampler.set_epoch(7)  # once more, from its beginning
    assert (sampler.state_dict()["epoch"], sampler.state_dict()["position"]) == (7, 0)
    assert len(list(sampler)) == 50


def test_a_short_last_batch_may_be_counted_as_a_whole_one():
    """F5: as the example of the class does; more than that is an error yet."""
    (sampler,) = samplers(50, 1)
    for step, _ in enumerate(DataLoader(range(50), 20, sampler=sampler), 1):
        if step == 3:
            assert sampler.state_dict(consumed=step * 20)["position"] == 50
    iterator = iter(sampler)
    next(iterator)
    with pytest.raises(ArgumentError, match="has handed out 1 samples"):
        sampler.state_dict(consumed=20)


def test_the_seed_goes_with_the_state(tmp_path):
    """F5: seed and blocks are the state's; it goes through torch's safe loading."""
    taken, (state,) = drawn(samplers(50, 1, seed=9, shuffle="blocks", block=4, window=2), 20)
    torch.save(state, tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    (other,) = samplers(50, 1, loaded, shuffle="blocks")
    assert (other.seed, other.block, other.window) == (9, 4, 2)
    assert sorted(taken + list(other)) == list(range(50))


STATES = [
    ({"n": 51}, "n=51, this sampler n=50"),
    ({"shuffle": False}, "shuffle=False, this sampler shuffle=True"),
    ({"shard": [0, 2]}, r"shard=\[0, 2\], this sampler shard=None"),
    ({"seed": -1}, "seed=-1"),
    ({"epoch": 0.5}, "epoch=0.5"),
    ({"position": -3}, "position=-3"),
    ({"position": "3"}, "position='3'"),
    ({"position": 51}, "position=51"),
    ({"block": 0}, "block=0"),
    ({"window": None}, "window=None"),
]


@pytest.mark.parametrize(("change", "message"), STATES, ids=str)
def test_states_that_do_not_fit(change, message):
    """F5: refused, and nothing is changed by them."""
    (sampler,) = samplers(50, 1)
    before = sampler.state_dict()
    with pytest.raises(ArgumentError, match=message):
        sampler.load_state_dict(before | {"seed": 3} | change)
    assert sampler.state_dict() == before
    with pytest.raises(ArgumentError, match="no state of an ArenaSampler: None"):
        sampler.load_state_dict(None)
    with pytest.raises(ArgumentError, match="lacks epoch, position"):
        sampler.load_state_dict({k: v for k, v in before.items() if k not in ("epoch", "position")})


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_resumes_of_loaders(workers):
    """F5: two, each with other workers and batches; what was trained is never twice."""
    sizes, steps, order = (7, 4, 9), (5, 3, None), list(samplers(101, 1, seed=2)[0])
    taken, state = [], None
    for turn, (size, most) in enumerate(zip(sizes, steps, strict=True)):
        (sampler,) = samplers(101, 1, state, seed=2)
        context = {"multiprocessing_context": "fork"} if workers else {}
        count = (workers + turn) % 3 if workers else 0
        loader = DataLoader(
            Plain(101), size, sampler=sampler, num_workers=count, **(context if count else {})
        )
        consumed = 0
        for step, batch in enumerate(loader, 1):
            taken += batch.tolist()
            consumed += len(batch)
            if step == most:
                break
        state = sampler.state_dict(consumed=consumed)
        assert state["position"] == len(taken)
    assert taken == order


@pytest.mark.skipif(find_spec("torchdata") is None, reason="torchdata is not installed")
@pytest.mark.parametrize("batch_size", [None, 6])
@pytest.mark.parametrize("workers", [0, 2])
def test_resumes_of_stateful_loaders(workers, batch_size):
    """F5: torchdata keeps the sampler's state with its own; two resumes, then another epoch."""
    from torchdata.stateful_dataloader import StatefulDataLoader

    def loader():
        (sampler,) = samplers(100, 1, seed=4)
        context = {"multiprocessing_context": "fork"} if workers else {}
        return StatefulDataLoader(
            Plain(100), batch_size, sampler=sampler, num_workers=workers, **context
        )

    def numbers(batches):
        return [np.asarray(batch).reshape(-1).tolist() for batch in batches]

    (reference,) = samplers(100, 1, seed=4)
    wanted = list(reference) + list(reference)
    taken, state = [], None
    for steps in (4, 5, None):
        made = loader()
        if state is not None:
            made.load_state_dict(state)
        batches = iter(made)
        if steps is None:
            taken += joined(numbers(batches))
            taken += joined(numbers(made))
        else:
            taken += joined(numbers(next(batches) for _ in range(steps)))
            state = made.state_dict()
    assert taken == wanted
    ended = made.state_dict()
    made = loader()
    made.load_state_dict(ended)
    found = joined(numbers(made))
    if workers and batch_size:
        # With worker processes torchdata begins an iteration, throws it away and makes another when
        # it loads the state of an epoch that ended in a short batch: one epoch's number is passed.
        assert sorted(found) == list(range(100))
    else:
        assert found == list(reference)


class Hearing(Plain):
    """A dataset that writes down what it is told, so many times."""

    def __init__(self, count, calls=10**6):
        super().__init__(count)
        self.told, self.calls, self.left = [], [], calls

    def read_ahead(self, indices):
        if not self.left:
            raise OSError("the disk is gone")
        self.left -= 1
        assert indices.dtype == np.int64
        self.told += indices.tolist()
        self.calls.append(len(indices))


@pytest.mark.parametrize("ahead", [1, 64, 512, 5000])
@pytest.mark.parametrize("count", [3, 300, 9001])
@pytest.mark.parametrize("world", [1, 3])
def test_read_ahead(count, ahead, world):
    """E8: the samples of this rank in their order, early enough, in few calls."""
    ds = Hearing(count)
    sampler = fc.ArenaSampler(ds, rank=world - 1, world=world, ahead=ahead)
    taken = []
    for index in sampler:
        taken.append(index)
        assert len(ds.told) >= min(len(taken) + ahead, len(sampler))
        assert len(ds.told) <= len(taken) + ahead + 512
    assert ds.told == taken
    assert all(size >= 64 for size in ds.calls[:-1])
    assert len(ds.calls) <= len(taken) / 128 + 1


def test_what_read_ahead_raises_ends_the_loop():
    """E8: no error is lost."""
    ds = Hearing(1000, calls=2)
    steps = iter(fc.ArenaSampler(ds, ahead=10))
    assert len([next(steps) for _ in range(256)]) == 256
    with pytest.raises(OSError, match="the disk is gone"):
        list(steps)
