"""What becomes of samples that cannot be had."""

from collections.abc import Sequence

from fastcache.errors import DecodeError
from fastcache.memory.arena import Arena, DenseColumn

_SHOWN = 5  # failures spelled out in the message; all are in the error's `failed`


def zero_rows(arena: Arena, name: str, rows: Sequence[int]) -> None:
    """Overwrite rows, in which a decode may have left a part of an image, with zeros."""
    column = arena.column(name)
    for row in rows:
        if isinstance(column, DenseColumn):
            column.rows[row] = 0
        else:
            column[row][...] = 0


def decode_error(failed: Sequence[tuple[str, str]], count: int) -> DecodeError:
    """Return the error for (path, reason) pairs of `count` samples."""
    told = "\n".join(f"  {path}: {reason}" for path, reason in failed[:_SHOWN])
    more = f"\n  … and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return DecodeError(
        f"{len(failed)} of {count} samples cannot be read:\n{told}{more}\n"
        'Mend or remove them, or pass on_error="skip" (leave them out) or "fill" (zeros).',
        failed,
    )
