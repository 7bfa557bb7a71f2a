"""Batches: what torch would have made of the samples, without making the samples."""

import copy
import functools
import gc
import operator
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
    rows_of_sizes,
)
from torch.utils._pytree import tree_map
from torch.utils.data import default_collate

from fastcache.errors import ArgumentError
from fastcache.read import buffers
from fastcache.read.batch import ArenaBatch, ArenaDictSample, ArenaListSample, ArenaSample
from fastcache.read.buffers import POOL
from fastcache.read.collate import collate
from fastcache.read.view import ArenaView
from fastcache.schema import Array, Image, Nothing, Ragged, Scalar, Text

MiB = 1 << 20
COLLATES = [default_collate, collate]


@functools.cache
def everything():
    structure, columns = every_field()
    return ArenaView(make_arena(structure, columns)), Expected(structure, columns)


def regular(count=9):
    """Every field that torch can collate itself, nested in every way."""
    structure, columns = every_field(count)
    leave_out = {"free", "freemask", "boxes", "none"}
    columns = {name: column for name, column in columns.items() if name not in leave_out}
    structure = (
        "image",
        {"deep": "deep", "both": ("mask",), "name": "name"},
        ["vector", ("point", "empty", "flags"), "title"],
        {"wave": "wave", "numbers": ["int", "byte", "real", "double"]},
        "half",
        "yes",
    )
    return structure, columns


@pytest.mark.parametrize("function", COLLATES)
def test_batches_are_what_torch_makes_of_plain_samples(function):
    ds, wanted = ArenaView(make_arena(*regular())), Expected(*regular())
    for indices in ([0], [3, 1, 8, 1], list(range(9)), [-1, -9, 0]):
        batch = ds.__getitems__(indices)
        assert type(batch) is ArenaBatch
        assert_equal(function(batch), default_collate([wanted[k % 9] for k in indices]))


@pytest.mark.parametrize("outer", [tuple, list, dict])
def test_samples_of_each_structure(outer):
    structure, columns = photos(6)
    structure = {"x": "image", "y": "label"} if outer is dict else outer(structure)
    ds, wanted = ArenaView(make_arena(structure, columns)), Expected(structure, columns)
    for function in COLLATES:
        got = function(ds.__getitems__([4, 0, 4]))
        assert_equal(got, default_collate([wanted[k] for k in (4, 0, 4)]))


@pytest.mark.parametrize("function", COLLATES)
def test_what_torch_refuses_comes_as_lists(function):
    ds, wanted = everything()
    indices = [5, 2, 2, 0]
    got = function(ds.__getitems__(indices))
    samples = [wanted[k] for k in indices]
    assert_equal(got[1]["both"][0], [sample[1]["both"][0] for sample in samples])
    assert_equal(got[2][0], [sample[2][0] for sample in samples])
    assert_equal(got[3]["boxes"], [sample[3]["boxes"] for sample in samples])
    assert got[6] == [None] * 4


def test_a_column_of_different_sizes_is_a_list_even_if_a_batch_agrees():
    """A training loop must not meet a tensor in the last, short batch only."""
    ds, wanted = everything()
    for function in COLLATES:
        for indices in ([4], [2, 2]):
            boxes = function(ds.__getitems__(indices))[3]["boxes"]
            assert_equal(boxes, [wanted[k][3]["boxes"] for k in indices])


def test_plain_lists_of_samples_collate_to_the_same():
    ds, _ = everything()
    indices = [5, 2, 2, 0]
    wanted = collate(ds.__getitems__(indices))
    assert_equal(collate([ds[k] for k in indices]), wanted)
    assert_equal(collate(list(ds.__getitems__(indices))), wanted)
    assert_equal(collate(ds.__getitems__(indices)[::-1][::-1]), wanted)
    assert_equal(collate(ds.__getitems__(indices[:2]) + ds.__getitems__(indices[2:])), wanted)


