"""More samples for an arena that is there: decoded as its own were, and fitted to its columns."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, BudgetError, SchemaError
from fastcache.fill.build import fill_arena
from fastcache.fill.disk.temporary import temporary_arena
from fastcache.fill.editing.given import dense_column, text_column
from fastcache.fill.limits import Limits
from fastcache.fill.options import Accept, FillOptions
from fastcache.fill.own_columns import PATH
from fastcache.fill.progress import ProgressCallback
from fastcache.memory.arena import Arena
from fastcache.memory.columns import DenseColumn, RaggedColumn
from fastcache.schema import Array, Derived, Field, Image, Once, Ragged, Scalar, field_from_json
from fastcache.sources.base import ImageFiles, Items, Source
from fastcache.sources.leaves import described
from fastcache.transforms import store_from_json

_LABEL = "label"
_log = logging.getLogger("fastcache")


def check_can_grow(catalog: Mapping[str, Any]) -> None:
    """Refuse arenas that no sample can be appended to.

    Raises
    ------
    ArgumentError
        For windows of series, for samples that are not all kept decoded, and for one rank's part
        of them.
    """
    shard = catalog["report"].get("shard")
    if shard is not None and shard[1] > 1:
        raise ArgumentError(
            f"samples cannot be appended: the arena holds the part of rank {shard[0]} of {shard[1]}"
            ", and the parts of all ranks belong together. Make new ones of all samples"
        )
    for name, said in catalog["columns"].items():
        field = field_from_json(said)
        if isinstance(field, Once | Derived):
            raise ArgumentError(
                f"samples cannot be appended: column {name!r} holds windows of series that lie in "
                "the arena once. Make a new arena of all series (sources.Series)"
            )
        if name in catalog["kept"]:
            raise ArgumentError(
                f"samples cannot be appended: those of column {name!r} are not all kept decoded. "
                'Make the arena with keep="decoded"'
            )
    if "store" not in catalog["loader"]:
        raise ArgumentError(
            "samples cannot be appended: the arena was written by a version that did not note "
            "how images were decoded; write it again"
        )


def options_of(
    catalog: Mapping[str, Any],
    threads: int | None,
    progress: bool | ProgressCallback | None,
) -> FillOptions:
    """Return the options that an arena was filled with, as far as they decide about samples."""
    how = catalog["loader"]
    colors = {color for color in how["colors"].values() if color is not None}
    return FillOptions(
        store=store_from_json(how["store"]),
        color=how["color"] or (colors.pop() if len(colors) == 1 else None),
        exif=how["exif"],
        keep="decoded",
        home="ram",
        on_error=catalog["report"]["on_error"],
        threads=threads,
        progress=progress,
        limits=Limits(**how["limits"]),
        extra_formats=how["extra_formats"],
    )


def stage(source: Source, catalog: Mapping[str, Any], options: FillOptions, folder: Path) -> Arena:
    """Return an arena with the samples that are to be appended.

    It lies in memory; if that has no room, in files beside `folder`, which go with it.

    Raises
    ------
    SchemaError
        If they do not fit the columns; nothing was decoded.
    DecodeError, BudgetError
        As :func:`fastcache.fill.build.fill_arena`.
    """
    columns = {name: field_from_json(said) for name, said in catalog["columns"].items()}
    feeds = source.layout().feeds
    if not any(
        isinstance(f, ImageFiles) or (isinstance(f, Items) and f.pil) for f in feeds.values()
    ):
        options = replace(options, store=())  # which arrays have behind them
    unknown = [name for name in feeds if name not in columns]
    if unknown:
        raise SchemaError(
            f"the samples have columns that the arena lacks: {', '.join(map(repr, unknown))}; it "
            f"has {', '.join(map(repr, columns))}. Columns can be added with put()"
        )
    accept = _accept(columns)
    try:
        return fill_arena(source, options, accept)
    except BudgetError as error:
        _log.info("samples to append are decoded into files beside %s: %s", folder, str(error))
        return temporary_arena(source, replace(options, home="disk"), folder.parent, accept)


def _accept(columns: Mapping[str, Field]) -> Accept:
    def accept(
        fields: Mapping[str, Field], shapes: Mapping[str, npt.NDArray[np.int64]], _: int
    ) -> None:
        for name, field in fields.items():
            if name in columns:
                _check_fit(name, columns[name], field, shapes.get(name))

    return accept


def _check_fit(name: str, have: Field, field: Field, shapes: npt.NDArray[np.int64] | None) -> None:
    """Refuse rows that have no place in a column."""
    arrays = isinstance(have, Array | Ragged) and isinstance(field, Array | Ragged)
    channels = have.channels if isinstance(have, Image) else None
    if (
        not (arrays or type(have) is type(field))
        or (have.dtype, have.ndim) != (field.dtype, field.ndim)
        or (isinstance(field, Image) and field.channels != channels)
    ):
        raise SchemaError(
            f"column {name!r} of the arena holds {described(have)} for each sample, the samples "
            f"that are to be appended {described(field)}"
        )
    wanted = have.row_shape
    if wanted is None:
        return
    found = [field.row_shape] if shapes is None else [tuple(row) for row in shapes.tolist()]
    for row, shape in enumerate(found):
        if shape != wanted:
            raise SchemaError(
                f"column {name!r} of the arena has rows of shape {wanted}; sample {row} that is "
                f"to be appended has {shape}. Resize the samples, or make a new arena of all of "
                "them, where rows may differ"
            )


def class_numbers(catalog: Mapping[str, Any], source: Source) -> "npt.NDArray[np.int64] | None":
    """Return the arena's number of each of the source's classes; None if they are the same.

    Raises
    ------
    ArgumentError
        If the arena lacks a class.
    """
    ours = catalog["attributes"].get("classes")
    theirs = source.layout().attributes.get("classes")
    if ours is None or theirs is None or [*ours] == [*theirs]:
        return None
    unknown = [name for name in theirs if name not in ours]
    if unknown:
        raise ArgumentError(
            f"the arena has no class {', '.join(map(repr, unknown[:10]))}; it has "
            f"{', '.join(map(repr, ours[:10]))}{' …' if len(ours) > 10 else ''}: make a new arena "
            "of all samples"
        )
    label = catalog["columns"].get(_LABEL)
    if label is None or not isinstance(field_from_json(label), Scalar):
        raise ArgumentError(
            f"the source has other classes than the arena, whose samples have no column {_LABEL!r} "
            "of numbers in which they could be matched: make a new arena of all samples"
        )
    return np.array([ours.index(name) for name in theirs], np.int64)


def columns_to_append(
    catalog: Mapping[str, Any], staged: Arena, classes: "npt.NDArray[np.int64] | None"
) -> dict[str, DenseColumn | RaggedColumn]:
    """Return what each column of the arena gets; those that the samples lack are left out.

    Raises
    ------
    ArgumentError
        If there are numbers of classes that the arena does not have.
    """
    found: dict[str, DenseColumn | RaggedColumn] = {}
    for name in catalog["columns"]:
        if name in staged.layout.columns:
            column = staged.column(name)
            assert isinstance(column, DenseColumn | RaggedColumn)
            if name == _LABEL and isinstance(column, DenseColumn):
                column = _labels(catalog, column, classes)
            found[name] = column
    none = text_column(PATH, [""] * len(staged))
    for name, path in catalog["paths"].items():
        theirs = staged.catalog["paths"].get(name)
        paths = None if theirs is None else staged.column(theirs)
        found[path] = paths if isinstance(paths, RaggedColumn) else none
    return found


def _labels(
    catalog: Mapping[str, Any], column: DenseColumn, classes: "npt.NDArray[np.int64] | None"
) -> DenseColumn:
    """Return labels as the arena numbers its classes, if it has any."""
    names = catalog["attributes"].get("classes")
    if names is None or not isinstance(column.field, Scalar):
        return column
    if classes is not None:
        return dense_column(column.field, classes[column.rows].astype(column.field.dtype))
    bad = column.rows[(column.rows < 0) | (column.rows >= len(names))]
    if bad.size:
        raise ArgumentError(
            f"label {bad[0]} of the samples that are to be appended is no class: the arena has "
            f"{len(names)}, 0 to {len(names) - 1}"
        )
    return column
