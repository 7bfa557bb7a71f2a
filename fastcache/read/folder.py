"""What code that was written for torchvision's ImageFolder reads from, and assigns to, a dataset.

Everything is made when it is asked for: a list of a million paths costs memory that most training
runs have no use for.
"""

import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from fastcache.errors import ArgumentError
from fastcache.fill.limits import Limits
from fastcache.fill.steps import npy_step, pillow_step
from fastcache.fill.steps.npy_header import is_npy
from fastcache.memory.row_numbers import RowNumbers
from fastcache.read.columns.columns import Gathered, Reader, Rows, ScalarReader
from fastcache.read.reader import ArenaReader
from fastcache.read.roles import find_roles
from fastcache.schema import Image, Mask, Ragged, WindowCopy, Windows, WindowStatistics
from fastcache.sources.colors import converted

_AT_ONCE = 4096  # labels that are looked up together

Sample: TypeAlias = tuple[str, Any]


def load_image(
    path: str | os.PathLike[str],
    *,
    color: str | None,
    exif: str,
    limits: Limits,
    extra_formats: Collection[str] = (),
) -> Pillow.Image:
    """Return a file as a PIL image of the mode that the arena was filled with, in full size.

    `color` None: RGB, and .npy files as they are. PIL images can be made of those .npy files that
    hold uint8 or one channel; the others are a DecodeError. `limits` are those of the fill; the
    level of Pillow, which decodes all images here, holds as well.
    """
    plain = os.fspath(path)
    if is_npy(plain):
        return npy_step.load_as_pil(plain, color, limits)
    with pillow_step.opened(plain, extra_formats, limits) as image:
        turned = ImageOps.exif_transpose(image) if exif == "apply" else image
        turned.load()  # some formats tell their mode only then
        made = converted(turned, color or "RGB")
        return made.copy() if made is image else made  # which is closed now


# What is part of a sample, but no label of it.
_UNLABELLED = (Image, Mask, Ragged, Windows, WindowCopy, WindowStatistics)


class NotedList(list[Any]):
    """A list that knows whether it was changed since ``changed`` was last set to False."""

    changed = False


def _noting(name: str) -> Any:
    method = getattr(list, name)

    def call(self: NotedList, *args: Any, **kwargs: Any) -> Any:
        self.changed = True
        return method(self, *args, **kwargs)

    call.__name__, call.__qualname__, call.__doc__ = name, f"NotedList.{name}", method.__doc__
    return call


