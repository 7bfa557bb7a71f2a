"""Batches on their way to a device: with a stand-in whose copies are as late as they may be."""

import ctypes
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
import torch
from late_device import LateDevice, pretend
from reading import assert_equal, every_field, make_arena, photo_set, rows_of_sizes
from torch.utils.data import DataLoader, default_collate

import fastcache as fc
from fastcache.errors import ArgumentError, BlockError
from fastcache.read.device import cuda
from fastcache.read.device.locked import LockedBuffers
from fastcache.read.device.moving import Mover, bytes_in, map_tensors
from fastcache.read.loading import loader
from fastcache.read.view import ArenaView
from fastcache.schema import Image


@pytest.fixture
def device(monkeypatch):
    """A stand-in that ArenaLoader takes for a CUDA device."""
    return pretend(monkeypatch)


def batches_of(ds, size=4, **options):
    return fc.ArenaLoader(ds, size, device="cuda", **options)


@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
def test_batches_arrive_whole(device, ahead):
    """C5: written into page-locked memory at once, which is used again after its copy."""
    ds = photo_set(200, (40, 44))
    wanted = list(DataLoader(ds, 16))
    got = list(batches_of(ds, 16, prefetch_factor=ahead))
    assert_equal(got, wanted)
    assert got[0][0].is_contiguous(memory_format=torch.channels_last)
    image_bytes, label_bytes = 16 * 40 * 44 * 3, 16 * 8
    assert set(device.copies[:-2]) == {(image_bytes, False), (label_bytes, False)}
    # As many as there may be under way, each of exactly its size in whole pages.
    pages = -(-image_bytes // 4096) * 4096 + 4096
    assert device.buffers.locked_bytes <= (ahead + 2) * pages
    assert sum(device.locked.values()) == device.buffers.locked_bytes


def test_a_device_that_lags_is_waited_for(device):
    ds = photo_set(400, (40, 44))
    device.hand_over = lambda event, tensors: None  # the loop asks the device for nothing
    kept = list(batches_of(ds, 16))
    assert device.buffers.locked_bytes <= 4 * (21 + 1) * 4096
    assert device.done < device.asked
    device.catch_up(device.asked)
    assert_equal(kept, list(DataLoader(ds, 16)))


def test_stats_tell_what_was_moved_and_locked(device):
    ds = photo_set(64, (40, 44))
    batches = batches_of(ds, 16)
    list(batches)
    stats = batches.stats()
    assert stats.bytes == 64 * (40 * 44 * 3 + 8)
    assert stats.locked_bytes == device.buffers.locked_bytes > 0


def test_any_nesting_is_moved_and_what_is_no_tensor_stays(device):
    structure, columns = every_field(9)
    ds = ArenaView(make_arena(structure, columns))
    assert_equal(list(batches_of(ds, 3)), list(fc.ArenaLoader(ds, 3, collate_fn=fc.collate)))


def test_images_of_different_sizes_are_one_copy(device):
    sizes = [(100 + k, 90, 3) for k in range(8)]
    columns = {"image": (Image("uint8", 3), rows_of_sizes(sizes, "uint8"))}
    ds = ArenaView(make_arena("image", columns))
    got = list(batches_of(ds, 8, collate_fn=fc.collate))
    assert_equal(got, list(fc.ArenaLoader(ds, 8, collate_fn=fc.collate)))
    assert device.copies == [(sum(a * b * c for a, b, c in sizes), False)]


Pair = namedtuple("Pair", "a b")


def test_every_kind_of_container_keeps_its_type():
    x = torch.arange(3)
    tree = {
        "list": [x, "text", None],
        "tuple": (x, 1.5),
        "named": Pair(x, b"bytes"),
        "ordered": OrderedDict(z=x, a=2),
        "default": defaultdict(list, k=x),
        "user": UserDict(k=x),
        "fixed": MappingProxyType({"k": x}),
        "other": {1, 2},
    }
    moved = map_tensors(lambda t: t + 1, tree)
    assert {key: type(value) for key, value in moved.items()} == {
        key: type(value) for key, value in tree.items()
    }
    assert moved["named"].b == b"bytes"
    assert moved["default"].default_factory is list
    for got in (moved["list"][0], moved["named"].a, moved["user"]["k"], moved["fixed"]["k"]):
        assert got.tolist() == [1, 2, 3]
    assert tree["list"][0].tolist() == [0, 1, 2]
    assert bytes_in(tree) == 7 * 24


class Named(torch.Tensor):
    """A tensor type of a user's own."""


def odd_tensors():
    base = torch.arange(120, dtype=torch.float32).view(2, 3, 4, 5)
    return {
        "transposed": base.permute(0, 3, 1, 2),
        "sliced": base[:, ::2, 1:3],
        "expanded": torch.ones(1, 3).expand(5, 3),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
        "conjugate": torch.complex(base, base).conj(),
        "negative": torch.complex(base, base).conj().imag,
        "half": base.to(torch.bfloat16),
        "flags": base > 3,
        "grad": base.clone().requires_grad_(),
    }


@pytest.mark.parametrize("name", odd_tensors())
def test_tensors_of_any_kind_arrive(name):
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2)
    tensor = odd_tensors()[name]
    with mover.making(None):
        moved = mover.move([tensor, tensor])
    (first, second) = mover.hand_over(moved)
    for got in (first, second):
        assert torch.equal(got, tensor.detach())
        assert got.dtype == tensor.dtype
        if name not in ("expanded", "sliced", "negative"):  # these have gaps, or overlap
            assert got.stride() == tensor.stride()