def test_batches_of_several_datasets_may_be_mixed():
    ds = photo_set(6)
    mixed = [ds[0], *ds.__getitems__([1, 2])]
    for order in (mixed, mixed[::-1]):
        images, labels = collate(order)
        assert_equal(images, torch.stack([sample[0] for sample in order]))
        assert_equal(labels, torch.tensor([sample[1] for sample in order]))


def test_images_are_channels_last():
    images, labels = default_collate(photo_set(6, (12, 10)).__getitems__([1, 2, 3]))
    assert images.shape == (3, 3, 12, 10)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-23, 22), min_size=1, max_size=40))
def test_any_indices(indices):
    ds, wanted = small(), Expected(*photos())
    assert_equal(
        default_collate(ds.__getitems__(indices)),
        default_collate([wanted[k % 23] for k in indices]),
    )


@functools.cache
def small():
    return photo_set()


@pytest.mark.parametrize(
    "indices",
    [
        np.array([3, 1, -1]),
        np.array([3, 1, 22], np.uint8),
        torch.tensor([3, 1, -1]),
        [torch.tensor(3), torch.tensor(1), torch.tensor(-1)],
        [np.int64(3), np.int16(1), np.int64(-1)],
        (3, 1, -1),
        range(3, -2, -2),
    ],
)
def test_index_types(indices):
    wanted = Expected(*photos())
    assert_equal(
        default_collate(small().__getitems__(indices)),
        default_collate([wanted[k] for k in (3, 1, 22)]),
    )


@pytest.mark.parametrize("indices", [[0, 23], [-24], np.array([2**40]), np.array([2**64 - 1])])
def test_beyond_the_end(indices):
    with pytest.raises((IndexError, OverflowError)):
        small().__getitems__(indices)


@pytest.mark.parametrize("indices", [[0.0, 1.0], ["0"], [[0, 1]], [None], np.zeros((2, 2), int)])
def test_what_are_no_indices(indices):
    with pytest.raises(TypeError):
        small().__getitems__(indices)


def test_an_empty_batch_is_an_empty_list():
    assert list(small().__getitems__([])) == []


def test_uint64_beyond_int64_is_refused():
    columns = {
        "a": (Scalar("uint64"), np.array([1, 2**64 - 1], np.uint64)),
        "b": (Nothing(), [0, 0]),
    }
    ds = ArenaView(make_arena(("a", "b"), columns))
    assert_equal(default_collate(ds.__getitems__([0]))[0], torch.tensor([1]))
    with pytest.raises(ArgumentError, match="18446744073709551615 exceeds int64"):
        ds.__getitems__([0, 1])


# -- the batch as a list ------------------------------------------------------------------------


def test_an_arena_batch_is_a_list_of_samples():
    wanted = [Expected(*photos())[k] for k in (4, 7, 2)]
    make = functools.partial(small().__getitems__, [4, 7, 2])
    assert isinstance(make(), list)
    assert len(make()) == 3
    assert bool(make())
    assert_equal([tuple(sample) for sample in make()], wanted)
    assert_equal(tuple(make()[0]), wanted[0])
    assert_equal(tuple(make()[-1]), wanted[2])
    assert_equal([tuple(s) for s in make()[1:]], wanted[1:])
    assert_equal([tuple(s) for s in reversed(make())], wanted[::-1])
    images, labels = zip(*make(), strict=True)
    assert_equal(images, tuple(sample[0] for sample in wanted))
    assert labels == tuple(sample[1] for sample in wanted)
    first, *rest = make()
    assert first[1] == wanted[0][1]
    assert len(rest) == 2


