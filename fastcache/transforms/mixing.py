"""MixUp and CutMix: what happens to whole batches and their labels."""

from dataclasses import dataclass
from typing import ClassVar

from fastcache.errors import ArgumentError
from fastcache.transforms.checks import check_number
from fastcache.transforms.operation import ReadOperation, Steps, check_pixels
from fastcache.transforms.steps import NO_STEPS

_ALPHAS = (1e-3, 1e6)  # outside, shares are 0, 1 or 1/2 as far as a float can tell


@dataclass(frozen=True, init=False)
class BatchOperation(ReadOperation):
    """An operation on a batch: each sample and its label are mixed with those of the one before.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) from which one share per batch is drawn.
    num_classes : int, optional
        Length of soft labels. None: labels are soft already, or the dataset knows its classes.
    """

    alpha: float
    num_classes: int | None

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None) -> None:
        number = check_number(alpha, f"{self.name}: alpha")
        if not _ALPHAS[0] <= number <= _ALPHAS[1]:
            raise ArgumentError(
                f"{self.name}: alpha={alpha!r} must lie from {_ALPHAS[0]:g} to {_ALPHAS[1]:g}"
            )
        if num_classes is not None:
            try:
                num_classes = check_pixels(num_classes, "")
            except ArgumentError:
                raise ArgumentError(
                    f"{self.name}: num_classes={num_classes!r}: give the number of classes, at "
                    "least 1, or None"
                ) from None
        object.__setattr__(self, "alpha", number)
        object.__setattr__(self, "num_classes", num_classes)

    def steps(self) -> Steps:
        return NO_STEPS

    def _why_not_called(self) -> str:
        return "it mixes the samples of a batch, and their labels"


@dataclass(frozen=True, init=False)
class MixUp(BatchOperation):
    """Blend each sample and its label with those of the one before, as torchvision's MixUp does.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) from which one share per batch is drawn.
    num_classes : int, optional
        Length of soft labels. None: labels are soft already, or the dataset knows its classes.

    Raises
    ------
    ArgumentError
        For an alpha not from 0.001 to 1,000,000, less than one class.

    Notes
    -----
    A batch x becomes share * x + (1 - share) * roll(x, 1) [1]_; so do labels. It needs batches of
    floats: give ToDtype or Normalize before it.

    References
    ----------
    .. [1] H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """

    name: ClassVar[str] = "MixUp"


@dataclass(frozen=True, init=False)
class CutMix(BatchOperation):
    """Put a rectangle of the sample before into each sample, as torchvision's CutMix does.

    Parameters
    ----------
    alpha : float
        Of the distribution Beta(alpha, alpha) from which one share per batch is drawn.
    num_classes : int, optional
        Length of soft labels. None: labels are soft already, or the dataset knows its classes.

    Raises
    ------
    ArgumentError
        For an alpha not from 0.001 to 1,000,000, less than one class.

    Notes
    -----
    The rectangle has sqrt(1 - share) of the image's sides, its centre is anywhere, and what leaves
    the image is cut off; labels are mixed by the areas that remain [1]_.

    References
    ----------
    .. [1] S. Yun et al., "CutMix: Regularization strategy to train strong classifiers with
       localizable features", ICCV 2019.
    """

    name: ClassVar[str] = "CutMix"
