"""Filling an arena of files: shard by shard, so that it may be larger than memory.

The rows of one shard are decoded into memory while those of the shard before are written.  Scalars,
texts and tables are small, and stay in memory until the end.  What is whole is kept when the
process is killed: the next run goes on behind it.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastcache.fill.disk.pack_plan import plan_on_disk
from fastcache.fill.disk.packing import Packing
from fastcache.fill.estimate.remedies import packing_remedies
from fastcache.fill.failed import Failures
from fastcache.fill.options import Accept, FillOptions
from fastcache.fill.prepare import Preparation
from fastcache.memory.budget import read_budget, take
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.writer import ArenaWriter
from fastcache.sources.base import Source


def pack_arena(
    source: Source,
    options: FillOptions,
    folder: Path,
    origin: Mapping[str, Any],
    lock: FolderLock | None = None,
    shard_bytes: int | None = None,
    accept: Accept | None = None,
) -> None:
    """Write an arena with everything that `source` holds, replacing one that is there.

    Parameters
    ----------
    source : Source
    options : FillOptions
    folder : Path
        ``NAME.arena``.
    origin : mapping
        JSON that tells this content from another: what an interrupted run has left is taken up if
        it said the same.
    lock : FolderLock, optional
        The folder's, if it is taken already.
    shard_bytes : int, optional
        Most bytes of data in a file.
    accept : callable, optional
        May refuse the columns that it will have, before anything is decoded.

    Raises
    ------
    DecodeError
        Samples cannot be had: any with ``on_error="raise"``, all of them otherwise.
    BudgetError
        The disk has no room for the arena, or memory none for one shard of it.
    ArenaExistsError, ArenaLockedError, ArenaFileError
        As :class:`fastcache.memory.files.ArenaWriter`.
    """
    begun = time.perf_counter()
    prepared = Preparation(source, replace(options, keep="decoded"))
    failures = Failures(prepared)
    failures.drop_unreadable()
    budget = read_budget(options.budget)
    planned = plan_on_disk(prepared, folder, budget, shard_bytes)
    if accept is not None:
        accept(planned.fields, planned.shapes, planned.plan.samples)
    remedies = packing_remedies(prepared, planned, budget)
    what = f"packing {planned.plan.samples:,} samples"
    with (
        take(options.budget, planned.memory_bytes, what, budget, remedies),
        ArenaWriter(folder, planned.files, origin, overwrite=True, lock=lock) as writer,
    ):
        Packing(prepared, failures, planned, writer, begun).run()
