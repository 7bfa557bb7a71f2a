"""The plan: the bytes of an arena against the budget that binds, before it is allocated."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastcache.fill.text import format_seconds, printable, rich_table, table
from fastcache.memory.units import format_bytes

FORMS = ("decoded", "encoded", "absent")
_SHOWN = 5  # unreadable files that are told by name


@dataclass(frozen=True)
class ColumnPlan:
    """One column of a plan.

    Attributes
    ----------
    name : str
    row : str
        What a row is, in words.
    bytes : int
        In the arena, all rows decoded.
    smallest, largest : int or None
        Bytes of the smallest and of the largest row; None where rows have no bytes of their own
        (windows of one array, and what is made on each read).
    files : int or None
        Bytes of the files that the column is decoded from; None if there are none.
    """

    name: str
    row: str
    bytes: int
    smallest: int | None = None
    largest: int | None = None
    files: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a fill will take; nothing is allocated to know it.

    Attributes
    ----------
    samples : int
    basis : str
        What the sizes were read from: file headers, arrays, one item of a Dataset, or all.
    columns : tuple of ColumnPlan
        Exact: they come from the files' headers, not from a sample of decodes.
    smallest, largest : int
        Bytes of the smallest and of the largest sample, decoded, all columns together.
    arena_bytes : int
        What will be allocated: all columns with their offsets, paths and alignment.
    decoded_bytes : int
        The same with every sample decoded.
    encoded_bytes : int or None
        The same with the files' bytes in the place of their pixels; None without files.
    scratch_bytes : int
        Upper bound of what all threads together hold beside the arena while they fill it.
    threads : int
    have_bytes : int
        What the budget leaves.
    limit : str
        The limit that binds.
    available_bytes : int
        What the system leaves, whatever the budget.
    home : str
        Where the arena lies: on a "disk" what the budget leaves is the room that it has, and
        scratch is not part of it, but of `memory_bytes`.
    kept : dict of str to int
        Samples that are kept "decoded", "encoded", and "absent" (read from their files on use).
    fill_seconds : float or None
        Estimate of the time to fill the arena, from decoding a few of the files; None if nothing
        was measured (nothing is while an arena is filled: its report has the true time). What a
        disk takes to write is not in it.
    unreadable : tuple of (str, str)
        Files whose header cannot be used, and why.
    unread : tuple of str
        Limits of the system that could not be read, and so do not bind.
    remedies : tuple of str
        What to change, if it does not fit.
    memory_bytes : int
        On a "disk": most bytes of memory that are taken meanwhile, for two shards on their way,
        small columns and scratch. 0 for an arena in memory.
    memory_have_bytes : int
        What the budget leaves for these.
    memory_limit : str
        The limit that binds them.
    device_bytes : int
        Bytes of the columns that lie in a device's memory; 0 where none do.
    device_have_bytes, device_limit : int, str
        What was there for these, and its name.
    """

    samples: int
    basis: str
    columns: tuple[ColumnPlan, ...]
    smallest: int
    largest: int
    arena_bytes: int
    decoded_bytes: int
    encoded_bytes: int | None
    scratch_bytes: int
    threads: int
    have_bytes: int
    limit: str
    available_bytes: int
    kept: Mapping[str, int]
    home: str = "ram"
    fill_seconds: float | None = None
    unreadable: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    memory_bytes: int = 0
    memory_have_bytes: int = 0
    memory_limit: str = ""
    device_bytes: int = 0
    device_have_bytes: int = 0
    device_limit: str = ""

    @property
    def need_bytes(self) -> int:
        """Bytes that the budget is for: arena and scratch together; on a disk the arena alone."""
        return self.arena_bytes + self._scratch

    @property
    def _scratch(self) -> int:
        return 0 if self.home == "disk" else self.scratch_bytes

    @property
    def mean(self) -> float:
        """Bytes of the arena per sample."""
        return self.arena_bytes / max(1, self.samples)

    @property
    def fits(self) -> bool:
        """Whether the need stays within what the budget leaves; on a disk, that of memory too."""
        return self.need_bytes <= self.have_bytes and self.memory_fits

    @property
    def memory_fits(self) -> bool:
        """Whether memory has room for what filling files takes of it."""
        return self.memory_bytes <= self.memory_have_bytes

    @property
    def decoded_fits(self) -> bool:
        """Whether everything fits decoded."""
        return self.decoded_bytes + self._scratch <= self.have_bytes

    @property
    def encoded_fits(self) -> bool | None:
        """Whether everything fits with files as they are; None if there are no files."""
        if self.encoded_bytes is None:
            return None
        return self.encoded_bytes + self._scratch <= self.have_bytes

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return {**asdict(self), "kept": dict(self.kept)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote."""
        made = {
            "columns": tuple(ColumnPlan(**column) for column in data["columns"]),
            "unreadable": tuple((path, reason) for path, reason in data["unreadable"]),
            "unread": tuple(data["unread"]),
            "remedies": tuple(data["remedies"]),
        }
        return cls(**{**data, **made})

    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, value) lines of text."""
        rows = [(f"column {c.name}", f"{format_bytes(c.bytes)}  ({c.row})") for c in self.columns]
        decoded = f"{format_bytes(self.decoded_bytes)}  ({self.decoded_bytes:,} bytes)"
        rows += [
            ("per sample", spread(self)),
            ("decoded", f"{decoded}, {verdict(self.decoded_fits)}"),
        ]
        if self.encoded_bytes is not None:
            told = f"{format_bytes(self.encoded_bytes)}, {verdict(self.encoded_fits)}"
            rows.append(("encoded", told))
        rows += [
            ("kept", kept_words(self)),
            ("arena", f"{format_bytes(self.arena_bytes)}  ({self.arena_bytes:,} bytes)"),
            ("scratch", f"{format_bytes(self.scratch_bytes)}  ({self.threads} threads)"),
            ("budget", f"{format_bytes(self.have_bytes)}  ({self.limit})"),
        ]
        if self.home == "disk":
            told = f"{format_bytes(self.memory_bytes)} of {format_bytes(self.memory_have_bytes)}"
            rows.append(("memory", f"{told}  ({self.memory_limit})"))
        if self.device_limit:
            told = f"{format_bytes(self.device_bytes)} of {format_bytes(self.device_have_bytes)}"
            rows.append(("device", f"{told}  ({self.device_limit})"))
        if self.unread:
            rows.append(("not read", ", ".join(self.unread)))
        if self.fill_seconds is not None:
            rows.append(("fill", f"about {format_seconds(self.fill_seconds)}"))
        rows.append(("verdict", verdict(self.fits)))
        return rows

    def notes(self) -> list[str]:
        """Return what stands below the table: what to change, and files that cannot be read."""
        notes = ["to change", *(f"  {remedy}" for remedy in self.remedies)] if self.remedies else []
        return notes + told_unreadable(self.unreadable)

    def __str__(self) -> str:
        title = f"plan for {self.samples:,} samples, sizes from {self.basis}"
        return printable("\n".join([table(title, self.rows()), *self.notes()]))

    def __rich__(self) -> Any:
        return rich_table(f"plan for {self.samples:,} samples", ("", ""), self.rows(), self.notes())


def verdict(fits: bool | None) -> str:
    """Return in words whether something fits."""
    return "fits" if fits else "does not fit"


def kept_words(plan: Plan) -> str:
    """Return in words how many samples are kept in which form."""
    kept = [f"{plan.kept[form]:,} {form}" for form in FORMS if plan.kept.get(form)]
    return ", ".join(kept) or "nothing"


def spread(plan: Plan) -> str:
    """Return the bytes of a sample in words: all the same, or from the least to the most."""
    if any(column.smallest is None and column.bytes for column in plan.columns):
        return f"{format_bytes(round(plan.mean))} on average, windows share their series"
    if plan.smallest == plan.largest:
        return format_bytes(plan.smallest)
    few, most = format_bytes(plan.smallest), format_bytes(plan.largest)
    return f"{format_bytes(round(plan.mean))}  ({few} to {most})"


def told_unreadable(unreadable: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines that name files that cannot be read; none if there are none."""
    if not unreadable:
        return []
    lines = [f"unreadable: {len(unreadable):,}"]
    lines += [f"  {path}: {why}" for path, why in unreadable[:_SHOWN]]
    if len(unreadable) > _SHOWN:
        lines.append(f"  … and {len(unreadable) - _SHOWN:,} more in plan.unreadable")
    return lines