LISTINGS = {
    "append": lambda b: b.append("x"),
    "extend": lambda b: b.extend([1, 2]),
    "insert": lambda b: b.insert(1, "x"),
    "pop": lambda b: b.pop(),
    "pop first": lambda b: b.pop(0),
    "clear": lambda b: b.clear(),
    "reverse": lambda b: b.reverse(),
    "sort": lambda b: b.sort(key=lambda sample: sample[1]),
    "delete": lambda b: b.__delitem__(0),
    "set": lambda b: b.__setitem__(0, "x"),
    "add": lambda b: operator.add(b, [1]),
    "radd": lambda b: operator.add([1], b),
    "into": lambda b: [1, *b, *[2][:0]],
    "extends": lambda b: extended([1], b),
    "slices": lambda b: sliced([1, 2, 3], b),
    "twice": lambda b: b + b,
    "less": lambda b: b < [(9, "z")],
    "tuple": tuple,
    "list": list,
    "sorted": sorted,
    "zip": lambda b: list(zip(*b, strict=True)),
    "enumerate": lambda b: list(enumerate(b)),
    "filter": lambda b: [sample for sample in b if sample[0]],
    "deepcopy": copy.deepcopy,
    "iadd": lambda b: b.__iadd__([1]),
    "imul": lambda b: b.__imul__(2),
    "times": lambda b: b * 2,
    "count": lambda b: b.count("x"),
    "in": lambda b: "x" in b,
    "copy": lambda b: b.copy(),
    "slice": lambda b: b[::2],
}


def extended(items, more):
    items.extend(more)
    items += more
    return items


def sliced(items, more):
    items[1:2] = more
    return items


@pytest.mark.parametrize("name", LISTINGS)
@pytest.mark.parametrize("looked", [False, True])
def test_lists_methods_do_what_lists_do(name, looked):
    structure = ("label", "text")
    columns = {"label": (Scalar("int64"), np.arange(5)), "text": (Text(), list("abcde"))}
    ds = ArenaView(make_arena(structure, columns))
    batch, plain = ds.__getitems__([3, 0, 2]), [(3, "d"), (0, "a"), (2, "c")]
    if looked:
        assert batch[0] == (3, "d")
    results = LISTINGS[name](batch), LISTINGS[name](plain)
    assert results[0] == results[1]
    assert len(batch) == len(plain)
    assert list(batch) == plain
    assert repr(batch) == repr(plain)
    assert batch == plain
    assert not batch != plain


def test_every_method_of_list_is_accounted_for():
    """A method that a later Python adds to list must not see the placeholders."""
    harmless = {
        *("__class_getitem__", "__doc__", "__getattribute__", "__hash__", "__len__", "__new__"),
        *("__sizeof__",),
    }
    assert set(vars(list)) - harmless <= set(vars(ArenaBatch)) | {"__init__"}


def test_samples_are_builtins_with_another_name():
    structure, columns = photos(3)
    kinds = {
        ArenaSample: (structure, tuple),
        ArenaListSample: (list(structure), list),
        ArenaDictSample: ({"x": "image", "y": "label"}, dict),
    }
    for kind, (form, builtin) in kinds.items():
        sample = ArenaView(make_arena(form, columns)).__getitems__([1, 2])[0]
        assert type(sample) is kind
        assert isinstance(sample, builtin)
        for again in (pickle.loads(pickle.dumps(sample)), copy.copy(sample), copy.deepcopy(sample)):
            assert_equal(again, builtin(sample))
    assert type(ArenaView(make_arena(structure, columns))[1]) is tuple


def test_batches_pickle_as_plain_lists():
    batch = small().__getitems__([4, 7, 2])
    again = pickle.loads(pickle.dumps(batch))
    assert type(again) is list
    assert {type(sample) for sample in again} == {tuple}
    assert_equal(again, [Expected(*photos())[k] for k in (4, 7, 2)])
    assert type(copy.copy(small().__getitems__([0]))) is list


def test_what_is_done_to_samples_shows_in_the_batch():
    """A collate function that changes samples and then calls default_collate."""
    for touch_all in (False, True):
        batch = small().__getitems__([4, 7, 2])
        for k in range(3 if touch_all else 1):
            batch[k][0].fill_(k)
        images, _ = default_collate(batch)
        for k in range(3):
            wanted = torch.full((3, 12, 10), k, dtype=torch.uint8)
            changed = torch.equal(images[k], wanted)
            assert changed == (touch_all or k == 0)


