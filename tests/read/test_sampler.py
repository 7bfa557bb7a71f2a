"""ArenaSampler: epochs, ranks, what is refused (rows D6, F5)."""

import copy
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reading import photo_set
from sampling import Plain, joined
from torch.utils.data import BatchSampler, DataLoader
from torch.utils.data.distributed import DistributedSampler

import fastcache as fc
from fastcache.errors import ArgumentError
from fastcache.read.sampling import sampler_arguments
from fastcache.read.sampling.order import Order


def by_ranks(count, world, **options):
    return [fc.ArenaSampler(Plain(count), rank=r, world=world, **options) for r in range(world)]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def test_a_plain_loop_shuffles_anew_each_time():
    """F5: epochs count up by themselves, and set_epoch goes to any of them."""
    sampler = fc.ArenaSampler(Plain(50), seed=3)
    orders = [list(sampler) for _ in range(3)]
    assert sampler.epoch == 3
    for epoch, order in enumerate(orders):
        assert order == Order(50, True, 3, epoch).at(np.arange(50)).tolist()
        assert sorted(order) == list(range(50))
        assert all(type(index) is int for index in order)
    assert orders[0] != orders[1] != orders[2]
    sampler.set_epoch(1)
    assert list(sampler) == orders[1]
    assert sampler.epoch == 2
    assert list(fc.ArenaSampler(Plain(50), shuffle=False)) == list(range(50))


def test_iterators_that_nobody_uses_do_not_count():
    """F5: loaders make an iterator and throw it away."""
    sampler = fc.ArenaSampler(Plain(20))
    iter(sampler), iter(sampler)
    assert sampler.epoch == 0
    loader = DataLoader(Plain(20), batch_size=None, sampler=sampler, num_workers=1)
    assert [int(index) for index in loader] == list(fc.ArenaSampler(Plain(20)))
    assert sampler.epoch == 1


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("count", [5, 24, 25, 103])
def test_ranks_share_as_distributed_sampler_has_it(count, world, drop_last):
    """F5: without a shuffle the very same indices; with one, the same of the epoch's order."""
    whole = list(fc.ArenaSampler(Plain(count), seed=1))
    for rank in range(world):
        reference = DistributedSampler(Plain(count), world, rank, False, drop_last=drop_last)
        for shuffle, order in ((False, list(range(count))), (True, whole)):
            sampler = by_ranks(count, world, shuffle=shuffle, seed=1, drop_last=drop_last)[rank]
            found = list(sampler)
            assert found == [order[k] for k in reference]
            assert len(found) == len(sampler) == len(reference)


@pytest.mark.parametrize("shuffle", [True, "blocks"])
def test_ranks_together_have_everything(shuffle):
    """F5: and each epoch at least once in equal steps."""
    for world in (2, 3):
        ranks = by_ranks(10_007, world, shuffle=shuffle, block=100)
        found = [list(sampler) for sampler in ranks]
        assert len({len(part) for part in found}) == 1
        everything = joined(found)
        assert set(everything) == set(range(10_007))
        assert len(everything) - 10_007 < world


def test_where_rank_and_world_come_from(monkeypatch):
    """F5: the environment, unless they are given; torch.distributed before both."""
    ds = Plain(10)
    assert (fc.ArenaSampler(ds).rank, fc.ArenaSampler(ds).world) == (0, 1)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ArgumentError, match=r"RANK=2, WORLD_SIZE=None: set both"):
        fc.ArenaSampler(ds)
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert (fc.ArenaSampler(ds).rank, fc.ArenaSampler(ds).world) == (2, 3)
    given = fc.ArenaSampler(ds, rank=1, world=7)
    assert (given.rank, given.world) == (1, 7)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 4)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 5)
    assert (fc.ArenaSampler(ds).rank, fc.ArenaSampler(ds).world) == (4, 5)


@pytest.mark.parametrize(("rank", "world"), [("2", "2"), ("x", "2"), ("-1", "2"), ("0", "")])
def test_an_environment_of_nonsense(monkeypatch, rank, world):
    """F5."""
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(ArgumentError, match="0 <= RANK < WORLD_SIZE"):
        fc.ArenaSampler(Plain(10))


