"""From a row to a sample: which part ``transform`` gets, and in which form."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from PIL import Image as Pillow

from fastcache.errors import ArgumentError
from fastcache.gaf import SeriesTransform
from fastcache.read.columns import ArrayReader, Pixels, Reader
from fastcache.read.fields import FieldReader
from fastcache.schema import Array, Field, Image, Mask, Ragged, Structure, Windows, rebuild

Step: TypeAlias = Callable[[Any], Any] | SeriesTransform
Transform: TypeAlias = Step | list[Step] | tuple[Step, ...] | None

_IMAGE_NAMES = ("image", "input")
_TARGET_NAMES = ("label", "target")
_MODES = {  # by dtype and channels
    ("uint8", 1): "L",
    ("uint8", 3): "RGB",
    ("uint8", 4): "RGBA",
    ("uint16", 1): "I;16",
    ("int32", 1): "I",
    ("float32", 1): "F",
}


def pil_mode(field: Field) -> str | None:
    """Return the mode of a PIL image that can hold rows of this field; None if there is none."""
    if not isinstance(field, Image | Mask):
        return None
    return _MODES.get((field.dtype, field.channels if isinstance(field, Image) else 1))


def to_pil(pixels: Pixels, mode: str) -> Pillow.Image:
    """Return a PIL image with memory of its own, from (H, W) or (H, W, C) pixels."""
    height, width = pixels.shape[:2]
    return Pillow.frombytes(mode, (width, height), pixels.data.cast("B"))


def check_transform(name: str, transform: object) -> None:
    """Refuse what cannot be called; transforms of series come first in `transform`."""
    for step in _split(transform)[1] if name == "transform" else _steps(transform):
        if isinstance(step, SeriesTransform):
            raise ArgumentError(
                f"{name}={transform!r}: {type(step).__name__} makes images of the arena's series, "
                "so it comes first in transform=, and only once (FieldStack joins several)"
            )
        if isinstance(step, type):
            raise ArgumentError(f"{name}={step.__name__} is the class; give an instance of it")
        if not (step is None or callable(step)):
            raise ArgumentError(f"{name}={step!r}: give a callable, a list of them, or None")


def _steps(transform: Any) -> list[Any]:
    """Return the steps of a transform one by one."""
    if isinstance(transform, list | tuple):
        return list(transform)
    return [] if transform is None else [transform]


def _split(transform: Any) -> tuple[SeriesTransform | None, list[Any]]:
    """Return what C does to series, if that comes first, and the steps that Python does."""
    steps = _steps(transform)
    if steps and isinstance(steps[0], SeriesTransform):
        return steps[0], steps[1:]
    return None, steps


def _apply(steps: list[Any], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value


class Roles(NamedTuple):
    """What the parts of a sample mean to ``transform`` and ``target_transform``.

    Attributes
    ----------
    image : str or None
        The column that ``transform`` gets: the only image, or the one called "image" or "input".
        In samples without images a window of series takes its place, or else the arrays do.
    target : Structure or None
        The part of the sample that ``target_transform`` gets: on the top level the only part
        beside the image, or the one called "label" or "target".
    """

    image: str | None
    target: "Structure | None"


def find_roles(structure: Structure, fields: Mapping[str, Field]) -> Roles:
    """Return the roles of a structure's parts."""
    images = [name for name, field in fields.items() if isinstance(field, Image)]
    images = images or [name for name, field in fields.items() if isinstance(field, Windows)]
    images = images or [n for n, field in fields.items() if isinstance(field, Array | Ragged)]
    if len(images) > 1:
        images = [name for name in images if name.rpartition(".")[2] in _IMAGE_NAMES]
    image = images[0] if len(images) == 1 else None
    if isinstance(structure, str):
        return Roles(image, None)
    parts = structure.items() if isinstance(structure, dict) else [(p, p) for p in structure]
    others = [(name, part) for name, part in parts if image not in names_in(part)]
    named = [part for name, part in others if name in _TARGET_NAMES]
    candidates = named or [part for _, part in others]
    return Roles(image, candidates[0] if len(candidates) == 1 else None)


