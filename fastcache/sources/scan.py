"""One pass over a Dataset: the fields that hold every sample, all shapes, and fingerprints."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import DecodeError, SchemaError
from fastcache.schema import Field
from fastcache.sources.leaves import (
    described,
    fingerprint,
    joined,
    remedy,
    shape_of,
    smallest_shape,
)

_UNREAD = 0  # fingerprint of a sample that raised


class Scan:
    """What was learnt from reading every sample once.

    Parameters
    ----------
    read : callable
        Takes an index, returns (field, value) by column.
    count : int
        Number of samples.
    color : str, optional
        As the user passed it; for messages.

    Attributes
    ----------
    fields : dict of str to Field
        By column; where shapes differ, the field is ragged or its size None.

    Raises
    ------
    SchemaError
        Where two samples cannot share a column.
    DecodeError
        When every sample raises. Single ones that raise get the smallest shape and are left to the
        fill, where reading them raises again.
    """

    def __init__(
        self,
        read: Callable[[int], Mapping[str, tuple[Field, Any]]],
        count: int,
        color: str | None = None,
    ) -> None:
        self._color = color
        self.fields: dict[str, Field] = {}
        self._shapes: dict[str, list[tuple[int, ...] | None]] = {}
        self._prints: dict[str, npt.NDArray[np.uint64]] = {}
        self._first = 0
        self._count = count
        failure: tuple[int, Exception] | None = None
        for index in range(count):
            try:
                leaves = read(index)
                prints = {name: fingerprint(value) for name, (_, value) in leaves.items()}
            except SchemaError:
                raise
            except Exception as error:  # noqa: BLE001 - any Dataset's; reading it again will raise
                failure = failure or (index, error)
                continue
            self._add(index, leaves, prints)
        if not self.fields:
            assert failure is not None
            reason = f"{type(failure[1]).__name__}: {failure[1]}"
            raise DecodeError(
                f"the Dataset raised at each of its {count} samples; at sample {failure[0]}: "
                f"{reason}",
                [(f"sample {failure[0]}", reason)],
            ) from failure[1]

    def _add(
        self,
        index: int,
        leaves: Mapping[str, tuple[Field, Any]],
        prints: Mapping[str, int],
    ) -> None:
        if not self.fields:
            self._first = index
            self.fields = {name: field for name, (field, _) in leaves.items()}
            self._shapes = {name: [None] * self._count for name in leaves}
            self._prints = {name: np.full(self._count, _UNREAD, np.uint64) for name in leaves}
        for name, (field, value) in leaves.items():
            both = joined(self.fields[name], field)
            if both is None:
                raise SchemaError(
                    f"column {name!r} is {described(self.fields[name])} in sample {self._first} "
                    f"and {described(field)} in sample {index}: "
                    f"{remedy(self.fields[name], field, self._color)}"
                )
            self.fields[name] = both
            self._shapes[name][index] = shape_of(field, value)
            self._prints[name][index] = prints[name]

    def shapes(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column's row shapes, (N, ndim)."""
        missing = smallest_shape(self.fields[name])
        rows = [missing if shape is None else shape for shape in self._shapes[name]]
        return np.array(rows, np.int64).reshape(self._count, len(missing))

    def same(self, index: int, name: str, value_print: int) -> bool:
        """Whether a value is the one that was seen."""
        return int(self._prints[name][index]) == value_print

    def same_shape(self, index: int, name: str, field: Field, value: Any) -> bool:
        """Whether a value has the shape that was seen."""
        return self._shapes[name][index] == shape_of(field, value)
