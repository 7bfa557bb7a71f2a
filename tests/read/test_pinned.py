"""pin="arena": a device reads rows out of the page-locked arena itself, with a stand-in for it."""

import gc
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from images import write_class_folder
from late_device import LateDevice, pretend
from reading import assert_equal, every_field, make_arena, photo_set, photos
from torch.utils.data import ConcatDataset, DataLoader, Subset

import fastcache as fc
from fastcache.errors import ArgumentError, BlockError, ClosedError, ForkedError
from fastcache.memory.layout import plan_layout
from fastcache.memory.second_mapping import map_again
from fastcache.read.buffers import Wishes, wishing
from fastcache.read.device import cuda, pinned
from fastcache.read.device.moving import tensors_in
from fastcache.read.device.pieces import chunk_starts, merged, split
from fastcache.read.device.pinned import PinnedArena
from fastcache.read.view import ArenaView
from fastcache.schema import Image, Scalar


@pytest.fixture
def device(monkeypatch):
    return pretend(monkeypatch)


def loader_of(ds, size=5, **options):
    return fc.ArenaLoader(ds, size, device="cuda", pin="arena", **options)


# -- batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 2, 4])
def test_the_device_reads_the_rows_of_batches(device, ahead):
    """F1: rows go from the arena to the device, and through no buffer between."""
    ds = photo_set(200, (40, 44))
    sampler = fc.ArenaSampler(ds, shuffle=True, seed=3)
    wanted = list(DataLoader(ds, 16, sampler=fc.ArenaSampler(ds, shuffle=True, seed=3)))
    got = list(loader_of(ds, 16, sampler=sampler, prefetch_factor=ahead))
    assert_equal(got, wanted)
    assert all(device.has(tensor) for tensor in tensors_in(got))
    assert got[0][0].is_contiguous(memory_format=torch.channels_last)
    assert len(device.gathers) == 13
    assert 8 < max(device.gathers) <= 16  # neighbours are one piece
    staged = [size for size, _ in device.copies if size != 40 * 44 * 3]
    assert max(size for size in staged if size % (40 * 44 * 3)) == 16 * 8  # labels alone
    ds.close()


def test_neighbours_are_one_piece(device):
    ds = photo_set(64, (40, 44))
    assert_equal(list(loader_of(ds, 16)), list(DataLoader(ds, 16)))
    assert device.gathers == [1] * 4


def test_columns_of_every_kind_and_shape(device):
    structure, columns = every_field(9)
    ds = ArenaView(make_arena(structure, columns))
    wanted = fc.ArenaLoader(ds, 4, collate_fn=fc.collate)
    got = fc.ArenaLoader(ds, 4, collate_fn=fc.collate, device="cuda", pin="arena")
    assert_equal(list(got), list(wanted))


def test_windows_are_read_there_too(device):
    series = np.arange(3 * 2 * 50, dtype=np.float32).reshape(3, 2, 50)
    ds = fc.ArenaDataset(fc.sources.Series(series, window=8, labels=np.array([4, 5, 6])))
    assert_equal(list(loader_of(ds, 7)), list(DataLoader(ds, 7)))


def test_subsets_and_repetitions(device):
    ds = photo_set(30, (40, 44))
    part = Subset(Subset(ds, [5, 4, 3, 20, 5, 5]), [0, 1, 4, 5])
    assert_equal(list(loader_of(part, 3)), list(DataLoader(part, 3)))


def test_it_is_locked_once_until_the_dataset_is_closed(device):
    """C1: what is locked is given back with the arena, after the copies out of it."""
    ds = photo_set(64, (40, 44))
    first, second = loader_of(ds, 16), loader_of(ds, 16)
    assert not device.locked
    for loader in (first, second, first):
        kept = list(loader)
    size = ds._reader.arena.claim.data.size
    assert list(device.locked.values()).count(size) == 1
    stats = first.stats()
    assert stats.arena_locked_bytes == size
    assert stats.gathered_by == "a stand-in"
    assert "page-locked, read by a stand-in" in str(stats)
    ds.close()
    assert size not in device.locked.values()
    assert device.done >= 4
    with pytest.raises(ClosedError):
        list(second)
    with pytest.raises(ClosedError):
        loader_of(ds)
    assert kept[0][0].shape == (16, 3, 40, 44)


def test_a_dataset_that_is_forgotten_unlocks_its_arena(device):
    ds = photo_set(64, (40, 44))
    loader = loader_of(ds, 16)
    list(loader)
    size = ds._reader.arena.claim.data.size
    assert size in device.locked.values()
    del ds, loader
    gc.collect()
    assert size not in device.locked.values()
    assert not pinned._pinned.arenas


