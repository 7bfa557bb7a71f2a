"""What an arena says of itself: the catalogue that every reader gets."""

from dataclasses import asdict
from typing import NamedTuple

from fastcache._core import image as core
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.images.forms import keep_of
from fastcache.fill.own_columns import PATH
from fastcache.fill.prepare import Preparation
from fastcache.fill.text import row_text
from fastcache.schema import structure_to_json
from fastcache.transforms import store_to_json


class Outcome(NamedTuple):
    """How a fill ended.

    Attributes
    ----------
    shown : int
        Samples that the dataset shows.
    failed : list of (str, str)
        Path (or ``"sample k"``) and reason of those that could not be had.
    home : str
    probe_seconds, fill_seconds : float
    ranks : int
        Processes of this node that had a part in the work.
    """

    shown: int
    failed: list[tuple[str, str]]
    home: str
    probe_seconds: float
    fill_seconds: float
    ranks: int = 1


def make_catalog(prepared: Preparation, plan: Plan, outcome: Outcome) -> dict[str, object]:
    """Return the catalogue of a filled arena, as :meth:`Arena.commit` takes it."""
    options, columns, files = prepared.options, prepared.columns, prepared.files
    fields = {n: f for c in columns for n, (f, _) in c.layout().items()}
    colors = {name: column.color for name, column in files.items()}
    report = {
        "samples": outcome.shown,
        "shard": prepared.shard,
        "failed": [list(pair) for pair in outcome.failed],
        "on_error": options.on_error,
        "home": outcome.home,
        "pinned": False,
        "keep": keep_of(columns),
        "budget": plan.limit,
        "arena_bytes": plan.arena_bytes,
        "scratch_bytes": plan.scratch_bytes,
        "threads": plan.threads,
        "ranks": outcome.ranks,
        "cpu": core.cpu_name(),
        "probe_seconds": outcome.probe_seconds,
        "fill_seconds": outcome.fill_seconds,
        "columns": {
            name: {"row": row_text(field, len(prepared.rows)), **column.facts()}
            for column in columns
            for name, (field, _) in column.layout().items()
        },
    }
    return {
        "structure": structure_to_json(prepared.source_layout.structure),
        "columns": {name: field.to_json() for name, field in fields.items()},
        "attributes": dict(prepared.source_layout.attributes),
        "count": len(prepared.rows),
        "visible": outcome.shown,
        "paths": {name: PATH + name for name in files},
        "kept": {
            name: column.decoding().to_json()
            for name, column in files.items()
            if column.forms is not None
        },
        "loader": {
            "store": store_to_json(options.store),
            "color": options.color,
            "colors": dict.fromkeys(fields, options.color) | colors,
            "exif": options.exif,
            "extra_formats": list(options.extra_formats),
            "limits": asdict(options.limits),
        },
        "plan": plan.to_json(),
        "report": report,
    }
