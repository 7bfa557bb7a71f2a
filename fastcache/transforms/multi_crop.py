"""MultiCrop: several views of one image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastcache.errors import ArgumentError
from fastcache.transforms.mixing import BatchOperation
from fastcache.transforms.operation import ReadOperation, Steps
from fastcache.transforms.steps import NO_STEPS

MOST_VIEWS = 64  # a batch holds as many times its images


@dataclass(frozen=True, init=False)
class MultiCrop(ReadOperation):
    """Make several views of one image, each by a recipe of its own: self-supervised training.

    The sample then holds a list of images in the place of one, and a batch a list of tensors. What
    stands before it in ``transform=`` is done with the same random numbers for all views; what
    stands behind it is done to each, with numbers of its own. Of an image that is kept as its file
    the whole is decoded once, unless the views together take less than that.

    Parameters
    ----------
    views : sequence
        For each view an operation of :mod:`fastcache.transforms`, or a list of such; an empty list
        is the image as it is.

    Raises
    ------
    ArgumentError
        For no view, more than 64, anything that is no operation, a MultiCrop, MixUp or CutMix
        within.

    Examples
    --------
    Two large views and six small ones [1]_:

    >>> large = [T.RandomResizedCrop(224, scale=(0.4, 1)), T.RandomHorizontalFlip()]
    >>> small = [T.RandomResizedCrop(96, scale=(0.05, 0.4)), T.RandomHorizontalFlip()]
    >>> transform = [T.MultiCrop([large] * 2 + [small] * 6), T.Normalize(mean, std)]

    References
    ----------
    .. [1] M. Caron et al., "Unsupervised learning of visual features by contrasting cluster
       assignments", NeurIPS 2020.
    """

    name: ClassVar[str] = "MultiCrop"
    views: tuple[tuple[ReadOperation, ...], ...]

    def __init__(self, views: Sequence[ReadOperation | Sequence[ReadOperation]]) -> None:
        if isinstance(views, ReadOperation | str | bytes) or not isinstance(views, Sequence):
            raise ArgumentError(
                f"MultiCrop: views={views!r}: give a list with an operation, or a list of "
                "operations, for each view"
            )
        if not 1 <= len(views) <= MOST_VIEWS:
            raise ArgumentError(
                f"MultiCrop: there are {len(views)} views: give from 1 to {MOST_VIEWS}"
            )
        kept = tuple(tuple(_parts(view, k)) for k, view in enumerate(views))
        object.__setattr__(self, "views", kept)

    def steps(self) -> Steps:
        """Return nothing: each view has steps of its own."""
        return NO_STEPS

    def _why_not_called(self) -> str:
        return "its views are made by recipes in C"


def _parts(view: object, number: int) -> Iterator[ReadOperation]:
    """Walk through the operations of a view, however they are nested."""
    if isinstance(view, list | tuple):
        for part in view:
            yield from _parts(part, number)
    elif isinstance(view, MultiCrop | BatchOperation):
        raise ArgumentError(f"MultiCrop: view {number} holds {view!r}, which is not for one view")
    elif isinstance(view, ReadOperation):
        yield view
    else:
        raise ArgumentError(
            f"MultiCrop: view {number} holds {view!r}: views are made in C, so give operations of "
            "fastcache.transforms"
        )


def split_views(
    operations: Sequence[ReadOperation],
) -> tuple[tuple[ReadOperation, ...], tuple[tuple[ReadOperation, ...], ...]]:
    """Return what all views share, and what is done to each.

    Returns
    -------
    shared : tuple of ReadOperation
        What comes before the MultiCrop; without one, nothing.
    views : tuple of tuple of ReadOperation
        The rest for each view; without a MultiCrop there is one.

    Raises
    ------
    ArgumentError
        For a second MultiCrop, or a MixUp or CutMix beside one.
    """
    places = [k for k, part in enumerate(operations) if isinstance(part, MultiCrop)]
    if not places:
        return (), (tuple(operations),)
    if len(places) > 1:
        raise ArgumentError("there are two MultiCrops: give one, with all views")
    for part in operations:
        if isinstance(part, BatchOperation):
            raise ArgumentError(
                f"{part!r} mixes one image per sample with its label, and MultiCrop makes several: "
                "leave one of them out"
            )
    place = places[0]
    crop = operations[place]
    assert isinstance(crop, MultiCrop)
    behind = tuple(operations[place + 1 :])
    return tuple(operations[:place]), tuple(view + behind for view in crop.views)
