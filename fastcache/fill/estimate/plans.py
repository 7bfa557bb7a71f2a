"""Several plans of one source, side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastcache.fill.estimate.plan import Plan, kept_words, spread, told_unreadable, verdict
from fastcache.fill.text import format_seconds, printable, rich_table
from fastcache.memory.units import format_bytes


class Plans(Mapping[str, Plan]):
    """What several choices of ``store=`` would take: name to :class:`Plan`, prints as one table.

    Parameters
    ----------
    plans : mapping of str to Plan
        Of one source; the first is what the others are compared with.
    """

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = dict(plans)

    def __getitem__(self, name: str) -> Plan:
        return self._plans[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plans) and self._plans == other._plans

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """Return the plans as JSON."""
        return {name: plan.to_json() for name, plan in self.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plans":
        """Return the plans that `to_json` wrote."""
        return cls({name: Plan.from_json(plan) for name, plan in data.items()})

    def change(self, name: str, column: str) -> float:
        """Return how much a column's bytes differ from the first plan's: -0.75 for a quarter.

        Parameters
        ----------
        name : str
            Of the plan.
        column : str
        """
        first, this = (_bytes_of(plan, column) for plan in (self._first, self[name]))
        return this / first - 1 if first else 0.0

    @property
    def _first(self) -> Plan:
        return next(iter(self.values()))

    def _rows(self) -> list[tuple[str, ...]]:
        """Return what a line is about, and a cell of each plan."""
        plans = [*self.values()]
        rows = [
            (f"column {column.name}", *(self._cell(name, column.name) for name in self))
            for column in self._first.columns
        ]
        rows.append(("per sample", *map(spread, plans)))
        rows.append(("decoded", *(_held(plan.decoded_bytes, plan.decoded_fits) for plan in plans)))
        if any(plan.encoded_bytes is not None for plan in plans):
            encoded = (_held(plan.encoded_bytes or 0, plan.encoded_fits) for plan in plans)
            rows.append(("encoded", *encoded))
        rows.append(("kept", *map(kept_words, plans)))
        rows.append(("arena", *(format_bytes(plan.arena_bytes) for plan in plans)))
        rows.append(("scratch", *(format_bytes(plan.scratch_bytes) for plan in plans)))
        if self._first.home == "disk":
            rows.append(("memory", *(format_bytes(plan.memory_bytes) for plan in plans)))
        if any(plan.fill_seconds is not None for plan in plans):
            times = (plan.fill_seconds for plan in plans)
            rows.append(
                ("fill", *("" if s is None else f"about {format_seconds(s)}" for s in times))
            )
        rows.append(("verdict", *(verdict(plan.fits) for plan in plans)))
        return rows

    def _cell(self, name: str, column: str) -> str:
        change = self.change(name, column)
        share = f" ({100 * change:+.4g}%)" if change else ""
        return format_bytes(_bytes_of(self[name], column)) + share

    def _notes(self) -> list[str]:
        first = self._first
        notes = [f"budget: {format_bytes(first.have_bytes)} ({first.limit})"]
        if first.home == "disk":
            told = f"{format_bytes(first.memory_have_bytes)} ({first.memory_limit})"
            notes.append(f"memory while it fills: {told}")
        if first.unread:
            notes.append(f"not read: {', '.join(first.unread)}")
        for name, plan in self.items():
            if plan.remedies:
                notes += [f"to change {name}", *(f"  {remedy}" for remedy in plan.remedies)]
        return notes + told_unreadable(first.unreadable)

    def _title(self) -> str:
        return f"plans for {self._first.samples:,} samples, sizes from {self._first.basis}"

    def __str__(self) -> str:
        lines = [("", *self), *self._rows()]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        table = (
            "  ".join(f"{cell:<{n}}" for cell, n in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return printable(
            "\n".join([self._title(), *(f"  {line}" for line in table), *self._notes()])
        )

    __repr__ = __str__

    def __rich__(self) -> Any:
        return rich_table(self._title(), ("", *self), self._rows(), self._notes())


def _bytes_of(plan: Plan, column: str) -> int:
    return next(one.bytes for one in plan.columns if one.name == column)


def _held(size: int, fits: bool | None) -> str:
    return f"{format_bytes(size)}, {verdict(fits)}"


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f"about {format_seconds(seconds)}"
