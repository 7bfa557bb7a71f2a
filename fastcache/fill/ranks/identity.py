"""Whether two processes ask for the same arena: a digest of what they want it filled with.

What decides the arena's content makes its name: who asks for something else meets somebody else.
What only decides where it lies and how much it may take is compared when they have met.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from fastcache.fill.disk.digests import array_pieces, digest_of, held_pieces
from fastcache.fill.options import FillOptions
from fastcache.fill.steps import pillow_step
from fastcache.memory.budget import Budget
from fastcache.schema import structure_to_json
from fastcache.sources.base import ImageFiles, Items, Layout, Source
from fastcache.sources.steady import marks

PROTOCOL = 1
PROTOCOL_NAME = "the protocol"  # what every version compares first

_EACH_ITS_OWN = {"threads", "progress"}  # a rank's own affair
_COMPARED = {"budget", "home", "keep"}


@dataclass(frozen=True)
class Identity:
    """What a process wants.

    Attributes
    ----------
    content : str
        Digest of source and options.
    compared : dict of str to str
        What ranks that share an arena must agree on besides, by the name of the argument.
    """

    content: str
    compared: Mapping[str, str]

    def difference(self, other: Mapping[str, Any]) -> str:
        """Return which argument of another rank's differs, in words; "" if none does."""
        for name, mine in self.compared.items():
            if other.get(name) != mine:
                return f"{name} is {mine} here and {other.get(name)} there"
        return ""


def identify(source: Source, layout: Layout, options: FillOptions) -> Identity:
    """Return what tells this request from others.

    Arrays are digested whole, files by their absolute paths. A Dataset that is wrapped counts as
    the same if its type, length and columns are, the arrays and tensors that it has as attributes,
    and 16 samples spread over it.
    """
    asked = {field.name: getattr(options, field.name) for field in fields(options)}
    wanted = {k: _said(v) for k, v in asked.items() if k not in _EACH_ITS_OWN | _COMPARED}
    if not _draws(options):
        del wanted["seed"]
    wanted["Pillow's switches"] = repr((pillow_step.mends(), pillow_step.refuses_texts()))
    digest = hashlib.sha256()
    digest.update(json.dumps(wanted, sort_keys=True).encode())
    for text in _source_texts(source, layout):
        digest.update(f"{len(text)}:".encode() + text)
    compared = {PROTOCOL_NAME: str(PROTOCOL), "fastcache's version": version("fastcache")}
    compared |= {name: _said(asked[name]) for name in sorted(_COMPARED)}
    return Identity(digest.hexdigest(), compared)


def _draws(options: FillOptions) -> bool:
    """Whether the seed decides anything."""
    whole = options.limit is None or isinstance(options.limit, int | np.integer)
    return options.shard is not None or not whole


def _said(value: object) -> str:
    """Return an argument as text that is the same in every process, as that of a set is not."""
    if isinstance(value, Budget):
        return "a Budget"  # which says what it holds in this process
    return repr(sorted(value)) if isinstance(value, Set) else repr(value)


def _source_texts(source: Source, layout: Layout) -> Iterator[bytes]:
    kind = type(source)
    yield f"{kind.__module__}.{kind.__qualname__} {len(source)}".encode()
    made = {
        "structure": structure_to_json(layout.structure),
        "attributes": dict(layout.attributes),
        "columns": list(layout.feeds),
    }
    yield json.dumps(made, sort_keys=True).encode()
    for feed in layout.feeds.values():
        if isinstance(feed, ImageFiles):
            here = os.getcwd()
            yield str(feed.mask).encode()
            yield b"\0".join(os.fsencode(os.path.join(here, path)) for path in feed.paths)
        else:
            yield from _texts(feed)
    if any(isinstance(feed, Items) for feed in layout.feeds.values()):
        yield digest_of(held_pieces(source)).encode()
        yield json.dumps(marks(source.read, len(source))).encode()


def _texts(value: Any) -> Iterator[bytes]:
    """Take a feed apart: every array and plain value that it is made of."""
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield from _texts(value.tolist())
    elif isinstance(value, np.ndarray):
        yield digest_of(array_pieces(value)).encode()
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__.encode()
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name).encode()
            yield from _texts(each)
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
    elif isinstance(value, Sequence):
        yield f"{len(value)}".encode()
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Callable):  # type: ignore[arg-type]
        yield f"{value.__module__}.{value.__qualname__}".encode()
    else:
        yield repr(value).encode()
