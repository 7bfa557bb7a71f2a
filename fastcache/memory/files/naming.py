"""What the files of an arena, and the tensors in them, are called."""

import os
import re
from pathlib import Path
from typing import TypeAlias

from fastcache.errors import ArgumentError, ArgumentTypeError, SchemaError

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

# Pages are 4, 16 or 64 KiB. What is mapped begins on a boundary of all three.
PAGE = 65536
LINE = 64  # tables lie on cache lines
SUMMED = 1 << 20  # bytes of a file that share one checksum
MOST_BYTES = 1 << 62  # what no number may exceed, so that sums of two cannot overflow

MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
LOCK = ".lock"
TEMPORARY = ".tmp-"

_GENERATION = r"(?:-g(?:[2-9]|[1-9][0-9]{1,8}))?"
_SHARD = re.compile(rf"shard-(?:[0-9]{{5}}|[1-9][0-9]{{5,8}}){_GENERATION}\.safetensors")
_COLUMNS = re.compile(rf"columns{_GENERATION}\.safetensors")

OFFSETS, SHAPES, GRIDS, PAD = "_offsets/", "_shapes/", "_grids/", "_pad"
_RESERVED = re.compile(r"_offsets/|_shapes/|_grids/|_pad[0-9]+$|__metadata__$")


def folder_of(path: AnyPath) -> Path:
    """Return the absolute path of an arena's folder, in whatever form it was given.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        If it is no path, or one that no system takes.
    """
    try:
        text = os.fsdecode(path)
        given = os.fsencode(text)
    except TypeError:
        raise ArgumentTypeError(f"path={path!r}: give a str, bytes or os.PathLike") from None
    except UnicodeEncodeError:
        raise ArgumentError(f"path={path!r} cannot be encoded: give it as bytes") from None
    if b"\0" in given:
        raise ArgumentError(f"path={path!r} has a null character, which no file's name can have")
    return Path(text).absolute()


def _suffix(generation: int) -> str:
    return "" if generation == 1 else f"-g{generation}"


def shard_name(number: int, generation: int) -> str:
    """Return the name of a shard; shards are numbered through all families of columns."""
    return f"shard-{number:05d}{_suffix(generation)}.safetensors"


def columns_name(generation: int) -> str:
    """Return the name of the file that holds everything small."""
    return f"columns{_suffix(generation)}.safetensors"


def is_shard_name(name: str) -> bool:
    """Whether :func:`shard_name` can have made a name: it cannot lead out of the folder."""
    return _SHARD.fullmatch(name) is not None


def is_columns_name(name: str) -> bool:
    """Whether :func:`columns_name` can have made a name."""
    return _COLUMNS.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """Whether a file of this name in an arena's folder was put there by us."""
    known = name in (MANIFEST, JOURNAL, LOCK) or is_unfinished(name)
    return known or is_shard_name(name) or is_columns_name(name)


def is_unfinished(name: str) -> bool:
    """Whether a file of this name is one of ours that was not whole yet."""
    whole = name.removeprefix(TEMPORARY)
    if whole == name:
        return False
    return whole in (MANIFEST, JOURNAL) or is_shard_name(whole) or is_columns_name(whole)


def check_column_name(name: str) -> None:
    """Refuse a column that would be taken for one of our own tensors, or that no JSON can name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            f"column {name!r} cannot be saved: its name is no valid Unicode; rename it"
        ) from None
    if _RESERVED.match(name):
        raise SchemaError(
            f"column {name!r} cannot be saved: names that begin with {OFFSETS}, {SHAPES} or "
            f"{GRIDS}, {PAD} with a number, and __metadata__ belong to the file format; rename it"
        )
