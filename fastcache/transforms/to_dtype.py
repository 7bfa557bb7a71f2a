"""ToDtype: the type in which the arena keeps pixels and arrays of floats, or batches have them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastcache.errors import ArgumentError
from fastcache.transforms.operation import Operation, Sizes, Steps, size_arrays
from fastcache.transforms.steps import NO_STEPS

if TYPE_CHECKING:
    from fastcache.transforms.geometry import Trace

_FLOATS = ("float16", "float32", "float64")
_CUTS = (
    "would cut the fractions of floats off, and pixels are kept as integers anyway: give float16, "
    "float32 or float64, or convert before"
)
_KNOWN = (*_FLOATS, "bfloat16", "uint8")


@dataclass(frozen=True, init=False)
class ToDtype(Operation):
    """Give pixels and arrays of floats another type, as ``torchvision.transforms.v2.ToDtype``.

    In ``store=`` it stands last, and makes float16, float32 or float64. It applies to images and to
    arrays of floats: those of :class:`~fastcache.sources.Arrays`, .npy images, tensors of a wrapped
    Dataset, values of a :class:`~fastcache.sources.Series`. Masks, numbers, strings, arrays of
    integers, and arrays that are called label or target stay as they are.

    In ``transform=`` it makes batches of float32, float16 or bfloat16, straight from the pixels;
    uint8 says that they stay what they are. Geometry may follow it: pixels are moved and resampled
    as integers in any case, and converted at the end.

    Parameters
    ----------
    dtype : torch.dtype, numpy dtype or str
        uint8, float16, bfloat16, float32 or float64.
    scale : bool
        Whether integer pixels are divided by the largest of their type, 255 or 65535.

    Raises
    ------
    ArgumentError
        For other types. When the arena is filled: for a finite value that is beyond the range of
        `dtype`; the message names its sample.

    Notes
    -----
    Values are rounded to the nearest, halves to even, while they are copied into the arena or the
    batch, which never hold the wider ones. Images are resampled as integers (.npy images of floats:
    as float32) before; for an arena the core decodes to integers, which Python then converts in
    place.
    """

    name: ClassVar[str] = "ToDtype"
    dtype: str
    scale: bool

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        if not isinstance(scale, bool):
            raise ArgumentError(f"ToDtype: scale={scale!r}: give True or False")
        object.__setattr__(self, "dtype", _name_of(dtype))
        object.__setattr__(self, "scale", scale)

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the image itself: PIL has no images of such types, arrays are made of it later."""
        return image

    def sizes(self, heights: npt.ArrayLike, widths: npt.ArrayLike) -> tuple[Sizes, Sizes]:
        return size_arrays(heights, widths)

    def trace(self, trace: "Trace") -> None:
        """Do nothing: no pixel moves."""

    @property
    def on_images(self) -> bool:
        return False  # a call changes nothing: what makes arrays of images converts them

    def steps(self) -> Steps:
        return NO_STEPS

    def put(
        self, values: npt.NDArray[Any], target: npt.NDArray[Any], told: Callable[[int], str]
    ) -> None:
        """Write values in the new type.

        Parameters
        ----------
        values : array of shape (N, ...)
            Floats, uint8 or uint16.
        target : array of the same shape, of the new type
            Must not overlap `values`.
        told : callable
            ``told(k)`` names row k in a message.

        Raises
        ------
        ArgumentError
            Where a finite value becomes infinite.
        """
        if self.scale and values.dtype.kind == "u":
            target[...] = _levels(values.dtype.name, self.dtype)[values]
            return
        with np.errstate(over="ignore"):
            target[...] = values
        if _largest(values.dtype) <= _largest(target.dtype) or not np.isinf(target).any():
            return
        lost = np.isinf(target) & np.isfinite(values)
        if lost.any():
            first = tuple(int(axis[0]) for axis in np.nonzero(lost))
            raise ArgumentError(
                f"{told(first[0])} holds {values[first]!s}, which is beyond the range of "
                f"{self.dtype} (±{_largest(target.dtype):,.6g}): keep a wider type, or scale the "
                "values before"
            )


def conversion_of(operations: Sequence[Operation]) -> ToDtype | None:
    """Return the ToDtype at the end of a chain of operations, if there is one."""
    last = operations[-1] if operations else None
    return last if isinstance(last, ToDtype) else None


def check_last(operations: Sequence[Operation]) -> None:
    """Refuse a ToDtype that other operations follow, or whose type no arena has."""
    for k, operation in enumerate(operations):
        if not isinstance(operation, ToDtype):
            continue
        if k + 1 < len(operations):
            raise ArgumentError(
                f"store={[*operations]}: {operation} comes before {operations[k + 1]}; give one "
                "ToDtype, and give it last"
            )
        if operation.dtype == "bfloat16":
            raise ArgumentError(
                f"store={operation}: the arena's arrays are NumPy's, which has no bfloat16: keep "
                "float16 if the values fit (up to 65504), or float32, and give the ToDtype as "
                "transform=, or call .bfloat16() on batches"
            )
        if operation.dtype not in _FLOATS:
            raise ArgumentError(f"store={operation} {_CUTS}")


def _name_of(dtype: Any) -> str:
    """Return the name of a type; torch's are known by how they print."""
    name = str(dtype).removeprefix("torch.")
    if isinstance(dtype, str | type | np.dtype):  # of other things NumPy makes types as well
        with suppress(TypeError, ValueError):  # refused below
            name = np.dtype(name if isinstance(dtype, str) else dtype).name
    if name in _KNOWN:
        return name
    if name.startswith(("int", "uint", "bool")):
        raise ArgumentError(f"ToDtype: {name} {_CUTS}")
    raise ArgumentError(
        f"ToDtype: dtype={dtype!r}: give float16, float32 or float64, or for batches uint8 or "
        "bfloat16"
    )


def _largest(dtype: "np.dtype[Any]") -> float:
    """Return the largest finite value of a type."""
    return float(np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max)


@cache
def _levels(pixel: str, dtype: str) -> npt.NDArray[Any]:
    """Return what each level of an integer type becomes; float64's quotients round right."""
    most = np.iinfo(pixel).max
    levels: npt.NDArray[Any] = (np.arange(most + 1) / most).astype(dtype)
    levels.setflags(write=False)
    return levels
