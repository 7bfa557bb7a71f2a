"""Keys of random numbers: equal however batches are made, other ones wherever they should be."""

import numpy as np
import pytest
import torch
from keyed import Keyed, OneByOne, digest, table
from sampling import joined
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    WeightedRandomSampler,
)

import fastcache as fc
from fastcache.errors import ArgumentError
from fastcache.read.sampling.keys import Keys
from fastcache.read.sampling.sampler_arguments import Part
from fastcache.read.sampling.sent import BatchKeys, in_batch

COUNT = 40
EPOCH, OCCURRENCE = 1, 3


def column(rows, number):
    return {row[number] for row in rows}


def ours(ds, size=6, **options):
    """Return a loader with our sampler."""
    return fc.ArenaLoader(ds, size, shuffle=True, **options)


def weighted(seed):
    """Return a sampler that gives some samples often."""
    weights = [1.0 + 9 * (k % 5 == 0) for k in range(COUNT)]
    return WeightedRandomSampler(weights, 60, generator=torch.Generator().manual_seed(seed))


def repeated(rows):
    """Return the occurrence that each sample should have, by order."""
    seen, wanted = {}, []
    for row in rows:
        wanted.append(seen.get(row[0], 0))
        seen[row[0]] = wanted[-1] + 1
    return wanted


# -- equal batches -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"prefetch_factor": 0},
        {"prefetch_factor": 5},
        {"threads": 1},
        {"threads": 8},
        {"num_workers": 1},
        {"num_workers": 2, "prefetch_factor": 4},
        {"num_workers": 2, "persistent_workers": True},
        {"num_workers": 1, "multiprocessing_context": "spawn", "persistent_workers": True},
        {"num_workers": 1, "multiprocessing_context": "forkserver", "persistent_workers": True},
    ],
    ids=str,
)
def test_batches_do_not_depend_on_how_they_are_made(options):
    """Issue 6, 3: threads, prefetch, workers and start methods give the keys of a bare loop."""
    sampler = fc.ArenaSampler(range(COUNT))
    wanted = [[[k, epoch, COUNT - 1 - k, 0] for k in sampler] for epoch in range(2)]
    loader = ours(Keyed(), **options)
    assert [digest(table(loader)) for _ in range(2)] == [digest(rows) for rows in wanted]


@pytest.mark.parametrize("make", [Keyed, OneByOne])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("steps", [1, 4])
def test_what_follows_after_a_stop_is_what_would_have_followed(make, workers, steps):
    """F5, in the middle of the second epoch, with another batch size and other workers."""
    loader = ours(make(), num_workers=workers, prefetch_factor=3)
    table(loader)
    batches = iter(loader)
    for _ in range(steps):
        next(batches)
    state = loader.state_dict()
    rest = joined(part.tolist() for part in batches)
    after = table(loader)
    assert column(rest, EPOCH) == {1} and column(after, EPOCH) == {2}
    assert column(rest + after, OCCURRENCE) == {0}
    for size, other in ((6, 2 - workers), (5, 0)):
        again = ours(make(), size, num_workers=other)
        again.load_state_dict(state)
        assert table(again) == rest
        assert table(again) == after


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stop_does_not_change_what_duplicates_are(workers):
    """F5 with a sampler of torch's and duplicates: those of skipped batches count."""

    def loader(epoch):
        return fc.ArenaLoader(Keyed(), 6, sampler=weighted(epoch), num_workers=workers)

    first = loader(0)
    batches = iter(first)
    before = joined(next(batches).tolist() for _ in range(4))
    state = first.state_dict()
    rest = joined(part.tolist() for part in batches)
    whole = before + rest
    assert [row[OCCURRENCE] for row in whole] == repeated(whole)
    resumed = loader(0)
    resumed.load_state_dict(state)
    assert table(resumed) == rest
    assert max(column(rest, OCCURRENCE)) > 1


