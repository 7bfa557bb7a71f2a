"""``home="cuda"``: an arena whose large columns lie in a device's memory.

It is filled in the host's memory as ever, or opened from files, and then copied once. What stays
with the host is small: numbers, texts, and which rows there are.
"""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

from torch.utils.data import get_worker_info

from fastcache.errors import ArgumentError, ForkedError
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.own_columns import rows_shown
from fastcache.memory.arena import Arena
from fastcache.memory.budget import check, shortage
from fastcache.memory.columns import DenseColumn
from fastcache.memory.layout import INDEX
from fastcache.memory.row_numbers import RowNumbers
from fastcache.memory.windows import WindowColumn
from fastcache.read.columns.columns import Reader, Rows
from fastcache.read.columns.readers import make_reader
from fastcache.read.columns.window import WindowReader
from fastcache.read.columns.window_statistics import StatisticsReader
from fastcache.read.device.cuda import DeviceMemoryError
from fastcache.read.device.device_columns import DeviceDenseReader, DeviceWindowReader, Place
from fastcache.read.device.device_recipe import DevicePipeline
from fastcache.read.device.device_room import REMEDIES, DeviceRoom, bytes_there, device_facts
from fastcache.read.device.moving import tensors_in
from fastcache.read.pipeline import Pipeline
from fastcache.read.reader import ArenaReader
from fastcache.read.transform_steps import Transform
from fastcache.schema import Derived, Field, Structure, WindowStatistics, field_from_json


def to_device(arena: Arena, place: Place, threads: int | None = None, seed: int = 0) -> ArenaReader:
    """Put an arena's large columns into a device's memory, and give the arena back.

    Parameters
    ----------
    arena : Arena
        Committed; closed on return, and once the traceback of an error is gone.
    place : Place
    threads, seed : int
        As for :class:`~fastcache.ArenaDataset`.

    Raises
    ------
    ArgumentError
        For columns that a device cannot hold.
    BudgetError
        If the device, or the host for what stays there, has no room.
    BlockError
        If no memory can be page-locked on the way.
    """
    try:
        return _put(arena, place, threads, seed)
    finally:
        with suppress(BufferError):  # a frame of an error's traceback looks at the memory:
            arena.close()  # it goes when the traceback does


def _put(arena: Arena, place: Place, threads: int | None, seed: int) -> ArenaReader:
    catalog, room = arena.catalog, DeviceRoom(place.device)
    fields = {name: field_from_json(json) for name, json in catalog["columns"].items()}
    stored = {name: field for name, field in fields.items() if not isinstance(field, Derived)}
    names = room.names(stored, catalog.get("kept", {}))
    need = sum(bytes_there(stored[name], len(arena)) for name in names)
    reading = room.reading()
    check(need, reading, REMEDIES)
    try:
        there = {name: _uploaded(arena, name, place) for name in names}
    except DeviceMemoryError as error:
        reason = f"CUDA said: {str(error).splitlines()[0]}"
        raise shortage(need, reading, reason, REMEDIES) from error
    # Statistics are made on the host, of series that have to be there as well.
    made_here = {f.of for f in fields.values() if isinstance(f, WindowStatistics)}
    here = [name for name in arena.layout.columns if name not in there or name in made_here]
    facts = device_facts(reading, need)
    if "plan" in catalog:
        plan = replace(Plan.from_json(catalog["plan"]), **facts)
        catalog = {**catalog, "plan": plan.to_json()}
    return DeviceArenaReader(arena.part(here, catalog, threads), there, place, seed)


def _uploaded(arena: Arena, name: str, place: Place) -> Reader:
    column = arena.column(name)
    if isinstance(column, WindowColumn):
        return DeviceWindowReader(place, column)
    assert isinstance(column, DenseColumn)
    return DeviceDenseReader(place, column)


class DeviceArenaReader(ArenaReader):
    """An arena whose large columns lie in a device's memory, as its datasets see it.

    Parameters
    ----------
    arena : Arena
        What stayed on the host.
    there : dict of str to Reader
        The columns on the device.
    place : Place
    seed : int
        Of what transforms draw.
    """

    def __init__(self, arena: Arena, there: dict[str, Reader], place: Place, seed: int = 0) -> None:
        super().__init__(arena, seed)
        self.place = place
        self._there = there
        self._process = os.getpid()

    @property
    def home(self) -> str:
        return self.place.device.name

    def _no_arrays(self) -> tuple[Collection[str], str]:
        return self._there.keys(), (
            f"it lies in the memory of {self.home}; read it through the dataset"
        )

    def pipeline(
        self, structure: Structure, transform: Transform, target: Transform, as_pil: bool
    ) -> Pipeline:
        return DevicePipeline(
            structure,
            self.fields,
            transform,
            target,
            self.place,
            lambda readers, rows, pipeline: self.gather(readers, rows, 1, pipeline),
        )

    def gather(
        self,
        readers: Mapping[str, Reader],
        rows: Mapping[str, Rows],
        threads: int,
        pipeline: Pipeline,
    ) -> dict[str, Any]:
        """Return the columns of a batch, all tensors on the device.

        They may be used at once on the stream that is current where this is called.
        """
        self._check_process()
        assert isinstance(pipeline, DevicePipeline)
        device, mover = self.place.device, self.place.mover
        moved = mover.move(super().gather(readers, rows, threads, pipeline))
        columns = pipeline.finished(moved.batch, rows)
        device.hand_over(device.event(), [*moved.tensors, *tensors_in(columns)])
        return columns

    def check_savable(self) -> None:
        raise ArgumentError(
            f"the samples lie in the memory of {self.home}: save the arena of a dataset with "
            'home="ram" or home="disk", or fill it with cache_dir=, and open that with '
            'fastcache.open(path, home="cuda")'
        )

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            f"the samples lie in the memory of {self.home}, which belongs to this process, so the "
            'dataset is not pickled: use num_workers=0 (the device gathers batches), or home="ram" '
            "for worker processes"
        )

    def close(self) -> None:
        self._there.clear()
        super().close()

    def _check_process(self) -> None:
        if os.getpid() != self._process or get_worker_info() is not None:
            raise ForkedError(
                f"the samples lie in the memory of {self.home}, and CUDA cannot be used in a "
                "worker process that was forked: use num_workers=0 (the device gathers batches), "
                'or home="ram"'
            )

    def _open(self) -> tuple[dict[str, Reader], RowNumbers]:
        with self._at_arena():
            if self._opened is None:
                readers = {name: self._reader(name, field) for name, field in self.fields.items()}
                index = self.arena.column(INDEX) if INDEX in self.arena.layout.columns else None
                self._opened = readers, rows_shown(index, self.catalog["visible"])
            return self._opened

    def _reader(self, name: str, field: Field) -> Reader:
        if isinstance(field, WindowStatistics):
            column = self.arena.column(field.of)
            assert isinstance(column, WindowColumn)
            return StatisticsReader(WindowReader(column), field)
        if isinstance(field, Derived):
            return self._there[field.of]
        return self._there[name] if name in self._there else make_reader(self.arena, name, field)
