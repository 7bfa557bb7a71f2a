"""What moving batches asks of a device: CUDA's, or what stands in for it in tests."""

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from fastcache.read.device.locked import Event, PageLocker


class Copier(PageLocker, Protocol):
    """A device with an order of copies of its own: CUDA's, or what stands in for it in tests.

    Attributes
    ----------
    name : str
        As users know it: "cuda:0".
    torch_device : torch.device
    """

    name: str
    torch_device: torch.device

    @property
    def gathers_by(self) -> str:
        """The function of the runtime that `gather` uses."""

    def has(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor lies on the device."""

    def free_bytes(self) -> int:
        """Return how much of the device's memory is free."""

    def empty(self, size: int) -> torch.Tensor:
        """Return a uint8 tensor of shape (size,) on the device; its content is arbitrary."""

    def on_stream(self) -> AbstractContextManager[None]:
        """Within it, what this thread asks of the device comes in the order of the copies."""

    def copy_into(self, target: torch.Tensor, tensor: torch.Tensor) -> None:
        """Copy page-locked memory into a tensor on the device, without waiting."""

    def gather(
        self,
        memory: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        size: int,
    ) -> torch.Tensor:
        """Return pieces of page-locked memory one after the other on the device: uint8 (size,).

        No piece may reach over two of the ranges that were locked. Does not wait.
        """

    def copy(self, tensor: torch.Tensor, blocking: bool) -> torch.Tensor:
        """Return a copy on the device; it is complete when an event after it has passed."""

    def event(self) -> Event:
        """Return an event after all copies up to now."""

    def hand_over(self, event: Event, tensors: list[torch.Tensor]) -> None:
        """Have what the calling thread asks of the device from now on wait for the event.

        The tensors' memory is not used again before what that is done has ended.
        """


class RowGather(Protocol):
    """What brings rows of an arena to a device by itself; see :class:`~.buffers.Wishes`.

    Attributes
    ----------
    way : str
        By which function of the runtime.
    """

    way: str

    @property
    def locked_bytes(self) -> int:
        """Bytes of the arena that are page-locked."""

    def __call__(
        self,
        memory: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: int | npt.NDArray[np.int64],
    ) -> torch.Tensor | None:
        """Return the rows; None if the memory is not the arena's."""