@pytest.mark.parametrize("steps", [1, 5, 7])
def test_samples_that_come_twice_do_so_after_a_stop(steps):
    """F5 with ``shard=``: what makes up for samples that failed is their second occurrence."""

    def loader():
        ds = Keyed()
        sampler = fc.ArenaSampler(ds)
        sampler._part = Part(0, 2, 50, 50)  # other ranks have ten samples more
        return fc.ArenaLoader(ds, 6, sampler=sampler)

    first = loader()
    batches = iter(first)
    before = joined(next(batches).tolist() for _ in range(steps))
    state = first.state_dict()
    whole = before + joined(part.tolist() for part in batches)
    assert [row[OCCURRENCE] for row in whole] == [0] * 40 + [1] * 10 == repeated(whole)
    resumed = loader()
    resumed.load_state_dict(state)
    assert table(resumed) == whole[6 * steps :]


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_have_the_epoch_that_one_process_has(workers):
    """Issue 6, 3: each sample has the same key on whichever rank it is."""
    alone = table(fc.ArenaLoader(Keyed(), 6, sampler=fc.ArenaSampler(Keyed())))
    parts = []
    for rank in range(2):
        ds = Keyed()
        sampler = fc.ArenaSampler(ds, rank=rank, world=2)
        parts += table(fc.ArenaLoader(ds, 6, sampler=sampler, num_workers=workers))
    assert sorted(parts) == sorted(alone)


# -- which epoch it is ---------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_made_ahead_have_their_own_epoch(workers):
    """Two iterations at once, and one that was given up in the middle."""
    loader = ours(Keyed(), num_workers=workers, prefetch_factor=3)
    first, second = iter(loader), iter(loader)
    pairs = [(next(first).tolist(), next(second).tolist()) for _ in range(3)]
    assert column(joined(pair[0] for pair in pairs), EPOCH) == {0}
    assert column(joined(pair[1] for pair in pairs), EPOCH) == {1}
    for rows in (joined(part.tolist() for part in first), table(loader)):
        assert column(rows, OCCURRENCE) == {0}


@pytest.mark.parametrize("workers", [0, 1])
def test_loaders_go_on_from_an_epoch_that_the_dataset_is_told(workers):
    """With torch's samplers; a state that is loaded counts more than what was told before."""
    ds = Keyed()
    loader = fc.ArenaLoader(ds, 6, sampler=RandomSampler(ds), num_workers=workers)
    for told, epoch in ((None, 0), (7, 7), (None, 8), (7, 7), (0, 0), (None, 1)):
        if told is not None:
            ds.set_epoch(told)
        iter(loader)  # that nobody uses hears nothing
        rows = table(loader)
        assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})
    state = loader.state_dict()
    ds.set_epoch(5)
    loader.load_state_dict(state)
    assert column(table(loader), EPOCH) == {2}
    with_ours = ours(ds, num_workers=workers)
    ds.set_epoch(5)
    assert column(table(with_ours), EPOCH) == {0}


@pytest.mark.parametrize("workers", [0, 1])
def test_loaders_count_epochs_where_no_sampler_of_ours_does(workers):
    """As for torch's samplers, batch samplers, and after a state was loaded."""
    for options in (
        {"shuffle": False},
        {"sampler": RandomSampler(range(COUNT))},
        {"batch_sampler": BatchSampler(SequentialSampler(range(COUNT)), 7, True)},
    ):
        loader = fc.ArenaLoader(Keyed(), **{"batch_size": 1, **options}, num_workers=workers)
        if "batch_sampler" not in options:
            loader = fc.ArenaLoader(Keyed(), 6, **options, num_workers=workers)
        for epoch in range(2):
            iter(loader)  # that nobody uses is none
            rows = table(loader)
            assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})
        loader.load_state_dict({**loader.state_dict(), "epoch": 6})
        assert column(table(loader), EPOCH) == {6}


@pytest.mark.parametrize("workers", [0, 1])
def test_datasets_around_ours_are_no_obstacle(workers):
    """Subset, and our sampler inside a batch sampler that is not torch's own."""

    class Fours(BatchSampler):
        pass

    ds = Keyed()
    part = Subset(ds, range(0, COUNT, 2))
    for loader in (
        ours(part, num_workers=workers),
        fc.ArenaLoader(ds, batch_sampler=Fours(fc.ArenaSampler(ds), 4, False), num_workers=workers),
    ):
        for epoch in range(2):
            rows = table(loader)
            assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_plain_loader_is_told_by_our_sampler(workers):
    """Also with workers that stay, in the middle of an epoch, and the same epoch once more."""
    ds = Keyed()
    sampler = fc.ArenaSampler(ds)
    loader = DataLoader(ds, 6, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
    for epoch in (0, 1, 1, 9):
        sampler.set_epoch(epoch)
        rows = table(loader)
        assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})
    table(loader, 2)
    state = sampler.state_dict(12)
    sampler.load_state_dict(state)
    rows = table(loader)
    assert len(rows) == COUNT - 12
    assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({10}, {0})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_workers": 2, "persistent_workers": True},
        {"num_workers": 1, "persistent_workers": True, "multiprocessing_context": "spawn"},
    ],
    ids=str,
)
def test_a_plain_loader_hears_set_epoch(options):
    """Also its workers that are there already; told again, an epoch is as it was."""
    ds = Keyed()
    loader = DataLoader(ds, 6, shuffle=True, **options)
    for epoch in (4, 4, 0):
        ds.set_epoch(epoch)
        rows = table(loader)
        assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stay", [False, True])
