"""Repetitions of samples under ArenaLoader: counted by the loader, through whatever stands around.

The keys of a batch do not depend on who makes it, and no two samples of an iteration share one.
"""

from collections import Counter

import numpy as np
import pytest
import torch
from keyed import Halves, Keyed, OneByOne
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
)
from wrapped import Around, ByName, Joined, Mapped, Thrice, TwoPasses, Twos, Unsized

import fastcache as fc
from fastcache.read.sampling.occurrences import Occurrences, gives_each_once
from fastcache.read.sampling.origins import Origins, datasets_in

SAMPLE, OCCURRENCE = 2, 3


def often(count, length=60, seed=1):
    """Return a sampler that gives some samples often, the same whenever it is asked."""
    random = np.random.default_rng(seed)
    return random.integers(0, count, length)[random.integers(0, length // 2, length)].tolist()


def count_of(ds):
    """Return how many samples a dataset has, or one that it is around."""
    return len(ds.dataset) if isinstance(ds, Unsized) else len(ds)


def rows_of(loader):
    """Return the keys that an iteration took, in its order."""
    return [row for batch in loader for row in _flat(batch)]


def _flat(batch):
    if isinstance(batch, torch.Tensor):
        return batch.reshape(-1, 4).tolist()
    return [row for part in zip(*batch, strict=True) for each in part for row in _flat(each)]


AROUND = {
    "itself": Keyed,
    "one by one": OneByOne,
    "subset": lambda: Subset(Keyed(), [0, 3, 3, 5, 39, 0, 7]),
    "subset one by one": lambda: Subset(OneByOne(), [0, 3, 3, 5, 39, 0, 7]),
    "subsets": lambda: Subset(Subset(Keyed(), range(20, 40)), [1, 0, 1]),
    "joined": lambda: ConcatDataset([Keyed(30), Subset(Keyed(12, seed=5), [3, 4, 3]), Keyed()]),
    "twice": lambda: ConcatDataset([ds := Keyed(), Subset(ds, [3, 4, 3, 39]), ds]),
    "derived": Halves,
    "joined together": lambda: Joined(Keyed()),
    "two passes": lambda: TwoPasses(Keyed()),
    "stacked": lambda: StackDataset(ds := Keyed(), ds),
    "unsized": lambda: Unsized(Keyed()),
    "a user's": lambda: Around(Keyed()),
    "of a user's": lambda: Subset(Around(Keyed()), [0, 3, 3, 5, 39, 0, 7]),
    "thrice": lambda: Thrice(Keyed()),
    "twos": lambda: Twos(Keyed()),
    "mapped": lambda: Mapped(Keyed()),
}


@pytest.mark.parametrize("name", AROUND)
def test_workers_make_what_a_thread_makes(name):
    """Issue 6, 3: also with duplicates, and with another loader of the same dataset in between."""
    ds = AROUND[name]()
    length = count_of(ds)

    def loader(**options):
        return fc.ArenaLoader(ds, 6, sampler=often(length), **options)

    wanted = rows_of(loader())
    assert rows_of(loader(prefetch_factor=0)) == wanted
    disturbed = []
    for batch in loader(num_workers=2):
        disturbed += _flat(batch)
        next(iter(fc.ArenaLoader(ds, 3, sampler=often(length, 60, 2), num_workers=1)))
    assert disturbed == wanted
    assert rows_of(loader(num_workers=1, multiprocessing_context="spawn")) == wanted


@pytest.mark.parametrize("name", [name for name in AROUND if name != "joined"])
def test_no_two_samples_of_an_iteration_share_a_key(name):
    ds = AROUND[name]()
    for size in (1, 4, 7):
        rows = rows_of(fc.ArenaLoader(ds, size, sampler=often(count_of(ds))))
        keys = Counter((row[SAMPLE], row[OCCURRENCE]) for row in rows)
        assert max(keys.values()) == 1
        assert max(Counter(row[SAMPLE] for row in rows).values()) > 2


def test_every_sample_of_an_oversampled_epoch_has_a_key_of_its_own():
    for workers in (0, 2):
        rows = rows_of(fc.ArenaLoader(Thrice(Keyed()), 7, shuffle=True, num_workers=workers))
        assert len(rows) == 120
        assert len({(row[SAMPLE], row[OCCURRENCE]) for row in rows}) == 120


@pytest.mark.parametrize("name", AROUND)
def test_keys_do_not_depend_on_where_batches_end(name):
    ds = AROUND[name]()
    order = often(count_of(ds))
    wanted = sorted(rows_of(fc.ArenaLoader(ds, 6, sampler=order)))
    for size in (1, 4, 60):
        assert sorted(rows_of(fc.ArenaLoader(ds, size, sampler=order))) == wanted


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor])
@pytest.mark.parametrize(
    "name", [n for n in AROUND if n not in ("mapped", "two passes", "stacked")]
)
def test_keys_do_not_depend_on_the_kind_of_batches(name, kind):
    """Where samples are asked for one by one, and nobody's own method is given the batch."""
    ds = AROUND[name]()
    order = often(count_of(ds))
    batches = [kind(order[k : k + 6]) for k in range(0, 60, 6)]
    for workers in (0, 1):
        rows = rows_of(fc.ArenaLoader(ds, batch_sampler=batches, num_workers=workers))
        assert rows == rows_of(fc.ArenaLoader(ds, 6, sampler=order))