def test_other_tensor_types_are_copied_as_they_are():
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2)
    copied = mover.move(torch.arange(6).as_subclass(Named)).batch
    assert type(copied) is Named
    assert copied.tolist() == list(range(6))


def test_a_copy_that_is_under_way_is_waited_for_when_the_next_one_fails():
    """A10: the device's memory may end in the middle of a batch."""
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2)
    images, labels = torch.zeros(9000), torch.ones(5)
    ask = late.copy

    def copy(tensor, blocking):
        if late.asked:
            raise MemoryError("CUDA out of memory")
        return ask(tensor, blocking)

    late.copy = copy
    with pytest.raises(MemoryError):
        mover.move([images, labels])
    (address,) = [a for a, size in late.locked.items() if size > 4096]
    assert mover.buffers.new_bytes(36_000).data_ptr() != address
    late.catch_up(late.asked)
    mover.close()
    assert len(late.locked) == 0


# -- page-locked memory --------------------------------------------------------------------


def test_memory_is_lent_again_only_when_it_is_free():
    late = LateDevice()
    buffers = LockedBuffers(late)
    first = buffers.new_bytes(100_000)
    place = first.data_ptr()
    assert buffers.locked_bytes == 102_400
    view = first[10:20]
    del first
    other = buffers.new_bytes(100_000)
    assert other.data_ptr() != place  # a tensor is on it
    del view
    assert buffers.new_bytes(100_000).data_ptr() == place

    tensor = buffers.new_bytes(90_000)  # fits, and wastes no third
    late.copy(tensor, blocking=False)
    buffers.copied(tensor, late.event())
    held = tensor.data_ptr()
    del tensor
    others = [buffers.new_bytes(90_000) for _ in range(3)]
    assert held not in [other.data_ptr() for other in others]  # its copy is under way
    late.catch_up(late.asked)
    assert buffers.new_bytes(90_000).data_ptr() == held


def test_sizes_are_exact_and_idle_memory_is_bounded():
    late = LateDevice()
    buffers = LockedBuffers(late, most_idle=300_000)
    for size in (1, 4096, 4097, 200_000, 201_000, 500_000):
        buffers.new_bytes(size)
    buffers.collect()
    assert sum(late.locked.values()) == buffers.locked_bytes <= 300_000
    assert 500_000 not in late.locked.values()
    buffers.close()
    assert not late.locked
    assert buffers.locked_bytes == 0


def test_closing_waits_for_copies_and_leaves_what_is_lent():
    late = LateDevice()
    buffers = LockedBuffers(late)
    held, gone = buffers.new_bytes(5000), buffers.new_bytes(9000)
    late.copy(gone, blocking=False)
    buffers.copied(gone, late.event())
    del gone
    buffers.close()
    assert late.done == 1
    assert list(late.locked) == [held.data_ptr()]
    held.fill_(3)


def test_memory_that_cannot_be_locked_is_an_error_in_the_loop(device):
    device.most_locked = 100_000
    batches = iter(batches_of(photo_set(64, (40, 44)), 16))
    with pytest.raises(BlockError, match=r"cannot be page-locked: .*; use smaller batches"):
        list(batches)
    assert device.buffers.locked_bytes <= 100_000


def test_held_host_memory_of_a_users_own_is_never_used_again(device):
    kept = []

    def collate(samples):
        batch = default_collate(samples)
        kept.append(batch[0])
        return batch

    ds = photo_set(200, (40, 44))
    wanted = [images for images, _ in DataLoader(ds, 16)]
    assert_equal([images for images, _ in batches_of(ds, 16, collate_fn=collate)], wanted)
    assert_equal(kept, wanted)


def test_workers_batches_are_moved_too(device):
    ds = photo_set(40, (40, 44))
    got = list(batches_of(ds, 8, num_workers=2))
    assert_equal(got, list(DataLoader(ds, 8)))


# -- CUDA's own face -----------------------------------------------------------------------


class Runtime:
    """Stands in for the CUDA runtime as torch hands it on."""

    def __init__(self, code):
        self.code = code

    def cudaHostRegister(self, address, size, flags):  # noqa: N802
        return self.code

    def cudaHostUnregister(self, address):  # noqa: N802
        return self.code

    def cudaGetErrorString(self, code):  # noqa: N802
        return "out of memory"


class Nothing:
    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


