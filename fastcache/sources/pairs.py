"""Images that belong to images: segmentation masks, image-to-image targets."""

import os
from collections.abc import Iterable
from typing import Literal

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources.base import ImageFiles, Layout, Source
from fastcache.sources.files import path_list
from fastcache.sources.walk import (
    IMG_EXTENSIONS,
    NPY_EXTENSIONS,
    by_extension,
    files_below,
    path_of,
)

_SHOWN = 5  # names in a message


class Pairs(Source):
    """Pairs of image files.

    Parameters
    ----------
    inputs, targets : path of a folder, or sequence of paths; both of one kind
        Sequences are matched by position. Folders are searched for images, to any depth (one that
        has none of :data:`IMG_EXTENSIONS`, for .npy files), and matched by the path below the
        folder without its ending: ``a/1.jpg`` goes with ``a/1.png``.
    target : "mask" or "image"
        "mask": targets hold class indices per pixel, which are kept as they stand in the file and
        only ever resized with the nearest filter. "image": targets are treated like inputs.

    Raises
    ------
    SourceNotFoundError
        For folders that are missing or hold no images.
    ArgumentError
        For lengths that differ, files without a partner, two files of one name.

    Notes
    -----
    Columns: ``image`` and ``mask``, or ``image`` and ``target``; a sample is the two of them.
    """

    def __init__(
        self,
        inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        targets: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        target: Literal["mask", "image"] = "mask",
    ) -> None:
        if target not in ("mask", "image"):
            raise ArgumentError(f"target must be 'mask' or 'image', not {target!r}")
        self.target = target
        if isinstance(inputs, str | os.PathLike) and isinstance(targets, str | os.PathLike):
            self.paths, self.target_paths = _match(
                path_of(inputs, "inputs"), path_of(targets, "targets")
            )
        elif isinstance(inputs, str | os.PathLike) or isinstance(targets, str | os.PathLike):
            raise ArgumentError("inputs and targets must both be folders or both lists of paths")
        else:
            self.paths = path_list(inputs, what="inputs")
            self.target_paths = path_list(targets, what="targets")
        if len(self.paths) != len(self.target_paths):
            raise ArgumentError(
                f"there are {len(self.paths)} inputs but {len(self.target_paths)} targets; give "
                "one target for each input"
            )

    def __len__(self) -> int:
        return len(self.paths)

    def layout(self) -> Layout:
        """Return the columns ``image`` and ``mask`` or ``target``."""
        mask = self.target == "mask"
        name = "mask" if mask else "target"
        return Layout(
            ("image", name),
            {"image": ImageFiles(self.paths), name: ImageFiles(self.target_paths, mask=mask)},
        )


def _match(inputs: str, targets: str) -> tuple[list[str], list[str]]:
    left, right = _by_stem(inputs), _by_stem(targets)
    lonely = [left[stem] for stem in left if stem not in right]
    lonely += [right[stem] for stem in right if stem not in left]
    if lonely:
        more = f" and {len(lonely) - _SHOWN} more" if len(lonely) > _SHOWN else ""
        raise ArgumentError(
            f"{len(lonely)} files have no partner of the same name in the other folder: "
            f"{', '.join(lonely[:_SHOWN])}{more}. Remove them, or give two lists of paths"
        )
    return list(left.values()), [right[stem] for stem in left]


def _by_stem(folder: str) -> dict[str, str]:
    if not os.path.isdir(folder):
        raise SourceNotFoundError(f"{folder!r} is no folder; give a folder of images")
    found: dict[str, str] = {}
    paths = list(files_below(folder, by_extension(IMG_EXTENSIONS)))
    for path in paths or files_below(folder, by_extension(NPY_EXTENSIONS)):
        stem = os.path.splitext(os.path.relpath(path, folder))[0]
        if stem in found:
            raise ArgumentError(
                f"{found[stem]!r} and {path!r} have the same name: it is not clear which one is "
                "meant; give two lists of paths"
            )
        found[stem] = path
    if not found:
        raise SourceNotFoundError(f"there are no images in {folder!r}")
    return found
