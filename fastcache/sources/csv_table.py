"""A CSV file as columns of text, checked so that every complaint names its line."""

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, SourceNotFoundError

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_EXACT_DIGITS = 18  # always fit in int64; longer ones are names of something, not amounts


class Table:
    """The rows of a CSV file.

    Parameters
    ----------
    path : str
    encoding : str
    options : mapping
        Arguments of ``csv.reader``.
    """

    def __init__(self, path: str, encoding: str, options: Mapping[str, Any]) -> None:
        self._path = path
        try:
            with open(path, newline="", encoding=encoding) as file:
                reader = csv.reader(file, **options)
                self._header = next(reader, [])
                self._rows = [(reader.line_num, row) for row in reader if row]
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"{path!r} does not exist; give a CSV file") from error
        except (OSError, UnicodeError, LookupError, csv.Error, TypeError) as error:
            raise ArgumentError(f"cannot read {path!r} as CSV in {encoding}: {error}") from error

    def text(self, column: str) -> list[str]:
        """Return a column's values as they stand there, stripped; none may be empty."""
        if column not in self._header:
            raise ArgumentError(
                f"{self._path!r} has no column {column!r}; it has {', '.join(self._header)}"
            )
        at = self._header.index(column)
        values = []
        for line, row in self._rows:
            value = row[at].strip() if at < len(row) else ""
            if not value:
                raise ArgumentError(f"{self._path!r}, line {line}: column {column!r} is empty")
            values.append(value)
        return values

    def labels(
        self, column: str, classes: Sequence[str] | None
    ) -> list[str] | npt.NDArray[np.generic]:
        """Return a column as names, integers or floats: the first that all of it can be."""
        values = self.text(column)
        if classes is not None and set(values) <= set(classes):
            return values
        numbers = _numbers(values)
        return values if numbers is None else numbers

    def numbers(self, columns: Sequence[str]) -> npt.NDArray[np.generic]:
        """Return columns of numbers as an array of shape (rows, columns)."""
        if not columns:
            raise ArgumentError("label names no columns; give at least one, or None")
        parsed = []
        for column in columns:
            values = self.text(column)
            numbers = _numbers(values)
            if numbers is None:
                k = next(k for k, value in enumerate(values) if not _is_number(value))
                raise ArgumentError(
                    f"{self._path!r}, line {self._rows[k][0]}: column {column!r} is "
                    f"{values[k]!r}, no number; several label columns must hold numbers"
                )
            parsed.append(numbers)
        return np.stack(parsed, axis=1)


def _is_number(value: str) -> bool:
    """Whether a text is meant as a number: not what Python reads too, as 1_1, nan or infinity."""
    if _INTEGER.fullmatch(value):
        return len(value.lstrip("+-")) <= _EXACT_DIGITS
    return _NUMBER.fullmatch(value) is not None


def _numbers(values: list[str]) -> npt.NDArray[np.generic] | None:
    """Return int64 if every value is an integer, float64 if every value is a number, or None."""
    if not all(map(_is_number, values)):
        return None
    kind = int if all(map(_INTEGER.fullmatch, values)) else float
    return np.array([kind(value) for value in values], np.int64 if kind is int else np.float64)