@pytest.fixture
def fake_cuda(monkeypatch):
    for name in ("device", "Stream"):
        monkeypatch.setattr(torch.cuda, name, Nothing)
    monkeypatch.setattr(torch, "zeros", lambda *args, **options: None)
    made = cuda.CudaDevice(torch.device("cuda", 0))

    def answer(code):
        monkeypatch.setattr(torch.cuda, "cudart", lambda: Runtime(code))
        return made

    return answer


def test_the_runtimes_refusals_say_why_and_what_to_do(fake_cuda):
    fake_cuda(0).lock(4096, 8192)
    fake_cuda(0).unlock(4096)
    with pytest.raises(BlockError, match=r"8.00 KiB cannot be page-locked: out of memory"):
        fake_cuda(2).lock(4096, 8192)
    with pytest.raises(BlockError, match="unlocked: out of memory"):
        fake_cuda(2).unlock(4096)


@pytest.mark.parametrize("batch", [True, False])
def test_pieces_of_locked_memory_are_copied_by_address(fake_cuda, monkeypatch, batch):
    """F1: what CUDA is asked for, with processors' memory in the place of the device's."""
    streams = []

    def copies(targets, sources, sizes, stream):
        streams.append(stream)
        assert {array.dtype for array in (targets, sources, sizes)} == {np.dtype(np.uint64)}
        for places in zip(targets.tolist(), sources.tolist(), sizes.tolist(), strict=True):
            ctypes.memmove(*places)

    made = fake_cuda(0)
    monkeypatch.setattr(torch.cuda, "stream", Nothing)
    monkeypatch.setattr(cuda, "batch_copy", lambda: copies if batch else None)
    made.empty = lambda size: torch.full((size,), 77, dtype=torch.uint8)
    made._stream = SimpleNamespace(cuda_stream=1234)
    memory = np.random.default_rng(0).integers(0, 256, 5000, np.uint8)
    starts, lengths = np.array([4000, 10, 700]), np.array([1000, 1, 300])
    got = made.gather(memory, starts, lengths, 1301)
    wanted = [memory[s : s + n] for s, n in zip(starts, lengths, strict=True)]
    assert (got.numpy() == np.concatenate(wanted)).all()
    assert streams == [1234] * batch
    assert made.gathers_by == ("cudaMemcpyBatchAsync" if batch else "cudaMemcpyAsync")
    none = np.empty(0, np.int64)
    assert made.gather(memory, none, none, 0).numel() == 0
    target = torch.empty(1000, dtype=torch.uint8)
    made.copy_into(target, torch.from_numpy(memory[:1000]))
    assert (target.numpy() == memory[:1000]).all()


def test_free_memory_counts_what_torch_holds_and_does_not_use(fake_cuda, monkeypatch):
    for name, value in (("mem_get_info", (1000, 5000)), ("memory_reserved", 700)):
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 400)
    assert fake_cuda(0).free_bytes() == 1300


def test_devices_are_looked_for_where_there_are_some(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for given in ("cuda", "cuda:1", 1, torch.device("cuda", 0)):
        assert cuda.checked_device(given).type == "cuda"
    for given in ("cuda:2", 2, torch.device("cuda", 7)):
        with pytest.raises(ArgumentError, match=r"there are 2, 'cuda:0' to 'cuda:1'"):
            cuda.checked_device(given)
    assert loader.cuda is cuda


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_arrive_on_the_device(workers):
    ds = photo_set(400, (64, 64))
    wanted = list(DataLoader(ds, 32))
    loader = fc.ArenaLoader(ds, 32, device="cuda", num_workers=workers)
    for _ in range(3):
        got = list(loader)
        assert all(images.device.type == labels.device.type == "cuda" for images, labels in got)
        assert_equal([[part.cpu() for part in batch] for batch in got], wanted)
    assert loader.stats().locked_bytes > 0


@pytest.mark.gpu
@needs_cuda
def test_a_hostile_stream_never_sees_another_batch():
    """10,000 batches: work queued behind long kernels, on a stream of the loop's own."""
    ds = photo_set(512, (32, 32))
    wanted = torch.stack([sum(batch[0].sum((1, 2, 3))) for batch in DataLoader(ds, 32)])
    loader = fc.ArenaLoader(ds, 32, device="cuda", prefetch_factor=3)
    stream, heat = torch.cuda.Stream(), torch.rand(1024, 1024, device="cuda")
    wrong = torch.zeros((), device="cuda", dtype=torch.int64)
    for _ in range(10_000 // 16):
        with torch.cuda.stream(stream):
            for k, (images, _) in enumerate(loader):
                heat = heat @ heat
                heat /= heat.norm()
                wrong += images.sum() != wanted[k].item()
                del images
    torch.cuda.synchronize()
    assert wrong.item() == 0


@pytest.mark.gpu
@needs_cuda
def test_pinned_batches_are_torchs():
    for images, labels in fc.ArenaLoader(photo_set(64), 16, pin_memory=True):
        assert images.is_pinned()
        assert labels.is_pinned()
