"""How plans and reports stand on the page."""

from collections.abc import Sequence
from typing import Any

from fastcache.schema import Derived, Field, Once, WindowLabels, WindowStatistics


def table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a title and two aligned columns of text."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows)])


def printable(text: str) -> str:
    r"""Return text that any UTF-8 stream takes: what is no text in a path becomes ``\udcNN``."""
    return text.encode("utf-8", "backslashreplace").decode()


def rich_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> Any:
    """Return rows of text as a table of the package rich, notes below it.

    Called by rich alone (``__rich__``), so the package is there.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=printable(title),
        caption=Text(printable("\n".join(notes))) if notes else None,
        box=box.SIMPLE,
        show_header=any(header),
        caption_justify="left",
    )
    for name in header:
        made.add_column(Text(printable(name)), overflow="fold")
    for row in rows:  # Text: brackets in names are no markup
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def format_seconds(seconds: float) -> str:
    """Return a time as people say it: ``"0.3 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


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
