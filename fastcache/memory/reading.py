"""What may be used at one moment: a request against what the system leaves.

Without a request, a reserve is left for everything else on the machine: half of what is available
up to 4 GiB, 2 GiB up to 13.3 GiB, and 15% beyond.  A number or a share asked for explicitly keeps
no reserve, but is still bound by what the system leaves.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex, TypeAlias

from fastcache.errors import ArgumentError, BudgetError
from fastcache.memory.limits import Limit, SystemLimits, disk_limit, system_limits
from fastcache.memory.units import MOST_BYTES, format_bytes, parse_bytes

Amount: TypeAlias = int | str | float | None

_RESERVE_FLOOR = 2 << 30
_RESERVE_SHARE = 0.15
_RESERVE_MOST = 0.5


@dataclass(frozen=True)
class Reading:
    """What was allowed at one moment.

    Attributes
    ----------
    bytes : int
        Bytes that may be used.
    limit : str
        Name of the limit that binds.
    available : int
        Bytes that the system leaves, whatever was requested.
    parts : tuple of Limit
        Everything that was considered.
    unread : tuple of str
        Limits of the system that could not be read, and so do not bind.
    shared : int
        Bytes that other datasets hold of the same :class:`Budget`.
    """

    bytes: int
    limit: str
    available: int
    parts: tuple[Limit, ...]
    unread: tuple[str, ...] = ()
    shared: int = 0


def reserve(available: int) -> int:
    """Return the bytes that are left alone when nobody says how much may be used."""
    wanted = max(_RESERVE_FLOOR, int(available * _RESERVE_SHARE))
    return min(int(available * _RESERVE_MOST), wanted)


def disk_reading(folder: Path) -> Reading:
    """Return what may be written into a folder's file system: all that an ordinary user may."""
    limit = disk_limit(folder)
    return Reading(limit.bytes, limit.name, limit.bytes, (limit,))


def requested(budget: object, system: Limit) -> Limit:
    """Return the request as a limit of its own; `system` is what the machine leaves."""
    if budget is None:
        kept = reserve(system.bytes)
        return Limit(f"{system.name}, {format_bytes(kept)} kept in reserve", system.bytes - kept)
    if isinstance(budget, float):
        if not 0 < budget <= 1:
            raise ArgumentError(
                f"budget={budget}: a float is a share of the available memory, above 0 and up to "
                "1; give bytes as an int or a text such as '8GB'"
            )
        return Limit(f"budget={budget} of {system.name}", int(system.bytes * budget))
    if isinstance(budget, str):
        return Limit(f"budget={budget!r}", parse_bytes(budget))
    count = operator.index(budget) if isinstance(budget, SupportsIndex) else -1
    if abs(count) > MOST_BYTES:  # Python may not even print it
        raise ArgumentError(
            f"budget= is a number of {count.bit_length()} bits: give bytes, 2^80 at most, or None "
            "for what there is"
        )
    if count < 0 or isinstance(budget, bool):
        raise ArgumentError(
            f"budget={budget!r}: give bytes as an int of at least 0, a text such as '8GB', a share "
            "of the available memory such as 0.8, a fastcache.Budget, or None"
        )
    return Limit(f"budget={count}", count)


def bound_by_system(limits: Sequence[Limit] | SystemLimits | None) -> tuple[SystemLimits, Limit]:
    """Return what the system leaves, and the smallest of it."""
    found = system_limits() if limits is None else limits
    if not isinstance(found, SystemLimits):
        found = SystemLimits(tuple(found))
    return found, min(found.limits, key=lambda part: part.bytes)


def read_amount(
    amount: Amount = None, limits: Sequence[Limit] | SystemLimits | None = None
) -> Reading:
    """Find out how much memory may be used now; arguments as for ``budget.read_budget``."""
    found, system = bound_by_system(limits)
    request = requested(amount, system)
    binding = min(request, system, key=lambda part: part.bytes)
    parts = (*found.limits, request)
    return Reading(binding.bytes, binding.name, system.bytes, parts, found.unread)


def wider(need: int, have: int, available: int) -> str:
    """Return what to do about the limit itself, where `have` bytes are less than the need."""
    if have < need <= available:
        return f"allow more with budget= (up to {format_bytes(available)})"
    return "give the process more memory"


def shortage(
    need: int, reading: Reading, reason: str = "", remedies: Sequence[str] = ()
) -> BudgetError:
    """Return the error for a need that ``reading`` does not cover (or the kernel refused).

    `remedies` are what would help this very need, if that is known.
    """
    told = [*remedies] or [
        "make the samples smaller with store=",
        "take fewer of them with limit=",
        wider(need, reading.bytes, reading.available),
    ]
    if reading.shared:
        held = format_bytes(reading.shared)
        told.insert(0, f"close datasets that share the budget (they hold {held})")
    others = f"{', '.join(told[:-1])}, or " if told[1:] else ""
    return BudgetError(
        f"{format_bytes(need)} are needed, {format_bytes(reading.bytes)} may be used "
        f"(limit: {reading.limit}){reason and f'; {reason}'}; {others}{told[-1]}",
        need,
        reading.bytes,
        reading.limit,
    )


def check(need: int, reading: Reading, remedies: Sequence[str] = ()) -> None:
    """Raise BudgetError unless ``need`` bytes may be used; `remedies` as for `shortage`."""
    if need > reading.bytes:
        raise shortage(need, reading, remedies=remedies)
