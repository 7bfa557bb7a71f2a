"""fastcache: decode once into one shared arena, then train from it.

>>> import fastcache as fc
>>> from fastcache import transforms as T
>>> ds = fc.ArenaDataset("photos/train", store=[T.Resize(256), T.CenterCrop(224)])

torch is imported when a name that needs it is first used, so the rest works without it.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastcache import errors, schema, sources, transforms

if TYPE_CHECKING:
    from fastcache.fill.editing.editor import ArenaEditor
    from fastcache.fill.estimate.plan import Plan
    from fastcache.fill.estimate.planning import plan_for
    from fastcache.fill.estimate.plans import Plans
    from fastcache.fill.images.codec_table import Codec, CodecTable, codecs
    from fastcache.fill.limits import Limits
    from fastcache.gaf import (
        FieldStack,
        GramianAngularField,
        MarkovTransitionField,
        RecurrencePlot,
        gramian_angular_field,
    )
    from fastcache.memory.budget import Budget
    from fastcache.memory.files import verify
    from fastcache.memory.pressure import MemoryPressure, on_memory_pressure
    from fastcache.read.collate import collate
    from fastcache.read.dataset import ArenaDataset
    from fastcache.read.device.series_images import SeriesImages
    from fastcache.read.loading.loader import ArenaLoader
    from fastcache.read.opening import open  # noqa: A004 - users write fastcache.open
    from fastcache.read.sampling.sampler import ArenaSampler
    from fastcache.tools import plots

__version__ = version("fastcache")

_LAZY = {
    "ArenaDataset": "fastcache.read.dataset",
    "ArenaEditor": "fastcache.fill.editing.editor",
    "ArenaLoader": "fastcache.read.loading.loader",
    "ArenaSampler": "fastcache.read.sampling.sampler",
    "Budget": "fastcache.memory.budget",
    "Codec": "fastcache.fill.images.codec_table",
    "CodecTable": "fastcache.fill.images.codec_table",
    "FieldStack": "fastcache.gaf",
    "GramianAngularField": "fastcache.gaf",
    "Limits": "fastcache.fill.limits",
    "MarkovTransitionField": "fastcache.gaf",
    "MemoryPressure": "fastcache.memory.pressure",
    "Plan": "fastcache.fill.estimate.plan",
    "Plans": "fastcache.fill.estimate.plans",
    "RecurrencePlot": "fastcache.gaf",
    "SeriesImages": "fastcache.read.device.series_images",
    "codecs": "fastcache.fill.images.codec_table",
    "collate": "fastcache.read.collate",
    "gramian_angular_field": "fastcache.gaf",
    "plan_for": "fastcache.fill.estimate.planning",
    "on_memory_pressure": "fastcache.memory.pressure",
    "open": "fastcache.read.opening",
    "plots": "fastcache.tools",
    "verify": "fastcache.memory.files",
}

__all__ = [
    "ArenaDataset",
    "ArenaEditor",
    "ArenaLoader",
    "ArenaSampler",
    "Budget",
    "Codec",
    "CodecTable",
    "FieldStack",
    "GramianAngularField",
    "Limits",
    "MarkovTransitionField",
    "MemoryPressure",
    "Plan",
    "Plans",
    "RecurrencePlot",
    "SeriesImages",
    "__version__",
    "codecs",
    "collate",
    "errors",
    "gramian_angular_field",
    "on_memory_pressure",
    "open",
    "plan_for",
    "plots",
    "schema",
    "sources",
    "transforms",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'fastcache' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
