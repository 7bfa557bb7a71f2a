"""One function of the CUDA runtime that torch does not hand on: many copies by one call.

The runtime is the one that torch has loaded into the process; nothing is loaded here.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, BlockError

Addresses = npt.NDArray[np.uint64]
# Addresses to write to, addresses to read from, bytes of each copy, and the stream.
BatchCopy = Callable[[Addresses, Addresses, Addresses, int], None]

_FIRST = 12080  # the runtime, and the driver, that have the function first
_WITHOUT_INDEX = 13000  # from here on it does not say which copy it refused
_IN_STREAM_ORDER = 1  # sources are read when the copies' turn in the stream has come
# An attribute begins with that number; hints of places follow, which only managed memory needs. As
# there is one attribute for all copies, it does not matter that versions differ in its size.
_ATTRIBUTE_BYTES = 128


def loaded_runtime(maps: str = "/proc/self/maps") -> str | None:
    """Return the path of the CUDA runtime that is loaded into this process; None without one."""
    try:
        lines = Path(maps).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    paths = (line[line.index("/") :] for line in lines if "/" in line)
    return next((path for path in paths if _is_runtime(path)), None)


def _is_runtime(path: str) -> bool:
    return os.path.basename(path).startswith(("libcudart.so", "libcudart-"))


@cache
def batch_copy() -> BatchCopy | None:
    """Return cudaMemcpyBatchAsync; None where the runtime or the driver has none.

    Returns
    -------
    callable or None
        Takes three uint64 arrays of one length (where to, where from, bytes) and the number of a
        stream other than 0. Copies of one call come in any order among themselves. It raises
        BlockError if the runtime refuses.
    """
    path = loaded_runtime()
    if path is None:
        return None
    runtime = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    return bound(runtime)


def bound(runtime: ctypes.CDLL) -> BatchCopy | None:
    """Return the function of a runtime library; None if it, or the driver, is too old."""
    version = min(_version(runtime, "Runtime"), _version(runtime, "Driver"))
    if version < _FIRST or not hasattr(runtime, "cudaMemcpyBatchAsync"):
        return None
    function = runtime.cudaMemcpyBatchAsync
    pointer, count = ctypes.c_void_p, ctypes.c_size_t
    index = [] if _version(runtime, "Runtime") >= _WITHOUT_INDEX else [pointer]
    function.argtypes = [*[pointer] * 3, count, pointer, pointer, count, *index, pointer]
    function.restype = ctypes.c_int
    runtime.cudaGetErrorString.argtypes = [ctypes.c_int]
    runtime.cudaGetErrorString.restype = ctypes.c_char_p
    attribute = (ctypes.c_int * (_ATTRIBUTE_BYTES // ctypes.sizeof(ctypes.c_int)))(_IN_STREAM_ORDER)

    def copy(targets: Addresses, sources: Addresses, sizes: Addresses, stream: int) -> None:
        arrays = [np.ascontiguousarray(a, np.uint64) for a in (targets, sources, sizes)]
        if len({array.shape for array in arrays}) > 1 or arrays[0].ndim != 1:
            raise ArgumentError(
                f"copies: arrays of shapes {[array.shape for array in arrays]}; give one each"
            )
        first, failed = ctypes.c_size_t(0), ctypes.c_size_t(0)
        said = [ctypes.byref(failed)] if index else []
        places = [array.ctypes.data for array in arrays]
        code = function(
            *places, arrays[0].size, ctypes.byref(attribute), ctypes.byref(first), 1, *said, stream
        )
        if code != 0:
            runtime.cudaGetLastError()  # or torch raises it at whatever comes next
            reason = runtime.cudaGetErrorString(code).decode()
            raise BlockError(f"{arrays[0].size} copies to the device were refused: {reason}")

    return copy


def _version(runtime: ctypes.CDLL, of: str) -> int:
    number = ctypes.c_int(0)
    code = getattr(runtime, f"cuda{of}GetVersion")(ctypes.byref(number))
    return 0 if code != 0 else number.value
