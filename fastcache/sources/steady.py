"""Whether a Dataset gives the same sample twice, found out without disturbing the program."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastcache.errors import NotFrozenError, SchemaError
from fastcache.sources.leaves import fingerprint

PROBES = 16
REMEDY = (
    "An arena keeps one state of each sample for good, so random augmentation would freeze: take "
    "it out of the Dataset and give it as transform=, which runs on each read; or pass frozen=True "
    "to keep whatever comes first"
)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the global random states back at the end: Python's, NumPy's, torch's if it is there."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one
    torch: Any = sys.modules.get("torch")
    cpu = torch.get_rng_state() if torch else None
    cuda = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if cpu is not None:
            torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _spread(count: int) -> list[int]:
    """Return up to 16 of `count` samples, spread over all."""
    spread: list[int] = np.unique(
        np.linspace(0, count - 1, min(PROBES, count)).astype(np.int64)
    ).tolist()
    return spread


def marks(read: Callable[[int], Mapping[str, Any]], count: int) -> list[Any]:
    """Return as JSON what up to 16 samples are; global random states stay as they are.

    Parameters
    ----------
    read : callable
        Takes an index, returns leaves by column.
    count : int
        Number of samples.

    Returns
    -------
    list
        Of each a list of [column, fingerprint]; the error's type of one that cannot be read, which
        is left to whoever reads it in earnest.
    """
    with random_state_kept():
        return [_mark(read, index) for index in _spread(count)]


def _mark(read: Callable[[int], Mapping[str, Any]], index: int) -> Any:
    try:
        return [[name, fingerprint(value)] for name, value in read(index).items()]
    except Exception as error:  # noqa: BLE001 - any Dataset's; see above
        return type(error).__name__


def check_steady(read: Callable[[int], Mapping[str, Any]], count: int) -> None:
    """Read up to 16 samples, spread over all, twice each.

    Parameters
    ----------
    read : callable
        Takes an index, returns leaves by column.
    count : int
        Number of samples.

    Raises
    ------
    NotFrozenError
        Where the two differ; names the sample and the column.
    SchemaError
        As `read` raises it. Other exceptions of `read` are left to whoever reads that sample in
        earnest, where the user has said what is to happen then.
    """
    for index in _spread(count):
        try:
            first = {name: fingerprint(value) for name, value in read(index).items()}
            second = {name: fingerprint(value) for name, value in read(index).items()}
        except SchemaError:
            raise
        except Exception:  # noqa: BLE001 - any Dataset's; see above
            continue
        for name, mark in first.items():
            if mark != second.get(name):
                raise NotFrozenError(
                    f"sample {index}, column {name!r}: two reads in a row differ. {REMEDY}"
                )
