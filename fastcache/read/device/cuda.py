"""All that fastcache asks of CUDA, through torch."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data._utils.pin_memory import pin_memory

from fastcache._core.cudart import batch_copy
from fastcache.errors import ArgumentError, BlockError
from fastcache.memory.units import format_bytes
from fastcache.read.device.copier import Copier
from fastcache.read.device.locked import Event, LockedBuffers

Bytes: TypeAlias = npt.NDArray[np.uint8]
Offsets: TypeAlias = npt.NDArray[np.int64]

# What torch raises when a device has no memory left.
DeviceMemoryError = torch.cuda.OutOfMemoryError

_PORTABLE = 1  # cudaHostRegisterPortable: locked for every device


def checked_device(device: Any, argument: str = "device") -> torch.device | None:
    """Return what a user's ``device=`` means.

    Parameters
    ----------
    device : str, torch.device, int or None
        None, "cpu", "cuda", or one of the CUDA devices: "cuda:1" or 1. Without a number it is the
        one that is current where an iteration begins.
    argument : str
        What the user calls it.

    Raises
    ------
    ArgumentError
        For a device that does not exist, or of another kind.
    """
    if device is None:
        return None
    try:
        if isinstance(device, bool):
            raise TypeError("a bool")
        # An int means the device with that number wherever torch takes one.
        made = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"{argument}={device!r}: give 'cpu', 'cuda', 'cuda:0' or None"
        ) from error
    if made.type == "cpu":
        return made
    if made.type != "cuda":
        raise ArgumentError(
            f"{argument}={device!r}: batches are moved to CUDA devices; leave {argument}= out, and "
            "move them yourself"
        )
    count = torch.cuda.device_count()
    if not torch.cuda.is_available() or count == 0:
        raise ArgumentError(
            f"{argument}={device!r}: torch sees no CUDA device here (it is version "
            f"{torch.__version__}, for CUDA {torch.version.cuda}); install a torch with CUDA and a "
            f"driver for it, or leave {argument}= out"
        )
    if made.index is not None and made.index >= count:
        raise ArgumentError(
            f"{argument}={device!r}: there are {count}, 'cuda:0' to 'cuda:{count - 1}'"
        )
    return made


class CudaDevice(Copier):
    """A CUDA device with a stream of its own for copies.

    Parameters
    ----------
    device : torch.device
        With its number.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = self.torch_device = device
        self.name = str(device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def lock(self, address: int, size: int) -> None:
        with torch.cuda.device(self._device):
            runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
            code = runtime.cudaHostRegister(address, size, _PORTABLE)
            if int(code) == 0:
                return
            reason = runtime.cudaGetErrorString(code)
            # The runtime remembers the error, and torch would raise it at whatever comes next.
            with suppress(RuntimeError):
                torch.zeros(1, device=self._device)
        raise BlockError(f"{format_bytes(size)} cannot be page-locked: {reason}")

    def unlock(self, address: int) -> None:
        with torch.cuda.device(self._device):
            runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
            code = runtime.cudaHostUnregister(address)
            if int(code) != 0:
                reason = runtime.cudaGetErrorString(code)
                raise BlockError(f"page-locked memory could not be unlocked: {reason}")

    @property
    def gathers_by(self) -> str:
        """The function of the runtime that `gather` uses."""
        return "cudaMemcpyAsync" if batch_copy() is None else "cudaMemcpyBatchAsync"

    def has(self, tensor: torch.Tensor) -> bool:
        return tensor.device == self._device

    def free_bytes(self) -> int:
        free, _ = torch.cuda.mem_get_info(self._device)
        # What torch's allocator holds and does not use is free for us, too.
        held = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return free + held

    def empty(self, size: int) -> torch.Tensor:
        with self.on_stream():
            return torch.empty(size, dtype=torch.uint8, device=self._device)

    @contextmanager
    def on_stream(self) -> Iterator[None]:
        with torch.cuda.stream(self._stream):
            yield

    def copy_into(self, target: torch.Tensor, tensor: torch.Tensor) -> None:
        with self.on_stream():
            target.copy_(tensor, non_blocking=True)

    def gather(self, memory: Bytes, starts: Offsets, lengths: Offsets, size: int) -> torch.Tensor:
        target = self.empty(size)
        places = np.cumsum(lengths) - lengths
        copies = batch_copy()
        if copies is not None and len(starts):
            to = np.uint64(target.data_ptr()) + places.astype(np.uint64)
            of = np.uint64(memory.__array_interface__["data"][0]) + starts.astype(np.uint64)
            with torch.cuda.device(self._device):
                copies(to, of, lengths.astype(np.uint64), self._stream.cuda_stream)
            return target
        with self.on_stream():
            source = torch.from_numpy(memory)
            for start, length, place in zip(
                starts.tolist(), lengths.tolist(), places.tolist(), strict=True
            ):
                target[place : place + length].copy_(
                    source[start : start + length], non_blocking=True
                )
        return target

    def copy(self, tensor: torch.Tensor, blocking: bool) -> torch.Tensor:
        with torch.cuda.stream(self._stream):
            return tensor.to(self._device, non_blocking=not blocking, copy=True)

    def event(self) -> Event:
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record(self._stream)
        return event

    def hand_over(self, event: Event, tensors: list[torch.Tensor]) -> None:
        current = torch.cuda.current_stream(self._device)
        current.wait_event(event)  # type: ignore[arg-type]
        for tensor in tensors:
            tensor.record_stream(current)


_devices: dict[int, tuple[CudaDevice, LockedBuffers]] = {}


def opened(device: torch.device) -> tuple[CudaDevice, LockedBuffers]:
    """Return a device and its page-locked buffers, which all loaders of the process share."""
    index = torch.cuda.current_device() if device.index is None else device.index
    if index not in _devices:
        copier = CudaDevice(torch.device("cuda", index))
        _devices[index] = copier, LockedBuffers(copier)
    return _devices[index]


def _unlock_all() -> None:
    """Unlock what nobody uses, while CUDA is still there."""
    for _, buffers in _devices.values():
        with suppress(BlockError):  # the process ends, and its locks with it
            buffers.close()


atexit.register(_unlock_all)
# A forked child cannot use CUDA; what was locked is its parent's.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_devices.clear)


class Pinner:
    """Copies batches into torch's page-locked memory, as ``DataLoader(pin_memory=True)`` does.

    Whoever gets them moves them to a device by streams that we do not see; torch's allocator does.
    The thread that makes the object decides for which device.
    """

    def __init__(self) -> None:
        self._index = torch.cuda.current_device()

    def __call__(self, batch: Any) -> Any:
        with torch.cuda.device(self._index):  # a new thread would take, and open, device 0
            return pin_memory(batch)  # type: ignore[no-untyped-call]


def pinner() -> Pinner | None:
    """Return what pins batches; None where there is nothing to pin them for."""
    return Pinner() if torch.cuda.is_available() else None
