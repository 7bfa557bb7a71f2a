"""RandomErasing: a rectangle is overwritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastcache.errors import ArgumentError
from fastcache.transforms.checks import (
    check_channel_numbers,
    check_probability,
    check_range,
    check_ratio,
    check_single,
)
from fastcache.transforms.operation import ReadOperation, Steps
from fastcache.transforms.steps import ERASE_WITH, one_step


@dataclass(frozen=True, init=False)
class RandomErasing(ReadOperation):
    """Overwrite a random rectangle, as ``torchvision.transforms.v2.RandomErasing`` does.

    Parameters
    ----------
    p : float
        Probability, 0..1.
    scale : (float, float)
        Bounds of the rectangle's area, as a share of the image's, 0..1.
    ratio : (float, float)
        Bounds of its height to its width.
    value : float, sequence of float, or "random"
        What stands there afterwards: one number, one per channel, or numbers from the normal
        distribution N(0, 1) for each pixel and channel. Numbers are those of the place in the
        recipe: levels 0..255 of pixels, shares of 1 behind ``ToDtype(scale=True)``, normalised
        numbers behind ``Normalize``. "random" must come after the last of these.

    Raises
    ------
    ArgumentError
        For probabilities and scales outside 0..1, bounds in the wrong order, ratios not from 1e-6
        to 1e6, values that are not finite, any other string.

    References
    ----------
    .. [1] Z. Zhong et al., "Random erasing data augmentation", AAAI 2020.
    """

    name: ClassVar[str] = "RandomErasing"
    p: float
    scale: tuple[float, float]
    ratio: tuple[float, float]
    value: float | tuple[float, ...] | str

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | Sequence[float] | str = 0,
    ) -> None:
        object.__setattr__(self, "p", check_probability(p, "RandomErasing: p"))
        object.__setattr__(self, "scale", check_range(scale, "RandomErasing: scale", 0, 1))
        object.__setattr__(self, "ratio", check_ratio(ratio, "RandomErasing: ratio"))
        object.__setattr__(self, "value", _value(value))

    @property
    def is_noise(self) -> bool:
        """Whether each pixel gets a random number."""
        return self.value == "random"

    def numbers(self) -> tuple[float, ...]:
        """Return what is written: one number, or one per channel; of noise none."""
        if isinstance(self.value, tuple):
            return self.value
        return () if isinstance(self.value, str) else (self.value,)

    def steps(self) -> Steps:
        written = self.numbers()
        return one_step(
            "erase",
            [ERASE_WITH["normal" if self.is_noise else "value"]],
            (self.p, *self.scale, *self.ratio),
            value=written * 4 if len(written) == 1 else written,
        )


def _value(value: object) -> float | tuple[float, ...] | str:
    if isinstance(value, str):
        if value == "random":
            return value
        raise ArgumentError(f"RandomErasing: value={value!r}: give 'random', or numbers")
    if isinstance(value, Sequence):
        numbers = check_channel_numbers(value, "RandomErasing: value")
        return numbers[0] if len(numbers) == 1 else numbers
    return check_single(value, "RandomErasing: value")
