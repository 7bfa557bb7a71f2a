"""Workers that hand out batches of images: what all of them are told, and how they are measured.

Everybody gets the same pixels (or the bytes of the same files) and hands out batches of one form.
Before the clock starts a worker shows what it makes: the shape and type of its batches, and the
mean level of many samples. What nothing random is in has to be right to the level.
"""

import gc
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from serve import Result, Round, Settings

SHORT, SIDE = 256, 224
BATCH = 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
JITTER = (0.4, 0.4, 0.4, 0.1)  # brightness, contrast, saturation, hue
# Batches before the clock starts: by then every buffer of a loader has been used once, so that
# nobody pays for memory that is touched for the first time.
SKIPPED = 8


def read_pixels(path: str) -> list[Any]:
    """Return the images of a file of `loader_sets.save_pixels`: (H, W, 3) uint8 views of one array.

    Returns
    -------
    list of array
    """
    with np.load(path) as saved:
        flat, sizes = saved["pixels"], saved["sizes"]
    ends = np.cumsum(sizes.prod(axis=1) * 3)
    return [
        flat[end - height * width * 3 : end].reshape(height, width, 3)
        for end, (height, width) in zip(ends.tolist(), sizes.tolist(), strict=True)
    ]


def order_of(count: int, rows: int) -> list[int]:
    """Return `rows` indices of `count` samples: shuffled, then shuffled anew, and so on."""
    random = np.random.default_rng(0)
    times = math.ceil(rows / count)
    return np.concatenate([random.permutation(count) for _ in range(times)])[:rows].tolist()


def steady(batches: Iterable[Any], skipped: int = SKIPPED) -> Result:
    """Return items and seconds of an epoch without its first batches, which pay for memory.

    Parameters
    ----------
    batches : iterable of tensor
        Images; at least one more than `skipped`.
    """
    items, began, ended = 0, math.nan, math.nan
    gc.collect()
    gc.disable()
    try:
        for number, images in enumerate(batches):
            ended = time.perf_counter()
            if number < skipped:
                began = ended
            else:
                items += len(images)
    finally:
        gc.enable()
    if not items:
        raise ValueError(f"an epoch has to have more than {skipped} batches: give more rows")
    return {"seconds": ended - began, "items": items}


def rounds_of(epoch: Callable[[], Iterable[Any]], settings: Settings) -> Round:
    """Return the round of a loader, after one epoch off the clock that shows what it makes.

    Parameters
    ----------
    epoch : callable
        Returns an iterable of batches of images, a tensor each.
    """
    shown = show(epoch())
    skipped = int(settings.options.get("skipped", SKIPPED))

    def one_round() -> Result:
        return {**steady(epoch(), skipped), **shown}

    return one_round


def show(batches: Iterable[Any]) -> Result:
    """Return form and mean level of what is handed out.

    Returns
    -------
    dict
        ``form`` is type, shape and order in memory of the first batch. ``level`` is the mean of all
        values, 0..255, of normalised ones what they were before.
    """
    form, total, items = "", 0.0, 0
    for images in batches:
        form = form or form_of(images)
        total += _level(images) * len(images)
        items += len(images)
    return {"form": form, "level": total / items}


def _level(images: Any) -> float:
    means = images.float().mean((0, 2, 3)).reshape(1, 3, 1, 1)
    if not images.is_floating_point():
        return float(means.mean())
    return float(levels(means).mean())


def form_of(images: Any) -> str:
    """Return type, shape and order of a batch (B, C, H, W) without its first number."""
    import torch

    is_last = images.is_contiguous(memory_format=torch.channels_last)
    order = "channels last" if is_last else "NCHW" if images.is_contiguous() else "strided"
    return f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape[1:])} {order}"


def levels(images: Any) -> Any:
    """Return a batch (B, C, H, W) as float32 levels; what floats are was normalised."""
    import torch

    if images.dtype == torch.uint8:
        return images.float()
    mean, std = (torch.tensor(numbers).reshape(1, 3, 1, 1) for numbers in (MEAN, STD))
    return (images.float() * std + mean) * 255


def check_centres(batches: Iterable[Any], photos: Sequence[Any]) -> None:
    """Refuse batches that are not the centres of all photographs, in their order, to the level.

    Parameters
    ----------
    batches : iterable of tensor
        uint8, or normalised numbers.
    photos : sequence of array
        (H, W, 3) uint8.
    """
    seen = 0
    for images in batches:
        for got in levels(images).numpy():
            photo = photos[seen]
            top, left = ((size - SIDE) // 2 for size in photo.shape[:2])
            cuts = [  # half a pixel is rounded either way
                photo[y : y + SIDE, x : x + SIDE].astype(np.float32)
                for y in (top, top + 1)
                for x in (left, left + 1)
            ]
            pixels = got.transpose(1, 2, 0)
            distance = min(np.abs(pixels - cut).max() for cut in cuts if cut.shape == pixels.shape)
            if distance > 1:
                raise RuntimeError(f"the centre of photograph {seen} differs by {distance} levels")
            seen += 1
    if seen != len(photos):
        raise RuntimeError(f"{seen} centres of {len(photos)} photographs")
