"""MixUp and CutMix of a batch that was just made, in its own memory."""

import math
from typing import Any, NamedTuple

import torch

from fastcache._core.drawing import Random
from fastcache.errors import ArgumentError
from fastcache.read.sampling.keys import KeyArrays
from fastcache.transforms.mixing import BatchOperation, CutMix, MixUp

# Beside those of a recipe's steps, which count from 0, and those of their pixels.
_STEP = 0x40000000


class Mix(NamedTuple):
    """What is drawn for a batch.

    Attributes
    ----------
    share : float
        Of each sample in its own label; the one before has the rest.
    box : (int, int, int, int) or None
        Left, top, right and bottom edge, in pixels, of what comes from the sample before; None if
        whole images are blended.
    """

    share: float
    box: tuple[int, int, int, int] | None = None


class Mixer:
    """Mixes each sample of a batch, and its label, with the one before; the first with the last.

    Distributions and results are those of torchvision's MixUp and CutMix. What is drawn for a
    batch belongs to the key of its first sample.

    Parameters
    ----------
    operation : MixUp or CutMix
    classes : int, optional
        Length of soft labels where the operation does not say. None: labels are soft already.
    nhwc : bool
        Whether images are (B, H, W, C) instead of (B, C, H, W), whatever their memory order.
    """

    def __init__(
        self, operation: BatchOperation, classes: int | None = None, nhwc: bool = False
    ) -> None:
        if not isinstance(operation, MixUp | CutMix):
            raise ArgumentError(f"{operation!r} mixes no batches: give MixUp or CutMix")
        told = operation.num_classes
        self._operation = operation
        self._classes = classes if told is None else told
        self._nhwc = nhwc

    def mix(
        self, images: torch.Tensor, labels: torch.Tensor, keys: KeyArrays
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mix a batch.

        Parameters
        ----------
        images : tensor of shape (B, C, H, W)
            Of floats; for CutMix of any type. Changed in place, with room for two samples besides.
        labels : tensor of shape (B,) of integers, or (B, classes)
        keys : KeyArrays
            Of the batch.

        Returns
        -------
        images : tensor
            The same.
        labels : tensor of shape (B, classes)
            float32; of soft labels of floats, their type.

        Raises
        ------
        ArgumentError
            For images that are no batch of one size, or of integers in MixUp; and for labels that
            are none, of another number, or outside the classes.
        """
        self._check(images, labels)
        soft = self._soft(labels)
        if not len(soft):
            return images, soft
        height, width = images.shape[1:3] if self._nhwc else images.shape[2:]
        drawn = self.draw(keys, height, width)
        if drawn.box is None:
            _blend(images, drawn.share)
        else:
            _paste(images, drawn.box, self._nhwc)
        return images, soft.roll(1, 0).mul_(1.0 - drawn.share).add_(soft.mul(drawn.share))

    def draw(self, keys: KeyArrays, height: int, width: int) -> Mix:
        """Draw what happens to a batch of at least one sample, of images of a size in pixels."""
        epoch, sample, occurrence = (int(part[0]) for part in keys[1:])
        random = Random(keys.seed, epoch, sample, occurrence, _STEP)
        share = random.beta(self._operation.alpha, self._operation.alpha)
        if isinstance(self._operation, MixUp):
            return Mix(share)
        x, y = random.below(width), random.below(height)
        half = 0.5 * math.sqrt(1.0 - share)
        half_w, half_h = int(half * width), int(half * height)
        left, right = max(x - half_w, 0), min(x + half_w, width)
        top, bottom = max(y - half_h, 0), min(y + half_h, height)
        area = (right - left) * (bottom - top)
        return Mix(1.0 - area / (width * height), (left, top, right, bottom))

    def _check(self, images: Any, labels: Any) -> None:
        name = self._operation.name
        if not isinstance(images, torch.Tensor) or images.ndim != 4:
            what = _told(images)
            raise ArgumentError(
                f"{name} mixes images of one size in a tensor of four axes, and got {what}: crop "
                "or resize images to one size before it"
            )
        if isinstance(self._operation, MixUp) and not images.is_floating_point():
            raise ArgumentError(
                f"{name} blends floats, and these images are {images.dtype}: give ToDtype or "
                "Normalize before it, or take CutMix"
            )
        if not isinstance(labels, torch.Tensor) or labels.ndim not in (1, 2):
            raise ArgumentError(
                f"{name} mixes labels too, class numbers (B,) or soft labels (B, classes), and got "
                f"{_told(labels)}: give samples of an image and a label"
            )
        if len(labels) != len(images):
            raise ArgumentError(f"{name}: {len(images)} images, but {len(labels)} labels")

    def _soft(self, labels: torch.Tensor) -> torch.Tensor:
        """Return soft labels."""
        name, classes = self._operation.name, self._classes
        if labels.ndim == 2:
            told = self._operation.num_classes
            if told is not None and labels.shape[1] != told:
                raise ArgumentError(
                    f"{name}: soft labels of {labels.shape[1]} classes, but num_classes={told}: "
                    "leave that out, or make them agree"
                )
            return labels if labels.is_floating_point() else labels.float()
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise ArgumentError(f"{name}: labels (B,) are class numbers, and these {labels.dtype}")
        if classes is None:
            raise ArgumentError(
                f"{name}: how many classes are there? Give num_classes=, or soft labels "
                "(B, classes)"
            )
        numbers = labels.long()
        outside = (numbers < 0) | (numbers >= classes)
        if outside.any():
            at = int(outside.nonzero()[0])
            raise ArgumentError(
                f"{name}: sample {at} of the batch has the label {int(numbers[at])}, and there are "
                f"{classes} classes, from 0 on"
            )
        soft = torch.zeros(len(numbers), classes, device=labels.device)
        return soft.scatter_(1, numbers[:, None], 1.0)


def _told(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def _blend(images: torch.Tensor, share: float) -> None:
    """Do what MixUp does, from the last sample to the first: each needs the one before as it was.

    The products are rounded, and then their sum, as torchvision has them rounded.
    """
    last = images[-1].clone()
    other = torch.empty_like(last)
    for k in range(len(images) - 1, -1, -1):
        torch.mul(images[k - 1] if k else last, 1.0 - share, out=other)
        images[k].mul_(share).add_(other)


def _paste(images: torch.Tensor, box: tuple[int, int, int, int], nhwc: bool) -> None:
    """Do what CutMix does, from the last sample to the first."""
    left, top, right, bottom = box
    rows, columns = slice(top, bottom), slice(left, right)
    parts = images[:, rows, columns] if nhwc else images[:, :, rows, columns]
    last = parts[-1].clone()
    for k in range(len(parts) - 1, 0, -1):
        parts[k].copy_(parts[k - 1])
    parts[0].copy_(last)
