"""A folder with one subfolder per class: what torchvision's ImageFolder reads."""

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.schema import Scalar
from fastcache.sources.base import ImageFiles, Layout, Source, Values
from fastcache.sources.walk import (
    IMG_EXTENSIONS,
    NPY_EXTENSIONS,
    by_extension,
    entries,
    files_below,
    is_folder,
    path_of,
)

_SHOWN = 10  # names in a message


class ClassFolder(Source):
    """Images in ``root/class/…/file``, in the order and with the labels of ImageFolder.

    Parameters
    ----------
    root : path
        Holds one folder per class; classes are numbered in sorted order. Files may lie deeper.
    extensions : tuple of str, optional
        File name endings that count, in any case. If left out :data:`IMG_EXTENSIONS`, ImageFolder's
        own; where no file under `root` has one of these, ".npy".
    is_valid_file : callable, optional
        Takes a path, returns whether it counts; instead of `extensions`.
    allow_empty : bool
        Whether a class may have no file.
    follow_links : bool
        Whether to enter folders, below the classes, that are symbolic links.

    Raises
    ------
    SourceNotFoundError
        For a missing root, no class folders, classes without files (unless `allow_empty`), no file
        at all, folders that cannot be listed, links that lead in a circle.

    Notes
    -----
    Columns: ``image`` and ``label`` (int). Files are not opened here.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        extensions: str | tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        follow_links: bool = True,
    ) -> None:
        if extensions is not None and is_valid_file is not None:
            raise ArgumentError("extensions and is_valid_file exclude each other: give one")
        self.root = path_of(root, "root")
        self.extensions = IMG_EXTENSIONS if extensions is None else extensions
        accept = is_valid_file or by_extension(self.extensions)
        self.classes = self._find_classes(accept)
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}
        self.paths, counts = self._find_files(accept, follow_links)
        if not self.paths and extensions is None and is_valid_file is None:
            arrays = self._find_files(by_extension(NPY_EXTENSIONS), follow_links)
            if arrays[0]:
                self.extensions = NPY_EXTENSIONS
                self.paths, counts = arrays
        self.labels: npt.NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
        self._check(counts, allow_empty, "is_valid_file" if is_valid_file else "extensions")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def samples(self) -> list[tuple[str, int]]:
        """Pairs (path, label) in order, made anew on each call."""
        return list(zip(self.paths, self.labels.tolist(), strict=True))

    def layout(self) -> Layout:
        """Return the columns ``image`` and ``label``, with ``root`` and ``classes``."""
        return Layout(
            ("image", "label"),
            {"image": ImageFiles(self.paths), "label": Values(self.labels, Scalar("int64"))},
            {"root": self.root, "classes": self.classes},
        )

    def _find_classes(self, accept: Callable[[str], bool]) -> list[str]:
        if not os.path.isdir(self.root):
            state = "is not a folder" if os.path.lexists(self.root) else "does not exist"
            raise SourceNotFoundError(f"{self.root!r} {state}: give a folder of class folders")
        found = entries(self.root)
        classes = sorted(entry.name for entry in found if is_folder(entry))
        if not classes:
            flat = sum(accept(entry.path) for entry in found)
            hint = (
                f"it holds {flat} images itself: use sources.Files(paths, labels)"
                if flat
                else "each class must have a folder of its own there"
            )
            raise SourceNotFoundError(f"there is no class folder in {self.root!r}; {hint}")
        return classes

    def _find_files(
        self, accept: Callable[[str], bool], follow_links: bool
    ) -> tuple[list[str], list[int]]:
        """Return the accepted files of all classes in order, and how many each class has."""
        paths: list[str] = []
        counts = []
        for name in self.classes:
            before = len(paths)
            paths.extend(files_below(os.path.join(self.root, name), accept, follow_links))
            counts.append(len(paths) - before)
        return paths, counts

    def _check(self, counts: list[int], allow_empty: bool, test: str) -> None:
        empty = [name for name, count in zip(self.classes, counts, strict=True) if not count]
        if empty and not allow_empty:
            more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
            raise SourceNotFoundError(
                f"no valid file in {len(empty)} of {len(counts)} classes of {self.root!r}: "
                f"{', '.join(empty[:_SHOWN])}{more}. What counts is decided by {test}"
                f"{f' {self.extensions}' if test == 'extensions' else ''}; allow_empty=True "
                "permits classes without files"
            )
        if not self.paths:
            raise SourceNotFoundError(f"there is no valid file in any class of {self.root!r}")
