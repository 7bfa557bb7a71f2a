"""Bytes as people write and read them."""

import re
from decimal import Decimal

from fastcache.errors import ArgumentError

_BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")
_FACTORS = {
    "": 1,
    "b": 1,
    **{unit.lower(): 1024**power for power, unit in enumerate(_BINARY, 1)},
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb", "pb"), 1)},
}
MOST_BYTES = 1 << 80  # that an amount may be: no machine has more
_SHOWN = 40  # characters of a text that is no amount
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)


def format_bytes(count: int) -> str:
    """Return ``count`` >= 0 with three significant digits and a unit, as in ``"1.26 GiB"``."""
    if count < 1024:
        return f"{count} bytes"
    if count > MOST_BYTES:  # no amount of memory: floats, and texts, of such numbers may be none
        return f"over 2^{count.bit_length() - 1} bytes"
    power = min((count.bit_length() - 1) // 10, len(_BINARY))
    value = count / 1024**power
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_BINARY[power - 1]}"


def parse_bytes(text: str) -> int:
    """Return the bytes that a text such as ``"8GB"`` (10^9) or ``"512 MiB"`` (2^20) stands for."""
    match = _SIZE.fullmatch(text)
    factor = _FACTORS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ArgumentError(
            f"{_shown(text)} is no amount of memory: write a number and one of B, KB, MB, GB, TB, "
            "PB (powers of 1000) or KiB, MiB, GiB, TiB, PiB (powers of 1024), such as '8GB'"
        )
    count = Decimal(match[1]) * factor
    if count > MOST_BYTES:
        raise ArgumentError(f"{_shown(text)} is more than any machine has: give 2^80 bytes at most")
    return int(count)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
