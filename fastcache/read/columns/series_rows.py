"""Series as they lie in the arena: for what makes something of them without a copy."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class SeriesRows(NamedTuple):
    """Where the series of some samples lie.

    Attributes
    ----------
    data : 1-D uint8 array
        The bytes that offsets count in: contiguous, read-only, of the arena.
    dtype : np.dtype
        Of the values, native.
    offsets : int64 (B,)
        Bytes to the first value of each sample's first channel.
    channels : int
    channel_bytes : int
        From a channel's first value to the next channel's.
    length : int
        Values per channel, which lie side by side.
    """

    data: npt.NDArray[np.uint8]
    dtype: "np.dtype[Any]"
    offsets: npt.NDArray[np.int64]
    channels: int
    channel_bytes: int
    length: int
