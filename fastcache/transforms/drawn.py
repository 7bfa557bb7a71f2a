"""Recipes drawn for samples: what is random, and what follows from their sizes, is decided."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import drawing
from fastcache.errors import ArgumentError
from fastcache.transforms.steps import DRAWN, KINDS, MAP, MOST_ERASED, MOST_STAGES, STAGE, STEP

Records = npt.NDArray[np.void]

_NAMES = {number: name for name, number in KINDS.items()}


def draw_steps(
    steps: Records,
    heights: npt.ArrayLike,
    widths: npt.ArrayLike,
    *,
    seed: int = 0,
    epoch: npt.ArrayLike = 0,
    sample: npt.ArrayLike = 0,
    occurrence: npt.ArrayLike = 0,
    before: Records | None = None,
) -> Records:
    """Draw the steps of a recipe for N samples.

    Parameters
    ----------
    steps : array of dtype ``STEP``
        In their order; may be empty.
    heights, widths : array_like of int, shape (N,) or ()
        Sizes of the samples in pixels, at least 1.
    seed : int
        0..2**64-1.
    epoch, sample, occurrence : array_like of int, shape (N,) or ()
        Whose random numbers these are: equal ones give equal results. The occurrence of a sample
        in its epoch is 0, 1, … where samplers repeat samples.
    before : array of dtype ``STAGE``, shape (N,), optional
        What is done to the samples before the first step.

    Returns
    -------
    array of dtype ``DRAWN``, shape (N,)

    Raises
    ------
    ArgumentError
        For a step that breaks the rules of its kind or cannot be done to a sample of such a size,
        and for a recipe that needs more stages or erasures than there are.
    """
    whose = {
        "sample": _numbers(sample, np.dtype(np.uint64), "sample"),
        "occurrence": _numbers(occurrence, np.dtype(np.uint32), "occurrence"),
        "epoch": _numbers(epoch, np.dtype(np.uint64), "epoch"),
        "heights": _numbers(heights, np.dtype(np.int32), "heights"),
        "widths": _numbers(widths, np.dtype(np.int32), "widths"),
    }
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(a) for a in whose.values()))
    except ValueError as error:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in whose.items())
        raise ArgumentError(f"arrays of one value per sample differ in shape: {shapes}") from error
    samples, occurrences, epochs, h, w = map(np.ascontiguousarray, arrays)
    if samples.ndim != 1:
        raise ArgumentError(f"samples are numbered along one axis, not {samples.shape}")
    out = np.zeros(samples.size, DRAWN)
    stages = None if before is None else _bytes(before, STAGE, "before")
    packed = _bytes(steps, STEP, "steps")
    k, at = drawing.draw(
        packed, _seed(seed), epochs, samples, occurrences, h, w, out.view(np.uint8), stages
    )
    if k >= 0:
        raise ArgumentError(f"sample {k}: {why_refused(steps, at, int(h[k]), int(w[k]))}")
    return out


def why_refused(steps: Records, at: int, height: int, width: int) -> str:
    """Return why step `at` (-1: none of them) cannot be drawn for a sample of that size.

    Parameters
    ----------
    steps : array of dtype ``STEP``
    at : int
        As ``fc_draw`` reports it.
    height, width : int
        Of the sample, in pixels.
    """
    if at < 0:
        return (
            f"{height} x {width} pixels is no size, or not that of the source of what is done "
            "before the first step"
        )
    step = steps[at]
    name = _NAMES.get(int(step["kind"]), f"kind {int(step['kind'])}")
    where = f"step {at} ({name}) of an image that began with {height} x {width} pixels"
    if drawing.first_bad_step(_bytes(steps[at : at + 1], STEP, "steps")) == 0:
        return f"{where}: its parameters are out of range"
    return (
        f"{where} cannot be done: a random crop that is larger than the image needs padding or "
        "pad_if_needed; only flips, crops and erasing may follow an erasure, of which there are "
        f"at most {MOST_ERASED}; and there is room for {MOST_STAGES} stages, of which each resize "
        "of what was resized, padded or coloured takes one"
    )


def drawn_maps(drawn: Records) -> Records:
    """Return where points of samples lie in their final images.

    Parameters
    ----------
    drawn : array of dtype ``DRAWN``, shape (N,)
        Of :func:`draw_steps`.

    Returns
    -------
    array of dtype ``MAP``, shape (N,)
        x' = x * scale_x + shift_x, in pixels from the left edge, and y alike; a flip has a negative
        scale. ``h`` and ``w`` are the size of the final image; from ``seen_x[0]`` to ``seen_x[1]``
        it shows the sample, and padding beyond.
    """
    packed = _bytes(drawn, DRAWN, "drawn")
    out = np.zeros(packed.size // DRAWN.itemsize, MAP)
    drawing.maps(packed, out.view(np.uint8))
    return out


def _numbers(values: npt.ArrayLike, kind: np.dtype[Any], what: str) -> npt.NDArray[Any]:
    array, limits = np.asarray(values), np.iinfo(kind)
    whole = array.dtype.kind in "iu" or not array.size
    if not whole or ((array < limits.min) | (array > limits.max)).any():
        raise ArgumentError(f"{what} must be integers of {limits.min}..{limits.max}")
    return array.astype(kind)


def _seed(seed: int) -> int:
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
        raise ArgumentError(f"seed={seed} must be an integer of 0..2**64-1")
    return int(seed)


def _bytes(records: Records, dtype: np.dtype[np.void], what: str) -> npt.NDArray[np.uint8]:
    if records.dtype != dtype or records.ndim != 1:
        raise ArgumentError(
            f"{what} must be an array of one axis of dtype {dtype}, not {records.dtype} "
            f"{records.shape}"
        )
    return np.ascontiguousarray(records).view(np.uint8)
