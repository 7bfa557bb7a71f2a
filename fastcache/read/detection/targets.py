"""A target with boxes: a dict that knows the image it belongs to, and how batches have it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch


class Targets(dict[str, Any]):
    """What is on one image: `boxes` float32 (n, 4), `labels` int64 (n,), and what else there is.

    By its type torch's collate knows it: such targets have different numbers of boxes, and do not
    become one dict of stacked tensors.

    Attributes
    ----------
    size : (int, int)
        Height and width of the image in pixels.
    form : {"list", "yolo", "xyxy"}
        What a batch has of targets.
    """

    __slots__ = ("form", "size")
    size: tuple[int, int]
    form: str

    @classmethod
    def of(cls, values: Mapping[str, Any], size: tuple[int, int], form: str) -> "Targets":
        """Return a target with these values."""
        made = cls(values)
        made.size, made.form = size, form
        return made


def collate_targets(batch: Sequence[Any], **_map: Any) -> Any:
    """Return what a batch has of targets, in the form that the first of them tells.

    The boxes are taken as they are now: somebody may have changed them.
    """
    first = batch[0]
    if getattr(first, "form", "list") == "list":
        return [dict(target) for target in batch]
    boxes = [torch.as_tensor(target["boxes"]).reshape(-1, 4) for target in batch]
    labels = [torch.as_tensor(target["labels"]).reshape(-1) for target in batch]
    counts = torch.tensor([len(each) for each in boxes])
    sizes = torch.tensor([target.size for target in batch])
    return joined(torch.cat(boxes), torch.cat(labels), counts, sizes, first.form)


def joined(
    boxes: torch.Tensor,
    labels: torch.Tensor,
    counts: torch.Tensor,
    sizes: torch.Tensor,
    form: str,
) -> torch.Tensor:
    """Return all boxes of a batch as one tensor.

    Parameters
    ----------
    boxes : float tensor of shape (M, 4)
        Left, top, right and bottom in pixels.
    labels : integer tensor of shape (M,)
    counts : int64 tensor of shape (B,)
        Boxes of each image.
    sizes : int64 tensor of shape (B, 2)
        Height and width of each image.
    form : {"yolo", "xyxy"}

    Returns
    -------
    float32 tensor of shape (M, 6)
        Number of the image in the batch, label, then the box: centre x, y, width and height as
        shares of the image's size, or as it came.
    """
    image = torch.repeat_interleave(torch.arange(len(counts)), counts)
    rows = torch.empty((len(boxes), 6), dtype=torch.float32)
    rows[:, 0], rows[:, 1] = image, labels
    if form == "xyxy":
        rows[:, 2:] = boxes
        return rows
    low, high, sides = boxes[:, :2].double(), boxes[:, 2:].double(), sizes[image].flip(1)
    rows[:, 2:4] = (low + high) / 2 / sides
    rows[:, 4:] = (high - low) / sides
    return rows
