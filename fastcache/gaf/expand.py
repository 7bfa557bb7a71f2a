"""From series and a plan to images: shapes, the output, and threads that fill it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import fields as core
from fastcache._core import threads as pool
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.series import why_not_finite

Array = npt.NDArray[Any]


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
    specs: tuple[core.FieldSpec, ...]

    @property
    def planes(self) -> int:
        """Images of each channel."""
        return sum(spec.images for spec in self.specs)


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
    """
    cube = series if series.ndim == 3 else series[:, None, :]
    channels = cube.shape[1]
    element = "uint8" if cube.dtype == np.bool_ else cube.dtype.name
    jobs, first = [], 0
    for spec in plan.specs:
        jobs.append(
            core.FieldJob.of_array(
                spec, cube, element, out, planes=plan.planes * channels, first_plane=first
            )
        )
        first += spec.images * channels
    pool.run_jobs(jobs, out.nbytes, threads)
    for job in jobs:
        if job.refused is not None:
            raise refusal(job.refused, cube)


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
