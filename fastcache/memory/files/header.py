"""Headers of safetensors files: 8 bytes with a length, then JSON that says where each tensor lies.

The official reader refuses holes and overlaps, so gaps are tensors as well.  This one refuses
more, and says in one place what an arena's file may look like.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastcache.errors import ArenaFormatError
from fastcache.memory.files.naming import PAD, PAGE

_LENGTH = 8
_LONGEST = 100_000_000  # as in the official reader
_NAMES = {
    "|b1": "BOOL",
    "|u1": "U8",
    "|i1": "I8",
    "<u2": "U16",
    "<i2": "I16",
    "<f2": "F16",
    "<u4": "U32",
    "<i4": "I32",
    "<f4": "F32",
    "<u8": "U64",
    "<i8": "I64",
    "<f8": "F64",
}
_BYTES = {name: np.dtype(kind).itemsize for kind, name in _NAMES.items()}


class Tensor(NamedTuple):
    """A tensor of a file.

    Attributes
    ----------
    dtype : str
        As safetensors calls it.
    shape : tuple of int
    start : int
        First byte, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * _BYTES[self.dtype]

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.start + self.size


def make_tensor(dtype: "np.dtype[Any]", shape: tuple[int, ...], start: int) -> Tensor:
    """Return the tensor of an array; what safetensors has no name for is bytes, one more axis."""
    name = _NAMES.get(dtype.str)
    if name is not None:
        return Tensor(name, shape, start)
    return Tensor("U8", (*shape, dtype.itemsize), start)


def make_header(tensors: Mapping[str, Tensor], size: int) -> bytes:
    """Return a header whose end lies on a page.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        None of them overlaps another.
    size : int
        Bytes of all data. What no tensor covers becomes ``_pad0``, ``_pad1``...
    """
    pads, at = 0, 0
    items: dict[str, Any] = {}

    def add(name: str, tensor: Tensor) -> None:
        offsets = [tensor.start, tensor.end]
        items[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}

    last = ("", Tensor("U8", (0,), size))
    for name, tensor in [*sorted(tensors.items(), key=lambda item: item[1].start), last]:
        if tensor.start > at:
            add(f"{PAD}{pads}", Tensor("U8", (tensor.start - at,), at))
            pads += 1
        if name:
            add(name, tensor)
        at = max(at, tensor.end)
    text = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    whole = -(-(_LENGTH + len(text)) // PAGE) * PAGE
    if whole - _LENGTH > _LONGEST:
        raise ArenaFormatError(
            f"a header of {whole} bytes: files have at most {_LONGEST}; use fewer columns, or "
            "shorter names"
        )
    return (whole - _LENGTH).to_bytes(_LENGTH, "little") + text.ljust(whole - _LENGTH)


def strict_json(text: bytes, what: str) -> Any:
    """Parse JSON; names that stand twice, NaN, and nesting without end are refused.

    Raises
    ------
    ArenaFormatError
        If it is anything else than JSON; ``what`` begins the message.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice")
        return found

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no number")

    try:
        return json.loads(text.decode(), object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ArenaFormatError(f"{what} is not the JSON that an arena has: {error}") from None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _counts(value: object, most: int) -> list[int] | None:
    """Return a list of numbers, None for anything else."""
    good = isinstance(value, list) and len(value) <= most and all(map(_is_count, value))
    return value if good else None  # type: ignore[return-value]


def _tensor(what: str, name: str, item: object) -> Tensor:
    if isinstance(item, dict) and item.keys() == {"dtype", "shape", "data_offsets"}:
        shape, offsets = _counts(item["shape"], 32), _counts(item["data_offsets"], 2)
        dtype = item["dtype"]
        if shape is not None and offsets and isinstance(dtype, str) and dtype in _BYTES:
            tensor = Tensor(dtype, tuple(shape), offsets[0])
            if [tensor.start, tensor.end] == offsets:
                return tensor
    raise ArenaFormatError(f"{what}: tensor {name!r} is described in a way that cannot be")


def header_bytes(first: bytes, what: str) -> int:
    """Return the length of a header, its own 8 bytes included, given the first 8 bytes."""
    length = int.from_bytes(first, "little") if len(first) == _LENGTH else -1
    if not 0 < length <= _LONGEST or (_LENGTH + length) % PAGE:
        raise ArenaFormatError(
            f"{what}: no header of an arena's file (it would be {length} bytes long)"
        )
    return _LENGTH + length


def parse_header(raw: bytes, size: int, what: str) -> dict[str, Tensor]:
    """Return the tensors of a header, padding left out.

    Parameters
    ----------
    raw : bytes
        The whole header, its length included.
    size : int
        Bytes of all data behind it.
    what : str
        The file, for messages.

    Raises
    ------
    ArenaFormatError
        Unless tensors cover every byte exactly once.
    """
    items = strict_json(_without_padding(raw[_LENGTH:]), what)
    if not isinstance(items, dict):
        raise ArenaFormatError(f"{what}: the header is no list of tensors")
    tensors = {name: _tensor(what, name, item) for name, item in items.items()}
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != at:
            raise ArenaFormatError(f"{what}: tensor {name!r} overlaps another, or leaves a hole")
        at = tensor.end
    if at != size:
        raise ArenaFormatError(f"{what}: tensors of {at} bytes in {size} bytes of data")
    return {name: tensor for name, tensor in tensors.items() if not _is_pad(name, tensor)}


def _without_padding(text: bytes) -> bytes:
    """Cut off the spaces at the end, nearly all of a header, which a parser sees one by one."""
    end = text.rfind(b"}") + 1
    spaces = b" " * (len(text) - end)
    return text[:end] if text[end:] == spaces else text


def _is_pad(name: str, tensor: Tensor) -> bool:
    return name[len(PAD) :].isdecimal() and name.startswith(PAD) and tensor.dtype == "U8"
