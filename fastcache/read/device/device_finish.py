"""The last part of a recipe on a device: from uint8 pixels to the numbers of a batch.

What is moved then are bytes, a half or a quarter of what the finished numbers take.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from fastcache.transforms.recipe_plan import RecipePlan
from fastcache.transforms.steps import ELEMENTS, KINDS, SCALINGS

_SCALING = {number: name for name, number in SCALINGS.items()}
_DTYPES = {number: getattr(torch, name) for name, number in ELEMENTS.items() if name != "uint16"}
_LEVELS = 255.0


class _Tables(NamedTuple):
    """What a batch is calculated with; on the device, since scalars are not divided by there.

    torch multiplies by the reciprocal of a scalar on CUDA, which rounds differently.
    """

    levels: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor


class DeviceFinish:
    """Makes of uint8 pixels what the C core's emitter makes of them, to the last bit.

    Each operation is rounded to float32, as there: (x / 255 - mean) / std.

    Parameters
    ----------
    emit : structured array of shape () and dtype EMIT
        Of real numbers.
    layout : {"channels_last", "NCHW", "NHWC"}

    Attributes
    ----------
    raw : structured array of shape () and dtype EMIT
        What the emitter is told instead: plain uint8, the channels of a pixel side by side.
    """

    def __init__(self, emit: npt.NDArray[np.void], layout: str) -> None:
        self._scaling = _SCALING[int(emit["scaling"])]
        self._dtype: torch.dtype = _DTYPES[int(emit["element"])]
        self._layout = layout
        channels = int(emit["channels"])
        self._numbers = [emit[name][:channels].tolist() for name in ("mean", "std")]
        self._tables: dict[torch.device, _Tables] = {}
        self.raw = emit.copy()
        self.raw["element"], self.raw["scaling"] = ELEMENTS["uint8"], SCALINGS["plain"]
        self.raw["planar"], self.raw["mean"], self.raw["std"] = 0, 0, 1

    @classmethod
    def of(cls, plan: RecipePlan) -> "DeviceFinish | None":
        """Return the last part of a recipe; None if it cannot be done apart from the others.

        That is so where the result is uint8 already, for pixels of 16 bits, and where something is
        erased: that writes numbers of the finished batch. MixUp and CutMix come after it.
        """
        real = int(plan.emit["element"]) not in (ELEMENTS["uint8"], ELEMENTS["uint16"])
        erases = bool((plan.steps["kind"] == KINDS["erase"]).any())
        if plan.kept != "uint8" or not real or erases:
            return None
        return cls(plan.emit, plan.layout)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the numbers of a batch, on its device.

        Parameters
        ----------
        batch : uint8 tensor (..., C, H, W)
            Its channels last in memory, as batches of images are.

        Returns
        -------
        tensor of the same shape; (..., H, W, C) if the layout is NHWC
        """
        tables = self._tables_on(batch.device)
        numbers = batch.to(torch.float32)  # keeps the order in memory
        if self._scaling in ("unit", "normalised"):
            numbers.div_(tables.levels)
        if self._scaling in ("normalised", "normalised_plain"):
            numbers.sub_(tables.mean).div_(tables.std)
        made = numbers.to(self._dtype)
        if self._layout == "NCHW":
            return made.contiguous()
        return made.movedim(-3, -1) if self._layout == "NHWC" else made

    def _tables_on(self, device: torch.device) -> _Tables:
        if device not in self._tables:
            mean, std = (torch.tensor(n, device=device).view(-1, 1, 1) for n in self._numbers)
            self._tables[device] = _Tables(torch.tensor(_LEVELS, device=device), mean, std)
        return self._tables[device]