for _name in (
    *("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "clear", "extend"),
    *("insert", "pop", "remove", "reverse", "sort"),
):
    setattr(NotedList, _name, _noting(_name))


class LabelList(Reader):
    """Labels by position, of any type."""

    def __init__(self, labels: list[Any]) -> None:
        self._labels = labels

    def item(self, row: int) -> Any:
        return self._labels[row]

    def gather(self, rows: Rows) -> Gathered:
        return Gathered([self._labels[row] for row in rows.tolist()])


def _label_reader(labels: list[Any]) -> Reader:
    if set(map(type, labels)) in ({int}, {float}, {bool}):
        array = np.asarray(labels)
        if array.dtype.kind in "bif":
            return ScalarReader(array)
    return LabelList(labels)


class FolderFace:
    """ImageFolder's attributes over an arena; a base of :class:`~fastcache.ArenaDataset`.

    Attributes that a source has no sense for raise AttributeError, so ``hasattr`` tells.
    """

    _reader: ArenaReader
    _selected: Rows | None  # arena rows in the order of the dataset, if not all in their order
    _labels: Reader | None  # by position, beside `_selected`
    _samples: NotedList | None  # made when asked for, as are the targets
    _targets: NotedList | None
    _assigned: dict[str, list[Any]]  # what the user set, for attributes that nothing follows

    def _attribute(self, name: str) -> Any:
        attributes = self._reader.catalog["attributes"]
        if name not in attributes:
            raise AttributeError(f"this dataset has no {name!r}: its source has no class folders")
        return attributes[name]

    @property
    def root(self) -> str:
        """Folder that the source was given."""
        root: str = self._attribute("root")
        return root

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their indices."""
        return list(self._attribute("classes"))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Index of each class name."""
        return {name: k for k, name in enumerate(self._attribute("classes"))}

    @property
    def category_ids(self) -> list[int]:
        """COCO's ids of the categories that ``classes`` names, in the same order."""
        return list(self._attribute("category_ids"))

    @property
    def loader(self) -> Callable[[str], Pillow.Image]:
        """Function from a path to a PIL image as the arena was filled, before ``store=``."""
        how = self._reader.catalog["loader"]
        return partial(
            load_image,
            color=how["colors"].get(find_roles(self._reader.structure, self._reader.fields).image),
            exif=how["exif"],
            limits=Limits(**how["limits"]),
            extra_formats=how["extra_formats"],
        )

    def _label_column(self, wanted_by: str) -> str:
        fields = self._reader.fields
        target = find_roles(self._reader.structure, fields).target
        if isinstance(target, str) and not isinstance(fields[target], _UNLABELLED):
            return target
        raise AttributeError(f"this dataset has no {wanted_by!r}: its samples have no label")

    def _path_reader(self) -> Reader:
        image = find_roles(self._reader.structure, self._reader.fields).image
        paths = None if image is None else self._reader.paths(image)
        if paths is None:
            raise AttributeError("this dataset has no 'samples': it was not read from image files")
        return paths

    @property
    def _rows(self) -> RowNumbers:
        return self._reader.rows if self._selected is None else self._selected

    @property
    def samples(self) -> list[Sample]:
        """Pairs (path, label). Assigning to it, or changing it, selects and relabels by path."""
        if self._samples is None:
            paths, labels = self._path_reader(), self._first_labels("samples")
            files = (paths.item(row) for row in self._reader.rows.tolist())
            self._samples = NotedList(zip(files, labels, strict=True))
        return self._samples

    @samples.setter
    def samples(self, samples: Iterable[Sample]) -> None:
        before = self.samples
        self._select(NotedList(samples))
        self._assigned.setdefault("imgs", before)  # stays what it was, as in torchvision

    @property
    def imgs(self) -> list[Sample]:
        """The list that ``samples`` was at first."""
        assigned = self._assigned.get("imgs")
        return self.samples if assigned is None else assigned

    @imgs.setter
    def imgs(self, imgs: list[Sample]) -> None:
        self._assigned["imgs"] = imgs

    @property
    def targets(self) -> list[Any]:
        """Labels as ``samples`` had them at first. Changing them changes nothing else."""
        if "targets" in self._assigned:
            return self._assigned["targets"]
        if self._targets is None:
            self._targets = NotedList(self._first_labels("targets"))
        return self._targets

    @targets.setter
    def targets(self, targets: list[Any]) -> None:
        self._assigned["targets"] = targets

    def _first_labels(self, wanted_by: str) -> list[Any]:
        reader = self._reader.readers[self._label_column(wanted_by)]
        rows = self._reader.rows
        steps = range(0, len(rows), _AT_ONCE)
        return [label for at in steps for label in reader.items(rows[at : at + _AT_ONCE])]

    def _follow_samples(self) -> None:
        """Take over what was done to the list in place since it was last looked at."""
        if self._samples is not None and self._samples.changed:
            self._select(self._samples)

    def _select(self, samples: NotedList) -> None:
        """Show these samples: each path is looked up, each label taken as it is."""
        paths = self._path_reader()
        row_of: dict[str, int] = {}
        for row in self._reader.rows.tolist():
            row_of.setdefault(paths.item(row), row)
        wanted = [os.fspath(path) for path, _ in samples]
        unknown = [path for path in wanted if path not in row_of]
        if unknown:
            raise ArgumentError(
                f"{len(unknown)} of {len(wanted)} samples are not in the arena, the first is "
                f"{unknown[0]!r}: samples can be left out, repeated, reordered and relabelled, "
                "but new files need a new ArenaDataset"
            )
        self._selected = np.array([row_of[path] for path in wanted], np.int64)
        self._labels = _label_reader([label for _, label in samples])
        self._samples = samples
        samples.changed = False
