"""Normalize and Layout: how pixels become the numbers of a batch, and their order there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastcache.errors import ArgumentError
from fastcache.transforms.checks import check_channel_numbers
from fastcache.transforms.operation import ReadOperation, Steps
from fastcache.transforms.steps import NO_STEPS

LAYOUTS = ("NCHW", "NHWC", "channels_last")


@dataclass(frozen=True, init=False)
class Normalize(ReadOperation):
    """Subtract a mean and divide by a deviation, per channel, as torchvision's class does.

    Pixels become (x / 255 - mean) / std in float32, each operation rounded as torch does it, with
    or without a ``ToDtype(scale=True)`` before it; behind ``ToDtype(scale=False)`` they become
    (x - mean) / std. A ToDtype that follows only casts.

    Parameters
    ----------
    mean, std : sequence of float
        One number per channel, or one for all.

    Raises
    ------
    ArgumentError
        For numbers that are not finite, a std of 0 (in float32, too), different or impossible
        lengths.
    """

    name: ClassVar[str] = "Normalize"
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        kept_mean = check_channel_numbers(mean, "Normalize: mean")
        kept_std = check_channel_numbers(std, "Normalize: std")
        if len(kept_mean) != len(kept_std):
            raise ArgumentError(
                f"Normalize: mean has {len(kept_mean)} numbers and std {len(kept_std)}: give both "
                "one per channel"
            )
        # 1 / std must be a number as well, or everything would become infinite.
        if any(abs(value) < float(np.finfo(np.float32).tiny) for value in kept_std):
            raise ArgumentError(f"Normalize: std={std!r} holds a zero, by which nothing is divided")
        object.__setattr__(self, "mean", kept_mean)
        object.__setattr__(self, "std", kept_std)

    def steps(self) -> Steps:
        return NO_STEPS

    def _why_not_called(self) -> str:
        return "PIL has no images of normalised numbers"


@dataclass(frozen=True, init=False)
class Layout(ReadOperation):
    """The shape of batches of images, and their order in memory; stands last.

    Parameters
    ----------
    order : {"channels_last", "NCHW", "NHWC"}
        "channels_last": shape (N, C, H, W) over memory in which the channels of a pixel lie side by
        side, which is what convolutions like best and what batches are without a Layout. "NCHW":
        that shape, one plane after the other. "NHWC": shape (N, H, W, C), contiguous.

    Raises
    ------
    ArgumentError
        For any other.
    """

    name: ClassVar[str] = "Layout"
    order: str

    def __init__(self, order: str) -> None:
        if not (isinstance(order, str) and order in LAYOUTS):
            raise ArgumentError(f"Layout: order={order!r}: choose one of {', '.join(LAYOUTS)}")
        object.__setattr__(self, "order", order)

    def steps(self) -> Steps:
        return NO_STEPS

    def _why_not_called(self) -> str:
        return "it arranges whole batches"
