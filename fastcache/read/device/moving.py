"""Batches to a device: through page-locked memory, beside what else the device does."""

from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, NamedTuple

import torch

from fastcache.read.buffers import Finishes, Wishes, wishing
from fastcache.read.device.copier import Copier, RowGather
from fastcache.read.device.locked import Event, LockedBuffers


class Moved(NamedTuple):
    """A batch on a device, complete when the event has passed.

    Attributes
    ----------
    batch : object
    event : Event
    tensors : list of Tensor
        One on each piece of the device's memory.
    """

    batch: Any
    event: Event
    tensors: list[torch.Tensor]


class Mover:
    """Moves the tensors of batches to a device.

    Parameters
    ----------
    device : Copier
    buffers : LockedBuffers
        Of that device.
    most : int
        Batches whose copies may be under way at a time; each has page-locked memory.
    gather : RowGather, optional
        What brings rows to the device by itself.
    finishing : bool
        Whether nobody looks at batches before they are moved, so that the last part of a recipe may
        run on the device.
    """

    def __init__(
        self,
        device: Copier,
        buffers: LockedBuffers,
        most: int,
        gather: RowGather | None = None,
        finishing: bool = False,
    ) -> None:
        self._device = device
        self.buffers = buffers
        self._most = most
        self.gather = gather
        self._finishing = finishing
        self._finishes: Finishes | None = None
        self._under_way: deque[Event] = deque()

    def making(self, threads: int | None) -> AbstractContextManager[None]:
        """Within it, the dataset's batches are written into page-locked memory at once.

        With `gather` they come to the device without that.
        """
        self.wait()
        self._finishes = Finishes() if self._finishing else None
        made = Wishes(threads, self.buffers.new_bytes, self.gather, self._finishes)
        return wishing(made)

    def wait(self) -> None:
        """Wait until there may be one more batch under way."""
        while len(self._under_way) >= self._most:
            self._under_way.popleft().synchronize()

    def move(self, batch: Any) -> Moved:
        """Return a batch with its tensors on the device; whatever else is in it stays.

        Tensors on another device than the CPU stay, too. What was left to be done there is done.
        """
        wholes: dict[int, torch.Tensor] = {}  # memory on the device, by where it was in ours
        staged: list[torch.Tensor] = []
        others: list[torch.Tensor] = []

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            finish = None if self._finishes is None else self._finishes.of(tensor)
            there = arrived(tensor)
            if finish is None:
                return there
            with self._device.on_stream():
                others.append(finish(there))
            return others[-1]

        def arrived(tensor: torch.Tensor) -> torch.Tensor:
            if self._device.has(tensor):
                others.append(tensor)
                return tensor
            if tensor.device.type != "cpu":
                return tensor
            dense = type(tensor) is torch.Tensor and tensor.layout is torch.strided
            if not (dense and tensor.numel()):
                others.append(self._device.copy(tensor, blocking=True))
                return others[-1]
            plain = not (tensor.is_conj() or tensor.is_neg())  # else memory has other numbers
            ours = tensor if plain and self.buffers.owns(tensor) else self._staged(tensor)
            # Images of different sizes are many tensors on one memory: that is one copy.
            place = ours.untyped_storage().data_ptr()
            if place not in wholes:
                staged.append(_bytes_of(ours))
                wholes[place] = self._device.copy(staged[-1], blocking=False)
            whole = wholes[place].untyped_storage()
            there = torch.empty(0, dtype=ours.dtype, device=wholes[place].device)
            return there.set_(whole, ours.storage_offset(), ours.size(), ours.stride())

        try:
            made = map_tensors(moved, batch)
        finally:  # the device may have no memory for the second of two tensors
            self._finishes = None
            event = self._device.event()
            for memory in staged:
                self.buffers.copied(memory, event)
        self._under_way.append(event)
        return Moved(made, event, [*wholes.values(), *others])

    def hand_over(self, moved: Moved) -> Any:
        """Return the batch to the thread that uses it; to be called there."""
        self._device.hand_over(moved.event, moved.tensors)
        return moved.batch

    def close(self) -> None:
        """Unlock memory that is not used."""
        self.buffers.close()

    def _staged(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy a tensor into page-locked memory, in the order in which its elements lie."""
        # What torch gives a copy: the same order if there are no gaps, else rows.
        like = torch.empty_like(tensor, device="meta")
        memory = self.buffers.new_bytes(tensor.numel() * tensor.element_size())
        storage = memory.untyped_storage()
        made = torch.empty(0, dtype=tensor.dtype).set_(storage, 0, like.size(), like.stride())
        return made.copy_(tensor.detach())


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return the whole memory that a tensor is on: uint8 of shape (bytes,)."""
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,))


def map_tensors(function: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """Return nested tuples, lists and dicts of any types with each tensor in them exchanged."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        changed = {key: map_tensors(function, child) for key, child in value.items()}
        if type(value) is dict:
            return changed
        if not isinstance(value, MutableMapping):
            return type(value)(changed)  # type: ignore[call-arg]
        twin = copy(value)  # it may have attributes of its own, as defaultdict has
        twin.update(changed)
        return twin
    if isinstance(value, tuple | list):
        parts = [map_tensors(function, child) for child in value]
        if hasattr(value, "_fields"):
            return type(value)(*parts)
        return parts if type(value) is list else type(value)(parts)
    return value


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors of a batch, in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    found: list[torch.Tensor] = []
    for part in value if isinstance(value, tuple | list) else ():
        found += tensors_in(part)
    return found


def bytes_in(value: Any) -> int:
    """Return how many bytes the tensors of a batch have."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_in(value))
