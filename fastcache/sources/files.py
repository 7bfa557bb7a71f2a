"""A list of image files with labels, from Python or from a CSV file."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.sources.base import Feed, ImageFiles, Layout, Source
from fastcache.sources.csv_table import Table
from fastcache.sources.labels import label_column
from fastcache.sources.walk import is_ordered, path_of


class Files(Source):
    """Images at given paths.

    Parameters
    ----------
    paths : sequence of paths
        A list, an array of strings, a table's column.
    labels : sequence, array, tensor or table column, optional
        One per path. Integers, floats, booleans; names (they become sorted classes and their
        indices, as in ImageFolder); or rows of equal length (multi-label), one array per sample.
        None: images alone.
    root : path, optional
        Folder that relative `paths` start from.
    classes : sequence of str, optional
        Names of the classes by index; labels that are names must be among them.

    Raises
    ------
    ArgumentError
        For lengths that differ, no paths, missing values, labels of mixed kinds.

    Notes
    -----
    Columns: ``image`` and, with labels, ``label``. Without labels a sample is the image alone.
    Files are not opened here.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        labels: Any = None,
        root: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.root = None if root is None else path_of(root, "root")
        self.paths = path_list(paths, self.root)
        self.classes: list[str] | None = None
        self._label = None
        if labels is not None:
            self._label, self.classes = label_column(labels, len(self.paths), classes)
        elif classes is not None:
            raise ArgumentError("classes are given without labels; give labels too, or neither")

    @classmethod
    def from_csv(
        cls,
        csv: str | os.PathLike[str],
        path: str = "path",
        label: str | Sequence[str] | None = "label",
        root: str | os.PathLike[str] | None = None,
        classes: Sequence[str] | None = None,
        encoding: str = "utf-8-sig",
        **options: Any,
    ) -> "Files":
        """Read paths and labels from a CSV file whose first row names its columns.

        Parameters
        ----------
        csv : path
        path : str
            Column of the paths.
        label : str, sequence of str or None
            Column of the labels: integers if all of them read as such, else floats if all of them
            do, else names (names in any case if all are among `classes`). Several columns: numbers,
            one array per sample (multi-label). None: no labels.
        root : path, optional
            Folder that relative paths start from.
        classes : sequence of str, optional
            As for :class:`Files`.
        encoding : str
        **options
            Those of ``csv.reader``: ``delimiter``, ``quotechar``…

        Raises
        ------
        SourceNotFoundError
            For a missing file.
        ArgumentError
            For columns that are not there, short rows, values that are empty or no numbers; the
            message names the line.
        """
        table = Table(path_of(csv, "csv"), encoding, options)
        labels: Any = None
        if isinstance(label, str):
            labels = table.labels(label, classes)
        elif label is not None:
            labels = table.numbers(list(label))
        return cls(table.text(path), labels, root, classes)

    def __len__(self) -> int:
        return len(self.paths)

    def layout(self) -> Layout:
        """Return ``image`` and ``label``, or ``image`` alone."""
        attributes: dict[str, Any] = {}
        if self.root is not None:
            attributes["root"] = self.root
        if self.classes is not None:
            attributes["classes"] = self.classes
        feeds: dict[str, Feed] = {"image": ImageFiles(self.paths)}
        if self._label is None:
            return Layout("image", feeds, attributes)
        return Layout(("image", "label"), {**feeds, "label": self._label}, attributes)


def path_list(
    paths: Iterable[str | os.PathLike[str]], root: str | None = None, what: str = "paths"
) -> list[str]:
    """Return paths as a list of str, relative ones joined to `root`."""
    if not is_ordered(paths):
        raise ArgumentError(
            f"{what} must be a list of paths, not {paths!r}; for a folder of class folders use "
            "sources.ClassFolder"
        )
    found = [path_of(path, f"{what}[{k}]") for k, path in enumerate(paths)]
    if not found:
        raise ArgumentError(f"{what} is empty; give at least one image")
    return found if root is None else [os.path.join(root, path) for path in found]
