"""A stand-in for a CUDA device, whose copies are as late as they may be."""

import threading
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fastcache.errors import BlockError
from fastcache.read.device import cuda
from fastcache.read.device.locked import LockedBuffers

ALL = 1 << 60


class LateEvent:
    """Passes once somebody waits for it, or the device catches up."""

    def __init__(self, device, place):
        self.device, self.place = device, place

    def query(self):
        return self.device.done >= self.place

    def synchronize(self):
        self.device.catch_up(self.place)


class _Owning(TorchDispatchMode):
    """Notes whatever torch makes within it as a device's."""

    def __init__(self, device):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.device.owned(made)
        return made


class LateDevice:
    """Copies nothing before somebody has to wait for it: memory used too early shows.

    What stands for the device's memory is ordinary memory, which it knows to be its own.
    """

    torch_device = torch.device("cpu")
    name = "late:0"
    gathers_by = "a stand-in"

    def __init__(self, most_locked=1 << 40, room=ALL):
        self.locked = {}
        self.most_locked = most_locked
        self.room = room
        self.asked = self.done = 0
        self.work = []
        self.lock_ = threading.RLock()
        self.handed = []
        self.copies = []
        self.gathers = []
        self.own = {}

    def lock(self, address, size):
        if sum(self.locked.values()) + size > self.most_locked:
            raise BlockError(f"{size} bytes cannot be page-locked: out of memory")
        assert address % 4096 == size % 4096 == 0
        for other, length in self.locked.items():
            assert address + size <= other or other + length <= address, "locked twice"
        self.locked[address] = size

    def unlock(self, address):
        del self.locked[address]

    def free_bytes(self):
        return self.room

    def has(self, tensor):
        return tensor.untyped_storage().data_ptr() in self.own

    def owned(self, tensor):
        """Note that a tensor's memory is the device's; it is kept, or another gets its address."""
        self.own[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    def empty(self, size):
        return self.owned(torch.full((size,), 77, dtype=torch.uint8))

    @contextmanager
    def on_stream(self):
        """What is asked for within it comes after all copies up to now."""
        self.catch_up(self.asked)
        with _Owning(self):
            yield

    def copy(self, tensor, blocking):
        return self._enqueue(self.owned(torch.full_like(tensor, 77)), tensor, blocking)

    def copy_into(self, target, tensor):
        assert self.has(target)
        self._enqueue(target, tensor, blocking=False)

    def gather(self, memory, starts, lengths, size):
        target = self.empty(size)
        self.gathers.append(len(starts))
        place = 0
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            source = torch.from_numpy(memory[start : start + length])
            self._enqueue(target[place : place + length], source, blocking=False)
            place += length
        assert place == size
        return target

    def _enqueue(self, target, tensor, blocking):
        with self.lock_:
            self.asked += 1
            self.copies.append((tensor.numel() * tensor.element_size(), blocking))
            # As a device does: it knows the address, and keeps nothing alive.
            source = tensor.numpy().__array_interface__["data"][0] if not blocking else None
            self.work.append((target, source, tensor if blocking else None))
            if blocking:
                self.catch_up(self.asked)
        return target

    def catch_up(self, place):
        with self.lock_:
            while self.done < place:
                target, address, tensor = self.work.pop(0)
                if tensor is None:
                    pages = next(a for a, n in self.locked.items() if a <= address < a + n)
                    assert address + target.nbytes <= pages + self.locked[pages]
                    tensor = torch.from_numpy(memory_at(address, target.nbytes))
                    tensor = tensor.view(target.dtype).view(target.shape)
                target.copy_(tensor)
                self.done += 1

    def event(self):
        return LateEvent(self, self.asked)

    def hand_over(self, event, tensors):
        event.synchronize()
        self.handed.append(len(tensors))


def pretend(monkeypatch, device=None):
    """Have fastcache take a stand-in for its CUDA device, and return that."""
    late = device or LateDevice()
    late.buffers = LockedBuffers(late)
    there = torch.device("cuda", 0)
    monkeypatch.setattr(cuda, "checked_device", lambda device, argument="": device and there)
    monkeypatch.setattr(cuda, "opened", lambda device: (late, late.buffers))
    return late


def memory_at(address, size):
    import ctypes

    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
