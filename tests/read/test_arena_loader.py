"""ArenaLoader is a DataLoader: same batches, same arguments, same attributes, only ahead."""

import inspect
import pickle
import warnings

import numpy as np
import pytest
import torch
from loading import Squares, loader_threads, told
from reading import assert_equal, photo_set, stacked
from sampling import Plain, joined
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

import fastcache as fc
from fastcache.errors import ArgumentError, FastcacheError
from fastcache.read.notes import note

COUNT = 23


def both(ds, *, seed=5, **options):
    """Return the batches of torch's loader and of ours, each from the same random state."""
    torch.manual_seed(seed)
    wanted = list(DataLoader(ds, **options))
    torch.manual_seed(seed)
    return wanted, list(fc.ArenaLoader(ds, **options))


def order_of(loader):
    return joined(labels.tolist() for _, labels in loader)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 5},
        {"batch_size": 5, "drop_last": True},
        {"batch_size": 40},
        {"batch_size": 40, "drop_last": True},
        {"batch_size": None},
        {"batch_sampler": BatchSampler(SequentialSampler(range(COUNT)), 4, True)},
        {"batch_sampler": [[3, 1], [0], [22, 22, 22]]},
        {"sampler": range(22, -1, -2), "batch_size": 3},
        {"batch_size": 6, "collate_fn": stacked},
        {"batch_size": 6, "collate_fn": fc.collate},
    ],
    ids=told,
)
@pytest.mark.parametrize("ds", [photo_set(COUNT), Squares(COUNT)], ids=["arena", "plain"])
def test_batches_are_those_of_a_dataloader(ds, options):
    """E5, C3: short batches, and data smaller than a batch, too."""
    if options.get("collate_fn") is stacked and isinstance(ds, Squares):
        options = {**options, "collate_fn": list}
    wanted, got = both(ds, **options)
    assert_equal(got, wanted)
    loader = fc.ArenaLoader(ds, **options)
    assert len(loader) == len(iter(loader)) == len(wanted)


@pytest.mark.parametrize("ahead", [0, 1, 2, 5, 100])
def test_how_many_are_made_ahead_changes_nothing(ahead):
    wanted, got = both(photo_set(COUNT), batch_size=4), []
    loader = fc.ArenaLoader(photo_set(COUNT), batch_size=4, prefetch_factor=ahead)
    assert loader.ahead == ahead
    for _ in range(2):
        got = list(loader)
        assert_equal(got, wanted[0])
    assert not loader_threads()


@pytest.mark.parametrize(
    "make",
    [
        RandomSampler,
        lambda ds: RandomSampler(ds, replacement=True, num_samples=9),
        lambda ds: SubsetRandomSampler(range(3, 19)),
        lambda ds: WeightedRandomSampler([1.0, 3.0, 2.0] * 6, 17),
    ],
)
@pytest.mark.parametrize("ahead", [0, 3])
def test_samplers_on_torchs_random_state_see_the_same_state(make, ahead):
    ds = photo_set(COUNT)
    torch.manual_seed(11)
    wanted = [order_of(DataLoader(ds, 4, sampler=make(ds))) for _ in range(2)]
    torch.manual_seed(11)
    loader = fc.ArenaLoader(ds, 4, sampler=make(ds), prefetch_factor=ahead)
    got = [order_of(loader), order_of(loader)]
    assert got[0] == wanted[0]
    assert got[1] == wanted[1]


