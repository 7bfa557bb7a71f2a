"""What the parts of a sample mean to ``transform`` and ``target_transform``."""

from collections.abc import Mapping
from typing import NamedTuple

from fastcache.schema import Array, Field, Image, Ragged, Structure, Windows, rebuild

IMAGE_NAMES = ("image", "input")
TARGET_NAMES = ("label", "target")


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
        images = [name for name in images if name.rpartition(".")[2] in IMAGE_NAMES]
    image = images[0] if len(images) == 1 else None
    if isinstance(structure, str):
        return Roles(image, None)
    parts = structure.items() if isinstance(structure, dict) else [(p, p) for p in structure]
    others = [(name, part) for name, part in parts if image not in names_in(part)]
    named = [part for name, part in others if name in TARGET_NAMES]
    candidates = named or [part for _, part in others]
    return Roles(image, candidates[0] if len(candidates) == 1 else None)


def names_in(structure: Structure) -> list[str]:
    """Return the columns of a structure in the order of a walk."""
    names: list[str] = []
    rebuild(structure, names.append)
    return names
