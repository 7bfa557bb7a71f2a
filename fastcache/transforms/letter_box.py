"""LetterBox: the whole image within a frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastcache.transforms.operation import (
    FILTERS,
    Operation,
    Size,
    Sizes,
    Steps,
    check_filter,
    check_level,
    check_size,
    resample,
    size_arrays,
)
from fastcache.transforms.steps import one_step

if TYPE_CHECKING:
    from fastcache.transforms.geometry import Trace


@dataclass(frozen=True, init=False)
class LetterBox(Operation):
    """Resize to fit a frame, aspect kept, and pad the rest evenly: what YOLO models are fed with.

    Parameters
    ----------
    size : int or (int, int)
        Pixels of the frame: side of a square, or (height, width).
    fill : int
        Value 0..255 of the padding, the same in every channel.
    interpolation : str, ``PIL.Image.Resampling`` or torchvision's ``InterpolationMode``
        As in :class:`Resize`.
    scaleup : bool
        False: smaller images are padded only, never enlarged.
    mask_fill : int
        Class index 0..255 of the padding of masks.

    Raises
    ------
    ArgumentError
        For sizes below 1, fills outside 0..255, an unknown filter.

    Notes
    -----
    Sides are rounded to the nearest pixel (halves to even); of an odd padding the smaller part is
    at the top and the left, as in Ultralytics' LetterBox.
    """

    name: ClassVar[str] = "LetterBox"
    moves_pixels: ClassVar[bool] = True
    resamples: ClassVar[bool] = True
    size: tuple[int, int]
    fill: int
    interpolation: str
    scaleup: bool
    mask_fill: int

    def __init__(
        self,
        size: int | Sequence[int],
        fill: int = 114,
        interpolation: object = "bilinear",
        scaleup: bool = True,
        mask_fill: int = 0,
    ) -> None:
        kept = check_size(size, "LetterBox: size")
        object.__setattr__(self, "size", (kept, kept) if isinstance(kept, int) else kept)
        object.__setattr__(self, "fill", check_level(fill, "LetterBox: fill"))
        object.__setattr__(self, "interpolation", check_filter(interpolation))
        object.__setattr__(self, "scaleup", bool(scaleup))
        object.__setattr__(self, "mask_fill", check_level(mask_fill, "LetterBox: mask_fill"))

    def __call__(self, image: Image.Image) -> Image.Image:
        h, w, top, left = (int(v) for v in self._place(image.height, image.width))
        inner = resample(image, h, w, self.interpolation)
        bands = len(image.getbands())
        color = self.fill if bands == 1 else (self.fill,) * bands
        frame = Image.new(image.mode, self.size[::-1], color)
        if image.mode == "P":
            frame.putpalette(image.getpalette() or [])
        frame.paste(inner, (left, top))
        return frame

    def _place(
        self, heights: npt.ArrayLike, widths: npt.ArrayLike
    ) -> tuple[Sizes, Sizes, Sizes, Sizes]:
        """Return height, width, top and left of the image within the frame."""
        h, w = size_arrays(heights, widths)
        ratio = np.minimum(self.size[0] / h, self.size[1] / w)
        if not self.scaleup:
            ratio = np.minimum(ratio, 1.0)
        new_h = np.maximum(np.rint(h * ratio), 1)
        new_w = np.maximum(np.rint(w * ratio), 1)
        top = np.rint((self.size[0] - new_h) / 2 - 0.1)
        left = np.rint((self.size[1] - new_w) / 2 - 0.1)
        new_h, new_w, top, left = (a.astype(np.int64) for a in (new_h, new_w, top, left))
        return new_h, new_w, top, left

    def sizes(self, heights: npt.ArrayLike, widths: npt.ArrayLike) -> tuple[Sizes, Sizes]:
        h, w = size_arrays(heights, widths)
        return np.full_like(h, self.size[0]), np.full_like(w, self.size[1])

    def steps(self) -> Steps:
        number = (*self.size, int(self.scaleup), self.mask_fill)
        return one_step("letter_box", number, interpolation=self.interpolation, fill=self.fill)

    def fixed_size(self, size: Size | None) -> Size | None:
        return self.size

    def trace(self, trace: "Trace") -> None:
        new_h, new_w, top, left = self._place(trace.heights, trace.widths)
        trace.resample(new_h, new_w, FILTERS[self.interpolation])
        trace.window(-top, -left, *self.size, fill=self.fill)

    def for_mask(self) -> "LetterBox":
        return replace(self, interpolation="nearest", fill=self.mask_fill)
