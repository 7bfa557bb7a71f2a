"""What a recipe makes of one column: the memory of a batch, and the tensors over it."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core.planes import emit_bytes
from fastcache.read.buffers import STREAM_FROM, new_bytes
from fastcache.read.device.device_finish import DeviceFinish
from fastcache.read.recipes.recipe_rows import Sizes64, raw
from fastcache.transforms import Operation, ReadOperation
from fastcache.transforms.operation import MOST_PIXELS, Size
from fastcache.transforms.steps import EMIT


class Output:
    """One kind of result: all images of a column, or one view of each.

    Parameters
    ----------
    operations : sequence of ReadOperation
    steps : array of STEP records
    emit : EMIT record
    dtype : torch.dtype
        Of the tensors; as many bytes per pixel as `emit` says, or the pixel's as a whole.
    layout : {"channels_last", "NCHW", "NHWC", "HW"}
        "HW": of masks.
    size : (int, int) or None
        Pixels of the result, if it is the same for all.
    finish : DeviceFinish, optional
        The last part of it, which may be done where batches are moved to.

    Attributes
    ----------
    raw : Output or None
        What is made here if `finish` is done there; None if it cannot be.
    """

    def __init__(
        self,
        operations: Sequence[ReadOperation],
        steps: npt.NDArray[np.void],
        emit: npt.NDArray[np.void],
        dtype: torch.dtype,
        layout: str,
        size: Size | None,
        finish: DeviceFinish | None = None,
    ) -> None:
        self.finish = finish
        self.raw: Output | None = None
        if finish is not None and size is not None:
            plain = torch.uint8, "channels_last", size
            self.raw = Output(operations, steps, finish.raw, *plain)
        self.operations = operations
        self.steps = steps
        self.size = size
        self.dtype = dtype
        self.channels = int(emit["channels"])
        self.raw_steps = raw(steps)
        self._emits = [raw(_streaming(emit, flag)) for flag in (0, 1)]
        self._pixel = emit_bytes(self._emits[0], 1, 1)
        self._layout = layout
        self._fixed: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def emit(self, size: int) -> npt.NDArray[np.uint8]:
        """Return the EMIT record of a batch of so many bytes."""
        return self._emits[size >= STREAM_FROM]

    def made_sizes(self, sizes: Sizes64) -> Sizes64:
        """Return heights and widths of results, of those that come in: int64 (n, 2)."""
        if self.size is not None:
            return np.broadcast_to(np.array(self.size, np.int64), sizes.shape)
        heights, widths = sizes[:, 0], sizes[:, 1]
        for operation in self.operations:
            if isinstance(operation, Operation):
                heights, widths = operation.sizes(heights, widths)
            elif (fixed := operation.fixed_size(None)) is not None:
                heights, widths = (np.full(len(sizes), side) for side in fixed)
        return np.stack([heights, widths], axis=1)

    def allocate(self, count: int, sizes: Sizes64 | None) -> "Room":
        """Return the memory of a batch.

        Parameters
        ----------
        count : int
        sizes : int64 (count, 2), optional
            Of the images that come in; needed unless all results have one size.
        """
        if self.size is not None:
            height, width = self.size
            each = height * width * self._pixel
            memory = new_bytes(count * each)
            typed = memory if self.dtype is torch.uint8 else memory.view(self.dtype)
            batch = self._shaped(typed, count, height, width)
            return Room(memory, count * each, batch, *self._places(count, each))
        assert sizes is not None
        made = self.made_sizes(sizes)
        large = made.max(axis=1) > MOST_PIXELS
        large |= made.astype(np.float64).prod(axis=1) * self._pixel > sys.maxsize
        if large.any():  # C says what is wrong with it, and needs no room for that
            made = np.where(large[:, None], 0, made)
        lengths = made.prod(axis=1) * self._pixel
        ends = np.cumsum(lengths)
        total = sum(lengths.tolist())  # which may be more than an int64
        memory = new_bytes(total)
        typed = memory.view(self.dtype)
        itemsize = self.dtype.itemsize
        values = [
            self._shaped(typed[end - length : end], 1, *size)[0]
            for end, length, size in zip(
                (ends // itemsize).tolist(),
                (lengths // itemsize).tolist(),
                made.tolist(),
                strict=True,
            )
        ]
        return Room(memory, total, values, ends - lengths, lengths)

    def _places(self, count: int, each: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return offsets and sizes in a batch of equal results; kept for the next of its length."""
        fixed = self._fixed
        if fixed is None or len(fixed[0]) != count:
            fixed = np.arange(count) * each, np.full(count, each)
            self._fixed = fixed
        return fixed

    def _shaped(self, typed: torch.Tensor, count: int, height: int, width: int) -> torch.Tensor:
        if self._layout == "HW":
            return typed.view(count, height, width)
        if self._layout == "NCHW":
            return typed.view(count, self.channels, height, width)
        batch = typed.view(count, height, width, self.channels)
        return batch if self._layout == "NHWC" else batch.permute(0, 3, 1, 2)


class Room:
    """The memory of one batch.

    Attributes
    ----------
    memory : uint8 tensor (size,)
    size : int
    values : tensor (count, ...) or list of tensors
        Over it.
    offset, length : int64 arrays (count,)
        Bytes to each result, and its own.
    """

    def __init__(
        self,
        memory: torch.Tensor,
        size: int,
        values: torch.Tensor | list[torch.Tensor],
        offset: npt.NDArray[np.int64],
        length: npt.NDArray[np.int64],
    ) -> None:
        self.memory = memory
        self.size = size
        self.values = values
        self.offset = offset
        self.length = length


def _streaming(emit: npt.NDArray[np.void], flag: int) -> npt.NDArray[np.void]:
    made: npt.NDArray[Any] = np.zeros(1, EMIT)
    made[0] = emit
    made["streaming"] = flag
    return made
