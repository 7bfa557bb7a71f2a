"""What an opened arena says of itself, before a dataset believes it."""

from pathlib import Path
from typing import Any

from fastcache.errors import ArenaFormatError
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.report import Report
from fastcache.memory.arena import Arena
from fastcache.memory.units import format_bytes
from fastcache.read.checking_kept import kept_problem
from fastcache.read.reader import ArenaReader
from fastcache.schema import Text
from fastcache.schema.structure import rebuild

# What code meets that reads JSON of another form.
_MISFITS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RecursionError, TypeError, ValueError),
)


def check_catalog(arena: Arena, path: str | Path) -> None:
    """Refuse an arena that no dataset has filled, or whose catalogue was changed.

    Files and tables were checked when they were opened; here it is the part of the manifest that
    only datasets read.

    Parameters
    ----------
    arena : Arena
        Open.
    path : path
        Where it was opened, for the message.

    Raises
    ------
    ArenaFormatError
        If its catalogue is not one that a dataset can have written.
    """
    try:
        problem = _problem(arena, arena.catalog)
    except _MISFITS as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise ArenaFormatError(
            f"{path} holds an arena that no dataset can have filled ({problem}): save it from a "
            "dataset again"
        )


def _problem(arena: Arena, catalog: dict[str, Any]) -> str:
    """Return what cannot be, or nothing; other misfits are errors."""
    reader = ArenaReader(arena)
    leaves: list[str] = []
    rebuild(reader.structure, leaves.append)
    unknown = {*leaves} - {*reader.fields}
    if unknown:
        return f"samples have {sorted(unknown)}, which are no columns"
    for name, field in reader.fields.items():
        stored = arena.layout.columns.get(name)
        if stored is not None and stored.field != field:
            return f"column {name!r} is {stored.field} in its files, and {field} in samples"
    shown, count = catalog["visible"], arena.layout.count
    if type(shown) is not int or not 0 <= shown <= count or len(reader.rows) != shown:
        return f"it shows {shown!r} of {count} samples"
    if len(reader.readers) != len(reader.fields):
        return "it has other columns than samples"
    if not isinstance(catalog["attributes"], dict):
        return f"its attributes are {catalog['attributes']!r}"
    if not isinstance(catalog["attributes"].get("root", ""), str):
        return f"its root is {catalog['attributes']['root']!r}"
    if any(arena.layout.columns[path].field != Text() for path in catalog["paths"].values()):
        return "its paths are no texts"
    for facts in (catalog["report"], catalog["plan"]):
        format_bytes(facts["arena_bytes"])
    str(Report({**catalog["report"], "home": arena.home}))
    str(Plan.from_json(catalog["plan"]))
    if not all(isinstance(each["row"], str) for each in catalog["report"]["columns"].values()):
        return "its report has columns that it does not describe"
    return kept_problem(arena, catalog, reader.fields) or ""
