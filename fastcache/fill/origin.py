"""Where an arena comes from: what tells whether one that is there still holds the same samples."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from fastcache.fill.options import FillOptions
from fastcache.schema import structure_to_json
from fastcache.sources.base import Feed, ImageFiles, Items, Layout, Source, Values, Windowed
from fastcache.sources.leaves import fingerprint
from fastcache.transforms import store_to_json

# Counted up when the same files and options give other samples than in the version before.
_SAMPLES = 1
_PROBES = 16  # samples of a wrapped Dataset that are looked at


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
    Dataset that is wrapped it is what cannot be missed: its type, its length, and 16 samples
    spread over all; what changes elsewhere is not noticed.
    """
    origin = {
        "samples": _SAMPLES,
        "options": _options(options),
        "count": len(source),
        "structure": structure_to_json(layout.structure),
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
    }


def _of_feed(feed: Feed) -> dict[str, Any]:
    if isinstance(feed, ImageFiles):
        return {"kind": "files", "mask": feed.mask, "digest": _hexdigest(_files(feed.paths))}
    if isinstance(feed, Values):
        field = feed.field.to_json()
        return {"kind": "values", "field": field, "digest": _hexdigest(_values(feed.rows))}
    if isinstance(feed, Windowed):
        grids = feed.windows.grids(feed.place)
        parts = (piece for array in (*feed.parts, grids) for piece in _array(array))
        return {"kind": "windows", "field": feed.field.to_json(), "digest": _hexdigest(parts)}
    return {"kind": type(feed).__name__, "field": feed.field.to_json()}


def _hexdigest(pieces: Iterator[bytes | memoryview]) -> str:
    made = xxhash.xxh3_128()
    for piece in pieces:
        made.update(piece)
    return str(made.hexdigest())


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
        yield from _array(rows)
        return
    for text in rows:
        yield f"{len(text)} {text}".encode("utf-8", "surrogateescape")


def _array(array: npt.NDArray[Any]) -> Iterator[bytes | memoryview]:
    yield f"{array.dtype.str} {array.shape}".encode()
    if array.ndim == 0 or not array.size:
        return
    step = max(1, (8 << 20) // max(1, array[:1].nbytes))
    for at in range(0, len(array), step):
        piece = np.ascontiguousarray(array[at : at + step])
        yield piece.reshape(-1).view(np.uint8).data


def _of_items(source: Source, layout: Layout) -> dict[str, Any] | None:
    if not any(isinstance(feed, Items) for feed in layout.feeds.values()):
        return None
    count = len(source)
    kind = type(getattr(source, "dataset", source))
    rows = np.unique(np.linspace(0, count - 1, min(_PROBES, count)).astype(np.int64))
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "probes": [_probe(source, row) for row in rows.tolist()],
    }


def _probe(source: Source, row: int) -> list[Any]:
    try:
        return [[name, fingerprint(value)] for name, value in source.read(row).items()]
    except Exception as error:  # noqa: BLE001 - any Dataset's; the fill deals with it
        return [type(error).__name__]


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
            return f"the content of {under.partition('.')[2]} has changed"
        return f"{name.removeprefix('options.')} was {_short(a)} and is {_short(b)}"
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
