"""What a recipe makes of images, drawn: look at it before you train."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcache.errors import ArgumentError, MissingPackageError

if TYPE_CHECKING:  # torch is there where there is a dataset, and series are drawn without it
    import torch
    from matplotlib.figure import Figure, SubFigure

_MOST = 24  # rows of a figure
_CELL = 1.5  # inches
_NAME = 2.3  # inches


def recipe_views(
    ds: Any,
    recipes: Mapping[str, Any],
    *,
    index: int = 0,
    views: int = 5,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw what transforms make of a dataset's images.

    Parameters
    ----------
    ds : ArenaDataset
        Its samples' first tensor is the image.
    recipes : mapping of str to transform
        At most 24; each is used in the place of the dataset's own, and gets a row of that name.
    index : int
        Which sample is drawn. MixUp and CutMix mix it with the samples behind it.
    views : int
        How many times: in epochs 0, 1, 2, …; of MixUp and CutMix, samples of one batch.
    figure : matplotlib Figure or SubFigure, optional
        What to draw into; None makes one, outside of pyplot.

    Returns
    -------
    Figure
        In each row the image as it is kept, and the views. Numbers that are no pixels (behind
        Normalize, say) are drawn from the least to the largest of the view.

    Raises
    ------
    MissingPackageError
        Without matplotlib.
    ArgumentError
        For no recipe or too many, fewer views than one, samples without an image, and what the
        transforms themselves raise.

    Examples
    --------
    >>> crop = [T.RandomResizedCrop(224), T.ColorJitter(0.4, 0.4, 0.4)]
    >>> fc.plots.recipe_views(ds, {"train": crop}).savefig("views.png")
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "plots need matplotlib: pip install 'fastcache[plot]', or matplotlib itself"
        ) from error
    if not (1 <= len(recipes) <= _MOST and views >= 1):
        raise ArgumentError(
            f"{len(recipes)} recipes, {views} views: give 1 to {_MOST} recipes, and at least 1 view"
        )
    drawn = {name: _views(ds.with_transform(recipes[name]), index, views) for name in recipes}
    kept = _image(ds.with_transform(None)[index])
    columns = 1 + max(map(len, drawn.values()))
    if figure is None:
        size = (_NAME + _CELL * columns, _CELL * len(drawn))
        figure = Figure(size, layout="constrained")
    cells: Any = figure.subplots(len(drawn), columns, squeeze=False)
    for row, (name, images) in zip(cells, drawn.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for cell in row:
            cell.set(xticks=[], yticks=[])
            cell.set_frame_on(False)
        for cell, image in zip(row, [kept, *images], strict=False):
            cell.imshow(_pixels(image), interpolation="nearest", cmap="gray")
    return figure


def _views(ds: Any, index: int, views: int) -> "list[torch.Tensor]":
    """Return what a transform makes of a sample in some epochs, or of the samples of a batch."""
    from fastcache.read.collate import collate

    if ds.recipe is not None and ds.recipe.mixing is not None:
        indices = [(index + k) % len(ds) for k in range(views)]
        return list(_image(collate(ds.__getitems__(indices))))
    images: list[torch.Tensor] = []
    for epoch in range(views):
        ds.set_epoch(epoch)
        image = _image(ds[index])
        images += image if isinstance(image, list) else [image]
        if isinstance(image, list):
            break  # a MultiCrop's own views are enough
    return images


def _image(sample: Any) -> Any:
    """Return the image of a sample, or its views; of a batch, all of them."""
    import torch

    if isinstance(sample, torch.Tensor):
        return sample
    if isinstance(sample, Mapping):
        sample = list(sample.values())
    for part in sample if isinstance(sample, list | tuple) else ():
        if isinstance(part, torch.Tensor) and part.ndim >= 3:
            return part
        if isinstance(part, list) and part and isinstance(part[0], torch.Tensor):
            return part
    raise ArgumentError("samples hold no image that could be drawn: the first tensor is one")


def _pixels(image: "torch.Tensor") -> Any:
    """Return (H, W, 3) or (H, W) of uint8."""
    array = image.float().numpy() if image.dtype.is_floating_point else image.numpy()
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8:
        least, largest = float(array.min()), float(array.max())
        array = ((array - least) * (255 / ((largest - least) or 1))).round().astype(np.uint8)
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
