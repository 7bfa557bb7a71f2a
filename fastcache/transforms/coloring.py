"""ColorJitter, Grayscale and RandomGrayscale: colours, pixel by pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from fastcache.errors import ArgumentError
from fastcache.transforms.checks import check_number, check_probability, check_range
from fastcache.transforms.operation import ReadOperation, Steps
from fastcache.transforms.steps import NO_STEPS, one_step

Range = tuple[float, float]
_MOST = float(np.finfo(np.float32).max)
_NONE = (1.0, 0.0)  # low > high: the core leaves it out


@dataclass(frozen=True, init=False)
class ColorJitter(ReadOperation):
    """Change colours at random, as ``torchvision.transforms.v2.ColorJitter`` does to uint8 tensors.

    Parameters
    ----------
    brightness, contrast, saturation : float or (float, float), optional
        Bounds of a factor, at least 0; of one number x they are max(0, 1 - x) and 1 + x. None, and
        bounds of exactly 1, leave it out.
    hue : float or (float, float), optional
        Bounds of a turn of the colour circle, -0.5..0.5; of one number x they are -x and x.

    Raises
    ------
    ArgumentError
        For negative numbers, bounds outside these or in the wrong order.

    Notes
    -----
    Each factor is drawn evenly from its range; the four are applied in a random order, each
    rounding to whole levels. An opacity is left as it is.
    """

    name: ClassVar[str] = "ColorJitter"
    brightness: Range | None
    contrast: Range | None
    saturation: Range | None
    hue: Range | None

    def __init__(
        self,
        brightness: float | Sequence[float] | None = None,
        contrast: float | Sequence[float] | None = None,
        saturation: float | Sequence[float] | None = None,
        hue: float | Sequence[float] | None = None,
    ) -> None:
        object.__setattr__(self, "brightness", _factors(brightness, "brightness"))
        object.__setattr__(self, "contrast", _factors(contrast, "contrast"))
        object.__setattr__(self, "saturation", _factors(saturation, "saturation"))
        object.__setattr__(self, "hue", _turns(hue))

    @property
    def changes(self) -> int:
        """How many of the four it may change."""
        return sum(bounds is not None for bounds in self._bounds())

    def steps(self) -> Steps:
        if not self.changes:
            return NO_STEPS
        real = [number for bounds in self._bounds() for number in bounds or _NONE]
        return one_step("colour_jitter", real=real)

    def _bounds(self) -> tuple[Range | None, ...]:
        return self.brightness, self.contrast, self.saturation, self.hue


@dataclass(frozen=True, init=False)
class Grayscale(ReadOperation):
    """Turn colours into grey, as ``torchvision.transforms.v2.Grayscale`` does.

    Parameters
    ----------
    num_output_channels : {1, 3}
        3: three equal channels.

    Raises
    ------
    ArgumentError
        For other numbers.
    """

    name: ClassVar[str] = "Grayscale"
    num_output_channels: int

    def __init__(self, num_output_channels: int = 1) -> None:
        if isinstance(num_output_channels, bool) or num_output_channels not in (1, 3):
            raise ArgumentError(
                f"Grayscale: num_output_channels={num_output_channels!r}: give 1 or 3"
            )
        object.__setattr__(self, "num_output_channels", int(num_output_channels))

    @property
    def on_images(self) -> bool:
        return True

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the image in mode L or RGB, by Pillow's weights (within one level of torch's)."""
        grey = image.convert("L")
        return grey if self.num_output_channels == 1 else Image.merge("RGB", (grey,) * 3)

    def steps(self) -> Steps:
        return one_step("greyscale", real=[1.0])


@dataclass(frozen=True, init=False)
class RandomGrayscale(ReadOperation):
    """Turn colours into grey with a probability; there are as many channels as before.

    Parameters
    ----------
    p : float
        Probability, 0..1.

    Raises
    ------
    ArgumentError
        For other numbers.
    """

    name: ClassVar[str] = "RandomGrayscale"
    p: float

    def __init__(self, p: float = 0.1) -> None:
        object.__setattr__(self, "p", check_probability(p, "RandomGrayscale: p"))

    def steps(self) -> Steps:
        return one_step("greyscale", real=[self.p])


def _factors(value: object, name: str) -> Range | None:
    what = f"ColorJitter: {name}"
    if value is None:
        return None
    if isinstance(value, Sequence):
        bounds = check_range(value, what, 0, _MOST)
    else:
        most = _not_negative(value, what)
        bounds = check_range((max(0.0, 1 - most), 1 + most), what, 0, _MOST)
    return None if bounds == (1, 1) else bounds


def _turns(value: object) -> Range | None:
    if value is None:
        return None
    if not isinstance(value, Sequence):
        most = _not_negative(value, "ColorJitter: hue")
        value = (-most, most)
    bounds = check_range(value, "ColorJitter: hue", -0.5, 0.5)
    return None if bounds == (0, 0) else bounds


def _not_negative(value: object, what: str) -> float:
    number = check_number(value, what)
    if number >= 0:
        return number
    raise ArgumentError(f"{what}={value!r}: a single number must not be negative")