def test_visits_stand_for_epochs_where_nobody_counts(workers, stay):
    """Issue 6, 3: a plain DataLoader without set_epoch; whichever worker reads a sample."""
    loader = DataLoader(
        Keyed(), 6, shuffle=True, num_workers=workers, persistent_workers=stay and workers > 0
    )
    for epoch in range(3):
        rows = table(loader)
        assert (column(rows, EPOCH), column(rows, OCCURRENCE)) == ({epoch}, {0})


# -- duplicates ----------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 4])
def test_duplicates_are_counted_in_order(prefetch):
    """Issue 6, 3, and in each epoch anew; whatever else reads the dataset meanwhile."""
    ds = Keyed()
    loader = fc.ArenaLoader(ds, 6, sampler=weighted(1), prefetch_factor=prefetch)
    for _ in range(2):
        rows = []
        for batch in loader:
            rows += batch.tolist()
            ds[rows[-1][0]]
            table(ours(ds), 1)
        assert [row[OCCURRENCE] for row in rows] == repeated(rows)
        assert max(column(rows, OCCURRENCE)) > 1


def test_duplicates_differ_with_workers_too():
    """Which is which may be chance in a plain DataLoader; that they differ is not."""
    ds = Keyed()
    loader = DataLoader(ds, 6, sampler=weighted(1), num_workers=2)
    for epoch in range(2):
        ds.set_epoch(epoch)
        rows = table(loader)
        assert column(rows, EPOCH) == {epoch}
        numbered = zip((row[0] for row in rows), repeated(rows), strict=True)
        assert sorted((row[0], row[OCCURRENCE]) for row in rows) == sorted(numbered)


def test_a_batch_counts_its_own_duplicates():
    keys = Keys(7, 5)
    for epoch in (None, 2):
        if epoch is not None:
            keys.set_epoch(epoch)
        got = keys.take(np.array([3, 1, 3, 3]))
        times = [0, 0, 1, 2]
        assert got.seed == 7
        assert got.sample.tolist() == [3, 1, 3, 3]
        assert got.epoch.tolist() == (times if epoch is None else [2] * 4)
        assert got.occurrence.tolist() == ([0] * 4 if epoch is None else times)
        assert [each.dtype.name for each in got[1:]] == ["uint64", "uint64", "uint32"]
    assert keys.take(np.empty(0, np.int64)).epoch.size == 0


def test_batches_that_a_thread_is_told_have_their_own_keys():
    keys = Keys(1, 4)
    rows = np.arange(4)
    keys.take(rows)
    with in_batch(BatchKeys(5, 4)):
        assert keys.take(rows).occurrence.tolist() == [0] * 4
        with in_batch(BatchKeys(8, 4, np.array([3, 0, 0, 1], np.uint32))):
            assert keys.take(rows).occurrence.tolist() == [3, 0, 0, 1]
        assert keys.take(rows).epoch.tolist() == [5] * 4
    assert keys.take(rows).epoch.tolist() == [1] * 4


# -- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[-1], [5], [0, 1 << 62]])
def test_rows_that_are_not_there_are_refused(rows):
    keys = Keys(1, 5)
    with pytest.raises(ArgumentError, match="not one of 0..4"):
        keys.take(np.array(rows))
    assert keys.take(np.arange(5)).epoch.tolist() == [0] * 5  # nothing was counted


@pytest.mark.parametrize("epoch", [-1, 1 << 63, 1.0, True, None])
def test_epochs_are_checked(epoch):
    with pytest.raises(ArgumentError, match="epoch="):
        Keyed().set_epoch(epoch)


def test_an_epoch_is_told_to_keys_that_come_later():
    """A transform that is random may be assigned after ``set_epoch``."""
    ds = Keyed()
    keys, ds.keys = ds.keys, None
    ds.set_epoch(3)
    assert ds.rows_drawn([1]) is None
    ds.keys = keys
    ds._tell_epoch()
    assert table(DataLoader(ds, 6), 1)[0][EPOCH] == 3