REFUSED = [
    ({"rank": 2, "world": 2}, "from 0 to world - 1"),
    ({"rank": -1, "world": 2}, "from 0 to world - 1"),
    ({"rank": 0, "world": 0}, "from 0 to world - 1"),
    ({"rank": True, "world": 2}, "from 0 to world - 1"),
    ({"rank": 0.0, "world": 1}, "from 0 to world - 1"),
    ({"rank": 0}, "give both"),
    ({"world": 3}, "give both"),
    ({"shuffle": "Blocks"}, "'blocks'"),
    ({"shuffle": None}, "'blocks'"),
    ({"seed": -1}, "seed=-1"),
    ({"seed": 2**64}, "from 0 to"),
    ({"seed": 1.0}, "seed=1.0"),
    ({"drop_last": 1}, "drop_last=1"),
    ({"rank": 0, "world": 11, "drop_last": True}, "10 samples do not fill one step of 11 ranks"),
    ({"block": 0}, "block=0"),
    ({"window": 0}, "window=0"),
    ({"ahead": 0}, "ahead=0"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=str)
def test_what_is_refused(options, message):
    """F5: and says what would do."""
    with pytest.raises(ArgumentError, match=message):
        fc.ArenaSampler(Plain(10), **options)


def test_datasets_and_epochs_that_are_none():
    """F5."""
    with pytest.raises(ArgumentError, match="has a length"):
        fc.ArenaSampler(iter([1]))
    for epoch in (-1, 0.5, None, True):
        with pytest.raises(ArgumentError, match="epoch="):
            fc.ArenaSampler(Plain(3)).set_epoch(epoch)
    assert list(fc.ArenaSampler(Plain(0))) == []
    assert len(fc.ArenaSampler(Plain(0))) == 0
    assert list(fc.ArenaSampler(Plain(1), rank=3, world=4)) == [0]


def test_global_random_state_is_left_alone():
    """F5: neither read nor changed."""

    def states():
        # NumPy's old global state is what must not change.
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    for shuffle in (True, "blocks"):
        list(fc.ArenaSampler(Plain(1000), shuffle=shuffle, block=10))
    assert states() == before


def test_pickles_copies_and_making_it_again():
    """F5: frameworks make samplers anew from the attributes that have their arguments' names."""
    sampler = fc.ArenaSampler(Plain(30), "blocks", 4, 1, 3, True, block=4, window=2, ahead=64)
    names = ("ds", "shuffle", "seed", "rank", "world", "drop_last", "block", "window", "ahead")
    again = fc.ArenaSampler(**{name: getattr(sampler, name) for name in names})
    order = list(again)
    step = iter(sampler)
    assert [next(step) for _ in range(3)] == order[:3]
    for other in (pickle.loads(pickle.dumps(sampler)), copy.deepcopy(sampler)):
        assert other.state_dict() == sampler.state_dict()
        other.load_state_dict(other.state_dict())
        assert list(other) == order[3:]
    assert list(step) == order[3:]
    ds = photo_set(12)
    photos = pickle.loads(pickle.dumps(fc.ArenaSampler(ds)))
    assert sorted(photos) == list(range(12))
    assert photos.ds[5][1] == ds[5][1]


@pytest.mark.parametrize("drop_last", [False, True])
def test_under_torchs_batch_sampler(drop_last):
    """F5."""
    sampler = fc.ArenaSampler(Plain(23), seed=8)
    batches = BatchSampler(sampler, 5, drop_last)
    found = list(batches)
    assert len(found) == len(batches) == (4 if drop_last else 5)
    order = list(fc.ArenaSampler(Plain(23), seed=8))
    assert joined(found) == order[: 20 if drop_last else 23]


def test_blocks_of_sixteen_megabytes():
    """F5: as many samples as take them, where the arena tells."""
    ds = photo_set(100)
    each = ds.report["arena_bytes"] // 100
    assert fc.ArenaSampler(ds, "blocks").block == -(-(16 << 20) // each)
    assert fc.ArenaSampler(Plain(5), "blocks").block == 1024


@pytest.mark.parametrize("drop_last", [False, True])
def test_parts_of_a_dataset(drop_last, monkeypatch):
    """D6: with shard= this process has all that it sees, and takes as many steps as others."""
    x = np.arange(10.0)[:, None]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    seen = []
    for rank in range(3):
        ds = fc.ArenaDataset(fc.sources.Arrays(x), shard=(rank, 3))
        sampler = fc.ArenaSampler(ds, drop_last=drop_last)
        assert (sampler.rank, sampler.world) == (0, 1)
        found = list(sampler)
        assert len(found) == len(sampler) == (3 if drop_last else 4)
        assert set(found) <= set(range(len(ds)))
        seen += [float(ds[k][0]) for k in found]
        with pytest.raises(ArgumentError, match="one of 3 parts"):
            fc.ArenaSampler(ds, rank=1, world=3)
        state = sampler.state_dict()
        assert state["shard"] == [rank, 3]
        other = fc.ArenaDataset(fc.sources.Arrays(x), shard=((rank + 1) % 3, 3))
        with pytest.raises(ArgumentError, match="shard=|n="):
            fc.ArenaSampler(other).load_state_dict(state)
    assert len(set(seen)) == (9 if drop_last else 10)


@pytest.mark.parametrize("drop_last", [False, True])
def test_parts_of_which_samples_failed(drop_last, tmp_path):
    """D6: all ranks take as many steps as before, some samples twice."""
    paths = [tmp_path / f"{k}.png" for k in range(11)]
    for path in paths:
        Image.new("L", (3, 2)).save(path)

    def parts(**options):
        source = fc.sources.Files(list(map(str, paths)), np.arange(11))
        return [fc.ArenaDataset(source, shard=(rank, 2), **options) for rank in range(2)]

    for path, _ in parts()[0].samples[:3]:
        Path(path).write_bytes(b"broken")
    broken = parts(on_error="skip")
    assert sorted(map(len, broken)) in ([2, 6], [3, 5])
    steps = 5 if drop_last else 6
    for ds in broken:
        found = list(fc.ArenaSampler(ds, drop_last=drop_last))
        assert len(found) == steps
        assert len(set(found)) == min(steps, len(ds))


def test_a_part_without_samples():
    """D6: it cannot take steps with the others."""
    part = sampler_arguments.Part(rank=2, world=3, most=1, least=0)
    with pytest.raises(ArgumentError, match="rank 2 of 3 has no sample"):
        part.whole(0, drop_last=False)
    assert part.whole(0, drop_last=True) == 0


def test_blocks_larger_than_the_dataset():
    """F5: they are one block, whatever the number says."""
    found = list(fc.ArenaSampler(Plain(23), "blocks", block=10**30, window=10**30))
    assert sorted(found) == list(range(23))
