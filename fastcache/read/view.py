"""A torch Dataset over an arena that is there already: reading, batches, copies, pickling."""

import copy
import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeVar

import numpy as np
from torch.utils.data import Dataset

from fastcache._core.threads import resolve_threads
from fastcache.fill.text import printable
from fastcache.memory.arena import Arena
from fastcache.memory.units import format_bytes
from fastcache.read.batch import ArenaBatch
from fastcache.read.choices import INPUTS, OUTPUTS, check_choice
from fastcache.read.columns.columns import Rows
from fastcache.read.folder import FolderFace, LabelList, NotedList
from fastcache.read.gathering import check_unmixed, mix, samples_of
from fastcache.read.holder import ArenaHolder
from fastcache.read.notes import note
from fastcache.read.positions import outside, positions_of
from fastcache.read.reader import ArenaReader
from fastcache.read.recipes.recipe import Recipe
from fastcache.read.sampling.epochs import HasEpochs
from fastcache.read.sampling.keys import Keys
from fastcache.read.transform_steps import Transform
from fastcache.schema import Structure

_Self = TypeVar("_Self", bound="ArenaView")


class ArenaView(ArenaHolder, HasEpochs, FolderFace, Dataset[Any]):
    """What :class:`~fastcache.ArenaDataset` is once its arena is filled.

    Parameters
    ----------
    arena : Arena or ArenaReader
        Committed; closed by `close`.
    transform, transform_input, target_transform, output, threads, seed
        As for :class:`~fastcache.ArenaDataset`.
    """

    def __init__(
        self,
        arena: Arena | ArenaReader,
        *,
        transform: Transform = None,
        transform_input: str = "pil",
        target_transform: Transform = None,
        output: str = "tuple",
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        check_choice("transform_input", transform_input, INPUTS)
        check_choice("output", output, OUTPUTS)
        self._threads = resolve_threads(threads)
        self._reader = arena if isinstance(arena, ArenaReader) else ArenaReader(arena, seed)
        self._selected = None
        self._labels = None
        self._samples = None
        self._targets = None
        self._assigned = {}
        self._transform_input = transform_input
        self._output = output
        self._structure = self._structure_told()
        self._use(transform, target_transform)

    def _structure_told(self) -> Structure:
        """Return the structure of samples as they are handed out."""
        structure = self._reader.structure
        if self._output == "dict" and not isinstance(structure, dict):
            detection = self._reader.detection
            if detection is not None:
                return {"image": detection.image, "target": detection.boxes}
            return {name: name for name in self._reader.fields}
        return structure

    def _use(self, transform: Transform, target: Transform, keys: Keys | None = None) -> None:
        """Take another transform and target transform, and keys that are there already."""
        as_pil = self._transform_input == "pil"
        made = self._reader.pipeline(self._structure, transform, target, as_pil)
        if made.field is not None or made.recipe is not None:
            self._reader.readers_over(made)  # what it cannot make of them is said now
        if made.is_random:
            made.keys = self._reader.new_keys() if keys is None else keys
        self._pipeline = made
        if keys is None:
            self._tell_epoch()

    def _keys_in_use(self) -> Keys | None:
        """Return whose random numbers samples get; None if nothing is random."""
        return self._pipeline.keys

    def _rows_at(self, indices: Sequence[SupportsIndex]) -> Rows:
        """Return the rows of some samples."""
        return self._rows[positions_of(indices, len(self))]

    # -- samples and batches ------------------------------------------------------------------

    def __len__(self) -> int:
        self._follow_samples()
        return len(self._rows)

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Return a sample; `index` is any integer, counted from the end if negative."""
        position, count = operator.index(index), len(self)
        if not -count <= position < count:
            raise outside(position, count)
        position %= count
        return self._sample(position)

    def _sample(self, position: int) -> Any:
        rows = self._rows[position : position + 1]
        row = int(rows[0])
        readers = self._reader.readers_for(self._pipeline, rows, np.array([position]))
        label = None
        if self._labels is not None:
            label = self._label_column("samples")
            readers = {**readers, label: self._labels}
        with self._reader.paged(rows):
            return self._pipeline.sample(readers, lambda n: position if n == label else row)

    def __getitems__(self, indices: Sequence[SupportsIndex]) -> list[Any]:
        """Return the samples of a batch; torch's fetcher calls this, then collates."""
        recipe = self._pipeline.recipe
        overridden = type(self).__getitem__ is not ArenaView.__getitem__
        one_by_one = self._pipeline.per_sample or isinstance(self._labels, LabelList)
        if overridden or one_by_one:
            check_unmixed(recipe)
        if overridden:
            return self._one_by_one(indices)
        positions = positions_of(indices, len(self))
        at = self._rows[positions]
        if one_by_one and (recipe is None or self._labels is not None):
            with self._reader.paged(at):
                return self._one_by_one(indices)
        readers = self._reader.readers_for(self._pipeline, at, positions)
        if one_by_one:
            with self._reader.paged(at):
                return samples_of(self._pipeline, readers, at, indices, self._threads)
        rows = dict.fromkeys(readers, at)
        if self._labels is not None:
            label = self._label_column("samples")
            readers = {**readers, label: self._labels}
            rows[label] = positions
        with self._reader.paged(at):
            columns = self._reader.gather(readers, rows, self._threads, self._pipeline)
        picks = mix(self._pipeline, readers, columns, self._reader.catalog["attributes"])
        if isinstance(self._structure, str) and not readers[self._structure].stacks:
            pick, values = picks[self._structure], columns[self._structure]
            return [pick(values, k) for k in range(len(positions))]
        return ArenaBatch(self._structure, columns, picks, len(positions))

    def _one_by_one(self, indices: Sequence[SupportsIndex]) -> list[Any]:
        samples: list[Any] = []
        try:
            for index in indices:
                samples.append(self[index])  # noqa: PERF401 - it tells which one failed
        except Exception as error:
            note(error, f"sample {indices[len(samples)]}")
            raise
        return samples

    def read_ahead(self, indices: Sequence[SupportsIndex]) -> None:
        """Have samples of an arena on disk read into the system's cache: they will be used soon.

        Returns before they are there. All processes share that cache, so the main process may ask
        for what the workers of a ``DataLoader`` will read; :class:`fastcache.ArenaSampler` does.
        An arena in memory has nothing to read.

        Parameters
        ----------
        indices : sequence of int, or int64 array
            At least some dozens at once; neighbours are read together.
        """
        positions = positions_of(indices, len(self))
        self._reader.read_ahead(self._rows[positions])

    # -- callables ----------------------------------------------------------------------------

    @property
    def transform(self) -> Transform:
        """Callable, or list of callables, for the image; assign to change it."""
        return self._pipeline.transform

    @transform.setter
    def transform(self, transform: Transform) -> None:
        self._use(transform, self.target_transform, self._pipeline.keys)

    @property
    def recipe(self) -> Recipe | None:
        """What C does of `transform`, and what Python does and why; None where C does nothing."""
        return self._pipeline.recipe

    @property
    def target_transform(self) -> Transform:
        """Callable, or list of callables, for the label or target; assign to change it."""
        return self._pipeline.target_transform

    @target_transform.setter
    def target_transform(self, target_transform: Transform) -> None:
        self._use(self.transform, target_transform, self._pipeline.keys)

    def with_transform(self: _Self, transform: Transform, *, target_transform: Any = ...) -> _Self:
        """Return a dataset over the same arena with another `transform`; `close` closes both.

        `target_transform` stays as it is if it is left out.
        """
        twin = copy.copy(self)
        kept = self.target_transform if target_transform is ... else target_transform
        twin._use(transform, kept)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        self._follow_samples()
        state = {**self.__dict__, "_assigned": dict(self._assigned)}
        # Unless they were changed, the lists can be made again from the arena.
        state["_samples"] = None if self._selected is None else NotedList(self._samples or ())
        if self._targets is not None and not self._targets.changed:
            state["_targets"] = None
        del state["_structure"]  # it grows with the columns, and the arena has it
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._structure = self._structure_told()
        # A copy of its own: `copy.copy` hands on the very pipeline of the original.
        self._pipeline = copy.copy(self._pipeline)
        self._pipeline.settle(self._structure, self._reader.fields)

    def __repr__(self) -> str:
        catalog = self._reader.catalog
        count = "none, it is closed" if self._reader.closed else len(self)
        lines = [f"Number of datapoints: {count}"]
        if "root" in catalog["attributes"]:
            lines.append(f"Root location: {printable(catalog['attributes']['root'])}")
        home = "" if self._reader.closed else f" in {self._reader.home}"
        lines.append(f"Arena: {format_bytes(catalog['report']['arena_bytes'])}{home}")
        lines += [f"Column {n}: {c['row']}" for n, c in catalog["report"]["columns"].items()]
        for name, given, lines_of in (
            ("Transform", self.transform, self._pipeline.lines),
            ("Target transform", self.target_transform, repr(self.target_transform).splitlines()),
        ):
            if given is not None and lines_of:
                first, *rest = lines_of
                lines += [f"{name}: {first}", *(" " * (len(name) + 2) + line for line in rest)]
        return "\n    ".join([f"Dataset {type(self).__name__}", *lines])
