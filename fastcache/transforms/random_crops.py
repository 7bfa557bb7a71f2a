"""RandomCrop and RandomResizedCrop: another part of the image on each read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastcache.errors import ArgumentError
from fastcache.transforms.checks import (
    check_fill,
    check_flag,
    check_frame,
    check_padding,
    check_range,
    check_ratio,
)
from fastcache.transforms.operation import ReadOperation, Size, Steps, check_filter
from fastcache.transforms.steps import PADDINGS, one_step

_MOST_SCALE = 1e6  # of the C core: more than that no crop can mean


@dataclass(frozen=True, init=False)
class RandomCrop(ReadOperation):
    """Cut out a random window, as ``torchvision.transforms.v2.RandomCrop`` does.

    Parameters
    ----------
    size : int or (int, int)
        Pixels: side of a square, or (height, width).
    padding : int or sequence of int, optional
        Pixels that are added before: on all sides; (left and right, top and bottom); or (left, top,
        right, bottom).
    pad_if_needed : bool
        Whether smaller images are padded, on both sides by all that is missing. If not, a smaller
        image is an error that names the sample.
    fill : int or sequence of int
        Value 0..255 of constant padding, of all channels or of each; masks are padded with 0.
    padding_mode : {"constant", "edge", "reflect", "symmetric"}
        What the padding shows: `fill`, the pixel at the edge, or the mirrored image, without or
        with the pixel at the edge itself.

    Raises
    ------
    ArgumentError
        For sizes below 1, negative padding, fills outside 0..255, an unknown mode.

    Notes
    -----
    All positions are equally likely.
    """

    name: ClassVar[str] = "RandomCrop"
    moves_pixels: ClassVar[bool] = True
    size: tuple[int, int]
    padding: tuple[int, int, int, int] | None
    pad_if_needed: bool
    fill: int | tuple[int, ...]
    padding_mode: str

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: int | Sequence[int] = 0,
        padding_mode: str = "constant",
    ) -> None:
        if not (isinstance(padding_mode, str) and padding_mode in PADDINGS):
            raise ArgumentError(
                f"RandomCrop: padding_mode={padding_mode!r}: choose one of {', '.join(PADDINGS)}"
            )
        object.__setattr__(self, "size", check_frame(size, "RandomCrop: size"))
        object.__setattr__(self, "padding", check_padding(padding, "RandomCrop: padding"))
        needed = check_flag(pad_if_needed, "RandomCrop: pad_if_needed")
        object.__setattr__(self, "pad_if_needed", needed)
        object.__setattr__(self, "fill", check_fill(fill, "RandomCrop: fill"))
        object.__setattr__(self, "padding_mode", padding_mode)

    def steps(self) -> Steps:
        padding, mode = self.padding or (0, 0, 0, 0), PADDINGS[self.padding_mode]
        number = (*self.size, *padding, mode, int(self.pad_if_needed))
        return one_step("random_crop", number, fill=self.fill)

    def fixed_size(self, size: Size | None) -> Size | None:
        """Return the window's size.

        Raises
        ------
        ArgumentError
            If images of `size` are smaller than it, and not padded.
        """
        if size is not None and not self.pad_if_needed:
            left, top, right, bottom = self.padding or (0, 0, 0, 0)
            have = (size[0] + top + bottom, size[1] + left + right)
            if have[0] < self.size[0] or have[1] < self.size[1]:
                raise ArgumentError(
                    f"{self!r} needs images of at least {self.size[0]} x {self.size[1]} pixels, "
                    f"and these are {have[0]} x {have[1]}{' with padding' * bool(self.padding)}: "
                    "crop less, keep them larger, or give pad_if_needed=True"
                )
        return self.size


@dataclass(frozen=True, init=False)
class RandomResizedCrop(ReadOperation):
    """Resize a random part, as ``torchvision.transforms.v2.RandomResizedCrop`` does.

    Parameters
    ----------
    size : int or (int, int)
        Pixels of the result: side of a square, or (height, width).
    scale : (float, float)
        Bounds of the part's area, as a share of the image's.
    ratio : (float, float)
        Bounds of the part's width to its height.
    interpolation : str, ``PIL.Image.Resampling`` or torchvision's ``InterpolationMode``
        As in :class:`Resize`.
    antialias : True
        As Pillow has it always.
    fast_scale : bool
        Whether JPEG files may be decoded at 1/2 or 1/4 of their size where that is enough, as in
        :class:`Resize`.

    Raises
    ------
    ArgumentError
        For sizes below 1, bounds in the wrong order, scales below 0, ratios not from 1e-6 to 1e6,
        an unknown filter, ``antialias=False``.

    Notes
    -----
    Area and logarithm of the ratio are drawn evenly, up to ten times until such a part lies within
    the image; else its largest centre of an allowed ratio is taken [1]_.

    References
    ----------
    .. [1] C. Szegedy et al., "Going deeper with convolutions", CVPR 2015.
    """

    name: ClassVar[str] = "RandomResizedCrop"
    moves_pixels: ClassVar[bool] = True
    resamples: ClassVar[bool] = True
    size: tuple[int, int]
    scale: tuple[float, float]
    ratio: tuple[float, float]
    interpolation: str
    antialias: bool
    fast_scale: bool

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: object = "bilinear",
        antialias: bool | None = True,
        fast_scale: bool = False,
    ) -> None:
        if antialias is not True and antialias is not None:
            raise ArgumentError(
                f"RandomResizedCrop: antialias={antialias!r}: pixels are Pillow's, which are "
                "always antialiased; leave it out"
            )
        object.__setattr__(self, "size", check_frame(size, "RandomResizedCrop: size"))
        area = check_range(scale, "RandomResizedCrop: scale", 0, _MOST_SCALE)
        object.__setattr__(self, "scale", area)
        object.__setattr__(self, "ratio", check_ratio(ratio, "RandomResizedCrop: ratio"))
        object.__setattr__(self, "interpolation", check_filter(interpolation))
        object.__setattr__(self, "antialias", True)
        fast = check_flag(fast_scale, "RandomResizedCrop: fast_scale")
        object.__setattr__(self, "fast_scale", fast)

    def steps(self) -> Steps:
        number, bounds = (*self.size, int(self.fast_scale)), (*self.scale, *self.ratio)
        filter_ = self.interpolation
        return one_step("random_resized_crop", number, bounds, interpolation=filter_)

    def fixed_size(self, size: Size | None) -> Size | None:
        return self.size