def test_a_generator_gives_the_order_that_it_gives_a_dataloader():
    ds = photo_set(COUNT)
    orders = []
    for kind in (DataLoader, fc.ArenaLoader):
        generator = torch.Generator().manual_seed(3)
        sampler = RandomSampler(ds, generator=generator)
        orders.append(order_of(kind(ds, 4, sampler=sampler, generator=generator)))
    assert orders[0] == orders[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffling_is_an_arena_samplers(workers):
    """A new order in each epoch, the same in each run, whatever the ranks around it."""
    ds = photo_set(COUNT)
    loader = fc.ArenaLoader(ds, 4, shuffle=True, num_workers=workers)
    sampler = fc.ArenaSampler(ds, rank=0, world=1)
    wanted = [[ds[k][1] for k in sampler] for _ in range(2)]
    assert [order_of(loader), order_of(loader)] == wanted
    assert wanted[0] != wanted[1]

    generator = torch.Generator().manual_seed(8)
    seeded = fc.ArenaLoader(ds, 4, shuffle=True, generator=generator)
    assert seeded.sampler.seed == 8
    assert order_of(seeded) == [ds[k][1] for k in fc.ArenaSampler(ds, seed=8, rank=0, world=1)]
    blocks = fc.ArenaLoader(ds, 4, shuffle="blocks")
    assert blocks.sampler.shuffle == "blocks"
    assert sorted(order_of(blocks)) == sorted(wanted[0])


def test_iterators_that_nobody_asks_are_no_epochs():
    loader = fc.ArenaLoader(photo_set(COUNT), 4, shuffle=True)
    unused = [iter(loader) for _ in range(3)]
    assert not loader_threads()
    first = order_of(loader)
    assert first == order_of(fc.ArenaLoader(photo_set(COUNT), 4, shuffle=True))
    del unused


def test_subsets_and_other_datasets():
    ds = photo_set(COUNT)
    part, _ = random_split(ds, [10, 13], generator=torch.Generator().manual_seed(0))
    assert_equal(*both(part, batch_size=3))
    assert_equal(*both(TensorDataset(torch.arange(10), torch.rand(10, 2)), batch_size=3))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_are_dataloaders_own(workers, persistent):
    options = {"batch_size": 4, "num_workers": workers, "persistent_workers": persistent}
    loader = fc.ArenaLoader(photo_set(COUNT), **options)
    assert (loader.prefetch_factor, loader.ahead) == (2, 0)
    wanted = list(DataLoader(photo_set(COUNT), **options))
    for _ in range(2):
        assert_equal(list(loader), wanted)
    stats = loader.stats()
    assert (stats.batches, stats.samples) == (6, COUNT)


def test_a_batch_may_be_none():
    loader = fc.ArenaLoader(photo_set(6), 2, collate_fn=lambda samples: None)
    assert list(loader) == [None] * 3


def test_the_signature_is_dataloaders_and_three_more():
    theirs = dict(inspect.signature(DataLoader.__init__).parameters)
    ours = dict(inspect.signature(fc.ArenaLoader.__init__).parameters)
    assert set(ours) - set(theirs) <= {"device", "threads", "pin", "in_order"}
    assert list(ours)[: len(theirs)] == [*theirs, *({"in_order"} - set(theirs))][: len(theirs)]
    for name, parameter in theirs.items():
        assert (ours[name].kind, ours[name].default) == (parameter.kind, parameter.default), name
    loader = fc.ArenaLoader(photo_set(4))
    for name in set(ours) - {"self", "shuffle"}:
        assert hasattr(loader, name), name


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"num_workers": -1},
        {"timeout": -1},
        {"persistent_workers": True},
        {"shuffle": True, "sampler": [0]},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
        {"multiprocessing_context": "fork"},
        {"num_workers": 1, "prefetch_factor": -1},
    ],
    ids=told,
)
def test_what_dataloader_refuses_is_refused(options):
    with pytest.raises((ValueError, TypeError)) as theirs:
        DataLoader(photo_set(4), **options)
    with pytest.raises(type(theirs.value)):
        fc.ArenaLoader(photo_set(4), **options)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prefetch_factor": -1}, "prefetch_factor=-1"),
        ({"prefetch_factor": 1.5}, "prefetch_factor=1.5"),
        ({"prefetch_factor": 0, "timeout": 3}, "timeout=3 with prefetch_factor=0"),
        ({"threads": 0}, "threads=0"),
        ({"threads": "two"}, "threads='two'"),
        ({"threads": 2, "num_workers": 1}, "threads=2 with num_workers=1"),
        ({"shuffle": "often"}, "shuffle='often'"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"device": True}, "device=True"),
        ({"device": object()}, "give 'cpu', 'cuda'"),
        ({"device": "meta"}, "device='meta'"),
        ({"device": "cuda:77"}, "device='cuda:77'"),
        ({"device": 77}, "device=77"),
    ],
    ids=told,
)
def test_what_is_ours_is_refused_at_once(options, said):
    """A device that does not exist, among others."""
    with pytest.raises(ArgumentError) as error:
        fc.ArenaLoader(photo_set(4), **options)
    assert said in str(error.value)
    assert isinstance(error.value, FastcacheError)


