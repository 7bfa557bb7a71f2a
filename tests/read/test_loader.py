"""Plain ``DataLoader``s over a dataset: whatever stands between, values are the same."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from reading import (
    Doubled,
    Expected,
    add_one,
    assert_equal,
    darker,
    every_field,
    make_arena,
    photo_set,
    photos,
    stacked,
)
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    SequentialSampler,
    StackDataset,
    Subset,
    default_collate,
    random_split,
)

from fastcache.read.collate import collate
from fastcache.read.view import ArenaView

COUNT = 23
WORKERS = [(0, None), *((n, start) for n in (1, 2) for start in ("fork", "spawn", "forkserver"))]


def loader(ds, workers=0, start=None, **options):
    context = {"multiprocessing_context": start} if workers else {}
    return DataLoader(ds, num_workers=workers, **context, **options)


def reference(order=None, size=5, drop_last=False, change=lambda k, sample: sample):
    """Batches of the photos, made the slow way."""
    wanted = Expected(*photos(COUNT))
    order = list(range(COUNT)) if order is None else order
    chunks = [order[k : k + size] for k in range(0, len(order), size)]
    if drop_last:
        chunks = [chunk for chunk in chunks if len(chunk) == size]
    return [default_collate([change(k, wanted[k]) for k in chunk]) for chunk in chunks]


def check(batches, wanted):
    batches = list(batches)
    assert len(batches) == len(wanted)
    for got, expected in zip(batches, wanted, strict=True):
        assert_equal(got, expected)


@pytest.mark.parametrize(("workers", "start"), WORKERS)
def test_values_are_equal_under_every_start_method(workers, start):
    """B1: fork, spawn and forkserver see the same bytes, with any number of workers."""
    # Starting a process anew takes seconds; what it runs then is the same.
    functions = (None, collate, stacked) if start in (None, "fork") else (None,)
    for collate_fn in functions:
        batches = loader(photo_set(COUNT), workers, start, batch_size=5, collate_fn=collate_fn)
        check(batches, reference())


@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (1, "spawn")])
def test_what_torch_refuses_comes_as_lists_from_workers(workers, start):
    structure, columns = every_field(9)
    ds, wanted = ArenaView(make_arena(structure, columns)), Expected(structure, columns)
    batches = list(loader(ds, workers, start, batch_size=3))
    for first, batch in zip((0, 3, 6), batches, strict=True):
        assert_equal(batch, collate([wanted[k] for k in range(first, first + 3)]))


@pytest.mark.parametrize("workers", [0, 2])
def test_transforms_run_in_workers(workers):
    ds = photo_set(COUNT, transform=darker, target_transform=add_one)
    wanted = reference(change=lambda k, sample: ((sample[0] // 2).permute(1, 2, 0), sample[1] + 1))
    check(loader(ds, workers, "fork", batch_size=5), wanted)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 5, 23, 40])
def test_the_last_short_batch(size, drop_last):
    """E5."""
    batches = DataLoader(photo_set(COUNT), batch_size=size, drop_last=drop_last)
    assert len(list(batches)) == len(batches)
    check(batches, reference(size=size, drop_last=drop_last))


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffled_epochs_hold_every_sample_once(workers):
    ds = photo_set(COUNT)
    wanted = Expected(*photos(COUNT))
    by_bytes = {wanted[k][0].numpy().tobytes(): wanted[k][1] for k in range(COUNT)}
    orders = []
    batches = loader(ds, workers, "fork", batch_size=6, shuffle=True)
    for _ in range(2):
        seen = []
        for images, labels in batches:
            for image, label in zip(images, labels.tolist(), strict=True):
                data = image.numpy().tobytes()
                assert by_bytes[data] == label
                seen.append(data)
        assert sorted(seen) == sorted(by_bytes)
        orders.append(seen)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_changing_batches_in_place_changes_nothing_else(workers):
    batches = loader(photo_set(COUNT), workers, "fork", batch_size=5)
    for _ in range(3):
        check(batches, reference())
        for images, labels in batches:
            images.zero_()
            labels.zero_()


@pytest.mark.parametrize("workers", [0, 2])
def test_subsets(workers):
    order = [20, 3, 3, 0, 22, 7]
    subset = Subset(Subset(photo_set(COUNT), list(range(COUNT))), order)
    check(loader(subset, workers, "fork", batch_size=4), reference(order, 4))
    parts = random_split(photo_set(COUNT), [15, 8], torch.Generator().manual_seed(0))
    for part in parts:
        check(loader(part, workers, "fork", batch_size=4), reference(list(part.indices), 4))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("collate_fn", [None, collate])
def test_concatenated_and_stacked_datasets(workers, collate_fn):
    ds = photo_set(COUNT)
    both = ds + ds
    assert isinstance(both, ConcatDataset)
    batches = loader(both, workers, "fork", batch_size=5, collate_fn=collate_fn)
    check(batches, reference([*range(COUNT), *range(COUNT)]))
    stack = StackDataset(a=ds, b=ds)
    wanted = [{"a": batch, "b": batch} for batch in reference()]
    check(loader(stack, workers, "fork", batch_size=5, collate_fn=collate_fn), wanted)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_subclass_that_overrides_getitem(workers):
    ds = Doubled(make_arena(*photos(COUNT)))
    wanted = reference(change=lambda k, sample: (sample[0], 2 * sample[1]))
    check(loader(ds, workers, "fork", batch_size=5), wanted)
    check(loader(Subset(ds, range(COUNT)), workers, "fork", batch_size=5), wanted)


def test_other_ways_to_drive_a_loader():
    ds = photo_set(COUNT)
    sampler = BatchSampler(SequentialSampler(ds), 5, drop_last=False)
    check(DataLoader(ds, batch_sampler=sampler), reference())
    check(DataLoader(ds, batch_size=5, pin_memory=False), reference())
    singles = list(DataLoader(ds, batch_size=None))
    wanted = Expected(*photos(COUNT))
    assert len(singles) == COUNT
    for k, (image, label) in enumerate(singles):
        assert_equal(image, wanted[k][0])
        assert label == wanted[k][1]


def test_persistent_workers_over_several_epochs():
    batches = loader(photo_set(COUNT), 2, "fork", batch_size=5, persistent_workers=True)
    for _ in range(3):
        check(batches, reference())


@pytest.mark.parametrize("workers", [0, 2])
def test_output_dict_batches_by_name(workers):
    ds = photo_set(COUNT, output="dict")
    wanted = [{"image": images, "label": labels} for images, labels in reference()]
    check(loader(ds, workers, "fork", batch_size=5), wanted)


def storage_is_shared(batch):
    """Tell whether the images of a batch lie in shared memory already, from inside a worker."""
    images, labels = collate(batch)
    return images.is_shared(), images, labels


def test_workers_write_into_shared_memory():
    for shared, images, _ in loader(
        photo_set(COUNT), 1, "fork", batch_size=5, collate_fn=storage_is_shared
    ):
        assert shared
        assert images.is_contiguous(memory_format=torch.channels_last)


def fail_at_seven(image):
    if image.size == (7, 7):
        raise ValueError("seven")
    return image


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_reach_the_loop(workers):
    ds = photo_set(4, (7, 7), transform=fail_at_seven)
    with pytest.raises(ValueError, match="seven"):
        next(iter(loader(ds, workers, "fork", batch_size=2)))


def test_large_batches_from_workers():
    """More than a megabyte each, so that leases and streaming are on the way."""
    size = (160, 160)
    ds, wanted = photo_set(40, size), Expected(*photos(40, size))
    batches = list(loader(ds, 2, "fork", batch_size=16))
    for first, (images, labels) in zip((0, 16, 32), batches, strict=True):
        for k, image in enumerate(images):
            assert torch.equal(image, wanted[first + k][0])
        assert labels.tolist() == [wanted[first + k][1] for k in range(len(images))]


def test_numpy_indices_from_a_sampler_of_the_users():
    order = np.random.default_rng(0).permutation(COUNT)
    ds = photo_set(COUNT)
    check(DataLoader(ds, batch_size=5, sampler=order), reference(order.tolist()))
    check(DataLoader(ds, batch_size=5, sampler=torch.from_numpy(order)), reference(order.tolist()))


@pytest.mark.alone
@pytest.mark.skipif(sys.platform != "linux", reason="reads /dev/shm")
def test_nothing_is_left_in_shared_memory():
    """B7 in the small: batches from workers leave no file behind."""
    before = set(Path("/dev/shm").iterdir())
    check(loader(photo_set(COUNT), 2, "fork", batch_size=5), reference())
    mine = {p for p in set(Path("/dev/shm").iterdir()) - before if p.name.startswith("torch_")}
    assert not mine
