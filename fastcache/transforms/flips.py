"""RandomHorizontalFlip and RandomVerticalFlip."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from fastcache.transforms.checks import check_probability
from fastcache.transforms.operation import ReadOperation, Steps
from fastcache.transforms.steps import one_step


@dataclass(frozen=True, init=False)
class _Flip(ReadOperation):
    """A mirror that is used with a probability."""

    moves_pixels: ClassVar[bool] = True
    kind: ClassVar[str]
    method: ClassVar[Image.Transpose]
    p: float

    def __init__(self, p: float = 0.5) -> None:
        object.__setattr__(self, "p", check_probability(p, f"{self.name}: p"))

    @property
    def on_images(self) -> bool:
        return self.p in (0, 1)

    def __call__(self, image: Image.Image) -> Image.Image:
        """Flip a Pillow image, or not; only where `p` is 0 or 1."""
        if self.p == 0:
            return image
        if self.p == 1:
            return image.transpose(self.method)
        mirrored: Image.Image = super().__call__(image)  # raises: it depends on random numbers
        return mirrored

    def steps(self) -> Steps:
        return one_step(self.kind, real=[self.p])


@dataclass(frozen=True, init=False)
class RandomHorizontalFlip(_Flip):
    """Swap left and right with a probability, as ``torchvision.transforms.v2`` does.

    Parameters
    ----------
    p : float
        Probability, 0..1.

    Raises
    ------
    ArgumentError
        For other numbers.
    """

    name: ClassVar[str] = "RandomHorizontalFlip"
    kind: ClassVar[str] = "flip_x"
    method: ClassVar[Image.Transpose] = Image.Transpose.FLIP_LEFT_RIGHT


@dataclass(frozen=True, init=False)
class RandomVerticalFlip(_Flip):
    """Swap top and bottom with a probability, as ``torchvision.transforms.v2`` does.

    Parameters
    ----------
    p : float
        Probability, 0..1.

    Raises
    ------
    ArgumentError
        For other numbers.
    """

    name: ClassVar[str] = "RandomVerticalFlip"
    kind: ClassVar[str] = "flip_y"
    method: ClassVar[Image.Transpose] = Image.Transpose.FLIP_TOP_BOTTOM
