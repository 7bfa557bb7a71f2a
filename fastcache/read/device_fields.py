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


class Recipe(NamedTuple):
    """A transform of series of one length, with its tables on the device."""

    summation: bool
    difference: bool
    sample_range: tuple[float, float] | None
    dtype: torch.dtype
    out_range: tuple[float, float]
    members: torch.Tensor | None  # int64 (m, longest): which values each mean is taken of
    weights: torch.Tensor | None  # float64 (m, longest): 1, and 0 behind a segment's end
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
        step = torch.arange(int(counts.max()))
        inside = step < counts[:, None]
        members = torch.where(inside, start[:, None] + step, start[:, None])
        tables = (members.to(device), inside.double().to(device), counts.double().to(device))
    return Recipe(
        method in "sb",
        method in "db",
        transform.sample_range,
        getattr(torch, dtype),
        output_range(transform.out_range, dtype, -1.0),
        *tables,
    )


def images_of(series: torch.Tensor, recipe: Recipe, check: bool) -> torch.Tensor:
    """Return the images of series (B, C, T): (B, planes, m, m).

    With `check`, values out of [-1, 1] that are not to be scaled are an ArgumentError.
    """
    cosine = _cosines(series.double(), recipe)
    if check and recipe.sample_range is None and bool((cosine.abs() > 1).any()):
        raise ArgumentError(
            "If 'sample_range' is None, all the values of X must be between -1 and 1. "
            f"They run from {float(cosine.min()):g} to {float(cosine.max()):g}."
        )
    square = (1 - cosine * cosine).clamp(0, 1)
    # The derivative of a root is infinite at 0, and NaN once multiplied with one that is 0.
    sine = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    low, high = recipe.out_range
    gain = math.sqrt((high - low) / 2)
    real = torch.float64 if recipe.dtype == torch.float64 else torch.float32
    c, s = (cosine * gain).to(real), (sine * gain).to(real)
    planes = []
    if recipe.summation:
        planes.append(_outer(c, c) - _outer(s, s))
    if recipe.difference:
        planes.append(_outer(s, c) - _outer(c, s))
    fields = planes[0] if len(planes) == 1 else torch.cat(planes, 1)
    pixels = (fields + (high + low) / 2).clamp(low, high)
    return pixels.to(recipe.dtype) if recipe.dtype.is_floating_point else _whole(pixels, recipe)


def _outer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a_i b_j by single products: matrix multiplication may round to TF32."""
    return a.unsqueeze(-1) * b.unsqueeze(-2)


def _whole(pixels: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    return pixels.round().to(recipe.dtype)  # half to even


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
    return (x[..., recipe.members] * recipe.weights).sum(-1) / recipe.counts