def test_a_sampler_derived_from_ours_may_give_a_sample_twice():
    class Repeated(fc.ArenaSampler):
        def __iter__(self):
            for index in super().__iter__():
                yield from (index, index)

    for size in (1, 5, 6):
        rows = rows_of(fc.ArenaLoader(Keyed(), size, sampler=Repeated(Keyed())))
        assert sorted((row[SAMPLE], row[OCCURRENCE]) for row in rows) == [
            (sample, time) for sample in range(40) for time in range(2)
        ]


def origin(ds, index):
    """Return the dataset that a sample comes from, and its row there."""
    index %= len(ds)
    if isinstance(ds, Keyed):
        return ds, len(ds) - 1 - index
    if isinstance(ds, Subset):
        return origin(ds.dataset, ds.indices[index])
    first = ds.datasets[0]
    if index < len(first):
        return origin(first, index)
    return origin(ConcatDataset(ds.datasets[1:]), index - len(first))


@pytest.mark.parametrize("name", ["itself", "one by one", "subset", "subsets", "joined", "twice"])
def test_rows_of_ours_are_counted_through_torchs_wrappers(name):
    """The oracle: a dict, asked sample by sample in the order of the epoch."""
    ds = AROUND[name]()
    order = often(len(ds))
    if not isinstance(ds, Keyed):
        order = [index - len(ds) * (index % 2) for index in order]  # some from the end
    seen, wanted = Counter(), []
    for index in order:
        own, row = origin(ds, index)
        wanted.append([row, seen[id(own), row]])
        seen[id(own), row] += 1
    for workers in (0, 2):
        rows = rows_of(fc.ArenaLoader(ds, 6, sampler=order, num_workers=workers))
        assert [[row[SAMPLE], row[OCCURRENCE]] for row in rows] == wanted


def test_a_resumed_iteration_counts_what_was_passed_over():
    """F5, through a Subset, by a sampler of a user's."""
    ds = Subset(Keyed(), [0, 3, 3, 5, 39, 0, 7])

    def loader():
        return fc.ArenaLoader(ds, 6, sampler=often(7))

    first = loader()
    batches = iter(first)
    for _ in range(4):
        next(batches)
    state, rest = first.state_dict(), [row for batch in batches for row in _flat(batch)]
    again = loader()
    again.load_state_dict(state)
    assert rows_of(again) == rest


def test_an_epoch_that_is_told_is_not_the_one_that_was_stopped():
    """Then no batch of it is passed over."""
    loader = fc.ArenaLoader(Keyed(), 6, sampler=SequentialSampler(range(40)))
    next(iter(loader))
    state = loader.state_dict()
    for told, length in ((0, 34), (4, 40)):
        again = fc.ArenaLoader(Keyed(), 6, sampler=SequentialSampler(range(40)))
        again.load_state_dict(state)
        again.dataset.set_epoch(told)
        rows = rows_of(again)
        assert (len(rows), {row[1] for row in rows}) == (length, {told})


