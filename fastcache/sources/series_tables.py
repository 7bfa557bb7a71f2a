"""Columns of CSV and Parquet files, read by pandas and pyarrow where these are installed."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, MissingPackageError, SourceNotFoundError
from fastcache.sources.walk import path_of


class Columns(NamedTuple):
    """What was read: series (C, T), and label and time of each step if asked for."""

    x: npt.NDArray[Any]
    label: Any
    time: npt.NDArray[Any] | None


def columns_of_csv(
    path: str | os.PathLike[str], columns: str | Sequence[str], label: str | None, time: str | None
) -> Columns:
    """Read columns of a CSV file with a line of names on top."""
    plain, names = path_of(path, "path"), _names(columns)
    pandas = _package("pandas", "pandas", "from_csv")

    def there() -> list[str]:
        return [str(name) for name in pandas.read_csv(plain, nrows=0).columns]

    def read(wanted: list[str]) -> dict[str, npt.NDArray[Any]]:
        version = tuple(int(part) for part in pandas.__version__.split(".")[:2])
        exact = {} if version >= (3, 1) else {"float_precision": "round_trip"}  # later by itself
        table = pandas.read_csv(plain, usecols=wanted, **exact)
        return {name: table[name].to_numpy() for name in wanted}

    return _columns(plain, names, label, time, there, read)


def columns_of_parquet(
    path: str | os.PathLike[str], columns: str | Sequence[str], label: str | None, time: str | None
) -> Columns:
    """Read columns of a Parquet file."""
    plain, names = path_of(path, "path"), _names(columns)
    parquet = _package("pyarrow.parquet", "pyarrow", "from_parquet")

    def there() -> list[str]:
        return list(parquet.read_schema(plain).names)

    def read(wanted: list[str]) -> dict[str, npt.NDArray[Any]]:
        table = parquet.read_table(plain, columns=wanted)
        return {name: table[name].to_numpy() for name in wanted}

    return _columns(plain, names, label, time, there, read)


def _package(module: str, package: str, wanted_by: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"Series.{wanted_by} needs {package}, which is not installed: pip install {package}"
        ) from error


def _names(columns: str | Sequence[str]) -> list[str]:
    names = [columns] if isinstance(columns, str) else list(columns)
    if not names or not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"columns={columns!r}: give the names of the channels' columns")
    return names


def _columns(
    path: str,
    names: list[str],
    label: str | None,
    time: str | None,
    there: Callable[[], list[str]],
    read: Callable[[list[str]], dict[str, npt.NDArray[Any]]],
) -> Columns:
    wanted = [*names, *(name for name in (label, time) if name is not None)]
    if not os.path.exists(path):
        raise SourceNotFoundError(f"{path!r} does not exist")
    try:
        known = there()
        missing = [name for name in wanted if name not in known]
        if missing:
            raise ArgumentError(
                f"{path!r} has no column {', '.join(map(repr, missing))}; it has {', '.join(known)}"
            )
        table = read(list(dict.fromkeys(wanted)))
    except ArgumentError:
        raise
    except (OSError, ValueError) as error:  # what both libraries' own errors derive from
        raise ArgumentError(f"cannot read {path!r}: {error}") from error
    for name in names:
        if table[name].dtype.kind not in "biuf":
            raise ArgumentError(
                f"column {name!r} of {path!r} is {table[name].dtype}, and holds "
                f"{table[name][:1].tolist()}: a series needs numbers"
            )
    labels = None if label is None else _labels(table[label], label, path)
    return Columns(
        np.stack([table[name] for name in names]),
        labels,
        None if time is None else _time(table[time]),
    )


def _labels(values: npt.NDArray[Any], name: str, path: str) -> Any:
    if values.dtype.kind in "biuf":
        return values
    texts = values.tolist()
    for k, text in enumerate(texts):
        if not isinstance(text, str):
            raise ArgumentError(
                f"column {name!r} of {path!r} has {text!r} in row {k}, names (str) in others: "
                "labels are all names, or all numbers"
            )
    return texts


def _time(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return dates that stand there as text as datetime64; other times as they are."""
    return values if values.dtype.kind != "O" else np.array(values.tolist())
