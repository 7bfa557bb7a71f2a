"""Labels of series: one each, or one per step."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.sources.labels import as_values, label_column
from fastcache.sources.series_input import SeriesData
from fastcache.sources.series_windows import Ints, Place
from fastcache.sources.tensors import is_array, is_tensor, load_npy
from fastcache.sources.walk import is_ordered, path_of

Numbers: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class SeriesLabels:
    """Labels in pieces that are joined as those of the series are.

    Attributes
    ----------
    parts : tuple of arrays
        Per step (T_k,) each, or a single (n, T) for a block; per series a single (n,).
    per_step : bool
    classes : list of str or None
        Names, if the labels were names; the numbers are their indices.
    """

    parts: tuple[Numbers, ...]
    per_step: bool
    classes: list[str] | None = None

    @property
    def dtype(self) -> str:
        """Element type in native byte order."""
        return str(self.parts[0].dtype.newbyteorder("="))

    def place(self, data: SeriesData) -> Place:
        """Return where the labels of each series begin."""
        return data.place_of_steps() if self.per_step else Place(pitch=1, per_step=False)

    def window(self, series: int, start: int, length: int) -> Numbers:
        """Return the labels of a window's steps."""
        part = self.parts[0][series] if self.parts[0].ndim == 2 else self.parts[series]
        return part[start : start + length]

    def between(self, begins: Ints, ends: Ints) -> "SeriesLabels":
        """Return the labels of each series from one step to before another."""
        if not self.per_step:
            return self
        if self.parts[0].ndim == 2:
            parts: tuple[Numbers, ...] = (self.parts[0][:, begins[0] : ends[0]],)
        else:
            pieces = zip(self.parts, begins, ends, strict=True)
            parts = tuple(part[a:b] for part, a, b in pieces)
        return SeriesLabels(parts, True, self.classes)


def read_labels(labels: Any, data: SeriesData) -> SeriesLabels:
    """Return labels out of what :class:`~fastcache.sources.Series` takes as `labels`.

    Raises
    ------
    ArgumentError
        For lengths that differ from the series', missing or mixed values.
    """
    if isinstance(labels, str | os.PathLike):
        labels = load_npy(path_of(labels, "labels"), "labels")
    if not (is_array(labels) or is_ordered(labels)):
        raise ArgumentError(f"labels must be a sequence, not {labels!r}")
    if np.ma.is_masked(labels):
        raise ArgumentError("labels is a masked array: fill it, e.g. labels.filled(0)")
    if not is_array(labels):
        labels = list(labels)
    if not data.many:
        return _per_step([labels], data)
    if len(labels) != len(data):
        raise ArgumentError(
            f"there are {len(data)} series but {len(labels)} labels: give one label for each "
            "series, or for each series as many as it has steps"
        )
    if _is_flat(labels) or all(_is_plain(label) for label in labels):
        column, classes = label_column(labels, len(data))
        rows = column.rows
        assert isinstance(rows, np.ndarray)
        return SeriesLabels((rows,), False, classes)
    return _per_step(labels, data)


def _is_flat(labels: Any) -> bool:
    """Whether this is an array of numbers or names on one axis, which needs no closer look."""
    return is_array(labels) and labels.ndim == 1 and (is_tensor(labels) or labels.dtype != object)


def _is_plain(label: Any) -> bool:
    """Whether this is a label and not a sequence of them."""
    if is_array(label):
        return bool(label.ndim == 0)
    return not is_ordered(label)


def _per_step(labels: Any, data: SeriesData) -> SeriesLabels:
    lengths = data.lengths
    if (
        data.is_block
        and is_array(labels)
        and getattr(labels, "ndim", 0) == 2
        and _is_numeric(labels)
    ):
        values: list[Any] = [_values(labels)]
        _check_count(values[0].shape[1], int(lengths[0]), 0, data)
        return SeriesLabels((_usable(values[0], 2),), True)
    values = []
    for k, own in enumerate(labels):
        if not (is_array(own) or is_ordered(own)):
            raise ArgumentError(
                f"the labels of series {k} are {own!r}, those of others are sequences: give one "
                "label for each series, or for each series as many as it has steps"
            )
        values.append(_values(own))
        _check_count(len(values[k]), int(lengths[k]), k, data)
    named = [isinstance(own, list) for own in values if len(own)]
    if any(named):
        return _names(values, all(named), data)
    arrays = [_usable(np.asarray(own), 1) for own in values]
    if data.is_block:
        return SeriesLabels((np.stack(arrays),), True)
    kind = np.result_type(*{own.dtype for own in arrays})
    return SeriesLabels(tuple(own.astype(kind, copy=False) for own in arrays), True)


def _is_numeric(labels: Any) -> bool:
    return is_tensor(labels) or np.asarray(labels).dtype.kind not in "OUTS"


def _values(labels: Any) -> list[str] | Numbers:
    return as_values(labels) if len(labels) else np.empty(0, np.int64)


def _check_count(have: int, need: int, k: int, data: SeriesData) -> None:
    if have == need:
        return
    whose = f"series {k}" if data.many else "x"
    raise ArgumentError(
        f"{whose} has {need} steps (and {data.channels} channels) but {have} labels: give one "
        "label for each step"
        + (
            ", or one for each series"
            if data.many
            else "; if time lies on the first axis of x, say time_axis=0"
        )
    )


def _usable(labels: Numbers, axes: int) -> Numbers:
    """Return labels in a type that can be handed out as Python's int, float or bool."""
    if labels.ndim != axes or labels.dtype.kind not in "biuf":
        raise ArgumentError(
            f"labels are {labels.dtype} of shape {labels.shape}: give one number or name per step"
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise ArgumentError("labels exceed 64 signed bits: number the classes from 0")
    return labels


def _names(values: Sequence[Any], all_named: bool, data: SeriesData) -> SeriesLabels:
    if not all_named:
        raise ArgumentError("labels are names (str) in some series and numbers in others")
    flat = [name for own in values for name in (own if isinstance(own, list) else ())]
    column, classes = label_column(flat, len(flat))
    assert classes is not None
    assert isinstance(column.rows, np.ndarray)
    indices = column.rows.astype(np.min_scalar_type(len(classes) - 1))
    if data.is_block:
        return SeriesLabels((indices.reshape(len(data), -1),), True, classes)
    ends = np.cumsum([len(own) for own in values])
    return SeriesLabels(tuple(np.split(indices, ends[:-1])), True, classes)
