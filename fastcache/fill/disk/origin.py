"""Where an arena comes from: what tells whether one that is there still holds the same samples."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.disk.digests import array_pieces, digest_of, held_pieces
from fastcache.fill.options import FillOptions
from fastcache.fill.steps import pillow_step
from fastcache.schema import structure_to_json
from fastcache.sources.base import (
    BoxRows,
    Feed,
    ImageFiles,
    Items,
    Layout,
    Source,
    Values,
    Windowed,
)
from fastcache.sources.steady import marks
from fastcache.transforms import store_to_json

# Counted up when the same files and options give other samples than in the version before.
_SAMPLES = 1


def origin_of(source: Source, layout: Layout, options: FillOptions) -> dict[str, Any]:
    """Return as JSON what decides about the samples of an arena.

    Parameters
    ----------
    source : Source
    layout : Layout
        What ``source.layout()`` gave.
    options : FillOptions

    Notes
    -----
    Of files these are paths, sizes and times of change; of arrays and texts, all bytes. Of a
    Dataset that is wrapped it is what cannot be missed: its type, its length, the arrays and
    tensors that it has as attributes, and 16 samples spread over all; what changes elsewhere is not
    noticed.
    """
    origin = {
        "samples": _SAMPLES,
        "options": _options(options),
        "count": len(source),
        "structure": structure_to_json(layout.structure),
        "attributes": {name: _told(value) for name, value in layout.attributes.items()},
        "columns": {name: _of_feed(feed) for name, feed in layout.feeds.items()},
        "dataset": _of_items(source, layout),
    }
    made: dict[str, Any] = json.loads(json.dumps(origin))  # as a manifest gives it back
    return made


def _options(options: FillOptions) -> dict[str, Any]:
    return {
        "store": store_to_json(options.store),
        "color": options.color,
        "exif": options.exif,
        "on_error": options.on_error,
        "limit": options.limit,
        "seed": options.seed,
        "shard": options.shard,
        "extra_formats": list(options.extra_formats),
        "limits": asdict(options.limits),
        "Pillow's switches": [pillow_step.mends(), pillow_step.refuses_texts()],
    }


def _told(value: object) -> object:
    """Return an attribute as JSON: itself, or the digest of a long one."""
    text = json.dumps(value)
    return {"digest": digest_of([text.encode()])} if len(text) > 1000 else value


def _of_feed(feed: Feed) -> dict[str, Any]:
    if isinstance(feed, ImageFiles):
        return {"kind": "files", "mask": feed.mask, "digest": digest_of(_files(feed.paths))}
    if isinstance(feed, Values):
        field = feed.field.to_json()
        return {"kind": "values", "field": field, "digest": digest_of(_values(feed.rows))}
    if isinstance(feed, Windowed):
        grids = feed.windows.grids(feed.place)
        parts = (piece for array in (*feed.parts, grids) for piece in array_pieces(array))
        return {"kind": "windows", "field": feed.field.to_json(), "digest": digest_of(parts)}
    if isinstance(feed, BoxRows):
        # Where they are kept follows from these, from `store=` and from the images' files.
        arrays: list[npt.NDArray[Any]] = [feed.boxes, feed.numbers, feed.counts]
        arrays += [] if feed.sizes is None else [feed.sizes]
        pieces = (piece for array in arrays for piece in array_pieces(array))
        told = {"relative": feed.relative, "min_visibility": feed.min_visibility}
        failed = [[row, *why] for row, why in feed.failed.items()]
        return {"kind": "boxes", **told, "failed": failed, "digest": digest_of(pieces)}
    return {"kind": type(feed).__name__, "field": feed.field.to_json()}


def _files(paths: Sequence[str]) -> Iterator[bytes]:
    for path in paths:
        try:
            about = os.stat(path)
            told = f"{about.st_size} {about.st_mtime_ns}"
        except OSError as error:
            told = type(error).__name__
        yield f"{path}\0{told}\0".encode("utf-8", "surrogateescape")


def _values(rows: npt.NDArray[Any] | Sequence[str]) -> Iterator[bytes | memoryview]:
    if isinstance(rows, np.ndarray):
        yield from array_pieces(rows)
        return
    for text in rows:
        yield f"{len(text)} {text}".encode("utf-8", "surrogateescape")


def _of_items(source: Source, layout: Layout) -> dict[str, Any] | None:
    if not any(isinstance(feed, Items) for feed in layout.feeds.values()):
        return None
    kind = type(getattr(source, "dataset", source))
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "arrays": {"digest": digest_of(held_pieces(source))},
        "probes": marks(source.read, len(source)),
    }


def difference(old: Mapping[str, Any], new: Mapping[str, Any], under: str = "") -> str:
    """Return what differs between two origins, in words; "" if nothing does."""
    for key in [*new, *(key for key in old if key not in new)]:
        name = f"{under}.{key}" if under else key
        a, b = old.get(key), new.get(key)
        if a == b:
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            return difference(a, b, name)
        if key == "digest":
            return f"the content of {under.partition('.')[2] or under} has changed"
        return f"{name.removeprefix('options.')} was {_short(a)} and is {_short(b)}"
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
