"""Series that images are made of: random walks, the same each time."""

from typing import Any

import numpy as np
import numpy.typing as npt


def walks(*shape: int, dtype: str = "float64", seed: int = 0) -> npt.NDArray[Any]:
    """Return random walks of `shape`, along the last axis."""
    steps = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return np.cumsum(steps, axis=-1, dtype=dtype)


def count_for(size: int, element: str = "float32", megabytes: int = 256) -> int:
    """Return how many images of `size` x `size` pixels fill so many MiB."""
    return (megabytes << 20) // (size * size * np.dtype(element).itemsize)
