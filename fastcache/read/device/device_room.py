"""Which columns go into a device's memory, and whether it has room for them."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.fill.own_columns import is_own
from fastcache.memory.budget import Reading, check, reserve
from fastcache.memory.limits import Limit
from fastcache.memory.units import format_bytes
from fastcache.read.device.copier import Copier
from fastcache.schema import Array, Field, Image, Mask, Ragged, Windows

_Shapes = Mapping[str, npt.NDArray[np.int64]]

REMEDIES = (
    "make the samples smaller with store=",
    "take fewer of them with limit= or shard=",
    'keep the arena with home="ram", and move batches with ArenaLoader(device=)',
)


class DeviceRoom:
    """What of an arena a device takes; asked before the arena is filled, and again afterwards.

    Parameters
    ----------
    device : Copier
    """

    def __init__(self, device: Copier) -> None:
        self._device = device

    def reading(self) -> Reading:
        """Return what may be used of the device's memory now; the rest is for a model."""
        free = self._device.free_bytes()
        kept = reserve(free)
        name = f"free memory of {self._device.name}, {format_bytes(kept)} kept in reserve"
        return Reading(free - kept, name, free, (Limit(name, free - kept),))

    def accept(self, fields: Mapping[str, Field], shapes: _Shapes, count: int) -> None:
        """Refuse columns that cannot lie on the device, or all of them if it has no room.

        Raises
        ------
        ArgumentError
            For images, masks and arrays whose rows differ in shape.
        BudgetError
            If they are too large.
        """
        need = sum(bytes_there(fields[name], count) for name in self.names(fields))
        check(need, self.reading(), REMEDIES)

    def names(self, fields: Mapping[str, Field], kept: Collection[str] = ()) -> list[str]:
        """Return which columns go to the device; `kept` are those that are not all decoded.

        Numbers, texts and what is made on each read stay in the host's memory: they are small.

        Raises
        ------
        ArgumentError
            For columns that can do neither.
        """
        found = []
        for name, field in fields.items():
            if is_own(name):
                continue
            if name in kept:
                raise ArgumentError(
                    f"home={self._device.name!r}: not all samples of column {name!r} are kept "
                    "decoded, and a device decodes none: fill the arena with "
                    'keep="decoded", or use home="ram" with ArenaLoader(device=)'
                )
            if isinstance(field, Ragged) or (
                isinstance(field, Image | Mask) and field.row_shape is None
            ):
                raise ArgumentError(
                    f"home={self._device.name!r}: rows of column {name!r} differ in shape, and a "
                    "device gathers rows of one: give store= operations that make one size, such "
                    "as [T.Resize(256), T.CenterCrop(224)] or T.LetterBox(640), or use "
                    'home="ram" with ArenaLoader(device=)'
                )
            if isinstance(field, Image | Mask | Array) and field.row_bytes:
                found.append(name)
            if isinstance(field, Windows):
                found.append(name)
        return found


def bytes_there(field: Field, count: int) -> int:
    """Return the bytes that a column of so many rows takes on a device."""
    if isinstance(field, Windows):
        return int(np.prod(field.shape, dtype=np.int64)) * field.itemsize
    return count * (field.row_bytes or 0)


def device_facts(reading: Reading, need: int) -> dict[str, Any]:
    """Return what a plan tells of the device."""
    return {
        "device_bytes": need,
        "device_have_bytes": reading.bytes,
        "device_limit": reading.limit,
    }
