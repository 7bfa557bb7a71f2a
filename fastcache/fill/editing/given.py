"""What users put into an arena that is there already: values of any kind, as columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentTypeError, SchemaError
from fastcache.memory.columns import DenseColumn, RaggedColumn
from fastcache.memory.layout import row_elements, row_ends
from fastcache.schema import Array, Field, Image, Mask, Ragged, Scalar, Text
from fastcache.sources.leaves import text_bytes
from fastcache.sources.tensors import is_array, is_tensor, to_numpy

_Rows = DenseColumn | RaggedColumn

_WANTED = (
    "give an array or tensor whose first axis counts rows, a list of numbers, a list of strings, "
    "or a list of arrays (a ragged column)"
)


def column_of(name: str, values: Any, like: Field | None) -> tuple[Field, _Rows]:
    """Return what values are, and the values as a column.

    Parameters
    ----------
    name : str
        For messages.
    values : array, tensor or sequence
        A row for each sample. Copied, unless it is an array that nobody can write to.
    like : Field or None
        What the column was so far: images and masks remain such if dtype and channels do.

    Raises
    ------
    SchemaError
        If no column can hold them all.
    ArgumentTypeError
        If they are no rows at all.
    """
    what = f"column {name!r}"
    plain = _plain(values, what)
    if isinstance(plain, np.ndarray):
        if plain.ndim == 0:
            raise ArgumentTypeError(f"{what}: {values!r} has no rows; {_WANTED}")
        field = _dense_field(plain, like)
        return field, dense_column(field, plain)
    if plain and isinstance(plain[0], str):
        return Text(), text_column(name, plain)
    arrays = [to_numpy(row, f"row {k} of {what}") for k, row in enumerate(plain)]
    field = _ragged_field(arrays, like, what)
    return field, _ragged_column(name, field, arrays)


def rows_for(name: str, values: Any, field: Field, count: int) -> _Rows:
    """Return values as `count` rows of a column that has a field already.

    Numbers may be of another type as long as they stay what they are; floats may be rounded.

    Raises
    ------
    SchemaError
        If they do not fit.
    """
    what = f"column {name!r}"
    ragged = field.row_shape is None and not isinstance(field, Text)
    plain = _listed(values, what) if ragged else _plain(values, what)
    if isinstance(plain, np.ndarray) and plain.ndim == 0:
        raise ArgumentTypeError(f"{what}: {values!r} has no rows; {_WANTED}")
    if len(plain) != count:
        raise SchemaError(f"{what}: {len(plain)} values for {count} rows; give one for each")
    if isinstance(field, Text):
        return text_column(name, list(plain))
    if ragged:
        rows = [to_numpy(row, f"value {k} of {what}") for k, row in enumerate(plain)]
        for k, row in enumerate(rows):
            last = row.shape[-1:] == (field.channels,) if isinstance(field, Image) else True
            if row.ndim != field.ndim or not last:
                raise SchemaError(
                    f"value {k} of {what} has shape {row.shape}: rows have {field.ndim} axes"
                    + (f", the last of them {field.channels}" if isinstance(field, Image) else "")
                )
        return _ragged_column(name, field, [_as_type(row, field, what) for row in rows])
    if not count:
        return dense_column(field, np.empty((0, *(field.row_shape or ())), field.dtype))
    array = plain if isinstance(plain, np.ndarray) else _stacked(plain, what)
    if array.shape[1:] != field.row_shape:
        raise SchemaError(f"{what}: values have shape {array.shape[1:]}, rows {field.row_shape}")
    return dense_column(field, _as_type(array, field, what))


def _listed(values: Any, what: str) -> list[Any]:
    """Return the rows of anything that has some."""
    if is_array(values):
        array = to_numpy(values, what)
        return list(array) if array.ndim else [array]
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise ArgumentTypeError(f"{what}: {type(values).__name__} has no rows; {_WANTED}")
    return list(values)


def _plain(values: Any, what: str) -> "npt.NDArray[Any] | list[Any]":
    """Return an array of numbers, a list of strings, or a list of arrays."""
    if is_array(values):
        if is_tensor(values) or np.asarray(values).dtype.kind not in "OUT":
            return to_numpy(values, what)
        rows = list(values)
    else:
        rows = _listed(values, what)
    for kind, said in ((str, "a string"), (np.ndarray, "an array")):
        alike = [isinstance(row, str) if kind is str else _has_axes(row) for row in rows]
        if any(alike):
            if not all(alike):
                k = alike.index(not alike[0])
                raise SchemaError(
                    f"row {k} of {what} is {type(rows[k]).__name__}, row 0 is "
                    f"{type(rows[0]).__name__}: if one is {said}, all must be"
                )
            return rows
    return _stacked(rows, what)


def _has_axes(row: Any) -> bool:
    return is_array(row) and getattr(row, "ndim", 1) != 0  # others are numbers


def _stacked(rows: list[Any], what: str) -> npt.NDArray[Any]:
    try:
        made = np.asarray(rows)
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"{what}: the rows are no numbers of one shape ({error})") from error
    if made.dtype.kind == "O":
        raise SchemaError(f"{what}: the rows are no numbers; {_WANTED}")
    return to_numpy(made, what)


def _dense_field(rows: npt.NDArray[Any], like: Field | None) -> Field:
    dtype, shape = str(rows.dtype), rows.shape[1:]
    if isinstance(like, Image) and dtype == like.dtype and shape[2:] == (like.channels,):
        return Image(dtype, like.channels, (shape[0], shape[1]))
    if isinstance(like, Mask) and dtype == like.dtype and len(shape) == 2:
        return Mask(dtype, (shape[0], shape[1]))
    # Samples hold Python numbers, among which there is none for complex columns.
    if shape or rows.dtype.kind == "c" or (isinstance(like, Array) and like.shape == ()):
        return Array(dtype, shape)
    return Scalar(dtype)


def _ragged_field(rows: list[npt.NDArray[Any]], like: Field | None, what: str) -> Field:
    if not rows:
        raise SchemaError(f"{what}: no rows")
    first = rows[0]
    for k, row in enumerate(rows):
        if (row.dtype, row.ndim) != (first.dtype, first.ndim):
            raise SchemaError(
                f"row {k} of {what} is {row.dtype} with {row.ndim} axes, row 0 is {first.dtype} "
                f"with {first.ndim}: they must agree"
            )
    dtype, ends = str(first.dtype), {row.shape[2:] for row in rows}
    if isinstance(like, Image) and dtype == like.dtype and ends == {(like.channels,)}:
        return Image(dtype, like.channels)
    if isinstance(like, Mask) and dtype == like.dtype and first.ndim == 2:
        return Mask(dtype)
    return Ragged(dtype, first.ndim)


def _as_type(values: npt.NDArray[Any], field: Field, what: str) -> npt.NDArray[Any]:
    dtype = np.dtype(field.dtype)
    if values.dtype == dtype:
        return values
    made = None
    if dtype.kind == "c" or values.dtype.kind != "c":
        with np.errstate(all="ignore"):
            made = values.astype(dtype)
    rounded = np.can_cast(values.dtype, dtype, "same_kind") and dtype.kind in "fc"
    if made is None or not (rounded or np.array_equal(made, values)):
        raise SchemaError(f"{what} holds {dtype}: values of {values.dtype} do not fit without loss")
    return made


def dense_column(field: Field, rows: npt.NDArray[Any]) -> DenseColumn:
    """Return rows (N, ...) as a column; copied, unless nobody can write to them."""
    held = rows.copy() if rows.flags.writeable else np.ascontiguousarray(rows)
    held = np.ascontiguousarray(held).reshape(rows.shape)
    size = field.row_bytes or 0
    span = held.reshape(-1).view(np.uint8) if held.size else np.empty(0, np.uint8)
    return DenseColumn(field, 0, size, held, span)


def _ragged_column(name: str, field: Field, rows: Sequence[npt.NDArray[Any]]) -> RaggedColumn:
    dtype = np.dtype(field.dtype)
    shapes = np.array([row.shape for row in rows], np.int64).reshape(len(rows), field.ndim)
    offsets = row_ends(row_elements(name, shapes))
    values = np.concatenate([np.empty(0, dtype), *(row.reshape(-1) for row in rows)])
    return RaggedColumn(field, 0, values, offsets, shapes.astype(np.int32))


def text_column(name: str, rows: Sequence[Any]) -> RaggedColumn:
    """Return strings as a column."""
    what = f"column {name!r}"
    for k, row in enumerate(rows):
        if not isinstance(row, str):
            raise SchemaError(f"row {k} of {what} is {type(row).__name__}, not a string")
    encoded = [text_bytes(row, f"row {k} of {what}") for k, row in enumerate(rows)]
    return _ragged_column(name, Text(), [np.frombuffer(text, np.uint8) for text in encoded])