def test_reading_goes_on_while_others_see_the_arena_read_only(device):
    """The twin is writable; the mapping that everybody reads is not."""
    ds = photo_set(64, (40, 44))
    list(loader_of(ds, 16))
    assert not ds.arrays["image"].flags.writeable
    again = pickle.loads(pickle.dumps(ds))
    assert_equal(again[3], ds[3])


def test_another_arenas_rows_are_left_to_the_processor(device):
    ds, other = photo_set(9, (40, 44)), photo_set(9, (40, 44))
    rows = pinned.pinned_rows(ds._reader.arena, device)
    with wishing(Wishes(gather=rows)):
        batch = other.__getitems__([2, 3])
        assert not device.gathers
        ds.__getitems__([2, 3])
    assert device.gathers == [1]
    assert_equal(list(batch), [other[2], other[3]])


def test_pieces_beyond_a_column_are_refused(device):
    ds = photo_set(9, (40, 44))
    rows = pinned.pinned_rows(ds._reader.arena, device)
    memory = ds._reader.readers["image"].memory
    for start, length in ((-1, 2), (memory.size - 1, 2), (0, -1)):
        with pytest.raises(IndexError, match="beyond"):
            rows(memory, np.array([start]), length)
    assert not device.gathers


# -- pieces and chunks ---------------------------------------------------------------------


