"""Labels of any usual kind as one column: integers, floats, booleans, names, multi-label rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SchemaError
from fastcache.schema import Array, Scalar
from fastcache.sources.base import Values
from fastcache.sources.tensors import is_array, is_tensor, native, to_numpy
from fastcache.sources.walk import is_ordered

# Numbers come back as Python's own, so each kind is kept in the type that loses nothing.
_SCALARS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}


def label_column(
    labels: Any, count: int, classes: Sequence[str] | None = None
) -> tuple[Values, list[str] | None]:
    """Make a column of labels.

    Parameters
    ----------
    labels : sequence, array, tensor or table column of length `count`
        Integers, floats or booleans: numbers. Strings: names of classes. Two or more axes (lists
        of equal length count too): one array per sample.
    count : int
        Number of samples.
    classes : sequence of str, optional
        Names by index. Strings must be among them; without it they are their own sorted classes.

    Returns
    -------
    column : Values
    classes : list of str or None

    Raises
    ------
    ArgumentError
        For another length, missing or mixed values, unknown names, integers without a class.
    """
    values = as_values(labels)
    if len(values) != count:
        raise ArgumentError(
            f"there are {count} samples but {len(values)} labels; give one label for each sample"
        )
    names = None if classes is None else _check_classes(classes)
    if isinstance(values, list):
        names = sorted(set(values)) if names is None else names
        return _indices(values, names), names
    if values.ndim > 1:
        return Values(values, Array(str(values.dtype), values.shape[1:])), names
    if names is not None:
        _check_range(values, names)
    rows = _scalars(values)
    return Values(rows, Scalar(str(rows.dtype))), names


def as_values(labels: Any) -> list[str] | npt.NDArray[Any]:
    """Return names as a list, numbers as an array with the samples on its first axis."""
    if not (is_array(labels) or is_ordered(labels)):
        raise ArgumentError(f"labels must be a sequence with one label per sample, not {labels!r}")
    try:
        if is_array(labels) and (is_tensor(labels) or np.asarray(labels).dtype.kind not in "OUT"):
            array = to_numpy(labels, "labels")
        else:
            plain = list(labels)
            if any(isinstance(value, str) for value in plain):
                return _names(plain)
            array = _stack(plain)
    except SchemaError as error:
        raise ArgumentError(str(error)) from error
    if array.ndim == 0:
        raise ArgumentError(f"labels must be a sequence with one label per sample, not {labels!r}")
    return array


def _names(plain: list[Any]) -> list[str]:
    for k, value in enumerate(plain):
        if not isinstance(value, str):
            raise ArgumentError(
                f"label {k} is {value!r}, while others are names (str): make all of them strings, "
                "or all of them numbers"
            )
    return [str(value) for value in plain]


def _stack(plain: list[Any]) -> npt.NDArray[Any]:
    rows = [
        to_numpy(value, f"label {k}") if is_tensor(value) else value
        for k, value in enumerate(plain)
    ]
    for k, row in enumerate(rows):
        if row is None:
            raise ArgumentError(f"label {k} is missing (None): leave the sample out or label it")
        shape = _shape(row)
        if shape is None or shape != _shape(rows[0]):
            raise ArgumentError(
                f"label {k} has shape {shape}, label 0 has {_shape(rows[0])}: labels must agree, "
                "e.g. as rows of 0 and 1 with one column per class"
            )
    return native(np.asarray(rows), "labels")


def _shape(row: Any) -> tuple[int, ...] | None:
    try:
        shape: tuple[int, ...] = np.shape(row)
    except ValueError:  # nested lists whose lengths differ
        return None
    return shape


def _check_classes(classes: Sequence[str]) -> list[str]:
    names = list(classes)
    if isinstance(classes, str) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"classes must be a list of names (str), not {classes!r}")
    if len(set(names)) != len(names):
        double = sorted({name for name in names if names.count(name) > 1})
        raise ArgumentError(f"classes has names more than once: {', '.join(double)}")
    return [str(name) for name in names]


def _indices(values: list[str], names: list[str]) -> Values:
    index = {name: k for k, name in enumerate(names)}
    unknown = sorted(set(values) - index.keys())
    if unknown:
        raise ArgumentError(
            f"labels that are not among the {len(names)} classes: "
            f"{', '.join(map(repr, unknown[:10]))}{' …' if len(unknown) > 10 else ''}"
        )
    rows = np.fromiter((index[value] for value in values), np.int64, len(values))
    return Values(rows, Scalar("int64"))


def _check_range(values: npt.NDArray[Any], names: list[str]) -> None:
    if values.dtype.kind not in "iub":
        raise ArgumentError(f"classes go with integers or names, but the labels are {values.dtype}")
    bad = np.flatnonzero((values < 0) | (values >= len(names)))
    if bad.size:
        raise ArgumentError(
            f"label {bad[0]} is {values[bad[0]]}, but there are {len(names)} classes (0 to "
            f"{len(names) - 1})"
        )


def _scalars(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    dtype = _SCALARS.get(values.dtype.kind)
    if dtype is None:
        raise ArgumentError(f"labels are {values.dtype}; give integers, floats, booleans or names")
    if values.dtype == np.uint64 and values.size and int(values.max()) > np.iinfo(np.int64).max:
        raise ArgumentError(f"label {int(values.argmax())} does not fit in 64 signed bits")
    return values.astype(dtype)
