"""How much memory a plan may take, and the error that says why it may not.

Without a request, a reserve is left for everything else on the machine: half of what is available
up to 4 GiB, 2 GiB up to 13.3 GiB, and 15% beyond.  A number or a share asked for explicitly keeps
no reserve, but is still bound by what the system leaves.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsIndex

from fastcache.errors import ArgumentError, BudgetError
from fastcache.memory.limits import Limit, system_limits
from fastcache.memory.units import format_bytes, parse_bytes

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
    """

    bytes: int
    limit: str
    available: int
    parts: tuple[Limit, ...]


def reserve(available: int) -> int:
    """Return the bytes that are left alone when nobody says how much may be used."""
    wanted = max(_RESERVE_FLOOR, int(available * _RESERVE_SHARE))
    return min(int(available * _RESERVE_MOST), wanted)


def _requested(budget: object, system: Limit) -> Limit:
    """Return the request as a limit of its own."""
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
    if count < 0 or isinstance(budget, bool):
        raise ArgumentError(
            f"budget={budget!r}: give bytes as an int of at least 0, a text such as '8GB', a share "
            "of the available memory such as 0.8, or None"
        )
    return Limit(f"budget={count}", count)


def read_budget(
    budget: int | str | float | None = None, limits: Sequence[Limit] | None = None
) -> Reading:
    """Find out how much memory may be used now.

    Parameters
    ----------
    budget : int, str, float or None
        Bytes, a text such as ``"8GB"`` or ``"512MiB"``, a share of what is available in (0, 1],
        or None for what is available less a reserve.
    limits : sequence of Limit, optional
        What the system allows; read from it if not given.

    Raises
    ------
    ArgumentError
        If ``budget`` is none of these.
    """
    parts = tuple(system_limits() if limits is None else limits)
    system = min(parts, key=lambda part: part.bytes)
    request = _requested(budget, system)
    binding = min(request, system, key=lambda part: part.bytes)
    return Reading(binding.bytes, binding.name, system.bytes, (*parts, request))


def shortage(need: int, reading: Reading, reason: str = "") -> BudgetError:
    """Return the error for a need that ``reading`` does not cover (or the kernel refused)."""
    remedies = ["make the samples smaller with store=", "take fewer of them with limit="]
    if reading.bytes < need <= reading.available:
        remedies.append(f"allow more with budget= (up to {format_bytes(reading.available)})")
    else:
        remedies.append("give the process more memory")
    return BudgetError(
        f"{format_bytes(need)} are needed, {format_bytes(reading.bytes)} may be used "
        f"(limit: {reading.limit}){reason and f'; {reason}'}; "
        f"{', '.join(remedies[:-1])}, or {remedies[-1]}",
        need,
        reading.bytes,
        reading.limit,
    )


def check(need: int, reading: Reading) -> None:
    """Raise BudgetError unless ``need`` bytes may be used."""
    if need > reading.bytes:
        raise shortage(need, reading)