def test_chunks_begin_with_rows_and_pages():
    row = (48, 64)  # 48 * 64 * 3 bytes are 2.25 pages: every fourth row begins with one
    columns = {"image": Image("uint8", 3, row), "label": Scalar("int64")}
    layout = plan_layout(columns, 100)
    size = -(-layout.total_bytes // 4096) * 4096
    starts = chunk_starts(layout, size, 100_000)
    ends = [*starts[1:], size]
    assert all(0 < end - start <= 100_000 for start, end in zip(starts, ends, strict=True))
    place, stride = layout.columns["image"].values, layout.columns["image"].stride
    inside = [s for s in starts[1:] if s < place + 100 * stride]
    assert len(inside) > 5
    assert all(s % 4096 == 0 and (s - place) % stride == 0 for s in inside)


def test_rows_that_never_begin_with_a_page_are_cut():
    layout = plan_layout({"image": Image("uint8", 1, (5000, 4097))}, 3)
    size = -(-layout.total_bytes // 4096) * 4096
    starts = chunk_starts(layout, size, 1 << 20)
    assert [b - a for a, b in zip(starts, starts[1:])] == [1 << 20] * (len(starts) - 1)  # noqa: RUF007


def test_pieces_are_merged_and_split():
    rng = np.random.default_rng(0)
    memory = np.arange(1000)
    for _ in range(50):
        starts, lengths = rng.integers(0, 900, 20), rng.integers(0, 30, 20)
        starts[5:9] = starts[4] + np.cumsum(lengths[4:8])
        cuts = np.unique(rng.integers(1, 1000, 6))
        wanted = np.concatenate([memory[s : s + n] for s, n in zip(starts, lengths, strict=True)])
        few, long = merged(starts, lengths)
        assert len(few) <= 16
        places, sizes = split(few, long, cuts)
        made = np.concatenate([memory[s : s + n] for s, n in zip(places, sizes, strict=True)])
        assert (made == wanted).all()
        crossed = (cuts[:, None] > places) & (cuts[:, None] < places + sizes)
        assert not crossed.any()
        assert (sizes > 0).all()
    nothing = np.empty(0, np.int64)
    assert [len(a) for a in split(*merged(nothing, nothing), nothing)] == [0, 0]


def test_an_arena_of_many_chunks_is_read_across_them(device, monkeypatch):
    """Each copy stays within what one call has locked: the stand-in refuses any other."""
    ds = photo_set(40, (37, 41))
    arena = ds._reader.arena
    locked = PinnedArena(arena, device, chunk=8192)
    assert len(device.locked) > 10
    memory = ds._reader.readers["image"].memory
    order = np.random.default_rng(1).permutation(40)
    size = 37 * 41 * 3
    got = locked.gather(device, memory, order * size, size)
    device.catch_up(device.asked)
    wanted = memory.reshape(-1, size)[order]
    assert (got.view(40, size).numpy() == wanted).all()
    locked.close()
    locked.close()
    assert not device.locked


# -- what cannot be ------------------------------------------------------------------------


def test_what_cannot_be_locked_leaves_nothing(monkeypatch):
    """A10: a typed error with reason and remedy; every range that was locked is unlocked."""
    late = pretend(monkeypatch, LateDevice(most_locked=100_000))
    ds = photo_set(40, (37, 41))
    monkeypatch.setattr(pinned, "_CHUNK", 8192)
    monkeypatch.setattr(PinnedArena.__init__, "__defaults__", (8192,))
    loader = loader_of(ds, 8)
    with pytest.raises(
        BlockError, match=r"pin=.arena.*cannot be page-locked: out of memory.*leave pin="
    ):
        list(loader)
    assert not late.locked
    assert not pinned._pinned.arenas
    late.most_locked = 1 << 30
    assert_equal(list(loader), list(DataLoader(ds, 8)))
    ds.close()


def test_the_systems_limit_is_named(monkeypatch):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (8 << 20, 8 << 20))
    assert "ulimit -l allows a process 8.00 MiB" in pinned._lock_limit()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert pinned._lock_limit() == ""


def refused(told, ds, **options):
    with pytest.raises(ArgumentError, match=told):
        fc.ArenaLoader(ds, 4, **{"device": "cuda", "pin": "arena", **options})


def test_what_it_cannot_be_had_with_is_said_when_the_loader_is_made(device, tmp_path):
    ds = photo_set()
    refused("pin='all': give 'arena'", ds, pin="all")
    refused('give device="cuda" as well', ds, device=None)
    refused("num_workers=2: the device gathers", ds, num_workers=2)
    refused("ConcatDataset is no ArenaDataset", ConcatDataset([ds, ds]))
    refused("transform=.*runs on the processor", photo_set(transform=np.asarray))
    refused("target_transform=.*runs on the processor", photo_set(target_transform=abs))
    root = write_class_folder(tmp_path / "photos")
    encoded = fc.ArenaDataset(root, keep="encoded")
    refused("not all samples of column 'image' are kept decoded", encoded)
    fc.ArenaDataset(root).save(tmp_path / "a.arena")
    refused("lies in home='disk'.*home=\"ram\"", fc.open(tmp_path / "a.arena"))

    class Changed(ArenaView):
        def __getitem__(self, index):
            return super().__getitem__(index)

    refused("Changed is no ArenaDataset", Changed(make_arena(*photos())))
    assert not device.locked


def test_files_are_not_mapped_twice(tmp_path):
    fc.ArenaDataset(write_class_folder(tmp_path / "photos")).save(tmp_path / "a.arena")
    ds = fc.open(tmp_path / "a.arena")
    with pytest.raises(ArgumentError, match="only memory"):
        map_again(ds._reader.arena)
    with pytest.raises(ArgumentError, match="pages come and go"):
        pinned.pinned_rows(ds._reader.arena, LateDevice())


PEER = """
import pickle, sys
import numpy as np
from fastcache.memory.second_mapping import map_again
ds = pickle.loads(bytes.fromhex(sys.argv[1]))
twin = map_again(ds._reader.arena)
column = ds._reader.readers["image"]
at = column.memory.__array_interface__["data"][0] - ds._reader.arena.base_address
assert (np.frombuffer(twin, np.uint8)[at : at + column.memory.size] == column.memory).all()
assert twin.address != ds._reader.arena.base_address
print("mapped")
"""


def test_a_process_that_opened_the_arena_maps_it_for_writing_too():
    """A12: as another rank does, whose descriptor is read-only."""
    ds = photo_set()
    done = subprocess.run(
        [sys.executable, "-c", PEER, pickle.dumps(ds).hex()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("mapped", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_unlocks_nothing(device):
    ds = photo_set(64, (40, 44))
    list(loader_of(ds, 16))
    locked = dict(device.locked)
    (made,) = pinned._pinned.arenas.values()
    child = os.fork()
    if child == 0:
        made.close()
        column = ds._reader.readers["image"].memory
        try:
            made.gather(device, column, np.zeros(1, np.int64), 1)
        except ForkedError:
            os._exit(0 if device.locked == locked and not pinned._pinned.arenas else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert_equal(list(loader_of(ds, 16)), list(DataLoader(ds, 16)))


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("batch", [True, False])
def test_the_real_device_reads_the_arena(monkeypatch, batch):
    """F1: by one call for a batch where the runtime has it, and by a copy for each piece."""
    if not batch:
        monkeypatch.setattr(cuda, "batch_copy", lambda: None)
    ds = photo_set(400, (64, 64))
    sampler = fc.ArenaSampler(ds, shuffle=True)
    wanted = list(DataLoader(ds, 32, sampler=fc.ArenaSampler(ds, shuffle=True)))
    loader = loader_of(ds, 32, sampler=sampler)
    got = list(loader)
    assert all(tensor.device.type == "cuda" for tensor in tensors_in(got))
    assert_equal([[part.cpu() for part in parts] for parts in got], wanted)
    assert loader.stats().arena_locked_bytes >= 400 * 64 * 64 * 3
    ds.close()
