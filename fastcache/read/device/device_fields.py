"""The arithmetic of Gramian angular fields in torch: csrc/gaf.c, operation for operation."""

import math
import sys
from typing import NamedTuple

import torch

from fastcache.errors import ArgumentError
from fastcache.gaf import GramianAngularField
from fastcache.gaf.paa import segments, size_of
from fastcache.gaf.params import dtype_name, output_range

# As in gaf.c, where it says why.
_CONSTANT = 10 * sys.float_info.epsilon
_WELL_SCALED = 64.0
_HUGE, _SMALLER = 2.0**900, 2.0**-200


class Pixels(NamedTuple):
    """Which fields are made of the angles of series, and how they are stored."""

    summation: bool
    difference: bool
    dtype: torch.dtype
    out_range: tuple[float, float]


class Recipe(NamedTuple):
    """A transform of series of one length, with its tables on the device."""

    pixels: Pixels
    sample_range: tuple[float, float] | None
    members: torch.Tensor | None  # int64 (longest, m): which values each mean is taken of
    weights: torch.Tensor | None  # float64 (longest, m): 1, and 0 behind a segment's end
    counts: torch.Tensor | None  # float64 (m,)


def recipe_of(transform: GramianAngularField, length: int, device: torch.device) -> Recipe:
    """Return what `transform`, which has accepted this length, makes of series."""
    dtype = dtype_name(transform.dtype)
    method = transform.method[0]
    tables: tuple[torch.Tensor | None, ...] = (None, None, None)
    size = size_of(transform.image_size, length)
    if size < length:
        start, end = (
            torch.from_numpy(bound) for bound in segments(length, size, transform.overlapping)
        )
        counts = end - start
        step = torch.arange(int(counts.max())).unsqueeze(1)
        inside = step < counts
        members = torch.where(inside, start + step, start)
        tables = (members.to(device), inside.double().to(device), counts.double().to(device))
    pixels = Pixels(
        method in "sb",
        method in "db",
        getattr(torch, dtype),
        output_range(transform.out_range, dtype, -1.0),
    )
    return Recipe(pixels, transform.sample_range, *tables)


def sides_of(
    series: torch.Tensor, recipe: Recipe, check: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of the angles of float64 series (B, C, T): each (B, C, m).

    They are multiplied with what makes their products pixels. With `check`, values out of [-1, 1]
    that are not to be scaled are an ArgumentError.
    """
    cosine = _cosines(series, recipe)
    if check and recipe.sample_range is None and bool((cosine.abs() > 1).any()):
        raise ArgumentError(
            "If 'sample_range' is None, all the values of X must be between -1 and 1. "
            f"They run from {float(cosine.min()):g} to {float(cosine.max()):g}."
        )
    square = (1 - cosine * cosine).clamp(0, 1)
    # The derivative of a root is infinite at 0, and NaN once multiplied with one that is 0.
    sine = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    low, high = recipe.pixels.out_range
    gain = math.sqrt((high - low) / 2)
    real = torch.float64 if recipe.pixels.dtype == torch.float64 else torch.float32
    return (cosine * gain).to(real), (sine * gain).to(real)


def images_of(sides: list[tuple[torch.Tensor, torch.Tensor]], pixels: list[Pixels]) -> torch.Tensor:
    """Return the images of angles (B, C, m): (B, planes, m, m)."""
    planes = []
    for (c, s), stored in zip(sides, pixels, strict=True):
        if stored.summation:
            planes.append(_plane((c, c), (s, s), stored))
        if stored.difference:
            planes.append(_plane((s, c), (c, s), stored))
    # Joined as they are stored: what comes behind a concatenation is another pass over memory.
    return planes[0] if len(planes) == 1 else torch.cat(planes, 1)


def _plane(
    first: tuple[torch.Tensor, torch.Tensor],
    second: tuple[torch.Tensor, torch.Tensor],
    stored: Pixels,
) -> torch.Tensor:
    """Return a_i b_j - c_i d_j as it is stored."""
    low, high = stored.out_range
    plane = _outer(*first).sub_(_outer(*second))
    if low != -high:
        plane.add_((high + low) / 2)
    plane.clamp_(low, high)
    if not stored.dtype.is_floating_point:
        plane.round_()  # half to even
    return plane.to(stored.dtype)


def _outer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a_i b_j by single products: matrix multiplication may round to TF32."""
    return a.unsqueeze(-1) * b.unsqueeze(-2)


def _cosines(x: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Return the means of x (…, T), scaled: (…, m)."""
    if recipe.sample_range is None:
        return _means(x, recipe)
    low, high = recipe.sample_range
    least, most = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    constant = least == most  # means of equal values need not be equal
    huge = torch.maximum(least.abs(), most.abs()) > _HUGE
    x = _means(torch.where(huge, x * _SMALLER, x), recipe)
    least, most = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    constant = constant | (most - least < _CONSTANT)
    width = torch.where(constant, 1.0, most - least)
    scale = (high - low) / width
    sound = torch.maximum(least.abs(), most.abs()) * scale <= _WELL_SCALED
    scaled = torch.where(sound, x * scale + (low - least * scale), (x - least) * scale + low)
    return torch.where(constant, low, scaled).clamp(low, high)


def _means(x: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    if recipe.members is None or recipe.weights is None or recipe.counts is None:
        return x
    # From left to right, as everywhere: a last digit that differs moves sines near 0 by 1e-8. Sums
    # are cut into pieces on all devices; running sums along an axis that is not the last are not.
    running = (x[..., recipe.members] * recipe.weights).cumsum(-2)
    return running[..., -1, :] / recipe.counts
