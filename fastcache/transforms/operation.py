"""What every operation answers, and the checks of arguments that they share.

To add an operation for ``transform=``, derive a frozen dataclass from :class:`ReadOperation`; for
``store=`` as well, from :class:`Operation`, and list it in ``normalize.py``: planning, the Python
step and catalogues then know it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastcache.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from fastcache.transforms.geometry import Trace

Sizes: TypeAlias = npt.NDArray[np.int64]
Size: TypeAlias = tuple[int, int]  # height, width
Steps: TypeAlias = npt.NDArray[np.void]

# Name to number of the C core's fc_filter.
FILTERS = {"nearest": 0, "box": 1, "bilinear": 2, "hamming": 3, "bicubic": 4, "lanczos": 5}
PIL_FILTERS = {name: Image.Resampling[name.upper()] for name in FILTERS}
MOST_PIXELS = 2**31 - 1  # of an image side: what the C core's int32 holds
_NAMES = {int(code): name for name, code in PIL_FILTERS.items()}


@dataclass(frozen=True)
class ReadOperation(ABC):
    """An immutable part of a recipe, which ``transform=`` runs in C on each read."""

    name: ClassVar[str]
    moves_pixels: ClassVar[bool] = False  # whether it changes where pixels are, or how many
    resamples: ClassVar[bool] = False

    @abstractmethod
    def steps(self) -> "Steps":
        """Return what the C core has to do, as an array of :data:`~fastcache.transforms.STEP`.

        Empty for what only says how pixels become numbers, or means whole batches.
        """

    def __call__(self, image: Any) -> Any:
        """Apply the operation to a Pillow image, where its result follows from the image alone.

        Raises
        ------
        ArgumentTypeError
            Where it does not.
        """
        raise ArgumentTypeError(
            f"{self!r} cannot be called on a sample: {self._why_not_called()}. Give it to a "
            f"dataset, as in ArenaDataset(..., transform=[{self.name}(...)])"
        )

    @property
    def on_images(self) -> bool:
        """Whether the operation can be called on a Pillow image."""
        return False

    def _why_not_called(self) -> str:
        return "its random numbers follow from the dataset's seed, the epoch and the sample"

    def fixed_size(self, size: "Size | None") -> "Size | None":
        """Return (height, width) of the results if it is the same for all, else None.

        Parameters
        ----------
        size : (int, int) or None
            The same of the images that come in.
        """
        return size


@dataclass(frozen=True)
class Operation(ReadOperation):
    """An immutable step from image to image whose output size follows from the input size."""

    @property
    def on_images(self) -> bool:
        return True

    @abstractmethod
    def __call__(self, image: Image.Image) -> Image.Image:
        """Apply the operation to a Pillow image of any mode."""

    @abstractmethod
    def sizes(self, heights: npt.ArrayLike, widths: npt.ArrayLike) -> tuple[Sizes, Sizes]:
        """Return the output sizes for input sizes.

        Parameters
        ----------
        heights, widths : array_like of int, any equal shapes
            Input sizes in pixels, at least 1.

        Returns
        -------
        heights, widths : int64 arrays of the same shape
        """

    @abstractmethod
    def trace(self, trace: "Trace") -> None:
        """Describe the operation to a :class:`~fastcache.transforms.geometry.Trace`."""

    def output_size(self, image: Image.Image) -> tuple[int, int]:
        """Return (height, width) of what the operation makes of this image."""
        height, width = self.sizes(image.height, image.width)
        return int(height), int(width)

    def fixed_size(self, size: "Size | None") -> "Size | None":
        if size is None:
            return None
        height, width = self.sizes(*size)
        return int(height), int(width)

    def for_mask(self) -> "Operation":
        """Return the operation with the same geometry for class indices (nearest filter)."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return a dict from which ``store_from_json`` makes this operation again."""
        return {"op": self.name, **asdict(self)}


def check_pixels(value: object, what: str) -> int:
    """Return a number of pixels as an int; raise ArgumentError unless a side may have so many."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
        if value <= MOST_PIXELS:
            return int(value)
        raise ArgumentError(
            f"{what}: {value} pixels are more than the {MOST_PIXELS} of an image side"
        )
    raise ArgumentError(f"{what} must be an integer of at least 1 pixel, not {value!r}")


def check_size(size: object, what: str) -> int | tuple[int, int]:
    """Return an int, or a pair (height, width); a sequence of one counts as its element."""
    if not isinstance(size, Sequence) or isinstance(size, str | bytes):
        return check_pixels(size, what)
    if len(size) not in (1, 2):
        raise ArgumentError(f"{what} must be an integer or (height, width), not {size!r}")
    pixels = [check_pixels(value, what) for value in size]
    return pixels[0] if len(pixels) == 1 else (pixels[0], pixels[1])


def check_level(value: object, what: str) -> int:
    """Return a pixel value; raise ArgumentError unless it is an integer in 0..255."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value <= 255:
        return int(value)
    raise ArgumentError(f"{what} must be an integer from 0 to 255, not {value!r}")


def check_filter(interpolation: object) -> str:
    """Return the name of a filter.

    Parameters
    ----------
    interpolation : str, int or enum
        A name in :data:`FILTERS`, Pillow's ``Image.Resampling`` (or its number), or torchvision's
        ``InterpolationMode``. "nearest-exact" is what Pillow calls nearest.
    """
    plain = getattr(interpolation, "value", interpolation)
    if isinstance(plain, int) and not isinstance(plain, bool):
        plain = _NAMES.get(plain)
    if plain == "nearest-exact":
        plain = "nearest"
    if isinstance(plain, str) and plain.lower() in FILTERS:
        return plain.lower()
    raise ArgumentError(
        f"interpolation {interpolation!r} is unknown; choose one of {', '.join(FILTERS)}"
    )


def size_arrays(heights: npt.ArrayLike, widths: npt.ArrayLike) -> tuple[Sizes, Sizes]:
    """Return input sizes as int64 arrays; raise ArgumentError where one is below 1."""
    h, w = np.asarray(heights), np.asarray(widths)
    if h.shape != w.shape or any(a.size and a.dtype.kind not in "iu" for a in (h, w)):
        raise ArgumentError(
            "heights and widths must be integer arrays of one shape; there are "
            f"{h.dtype} {h.shape} and {w.dtype} {w.shape}"
        )
    bad = np.flatnonzero((h < 1) | (w < 1))
    if bad.size:
        k = int(bad[0])
        raise ArgumentError(
            f"image {k} is said to be {h.flat[k]} x {w.flat[k]} pixels: leave out what could not "
            "be read before sizes are planned"
        )
    return h.astype(np.int64), w.astype(np.int64)


def resample(image: Image.Image, height: int, width: int, interpolation: str) -> Image.Image:
    """Resize a Pillow image, or return it as it is where it has that size."""
    if image.size == (width, height):
        return image
    return image.resize((width, height), PIL_FILTERS[interpolation])
