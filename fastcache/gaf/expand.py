"""From series and a plan to images: shapes, the output, and threads that fill it."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import fields as core
from fastcache._core import threads as pool
from fastcache._core.field_specs import FieldSpec
from fastcache.errors import ArgumentError, ArgumentTypeError, NoMemoryError
from fastcache.gaf.series import why_not_finite

Array = npt.NDArray[Any]

_LINE = 64  # bytes


@dataclass(frozen=True)
class Plan:
    """What a transform makes of series of one length.

    Attributes
    ----------
    size : int
        Rows and columns of an image.
    dtype : str
        Of the pixels.
    specs : tuple of FieldSpec
        For the C core; their images follow one another.
    """

    size: int
    dtype: str
    specs: tuple[FieldSpec, ...]

    @property
    def planes(self) -> int:
        """Images of each channel."""
        return sum(spec.images for spec in self.specs)

    def placed(self, channels: int) -> Iterator[tuple[FieldSpec, int]]:
        """Yield each spec with its first plane among those of a sample."""
        first = 0
        for spec in self.specs:
            yield spec, first
            first += spec.images * channels


def image_shape(plan: Plan, series: Array, flatten: bool) -> tuple[int, ...]:
    """Return the shape of the images of (n, t) or (n, channels, t) series."""
    image = (plan.size, plan.size)
    if series.ndim == 3:
        shape: tuple[int, ...] = (len(series), series.shape[1] * plan.planes, *image)
    else:
        shape = (len(series), *((plan.planes,) if plan.planes > 1 else ()), *image)
    if flatten:
        return len(series), int(np.prod(shape[1:], dtype=np.int64))
    return shape


def new_images(shape: tuple[int, ...], dtype: str) -> Array:
    """Return an array for images that begins on a cache line; NoMemoryError if there is no memory.

    NumPy's own begin 16 bytes behind one, and rows would lie across vectors.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        memory = np.empty(size + _LINE, np.uint8)
    except (MemoryError, ValueError, OverflowError) as error:  # no array can be that large
        raise NoMemoryError(
            f"no memory for images of shape {shape}, {dtype}: {size:,} bytes. Make them in parts "
            "into out=, smaller (image_size=), of a smaller dtype, or on arrival in an ArenaDataset"
        ) from error
    start = -memory.__array_interface__["data"][0] % _LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def check_out(out: Any, shape: tuple[int, ...], dtype: str, series: Array) -> Array:
    """Return the user's output array; raise if images cannot be written into it as they are."""
    if not isinstance(out, np.ndarray):
        raise ArgumentTypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != np.dtype(dtype):
        raise ArgumentError(
            f"out is {out.dtype} of shape {out.shape}; the images are {dtype} of shape {shape}"
        )
    if not out.flags.c_contiguous:
        raise ArgumentError(
            "out is not C-contiguous: give numpy.empty(shape, dtype), or a part of "
            "one along its first axis"
        )
    if not out.flags.writeable:
        raise ArgumentError("out is read-only: give an array that can be written to")
    if np.may_share_memory(out, series):
        raise ArgumentError(
            "out and X share memory: images would overwrite series that are still to be read"
        )
    return out


def expand(plan: Plan, series: Array, out: Array, threads: int) -> None:
    """Write the images of all series.

    Parameters
    ----------
    plan : Plan
    series : array of shape (n, t) or (n, channels, t), as :func:`as_series` returns them
    out : array
        C-contiguous, of the size that the images take.
    threads : int
        Most threads to use; the result does not depend on it.

    Raises
    ------
    ArgumentError
        A series holds NaN or infinity, or leaves [-1, 1] though it is not to be scaled; `out` is
        then unspecified.

    Warns
    -----
    UserWarning
        Quantiles of a series are equal, and its Markov transition field has fewer bins.
    """
    cube = series if series.ndim == 3 else series[:, None, :]
    channels = cube.shape[1]
    jobs = [
        core.FieldJob.of_array(
            spec, cube, cube.dtype.name, out, planes=plan.planes * channels, first_plane=first
        )
        for spec, first in plan.placed(channels)
    ]
    pool.run_long_jobs(jobs, out.nbytes, threads, out.nbytes + series.nbytes)
    for job in jobs:
        if job.refused is not None:
            raise refusal(job.refused, cube)
    for job in jobs:
        _warn_of_merged(job.merged)


def _warn_of_merged(samples: list[int]) -> None:
    """Warn in pyts's words, where `transform` was called."""
    if samples:
        warnings.warn(
            "Some quantiles are equal. The number of bins will be smaller for sample "
            f"{np.array(samples)}. Consider decreasing the number of bins or removing these "
            "samples.",
            UserWarning,
            stacklevel=4,
        )


def refusal(
    refused: tuple[int, int, int], cube: Array | Mapping[int, Sequence[Array]], of: str = ""
) -> ArgumentError:
    """Return why a series was refused.

    Parameters
    ----------
    refused : tuple of int
        As ``FieldJob.refused`` tells it: status, sample, channel.
    cube : array or mapping
        ``cube[sample]`` are the sample's channels.
    of : str
        What samples are counted in, if not in X.
    """
    status, sample, channel = refused
    channels = cube[sample]
    row = channels[channel]
    where = f"Sample {sample}{of and ' '}{of}" + (
        f", channel {channel}" if len(channels) > 1 else ""
    )
    if status == core.OUT_OF_RANGE:
        return ArgumentError(
            "If 'sample_range' is None, all the values of X must be between -1 and 1. "
            f"{where} has values from {row.min():g} to {row.max():g}."
        )
    return ArgumentError(f"{why_not_finite(row)} {where} does.")
