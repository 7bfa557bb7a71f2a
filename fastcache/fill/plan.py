"""The plan: the bytes of an arena against the budget that binds, before it is allocated."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastcache.memory.units import format_bytes
from fastcache.schema import Derived, Field, Once, WindowLabels, WindowStatistics


@dataclass(frozen=True)
class ColumnPlan:
    """One column of a plan: its name, what a row is, and its bytes in the arena."""

    name: str
    row: str
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What a fill will take; nothing is allocated to know it.

    Attributes
    ----------
    samples : int
    columns : tuple of ColumnPlan
        Exact: they come from the files' headers, not from a sample of decodes.
    arena_bytes : int
        All columns with their offsets, paths and alignment.
    scratch_bytes : int
        Upper bound of what all threads together hold beside the arena while they fill it.
    threads : int
    have_bytes : int
        What the budget leaves.
    limit : str
        The limit that binds.
    unreadable : tuple of (str, str)
        Files whose header cannot be used, and why.
    """

    samples: int
    columns: tuple[ColumnPlan, ...]
    arena_bytes: int
    scratch_bytes: int
    threads: int
    have_bytes: int
    limit: str
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def need_bytes(self) -> int:
        """Arena and scratch together."""
        return self.arena_bytes + self.scratch_bytes

    @property
    def fits(self) -> bool:
        """Whether the need stays within what the budget leaves."""
        return self.need_bytes <= self.have_bytes

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote."""
        columns = tuple(ColumnPlan(**column) for column in data["columns"])
        unreadable = tuple((path, reason) for path, reason in data["unreadable"])
        return cls(**{**data, "columns": columns, "unreadable": unreadable})

    def __str__(self) -> str:
        rows = [(f"column {c.name}", f"{format_bytes(c.bytes)}  ({c.row})") for c in self.columns]
        rows += [
            ("arena", f"{format_bytes(self.arena_bytes)}  ({self.arena_bytes:,} bytes)"),
            ("scratch", f"{format_bytes(self.scratch_bytes)}  ({self.threads} threads)"),
            ("budget", f"{format_bytes(self.have_bytes)}  ({self.limit})"),
            ("verdict", "fits" if self.fits else "does not fit"),
        ]
        if self.unreadable:
            rows.append(("unreadable", f"{len(self.unreadable)} files"))
        return table(f"plan for {self.samples:,} samples", rows)


def table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a title and two aligned columns of text."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows)])


def printable(text: str) -> str:
    r"""Return text that any UTF-8 stream takes: what is no text in a path becomes ``\udcNN``."""
    return text.encode("utf-8", "backslashreplace").decode()


def row_text(field: Field, count: int) -> str:
    """Return what the `count` rows of a column are, in words."""
    if isinstance(field, Once):
        whole = f"{field.dtype} {_by(field.shape)}"
        if isinstance(field, WindowLabels):
            return (
                f"labels {whole}, {_WINDOW_LABELS[field.how] if field.length > 1 else 'by series'}"
            )
        return f"series {whole}, {count:,} windows of {field.length}"
    if isinstance(field, Derived):
        what = ", ".join(field.names) if isinstance(field, WindowStatistics) else "the window"
        return f"array {field.dtype} {_by(field.shape)}, made on read: {what}"
    shape = field.row_shape
    if shape is None:
        return f"{field.kind} {field.dtype}, each its own size"
    return f"{field.kind} {field.dtype} {_by(shape)}".rstrip()


_WINDOW_LABELS = {
    "last": "the last of each window",
    "majority": "the most frequent of each window",
    "any": "whether any of a window is not zero",
}


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
