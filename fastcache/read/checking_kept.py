"""What an opened arena says of images that are not all kept decoded, before it is believed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.images.kept import (
    ABSENT,
    DECODED,
    ENCODED,
    ENCODED_BYTES,
    ENCODED_FIELD,
    FAILED,
    STAMP_FIELD,
    STAMP_OF,
    Decoding,
    KeptRows,
    columns_beside,
)
from fastcache.memory.arena import Arena, RaggedColumn
from fastcache.memory.files.naming import MOST_BYTES
from fastcache.schema import Field, Image, Mask, Text


def kept_problem(
    arena: Arena, catalog: Mapping[str, Any], fields: Mapping[str, Field]
) -> str | None:
    """Return what cannot be in the tables beside columns of images; None if all of it can be.

    Rows of such a column are found and decoded as these tables say, and nothing looks at them
    again: not which memory a batch leaves as it was, nor how large a row is.

    Parameters
    ----------
    arena : Arena
    catalog : mapping
    fields : mapping of str to Field
        Of samples.
    """
    for name, said in catalog.get("kept", {}).items():
        decoding, field = Decoding.from_json(said), fields[name]
        if not isinstance(field, Image | Mask):
            return f"column {name!r} is {field}, and has rows in several forms"
        problem = _misfit(arena, catalog["paths"][name], name, decoding) or _problem(
            arena, name, field, decoding.channels
        )
        if problem:
            return f"the tables of column {name!r} state what cannot be: {problem}"
    return None


def _misfit(arena: Arena, path: str, name: str, decoding: Decoding) -> str | None:
    """Look at what the columns beside one are."""
    columns, count = arena.layout.columns, arena.layout.count
    wanted: dict[str, Field] = {**columns_beside(name), path: Text()}
    for beside, kind in wanted.items():
        found = columns.get(beside)
        if found is None or found.field != kind or found.count != count:
            return f"it needs {beside!r}, {kind} in {count} rows"
    rows_of_a_form: dict[str, Field] = {
        ENCODED_BYTES + name: ENCODED_FIELD,
        STAMP_OF + name: STAMP_FIELD,
    }
    for beside, kind in rows_of_a_form.items():
        found = columns.get(beside)
        if found is None or found.field != kind:
            return f"it needs {beside!r}, {kind}"
    if not isinstance(decoding.folder, str):
        return f"a folder {decoding.folder!r}"
    if decoding.late not in ("raise", "fill"):
        return f"{decoding.late!r} for files that cannot be read any more"
    return None


def _problem(arena: Arena, name: str, field: Image | Mask, decoded_to: int) -> str | None:
    """Look at every row; files that C decodes become `decoded_to` channels."""
    kept, column = KeptRows.of(arena, name), arena.column(name)
    forms, places = kept.forms, kept.places
    if forms.size and forms.max() > FAILED:
        return f"form {forms.max()}"
    rows_of = {DECODED: len(column), ENCODED: len(kept.encoded), ABSENT: len(kept.stamps)}
    for form, rows in rows_of.items():
        at = places[forms == form]
        if at.size and (at.min() < 0 or at.max() >= rows):
            return f"rows {at.min()} to {at.max()} of {rows}"
    geometry = kept.geometry
    in_c = ((forms == ENCODED) | (forms == ABSENT)) & ~kept.by_python
    channels = field.channels if isinstance(field, Image) else 1
    if in_c.any() and decoded_to != channels:
        return f"files decoded to {decoded_to} channels instead of {channels}"
    if not _is_possible(geometry[in_c]).all():
        return "crops outside of their images"
    sizes = np.stack([geometry["out_h"], geometry["out_w"]], axis=1).astype(np.int64)
    if sizes.size and sizes.min() < 0:
        return "a negative size"
    if field.size is not None:
        if (sizes != field.size).any():
            return f"rows of another size than {field.size}"
    elif sizes.prod(axis=1, dtype=np.float64).sum() * field.itemsize > MOST_BYTES >> 3:
        return "rows that are larger than any memory"
    decoded = forms == DECODED
    if isinstance(column, RaggedColumn) and decoded.any():
        shapes = column.shapes[places[decoded]]
        if (shapes[:, :2] != sizes[decoded]).any() or (shapes[:, 2:] != channels).any():
            return "rows of another size than the pixels that are there"
    return None


def _is_possible(geometry: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Return for each geometry whether C would accept it: as ``fc_geometry_check`` does."""
    fits = np.ones(len(geometry), bool)
    for at, length, whole in (("crop_y", "crop_h", "src_h"), ("crop_x", "crop_w", "src_w")):
        first, size, most = (geometry[word].astype(np.int64) for word in (at, length, whole))
        fits &= (first >= 0) & (size >= 1) & (first + size <= most)
    for word in ("size_h", "size_w", "out_h", "out_w"):
        fits &= geometry[word] >= 1
    return fits