def names_in(structure: Structure) -> list[str]:
    """Return the columns of a structure in the order of a walk."""
    names: list[str] = []
    rebuild(structure, names.append)
    return names


class Pipeline:
    """Makes samples of rows, with the user's callables in the right places.

    Parameters
    ----------
    structure : Structure
    fields : mapping of str to Field
    transform, target_transform : callable, list of callables, or None
    as_pil : bool
        Whether the callables get images and masks as PIL images, or as tensors.

    Raises
    ------
    ArgumentError
        If it is not clear what a callable is for, or PIL has no such images.

    Notes
    -----
    A transform of series that comes first is not called on samples: it becomes a reader, by which
    the C core makes images of whole batches.
    """

    def __init__(
        self,
        structure: Structure,
        fields: Mapping[str, Field],
        transform: Transform,
        target_transform: Transform,
        as_pil: bool,
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform
        self._as_pil = as_pil
        field, self._image_steps = _split(transform)
        # As it is now: readers are made of it, here and again in each process that gets a copy.
        self.field = copy.deepcopy(field)
        self._target_steps = _steps(target_transform)
        for name, given in (("transform", transform), ("target_transform", target_transform)):
            if given is not None:
                check_transform(name, given)
        self.settle(structure, fields)

    def settle(self, structure: Structure, fields: Mapping[str, Field]) -> None:
        """Find out what the callables are for, as when it was made: pickles leave that out.

        Raises
        ------
        ArgumentError
            As for the class.
        """
        self._structure = structure
        self._roles = find_roles(structure, fields)
        self._modes: dict[str, str] = {}
        for name, given, role in (
            ("transform", self.transform, self._roles.image),
            ("target_transform", self.target_transform, self._roles.target),
        ):
            if given is None:
                continue
            if role is None:
                raise ArgumentError(
                    f"{name}=: which of {', '.join(fields)} is it for? Call one "
                    f"{' or '.join(_IMAGE_NAMES if name == 'transform' else _TARGET_NAMES)}, or "
                    "transform whole samples in a Dataset around this one"
                )
            if self._as_pil:
                self._modes.update(self._pil_modes(name, names_in(role), fields))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what grows with the columns; :meth:`settle` finds it again."""
        derived = ("_structure", "_roles", "_modes")
        return {name: value for name, value in self.__dict__.items() if name not in derived}

    @staticmethod
    def _pil_modes(what: str, names: list[str], fields: Mapping[str, Field]) -> dict[str, str]:
        modes = {}
        for name in names:
            field, mode = fields[name], pil_mode(fields[name])
            if mode is not None:
                modes[name] = mode
            elif isinstance(field, Image | Mask):
                channels = f" with {field.channels} channels" if isinstance(field, Image) else ""
                raise ArgumentError(
                    f"{what}= gets PIL images, and PIL has none of {field.dtype}{channels} "
                    f"(column {name!r}): pass transform_input='tensor'"
                )
        return modes

    @property
    def per_sample(self) -> bool:
        """Whether Python has something to do to each sample."""
        return bool(self._image_steps or self._target_steps)

    def over(self, readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
        """Return the readers of what samples consist of.

        Where the transform begins with one of series, images stand in the place of these.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If it cannot make them of these rows.
        """
        name = self._roles.image
        if self.field is None or name is None:
            return readers
        return {**readers, name: FieldReader(readers[name], self.field)}

    def sample(self, readers: Mapping[str, Reader], row_of: Callable[[str], int]) -> Any:
        """Return a sample of what `over` returned; ``row_of``: which row a column gives."""

        def leaf(name: str) -> Any:
            reader, row = readers[name], row_of(name)
            if name in self._modes and isinstance(reader, ArrayReader):
                value = to_pil(reader.array(row), self._modes[name])
            else:
                value = reader.item(row)
            return _apply(self._image_steps, value) if name == self._roles.image else value

        def build(node: Structure) -> Any:
            if self._target_steps and node == self._roles.target:
                return _apply(self._target_steps, rebuild(node, leaf))
            if isinstance(node, str):
                return leaf(node)
            if isinstance(node, dict):
                return {key: build(child) for key, child in node.items()}
            return type(node)(build(child) for child in node)

        return build(self._structure)
