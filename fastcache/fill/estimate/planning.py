"""``plan_for``: what a dataset would take, before anything is allocated."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastcache.errors import ArgumentError
from fastcache.fill.disk.pack_plan import plan_on_disk
from fastcache.fill.disk.temporary_folder import temporary_base
from fastcache.fill.estimate.costs import MemorySpeed
from fastcache.fill.estimate.measure import SECONDS, measure_memory
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.estimate.plans import Plans
from fastcache.fill.estimate.remedies import with_disk_remedies, with_remedies
from fastcache.fill.failures import memory_told
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.limits import Limits
from fastcache.fill.options import FillOptions
from fastcache.fill.prepare import Preparation
from fastcache.memory.budget import BudgetLike, Reading, read_budget
from fastcache.memory.reading import disk_reading
from fastcache.sources import as_source
from fastcache.sources.base import Items, Source


def plan_for(
    source: str | os.PathLike[str] | Source | Any,
    *,
    store: Any = None,
    color: Literal["RGB", "L", "RGBA", "I;16"] | None = None,
    exif: Literal["ignore", "apply"] = "ignore",
    keep: Literal["auto", "decoded", "encoded"] = "auto",
    home: Literal["auto", "ram", "disk"] = "auto",
    budget: BudgetLike = None,
    on_error: Literal["raise", "skip", "fill"] = "skip",
    limit: int | float | None = None,
    shard: tuple[int, int] | None = None,
    threads: int | None = None,
    seed: int = 0,
    infer: Literal["first", "scan"] = "first",
    frozen: bool = False,
    parallel: bool = False,
    limits: Limits | None = None,
    extra_formats: Collection[str] = (),
    cache_dir: str | os.PathLike[str] | None = None,
    measure: bool = True,
) -> Plan | Plans:
    """Say what :class:`fastcache.ArenaDataset` would take with these arguments.

    Nothing is allocated. Sizes come from the headers of all files, not from a sample: for columns
    whose rows have one size the bytes are exact, as for all others. For a wrapped Dataset they come
    from its first sample, or from one pass over it (``infer="scan"``); the plan says which.

    Parameters
    ----------
    source : path, Source or map-style Dataset
    store : operation, list of operations, or dict of name to either, optional
        A dict gives several choices side by side; headers are read once for all of them.
    budget : int, str, float or Budget, optional
        Nothing is reserved of a Budget.
    on_error : {"raise", "skip", "fill"}
        Files that cannot be read are listed in any case; with "fill" they take their place.
    measure : bool
        Whether a few of the files are read and decoded, for the estimate of the time: at most 24
        and 0.3 seconds in all.
    color, exif, keep, home, threads, infer, frozen, parallel, limits, extra_formats, cache_dir
        As for :class:`fastcache.ArenaDataset`. With ``home="disk"`` or `cache_dir` the plan is of
        files that are yet to be written: what the folder's file system has left binds them, and
        `budget` the memory that filling takes (with ``home="ram"``, also what is then read into
        it). An arena that is there already is not looked at.
    limit, shard, seed
        As there: which samples.

    Returns
    -------
    Plan, or Plans for a dict
        Both print as tables (also of the package rich, where that is used) and turn into JSON.

    Raises
    ------
    ArgumentError
        A value that cannot be used.
    SourceNotFoundError
        A missing folder, or one without images.
    SchemaError, NotFrozenError, DecodeError
        A wrapped Dataset that cannot be kept.

    Examples
    --------
    >>> import fastcache as fc
    >>> from fastcache import transforms as T
    >>> print(fc.plan_for("photos/train", store=T.LetterBox(640), budget="8GB"))
    >>> choices = {"640": T.LetterBox(640), "320": T.LetterBox(320)}
    >>> print(fc.plan_for("photos/train", store=choices))
    """
    choices = dict(store) if isinstance(store, Mapping) else {"": store}
    if not choices:
        raise ArgumentError("store={}: give at least one choice, such as {'320': T.LetterBox(320)}")
    for name in choices:
        if not isinstance(name, str):
            raise ArgumentError(f"store={{{name!r}: …}}: the names of choices are texts")
    options = {
        name: _options(
            store=choice,
            color=color,
            exif=exif,
            keep=keep,
            home=home,
            budget=budget,
            on_error=on_error,
            limit=limit,
            shard=shard,
            threads=threads,
            seed=seed,
            limits=Limits() if limits is None else limits,
            extra_formats=extra_formats,
            cache_dir=cache_dir,
        )
        for name, choice in choices.items()
    }
    made = as_source(source, infer=infer, frozen=frozen, parallel=parallel, color=color)
    with memory_told("planning"):
        tables: dict[str, FileTable] | None = {} if len(options) > 1 else None
        memory = measure_memory() if measure else None
        reading = read_budget(budget)
        plans = {
            name: _plan(Preparation(made, option, tables), reading, memory, SECONDS / len(options))
            for name, option in options.items()
        }
    return Plans(plans) if isinstance(store, Mapping) else plans[""]


def _plan(
    prepared: Preparation, reading: Reading, memory: MemorySpeed | None, seconds: float
) -> Plan:
    """Return the plan of one choice, `seconds` of which go into measuring."""
    folder = _folder(prepared.options)
    bad = prepared.bad_rows()
    if len(bad) == len(prepared.rows):
        return _nothing(prepared, reading, folder, tuple(bad.values()))
    prepared.settle_unreadable()
    if folder is None:
        plan = with_remedies(prepared, prepared.plan(reading)[1])
    else:
        planned = plan_on_disk(prepared, folder, reading)
        plan = with_disk_remedies(prepared, planned, folder, reading)
    if memory is not None:
        plan = replace(plan, fill_seconds=_fill_seconds(prepared, plan, memory, seconds))
    return plan


def _options(**given: Any) -> FillOptions:
    """Return the options, with all samples decoded where they go into files."""
    options = FillOptions(**given)
    return replace(options, keep="decoded") if options.on_disk else options


def _folder(options: FillOptions) -> Path | None:
    """Return the folder that files would be in; None for memory."""
    if options.cache_dir is not None:
        return Path(options.cache_dir).absolute()
    return temporary_base() if options.on_disk else None


def _fill_seconds(
    prepared: Preparation, plan: Plan, memory: MemorySpeed, seconds: float
) -> float | None:
    """Return the estimate; None for a Dataset, whose own speed only it knows."""
    if any(isinstance(feed, Items) for feed in prepared.source_layout.feeds.values()):
        return None
    files = prepared.files
    total = 0.0
    for column in files.values():
        costs = column.costs(seconds / len(files), memory)
        read, decode = costs.of_files(column.table)
        total += costs.fill_seconds(read + decode, plan.threads)
    copied = sum(column.bytes for column in plan.columns if column.name not in files)
    return total + (plan.arena_bytes * memory.fresh + copied * memory.copy) / plan.threads


def _nothing(
    prepared: Preparation,
    memory: Reading,
    folder: Path | None,
    unreadable: tuple[tuple[str, str], ...],
) -> Plan:
    """Return the plan of a source of which no sample can be read."""
    reading = memory if folder is None else disk_reading(folder)
    return Plan(
        home="ram" if folder is None else "disk",
        samples=0,
        basis=prepared.basis,
        columns=(),
        smallest=0,
        largest=0,
        arena_bytes=0,
        decoded_bytes=0,
        encoded_bytes=None,
        scratch_bytes=0,
        threads=prepared.threads,
        have_bytes=reading.bytes,
        limit=reading.limit,
        available_bytes=reading.available,
        kept={"decoded": 0, "encoded": 0, "absent": 0},
        unreadable=unreadable,
        unread=reading.unread,
    )
