"""From whatever a user hands over to a source."""

import os
from collections.abc import Mapping
from typing import Any, Literal

from fastcache.errors import ArgumentError
from fastcache.sources.base import Source
from fastcache.sources.class_folder import ClassFolder
from fastcache.sources.tensors import is_array
from fastcache.sources.wrapped import Wrapped

_ACCEPTED = (
    "give the path of a folder with one folder per class, a source (fastcache.sources: "
    "ClassFolder, Files, Pairs, Yolo, Coco, Arrays), or a map-style Dataset (__len__ and "
    "__getitem__)"
)


def as_source(
    data: Any,
    *,
    infer: Literal["first", "scan"] = "first",
    frozen: bool = False,
    parallel: bool = False,
    color: str | None = None,
) -> Source:
    """Return the source that is meant.

    Parameters
    ----------
    data : path, Source or map-style Dataset
        A path becomes a :class:`ClassFolder`, a Dataset is wrapped.
    infer, frozen, parallel
        As for :class:`Wrapped`; an error beside anything but a Dataset.
    color : str, optional
        For :class:`Wrapped`, if the data are a Dataset.

    Raises
    ------
    ArgumentError
        For anything else; the message says what would do. Sources raise errors of their own.
    """
    options = {"infer": infer, "frozen": frozen, "parallel": parallel}
    if isinstance(data, Source | str | os.PathLike):
        given = [name for name, value in options.items() if value not in ("first", False)]
        if given:
            raise ArgumentError(
                f"{', '.join(given)} concern Datasets that are wrapped, not "
                f"{type(data).__name__}: leave them out (sources.Wrapped takes them itself)"
            )
        return data if isinstance(data, Source) else ClassFolder(data)
    hint = _hint(data)
    if hint:
        raise ArgumentError(f"{type(data).__name__} is not accepted as it is; {hint}")
    if isinstance(data, type) or not (hasattr(data, "__getitem__") or hasattr(data, "__iter__")):
        raise ArgumentError(f"{data!r} is no source; {_ACCEPTED}")
    return Wrapped(data, infer=infer, frozen=frozen, parallel=parallel, color=color)


def _hint(data: Any) -> str:
    """Say what was probably meant by data that cannot be a Dataset; "" if it may be one."""
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        return "name the columns: sources.Files(table['path'], table['label'])"
    if is_array(data):
        return "use sources.Arrays(x, y)"
    if isinstance(data, tuple) and data and all(is_array(part) for part in data):
        return "use sources.Arrays(x, y)"
    if isinstance(data, list | tuple) and data and isinstance(data[0], str | os.PathLike):
        return "use sources.Files(paths, labels)"
    return _ACCEPTED if isinstance(data, bytes) else ""
