"""What to change where a plan does not fit: smaller images, other forms, fewer samples."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastcache.errors import ArenaFileError, BlockError, SchemaError
from fastcache.fill.disk.pack_plan import DiskPlan, plan_on_disk
from fastcache.fill.disk.temporary_folder import temporary_base
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.images.files import FilesColumn
from fastcache.fill.prepare import Preparation
from fastcache.memory.reading import Reading, wider
from fastcache.memory.units import format_bytes
from fastcache.schema import Image
from fastcache.transforms import Operation, Resize, ToDtype, compile_store, store_for_masks

_SHARES = (0.75, 0.5, 0.375, 0.25, 0.125)  # of the sizes in store=
_SIZES = (1024, 768, 512, 384, 320, 256, 224, 160, 128, 96, 64, 32)  # where there is no store=


def with_remedies(prepared: Preparation, plan: Plan) -> Plan:
    """Return the plan with what to change if it does not fit; as it is if it does.

    Where ``keep="auto"`` makes it fit: what to change to have all samples decoded.

    Parameters
    ----------
    prepared : Preparation
        What the plan was made of.
    plan : Plan
    """
    if plan.fits and (plan.decoded_fits or prepared.options.keep == "encoded"):
        return plan
    wanted = replace(plan, arena_bytes=plan.decoded_bytes) if plan.fits else plan
    return replace(plan, remedies=tuple(_remedies(prepared, wanted)))


def packing_remedies(prepared: Preparation, planned: DiskPlan, memory: Reading) -> tuple[str, ...]:
    """Return what to change where memory has no room for packing; what does not help is left out.

    Parameters
    ----------
    prepared : Preparation
        What the plan was made of.
    planned : DiskPlan
    memory : Reading
        What packing may take.
    """
    told = []
    need, have = planned.memory_bytes, memory.bytes
    for threads in range(prepared.threads - 1, 0, -1):
        less = need - planned.scratch + prepared.scratch(threads)
        if less <= have:
            told.append(f"threads={threads} needs {format_bytes(less)}")
            break
    if planned.staged_bytes > have // 2:
        told.append("make the samples smaller with store=")
    if planned.tables.total_bytes > have // 2:
        told.append("take fewer of them with limit=")
    return (*told, wider(need, have, memory.available))


def with_disk_remedies(
    prepared: Preparation, planned: DiskPlan, folder: Path, memory: Reading
) -> Plan:
    """Return the plan of files with what to change if it does not fit; arguments as above.

    `folder` is where the arena would be.
    """
    plan, packing = planned.plan, planned.memory_bytes
    told: list[str] = []
    if plan.need_bytes > plan.have_bytes:
        smaller = _smaller(prepared, plan, lambda p: plan_on_disk(p, folder, memory).plan)
        told = [smaller or "make the samples smaller with store=", _fewer(plan, plan.have_bytes)]
        told.append("delete something there, or have cache_dir= or TMPDIR name another folder")
    if prepared.options.home == "ram":  # read from there
        plan = replace(plan, memory_bytes=max(packing, plan.decoded_bytes))
    if packing > memory.bytes:
        told += packing_remedies(prepared, planned, memory)
    elif not plan.memory_fits:
        told.append('leave home="ram" out: what is in files need not be read into memory')
        told.append(wider(plan.memory_bytes, memory.bytes, memory.available))
    return replace(plan, remedies=tuple(told))


def _remedies(prepared: Preparation, plan: Plan) -> Iterator[str]:
    reading = Reading(plan.have_bytes, plan.limit, plan.available_bytes, ())
    smaller = _smaller(prepared, plan, lambda p: p.plan(reading)[1])
    yield smaller or "make the samples smaller with store="
    if plan.encoded_bytes is not None:
        need = format_bytes(plan.encoded_bytes + plan.scratch_bytes)
        fits = "" if plan.encoded_fits else ", which does not fit either"
        yield f'keep="encoded" needs {need}{fits}'
    yield _fewer(plan, plan.have_bytes - plan.scratch_bytes)
    yield from _on_disk(prepared, reading)
    if plan.threads > 1 and plan.scratch_bytes > plan.have_bytes // 2:
        scratch = format_bytes(plan.scratch_bytes)
        yield f"use fewer threads= ({plan.threads} need {scratch} of scratch)"
    yield wider(plan.need_bytes, plan.have_bytes, plan.available_bytes)


def _fewer(plan: Plan, room: int) -> str:
    fewer = int(room / plan.mean) if room > 0 else 0
    if 0 < fewer < plan.samples:
        return f"limit={fewer} samples are about what fits"
    return "take fewer of them with limit="


def _on_disk(prepared: Preparation, memory: Reading) -> Iterator[str]:
    """Yield what files would need, if they would fit and can be had."""
    if prepared.options.keep == "encoded":
        return
    try:
        folder = temporary_base()
        decoded = prepared.with_store(prepared.options.store)
        plan = plan_on_disk(decoded, folder, memory).plan
    except (ArenaFileError, BlockError, SchemaError):  # no folder, or none for such columns
        return
    if plan.fits:
        need, meanwhile = format_bytes(plan.need_bytes), format_bytes(plan.memory_bytes)
        yield f'home="disk" needs {need} in {folder}, and {meanwhile} of memory while it fills'


def _smaller(prepared: Preparation, plan: Plan, planned: Callable[[Preparation], Plan]) -> str:
    """Return the largest smaller images that fit; "" if none do, or there are none.

    `planned` plans them.
    """
    files = [*prepared.files.values()]
    if not files:
        return ""
    held = {column.name: column.bytes for column in plan.columns}
    others = plan.need_bytes - sum(held[column.name] for column in files)
    for operations in _candidates(prepared.options.store):
        pixels = sum(_bytes_with(column, operations) for column in files)
        if others + pixels <= plan.have_bytes:  # so far without the resampler's own scratch
            need = planned(prepared.with_store(operations)).need_bytes
            if need <= plan.have_bytes:
                return f"store={_told(operations)} needs {format_bytes(need)}"
    return ""


def _candidates(store: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    """Yield the same operations with smaller sizes, the largest first."""
    if all(isinstance(operation, ToDtype) for operation in store):
        yield from ((Resize(size), *store) for size in _SIZES)
        return
    for share in _SHARES:
        yield tuple(_scaled(operation, share) for operation in store)


def _scaled(operation: Operation, share: float) -> Operation:
    """Return an operation with all of its sizes in pixels multiplied by `share`."""

    def part(size: Any) -> Any:
        if isinstance(size, tuple):
            return tuple(part(side) for side in size)
        return size if size is None else max(1, round(size * share))

    names = {field.name for field in fields(operation)}
    sizes = {name: part(getattr(operation, name)) for name in names & {"size", "max_size"}}
    if isinstance(sizes.get("size"), int) and sizes.get("max_size") is not None:
        sizes["max_size"] = max(sizes["max_size"], sizes["size"] + 1)
    return replace(operation, **sizes)


def _bytes_with(column: FilesColumn, operations: Sequence[Operation]) -> int:
    """Return the bytes of a column's pixels, were these its operations."""
    field, table = column.field, column.table
    channels = field.channels if isinstance(field, Image) else 1
    done = operations if isinstance(field, Image) else store_for_masks(operations)
    store = compile_store(done, table.height, table.width)
    return int(np.sum(store.out_h * store.out_w)) * channels * field.itemsize


def _told(operations: Sequence[Operation]) -> str:
    """Return operations as one would type them."""
    texts = [_typed(operation) for operation in operations]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _typed(operation: Operation) -> str:
    arguments = []
    for name, parameter in inspect.signature(type(operation)).parameters.items():
        value = getattr(operation, name)
        if parameter.default is not inspect.Parameter.empty and value == parameter.default:
            continue
        square = name == "size" and not isinstance(operation, Resize) and isinstance(value, tuple)
        shown = value[0] if square and value[0] == value[1] else value
        arguments.append(repr(shown) if name == "size" else f"{name}={shown!r}")
    return f"T.{type(operation).__name__}({', '.join(arguments)})"