def test_replaced_leaves_show_in_the_batch():
    structure, columns = photos(5)
    ds = ArenaView(make_arena({"x": "image", "more": {"y": "label"}}, columns))
    for count in (1, 3):
        batch = ds.__getitems__([4, 1, 2])
        for k in range(count):
            batch[k]["more"]["y"] = 100
            batch[k]["new"] = 1.5
        if count == 3:
            wanted = default_collate([dict(sample) for sample in batch])
            assert_equal(default_collate(batch), wanted)
            assert wanted["new"].tolist() == [1.5] * 3
        else:
            with pytest.raises(KeyError):
                default_collate(batch)  # torch's own answer to samples with different keys


def test_an_inner_dict_of_a_tuple_may_be_changed():
    structure, columns = photos(5)
    ds = ArenaView(make_arena(("image", {"y": "label"}), columns))
    batch = ds.__getitems__([4, 1])
    batch[0][1]["y"] = -7
    assert default_collate(batch)[1]["y"].tolist()[0] == -7


def test_a_batch_can_be_collated_twice():
    batch = small().__getitems__([4, 7, 2])
    assert_equal(collate(batch), collate(batch))
    assert_equal(default_collate(batch), default_collate([tuple(sample) for sample in batch]))


def test_only_the_first_sample_is_looked_at(monkeypatch):
    """No Python per sample on the way through DataLoader's collate."""
    made = []
    original = ArenaBatch._sample
    monkeypatch.setattr(ArenaBatch, "_sample", lambda self, k: made.append(k) or original(self, k))
    default_collate(small().__getitems__(list(range(20))))
    assert made == [0]
    collate(small().__getitems__(list(range(20))))
    assert made == [0]


def test_a_lone_leaf_batches_as_torch_does_it():
    for field, rows in (
        (Image("uint8", 3, (4, 3)), np.arange(5 * 36, dtype=np.uint8).reshape(5, 4, 3, 3)),
        (Scalar("float32"), np.arange(5, dtype=np.float32)),
        (Text(), list("abcde")),
        (Array("int16", (2,)), np.arange(10, dtype=np.int16).reshape(5, 2)),
    ):
        columns = {"value": (field, rows)}
        ds, wanted = ArenaView(make_arena("value", columns)), Expected("value", columns)
        for function in COLLATES:
            got = function(ds.__getitems__([3, 0]))
            assert_equal(got, default_collate([wanted[3], wanted[0]]))


def test_lone_ragged_leaves_batch_as_a_list():
    columns = {"value": (Ragged("float32", 1), rows_of_sizes([(2,), (0,), (5,)], "float32"))}
    ds = ArenaView(make_arena("value", columns))
    got = collate(ds.__getitems__([2, 1]))
    assert [tuple(tensor.shape) for tensor in got] == [(5,), (0,)]


def test_samples_of_different_length_are_refused():
    with pytest.raises(RuntimeError, match="different numbers"):
        collate([ArenaSample((1, 2)), ArenaSample((1,))])


def test_users_tables_of_functions_are_used():
    from torch.utils.data._utils.collate import collate as torch_collate
    from torch.utils.data._utils.collate import default_collate_fn_map

    table = {**default_collate_fn_map, int: lambda batch, *, collate_fn_map=None: "ints"}
    batch = list(small().__getitems__([0, 1]))
    assert torch_collate(batch, collate_fn_map=table)[1] == "ints"
    bare = {torch.Tensor: length_of, int: length_of}
    assert torch_collate(small().__getitems__([0, 1]), collate_fn_map=bare) == [2, 2]


def length_of(batch, *, collate_fn_map=None):
    return len(batch)


# -- sample by sample ---------------------------------------------------------------------------


