"""Which columns ``store=ToDtype`` changes, and pixels of the core that become floats in place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fastcache.fill.steps.python_step import PythonStep
from fastcache.schema import Array, Field, Image, Ragged, Windows
from fastcache.transforms import Operation, ToDtype, conversion_of

_KEPT_NAMES = ("label", "target")

_Field = TypeVar("_Field", bound=Field)


def is_convertible(name: str, field: Field) -> bool:
    """Whether ToDtype means a column: images, and arrays of floats that are no labels."""
    if isinstance(field, Image):
        return True
    floats = isinstance(field, Array | Ragged | Windows) and np.dtype(field.dtype).kind == "f"
    return floats and name.rpartition(".")[2] not in _KEPT_NAMES


def conversion_for(name: str, field: Field, operations: Sequence[Operation]) -> ToDtype | None:
    """Return what changes a column's type; None where it stays.

    Parameters
    ----------
    name : str
        Of the column.
    field : Field
        As the source has it.
    operations : sequence of Operation
        Those of ``store=``.
    """
    found = conversion_of(operations)
    if found is None or not is_convertible(name, field) or field.dtype == found.dtype:
        return None
    return found


def with_dtype(field: _Field, conversion: ToDtype | None) -> _Field:
    """Return a field as the arena has it."""
    return field if conversion is None else replace(field, dtype=conversion.dtype)


def told_of(why: str, conversion: ToDtype | None) -> str:
    """Return what a report says of a store that Python does part of."""
    mine = "" if conversion is None else f"pixels become {conversion.dtype} after decoding"
    return "; ".join(part for part in (why, mine) if part)


def expand(row: npt.NDArray[Any], step: PythonStep, told: str) -> int:
    """Turn integer pixels into floats where they lie.

    Parameters
    ----------
    row : array of the new type, contiguous
        Its memory begins with as many pixels as C decodes to, uint8 or uint16.
    step : PythonStep
        Has a conversion.
    told : str
        Names the row in messages.

    Returns
    -------
    int
        Bytes of the row.
    """
    assert step.conversion is not None
    pixels = np.dtype(np.uint16 if step.wide else np.uint8)
    memory = row.reshape(-1).view(np.uint8)[: row.size * pixels.itemsize]
    values = memory.view(pixels).reshape(row.shape).copy()
    step.conversion.put(values[None], row[None], lambda _: told)
    return row.nbytes
