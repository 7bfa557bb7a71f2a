"""Checksums of files, and documents that carry their own."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from fastcache.errors import ArenaDamagedError, ArenaFormatError
from fastcache.memory.files.header import strict_json
from fastcache.memory.files.naming import SUMMED

_DIGITS = 16
_SEAL = b', "digest": "'
_END = b'"}\n'


def sum_of(data: Any) -> int:
    """Return the checksum (xxh3_64) of a buffer."""
    return xxhash.xxh3_64_intdigest(data)


def sums_of(data: memoryview) -> NDArray[np.uint64]:
    """Return the checksum of each MiB of a buffer; the last may be shorter."""
    starts = range(0, len(data), SUMMED)
    return np.array([sum_of(data[at : at + SUMMED]) for at in starts], np.uint64)


def digest_of(data: Any) -> str:
    """Return the checksum of a buffer as 16 hexadecimal digits."""
    return f"{sum_of(data):016x}"


def id_of(data: Any) -> str:
    """Return a name for a buffer's content: 32 hexadecimal digits (xxh3_128)."""
    return xxhash.xxh3_128_hexdigest(data)


def pack_sums(sums: Iterable[int]) -> str:
    """Return checksums as base64 of little-endian numbers of 8 bytes."""
    return base64.b64encode(np.array([*sums], "<u8").tobytes()).decode()


def unpack_sums(text: object, size: int, what: str) -> NDArray[np.uint64]:
    """Return the checksums that belong to a file of ``size`` bytes.

    Raises
    ------
    ArenaFormatError
        If there are more or fewer, or they are none.
    """
    count = -(-size // SUMMED)
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 8 * count:
        raise ArenaFormatError(f"{what}: {size} bytes need {count} checksums in base64")
    return np.frombuffer(raw, "<u8").astype(np.uint64)


def seal(document: Mapping[str, Any]) -> bytes:
    """Return a document as one line of JSON whose last member is a digest of all before it.

    Raises
    ------
    TypeError, ValueError
        If JSON cannot say it.
    """
    body = json.dumps(document, allow_nan=False).encode()[:-1]
    return body + _SEAL + digest_of(body).encode() + _END


def unseal(line: bytes, what: str) -> dict[str, Any]:
    """Return the document that :func:`seal` wrote, with its digest.

    Raises
    ------
    ArenaDamagedError
        If it is not what was written.
    """
    body, _, rest = line.rpartition(_SEAL)
    if not body or rest != digest_of(body).encode() + _END:
        raise ArenaDamagedError(f"{what} is not as it was written: its digest does not fit")
    document = strict_json(line, what)
    assert isinstance(document, dict)  # it ends in a member
    return document