def test_transforms_run_per_sample():
    ds = photo_set(6, transform=darker, target_transform=add_one)
    got = ds.__getitems__([1, 5])
    assert type(got) is list
    assert_equal(got, [ds[1], ds[5]])
    images, labels = default_collate(got)
    assert images.shape == (2, 12, 10, 3)
    assert labels.tolist() == [ds[1][1], ds[5][1]]


def test_a_subclass_with_its_own_getitem_is_asked():
    ds = Doubled(make_arena(*photos(6)))
    assert [label for _, label in ds.__getitems__([1, 2])] == [ds[1][1], ds[2][1]]
    assert default_collate(ds.__getitems__([1, 2]))[1].tolist() == [ds[1][1], ds[2][1]]


# -- memory -------------------------------------------------------------------------------------


def large():
    """64 images of 48 KiB: a batch of them is leased, threaded and streamed."""
    return photo_set(64, (128, 128), threads=2)


def test_large_batches_are_right_on_threads_and_past_the_cache():
    ds, wanted = large(), Expected(*photos(64, (128, 128)))
    rng = np.random.default_rng(0)
    for count in (200, 20, 3):
        indices = rng.integers(0, 64, count).tolist()
        images, labels = default_collate(ds.__getitems__(indices))
        assert_equal(images, torch.stack([wanted[k][0] for k in indices]))
        assert labels.tolist() == [wanted[k][1] for k in indices]


def test_changing_a_batch_never_changes_a_later_epoch():
    ds, wanted = large(), Expected(*photos(64, (128, 128)))
    for _ in range(3):
        images, labels = default_collate(ds.__getitems__(list(range(64))))
        assert torch.equal(images[5], wanted[5][0])
        assert labels.tolist()[5] == wanted[5][1]
        images.zero_()
        labels.zero_()


def test_held_batches_are_never_overwritten():
    ds = large()
    held = [default_collate(ds.__getitems__([k] * 30))[0][:1] for k in range(12)]
    for k, image in enumerate(held):
        assert torch.equal(image[0], ds[k][0])


def test_memory_of_batches_is_used_again():
    ds = large()
    gc.collect()
    POOL.trim()
    addresses = set()
    for _ in range(10):
        images, _ = default_collate(ds.__getitems__(list(range(64))))
        addresses.add(images.data_ptr())
        del images
    assert len(addresses) == 1
    assert POOL.idle_count == 1


def test_a_batch_outlives_its_dataset():
    ds = large()
    images, _ = default_collate(ds.__getitems__([3] * 64))
    wanted = ds[3][0]
    ds.close()
    assert torch.equal(images[63], wanted)


def test_small_work_stays_on_the_calling_thread(monkeypatch):
    counts = []
    ds = large()  # its fill uses the threads too
    monkeypatch.setattr(buffers.pool, "run", lambda work, threads: counts.append(threads) or work())
    ds.__getitems__([0, 1])
    assert counts == []
    ds.__getitems__([*range(64), *range(64)])
    assert counts == [2]


@pytest.mark.parametrize("form", [tuple, list, lambda names: dict(zip("xy", names))])
def test_whoever_goes_through_a_batch_meets_plain_builtins(form):
    """torch's pytree, and so torchvision.transforms.v2, passes over subclasses of tuple."""
    structure, columns = photos(4)
    ds = ArenaView(make_arena(form(structure), columns))
    batch = ds.__getitems__([1, 2, 3])
    assert [type(sample) for sample in batch] == [type(ds[0])] * 3
    doubled = tree_map(lambda leaf: leaf * 2, list(batch))
    assert_equal(doubled, [tree_map(lambda leaf: leaf * 2, ds[k]) for k in (1, 2, 3)])


def test_a_tuple_that_was_looked_at_first_becomes_plain_too():
    structure, columns = photos(4)
    batch = ArenaView(make_arena(structure, columns)).__getitems__([1, 2])
    first = batch[0]
    assert type(first) is ArenaSample
    plain = next(iter(batch))
    assert type(plain) is tuple
    assert all(a is b for a, b in zip(plain, first, strict=True))
