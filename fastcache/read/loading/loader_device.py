"""Where a loader's batches are to be, and how they come there."""

from typing import Any

import torch
from torch.utils.data import Subset, default_collate

from fastcache.errors import ArgumentError, ClosedError
from fastcache.read.collate import collate
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.device import cuda
from fastcache.read.device.device_arena import DeviceArenaReader
from fastcache.read.device.device_columns import Place
from fastcache.read.device.moving import Mover
from fastcache.read.device.pinned import pinned_rows
from fastcache.read.view import ArenaView

_INSTEAD = "leave pin= out: batches are then gathered by the processor"


def view_of(dataset: Any) -> ArenaView | None:
    """Return the arena's dataset whose batches a loader gets as they are; None for others."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    as_is = isinstance(dataset, ArenaView) and all(
        getattr(type(dataset), name) is getattr(ArenaView, name)
        for name in ("__getitem__", "__getitems__")
    )
    return dataset if as_is else None


def _place_of(dataset: Any) -> Place | None:
    """Return the device on which a dataset's samples lie."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    reader = dataset._reader if isinstance(dataset, ArenaView) else None
    return reader.place if isinstance(reader, DeviceArenaReader) else None


def check_device(dataset: Any, device: torch.device | None, pin: object, num_workers: int) -> None:
    """Refuse what a loader cannot do with a dataset and a device.

    Raises
    ------
    ArgumentError, ClosedError
        The message says why, and what can be done.
    """
    place = _place_of(dataset)
    if place is not None:
        _check_place(place, device, num_workers)
    if pin is None:
        return
    if pin != "arena":
        raise ArgumentError(f"pin={pin!r}: give 'arena', or None")
    if place is not None:
        raise ArgumentError(
            f'pin="arena": the samples lie in the memory of {place.device.name} already; leave '
            "pin= out"
        )
    if device is None or device.type != "cuda":
        raise ArgumentError(
            'pin="arena" is for a device that reads the arena: give device="cuda" as well'
        )
    if num_workers:
        raise ArgumentError(
            f'pin="arena" with num_workers={num_workers}: the device gathers batches, without '
            "worker processes; give num_workers=0"
        )
    _pinnable(dataset)


def _check_place(place: Place, device: torch.device | None, num_workers: int) -> None:
    name = place.device.name
    if num_workers:
        raise ArgumentError(
            f"num_workers={num_workers}: the samples lie in the memory of {name}, which worker "
            "processes cannot use; give num_workers=0: the device gathers batches"
        )
    if device is not None and (
        device.type != place.device.torch_device.type
        or device.index not in (None, place.device.torch_device.index)
    ):
        raise ArgumentError(
            f"device={str(device)!r}: the samples lie in the memory of {name}, and so do their "
            "batches; leave device= out"
        )


def _pinnable(dataset: Any) -> ArenaView:
    """Return the dataset whose arena a device can read, or say why it cannot."""
    view = view_of(dataset)
    if view is None:
        raise ArgumentError(
            f'pin="arena": {type(dataset).__name__} is no ArenaDataset, nor a Subset of one, so '
            f"the loader does not know which rows its samples are; {_INSTEAD}"
        )
    reader = view._reader
    if reader.closed:
        raise ClosedError('pin="arena": the dataset is closed')
    if reader.home != "ram":
        raise ArgumentError(
            f'pin="arena": the arena lies in home={reader.home!r}, whose pages come and go; open '
            f'or fill it with home="ram", or {_INSTEAD}'
        )
    for name, given in (
        ("transform", view.transform),
        ("target_transform", view.target_transform),
    ):
        if given is not None:
            raise ArgumentError(
                f'pin="arena": {name}={given!r} runs on the processor, which has to read the '
                f"samples for that; change batches on the device yourself, or {_INSTEAD}"
            )
    for name, column in reader.readers.items():
        if isinstance(column, FetchReader):
            raise ArgumentError(
                f'pin="arena": not all samples of column {name!r} are kept decoded, and a device '
                f'decodes none; fill the arena with keep="decoded", or {_INSTEAD}'
            )
    return view


def mover_of(
    dataset: Any, device: torch.device | None, pin: object, most: int, collate_fn: Any
) -> Mover | None:
    """Return what moves a loader's batches; None if they stay where they are made.

    Parameters
    ----------
    dataset, device, pin
        As the loader was given them, checked by :func:`check_device`.
    most : int
        As for :class:`Mover`.
    collate_fn : callable
        One of ours, or torch's own, does not look at the numbers of a batch: so the last part of a
        recipe may come behind it.

    Raises
    ------
    BlockError
        If the arena cannot be page-locked.
    """
    place = _place_of(dataset)
    if place is not None:
        return Mover(place.device, place.buffers, most)
    if device is None or device.type != "cuda":
        return None
    copier, buffers = cuda.opened(device)
    rows = None if pin is None else pinned_rows(_pinnable(dataset)._reader.arena, copier)
    finishing = view_of(dataset) is not None and collate_fn in (collate, default_collate)
    return Mover(copier, buffers, most, rows, finishing)