def test_datasets_without_indices_are_refused():
    with pytest.raises(ArgumentError, match="Stream has no indices"):
        fc.ArenaLoader(Stream())


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu")])
def test_without_a_device_batches_are_tensors_of_the_cpu(device):
    loader = fc.ArenaLoader(photo_set(COUNT), 4, device=device)
    assert_equal(list(loader), list(DataLoader(photo_set(COUNT), 4)))


class NotesThreads(Dataset):
    """Tells what a batch of an arena would be made with."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        from fastcache.read import buffers

        asked = []
        buffers.pool.run_jobs, kept = lambda jobs, size, n: asked.append(n), buffers.pool.run_jobs
        try:
            buffers.run([], 0, 3)
        finally:
            buffers.pool.run_jobs = kept
        return asked[0]


@pytest.mark.parametrize(("threads", "used"), [(None, 3), (1, 1), (5, 5)])
@pytest.mark.parametrize("ahead", [0, 2])
def test_threads_are_those_of_the_dataset_unless_said(threads, used, ahead):
    loader = fc.ArenaLoader(NotesThreads(), threads=threads, prefetch_factor=ahead)
    assert [batch.item() for batch in loader] == [used] * 4
    assert NotesThreads()[0] == 3  # what was wished for is over


def test_pinning_without_cuda_is_said_once_an_iteration():
    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    loader = fc.ArenaLoader(photo_set(4), pin_memory=True)
    with pytest.warns(UserWarning, match="not page-locked"):
        assert_equal(list(loader), list(DataLoader(photo_set(4))))


def test_ranks_that_would_do_the_same_are_told(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    ds = photo_set(COUNT)
    loader = fc.ArenaLoader(ds, 4, shuffle=True)
    with pytest.warns(UserWarning, match=r"each of 4 ranks .* sampler=fc.ArenaSampler"):
        assert len(order_of(loader)) == COUNT
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(order_of(fc.ArenaLoader(ds, 4, sampler=fc.ArenaSampler(ds)))) == 6
        assert len(order_of(fc.ArenaLoader(ds, 4))) == COUNT


def test_stats_count_what_was_delivered():
    loader = fc.ArenaLoader(photo_set(COUNT, (12, 10)), 5)
    assert (loader.stats().batches, loader.stats().samples_per_second) == (0, 0.0)
    batches = iter(loader)
    for _ in range(2):
        next(batches)
    stats = loader.stats()
    assert (stats.batches, stats.samples) == (2, 10)
    assert stats.bytes == 10 * (12 * 10 * 3 + 8)
    assert 0 < stats.waited <= stats.seconds
    assert 0 <= stats.waited_share <= 1
    assert stats.samples_per_second == pytest.approx(10 / stats.seconds)
    assert stats.locked_bytes == 0
    assert 0 <= stats.buffers <= stats.buffers_most == 2
    assert "10 samples in 2 batches" in str(stats)
    list(batches)
    assert (loader.stats().samples, loader.stats().buffers) == (COUNT, 0)
    next(iter(loader))
    assert loader.stats().batches == 1


def test_loaders_are_pickled_and_copied_as_dataloaders_are():
    loader = fc.ArenaLoader(Plain(COUNT), 4, shuffle=True, prefetch_factor=3)
    next(iter(loader))
    twin = pickle.loads(pickle.dumps(loader))
    assert twin.state_dict() == loader.state_dict()
    assert twin.ahead == 3
    assert_equal(list(twin), list(loader))


def test_samplers_without_a_length_are_iterated_all_the_same():
    loader = fc.ArenaLoader(Plain(COUNT), 2, sampler=iter([4, 2, 7]))
    with pytest.raises(TypeError):
        len(loader)
    batches = iter(loader)
    with pytest.raises(TypeError):
        len(batches)
    assert joined(batch.tolist() for batch in batches) == [4, 2, 7]


def test_indices_of_any_kind_are_counted_as_samples():
    loader = fc.ArenaLoader(Plain(COUNT), None, sampler=torch.randperm(COUNT))
    assert len(list(loader)) == loader.stats().samples == COUNT
    rows = fc.ArenaLoader(Plain(COUNT), batch_sampler=np.arange(20).reshape(4, 5))
    assert len(list(rows)) == 4
    assert rows.stats().samples == 20


def test_notes_are_there_before_python_3_11_too():
    class Old:
        """An error as Python 3.10 has them."""

    old = Old()
    note(old, "one")
    note(old, "two")
    assert old.__notes__ == ["one", "two"]
