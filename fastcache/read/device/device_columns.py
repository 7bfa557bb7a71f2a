"""Columns in a device's memory: how they come there, and rows gathered by the device itself."""

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fastcache.errors import BlockError
from fastcache.memory.columns import DenseColumn
from fastcache.memory.units import format_bytes
from fastcache.memory.windows import WindowColumn
from fastcache.read.columns.columns import Gathered, Reader, Rows
from fastcache.read.device.copier import Copier
from fastcache.read.device.locked import Event, LockedBuffers
from fastcache.read.device.moving import Mover
from fastcache.schema import Image

_PIECE = 64 << 20  # bytes that are page-locked at a time on their way; two pieces are under way
# A device takes rows element by element: the widest that divides a row needs the fewest.
_WIDEST = ((8, torch.int64), (4, torch.int32), (2, torch.int16), (1, torch.uint8))


class Place:
    """A device, and the page-locked memory by which things come to it.

    Parameters
    ----------
    device : Copier
    buffers : LockedBuffers
        Of that device.
    """

    def __init__(self, device: Copier, buffers: LockedBuffers) -> None:
        self.device = device
        self.buffers = buffers

    def __deepcopy__(self, memo: object) -> "Place":
        return self  # there is one of it

    @property
    def mover(self) -> Mover:
        """What moves small tensors, one batch's."""
        return Mover(self.device, self.buffers, 1)

    def sent(self, numbers: npt.NDArray[Any]) -> torch.Tensor:
        """Return an array on the device, for what is asked in the order of the copies."""
        moved: torch.Tensor = self.mover.move(torch.from_numpy(np.ascontiguousarray(numbers))).batch
        return moved

    def uploaded(self, rows: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return uint8 rows (N, bytes) on the device, once all of them are there: (N * bytes,).

        They pass through page-locked memory in pieces.

        Raises
        ------
        BlockError
            If no memory can be page-locked.
        """
        count, size = rows.shape
        target = self.device.empty(count * size)
        step = max(1, _PIECE // max(1, size))
        under_way: deque[Event] = deque()
        try:
            for first in range(0, count, step):
                if len(under_way) == 2:
                    under_way.popleft().synchronize()
                some = rows[first : first + step]
                piece = self.buffers.new_bytes(some.size)
                np.copyto(piece.numpy().reshape(some.shape), some)
                self.device.copy_into(target[first * size :][: some.size], piece)
                under_way.append(self.device.event())
                self.buffers.copied(piece, under_way[-1])
                del piece
        except BlockError as error:
            raise BlockError(
                f"copying a column to {self.device.name}, {format_bytes(step * size)} at a time: "
                f"{error.__cause__ or error}"
            ) from error
        finally:
            for event in under_way:
                event.synchronize()
            self.buffers.close()  # they are larger than batches will need
        return target


class DeviceReader(Reader):
    """A column on a device, as tensors there."""

    stacks = True

    def __init__(self, place: Place, dtype: str, shape: tuple[int, ...]) -> None:
        self._place = place
        self._dtype = torch.from_numpy(np.empty(0, dtype)).dtype
        self._shape = shape

    def item(self, row: int) -> torch.Tensor:
        item: torch.Tensor = self.gather(np.array([row], np.int64)).values[0]
        return item

    def _select(self, rows: torch.Tensor, numbers: npt.NDArray[np.int64], count: int) -> Any:
        """Return rows of a matrix by their numbers, as tensors of the column's type and shape."""
        places = self._place.sent(numbers)
        with self._place.device.on_stream():
            taken = rows.index_select(0, places)
            return taken.view(torch.uint8).view(self._dtype).view(count, *self._shape)


class DeviceDenseReader(DeviceReader):
    """Rows of one shape: batches are one tensor, (B, C, H, W) in channels_last order for images."""

    def __init__(self, place: Place, column: DenseColumn) -> None:
        field, size = column.field, column.row_bytes
        super().__init__(place, field.dtype, tuple(column.rows.shape[1:]))
        self._is_image = isinstance(field, Image)
        count = len(column)
        rows = column.span.reshape(count, column.stride)[:, :size]
        element = next(dtype for width, dtype in _WIDEST if size % width == 0)
        self._rows = place.uploaded(rows).view(element).view(count, -1)

    def gather(self, rows: Rows) -> Gathered:
        batch = self._select(self._rows, rows, len(rows))
        return Gathered(batch.permute(0, 3, 1, 2) if self._is_image else batch)


class DeviceWindowReader(DeviceReader):
    """Windows (C, W) of series that lie on the device once: batches are one tensor, (B, C, W)."""

    def __init__(self, place: Place, column: WindowColumn) -> None:
        field = column.field
        channels, length = field.row_shape
        super().__init__(place, field.dtype, (channels, length))
        # Only the table by which rows are found stays here.
        none = np.empty((0, *column.values.shape[-2:]), field.dtype)
        self._column = WindowColumn(field, 0, none, column.grids.copy(), column.count)
        steps = column.values.shape[-1]
        self._channels = np.arange(channels) * steps
        values = column.values.reshape(-1)
        series = values.view(np.uint8).reshape(-1, field.itemsize)
        element = next(dtype for width, dtype in _WIDEST if width <= field.itemsize)
        ratio = math.ceil(field.itemsize / 8)  # of complex numbers
        flat = place.uploaded(series).view(element)
        # Every window that there could be is a row of this view; they overlap.
        shape = (max(0, values.size - length + 1), length * ratio)
        self._every = flat.as_strided(shape, (ratio, 1))

    def gather(self, rows: Rows) -> Gathered:
        starts = self._column.starts(rows)[:, None] + self._channels
        return Gathered(self._select(self._every, starts.reshape(-1), len(rows)))
