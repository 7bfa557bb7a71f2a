"""Integers that users give, checked."""

import numpy as np

from fastcache.errors import ArgumentError

LARGEST_SEED = (1 << 64) - 1
LARGEST_EPOCH = (1 << 63) - 1


def checked_int(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an int; raise ArgumentError unless it is one between these."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if whole and least <= value and (most is None or value <= most):  # type: ignore[operator]
        return int(value)  # type: ignore[call-overload, no-any-return]
    told = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ArgumentError(f"{name}={value!r}: give an int {told}")
