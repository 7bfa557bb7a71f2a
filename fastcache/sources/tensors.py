"""Tensors and other arrays as NumPy arrays, without importing any framework."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SchemaError, SourceNotFoundError

# Element types that NumPy and torch both have.
KINDS = "bool, int8..int64, uint8..uint64, float16..float64, complex64 or complex128"


def is_tensor(value: object) -> bool:
    """Whether this looks like a torch tensor."""
    return all(hasattr(value, name) for name in ("detach", "cpu", "numpy", "dtype"))


def is_array(value: object) -> bool:
    """Whether this is, or turns itself into, a NumPy array: arrays, tensors, table columns."""
    return hasattr(value, "__array__") or is_tensor(value)


def to_numpy(value: Any, what: str) -> npt.NDArray[Any]:
    """Return a tensor or array as a NumPy array in native byte order, without a copy if possible.

    Tensors may require gradients, live on another device or be conjugated.

    Raises
    ------
    SchemaError
        For element types or layouts that NumPy and torch do not share; `what` names the value.
    """
    try:
        if is_tensor(value):
            value = value.detach().cpu()
            for resolve in ("resolve_conj", "resolve_neg"):
                if hasattr(value, resolve):
                    value = getattr(value, resolve)()
            array = value.numpy()
        else:
            array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = getattr(value, "dtype", type(value).__name__)
        raise SchemaError(
            f"{what} is {kind}, which NumPy cannot hold ({error}); convert it to {KINDS}, "
            "e.g. bfloat16 with .float()"
        ) from error
    return native(array, what)


def native(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """Return the array in native byte order; raise SchemaError for types that torch lacks."""
    widest = {"b": 1, "i": 8, "u": 8, "f": 8, "c": 16}.get(array.dtype.kind, 0)
    if array.dtype.itemsize > widest:
        raise SchemaError(f"{what} has dtype {array.dtype}; convert it to {KINDS}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def load_npy(path: str, what: str) -> npt.NDArray[Any]:
    """Map a .npy file read-only.

    Raises
    ------
    SourceNotFoundError
        For a missing file.
    ArgumentError
        For a file that holds pickled objects, or is no .npy file.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{what}: {path!r} does not exist") from error
    except (OSError, ValueError, EOFError) as error:
        raise ArgumentError(
            f"{what}: {path!r} cannot be mapped as an array ({error}). Pickled objects are never "
            "loaded, since that can run code: write a numeric array with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ArgumentError(f"{what}: {path!r} is an .npz archive; save its array as .npy")
    return array
