"""What fastcache is asked for beside other loaders: recipes, and datasets that run them.

options: ``pixels``: photographs are kept at short side 256, without it as their files; ``output``,
one of those in `steps`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from common import file_source
from handing import BATCH, JITTER, MEAN, SHORT, SIDE, STD
from serve import Settings


def steps(output: str) -> list[Any]:
    """Return the operations that an output is made by."""
    import torch

    from fastcache import transforms as T

    resized = [T.RandomResizedCrop(SIDE), T.RandomHorizontalFlip()]
    normalised = T.Normalize(MEAN, STD)
    planar = T.Layout("NCHW")
    return {
        "uint8": resized,
        "float32": [*resized, normalised, planar],
        "float16": [*resized, normalised, T.ToDtype(torch.float16)],
        "jitter": [*resized, T.ColorJitter(*JITTER), planar],
        "crop": [T.RandomCrop(SIDE), T.RandomHorizontalFlip(), normalised, planar],
        "crop, channels last": [T.RandomCrop(SIDE), T.RandomHorizontalFlip(), normalised],
    }[output]


def centre(output: str) -> list[Any]:
    """Return the same with nothing random in it: the centre instead of crops and flips."""
    from fastcache import transforms as T

    kept = [o for o in steps(output) if type(o) in (T.Normalize, T.ToDtype, T.Layout)]
    return [T.CenterCrop(SIDE), *kept]


def open_recipe(settings: Settings, operations: list[Any]) -> Any:
    """Return an ArenaDataset of the photographs that runs a recipe: short side 256, or encoded."""
    import fastcache as fc
    from fastcache import transforms as T

    kept: dict[str, Any] = {"keep": "encoded"}
    if "pixels" in settings.options:
        kept = {"store": [T.Resize(SHORT)], "keep": "decoded"}
    return fc.ArenaDataset(
        file_source(settings.paths), threads=settings.threads, transform=operations, **kept
    )


def loader_of(dataset: Any, settings: Settings, order: Sequence[int], **options: Any) -> Any:
    """Return an ArenaLoader of the dataset's samples in some order."""
    import fastcache as fc

    batch = int(settings.options.get("batch", BATCH))
    options = {"drop_last": True, **options}
    return fc.ArenaLoader(dataset, batch, sampler=order, threads=settings.threads, **options)


def images_of(loader: Any) -> Iterator[Any]:
    """Go through an epoch and return the images of each batch."""
    for images, _ in loader:
        yield images