def test_indices_that_are_no_numbers_are_told_apart_by_their_place():
    words = ["a", "bb", "a", "ccc", "bb", "a"]
    for workers in (0, 1):
        rows = rows_of(fc.ArenaLoader(ByName(Keyed()), 2, sampler=words, num_workers=workers))
        assert [row[OCCURRENCE] for row in rows] == [0, 1, 2, 3, 4, 5]
        assert len({(row[SAMPLE], row[OCCURRENCE]) for row in rows}) == 6


def test_loaders_do_not_disturb_one_another():
    """What one loader's sampler says is not told to a dataset that others read, too."""
    ds = Keyed()
    ours = fc.ArenaLoader(ds, 5, shuffle=True)
    plain = DataLoader(ds, 5, shuffle=True)
    for epoch in range(4):
        for batch, others in zip(ours, plain, strict=True):
            assert {row[1] for row in _flat(batch) + _flat(others)} == {epoch}
            assert {row[OCCURRENCE] for row in _flat(batch)} == {0}
    assert ds.epoch_told is None


def test_parts_of_a_dataset_hear_what_it_is_told():
    """ArenaLoader over a Subset, and our sampler over one in a plain DataLoader."""
    ds = Keyed()
    part = Subset(ds, range(10))
    ours = fc.ArenaLoader(part, 5)
    for told, epoch in ((None, 0), (7, 7), (None, 8)):
        if told is not None:
            ds.set_epoch(told)
        assert {row[1] for row in rows_of(ours)} == {epoch}
    plain = DataLoader(part, 5, sampler=fc.ArenaSampler(part))
    for epoch in range(3):
        rows = rows_of(plain)
        assert {(row[1], row[OCCURRENCE]) for row in rows} == {(epoch, 0)}


def test_ranks_that_count_visits_draw_other_numbers(monkeypatch):
    """Each counts its own: what one rank had in its first epoch, another has in its."""
    rows = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        ds = Keyed()
        rows += [ds[3].tolist() for _ in range(3)]
    assert len({tuple(row[1:]) for row in rows}) == 6


# -- parts ---------------------------------------------------------------------------------


def test_datasets_are_found_in_torchs_wrappers_and_in_no_others():
    first, second = Keyed(), Around(Keyed())

    class Mine(Subset):
        pass

    own = Mine(first, [1])
    assert list(datasets_in(ConcatDataset([Subset(first, [0]), second, own]))) == [
        first,
        second,
        own,
    ]


@pytest.mark.parametrize("index", [7, -8, 1 << 40])
def test_samples_that_are_not_there_are_the_datasets_to_refuse(index):
    part = Subset(Keyed(), range(7))
    with pytest.raises(IndexError):
        Origins(part).of(np.array([0, index]))
    with pytest.raises(IndexError):
        rows_of(fc.ArenaLoader(part, 2, sampler=[0, index]))
    assert Occurrences(part).count([0, 1], 2) is None


def test_samplers_that_give_each_once_are_known():
    ds = Keyed()
    assert gives_each_once(SequentialSampler(ds))
    assert gives_each_once(RandomSampler(ds))
    assert gives_each_once(RandomSampler(ds, num_samples=7))
    assert not gives_each_once(RandomSampler(ds, num_samples=41))
    assert not gives_each_once(RandomSampler(ds, replacement=True))
    assert not gives_each_once([1, 2])


@pytest.mark.parametrize(
    "indices",
    [[3, 1, 3], (3, 1, 3), np.array([3, 1, 3]), torch.tensor([3, 1, 3]), [torch.tensor(3), 1, 3]],
    ids=str,
)
def test_indices_of_any_kind_are_counted(indices):
    counting = Occurrences(Keyed())
    assert counting.count(indices, 3).tolist() == [0, 0, 1]
    assert counting.count(torch.tensor(1), 1).tolist() == [1]
