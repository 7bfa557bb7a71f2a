"""An arena opened for reading: its columns, and their readers."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any
from weakref import WeakKeyDictionary

import numpy.typing as npt

from fastcache.errors import ClosedError, FastcacheError
from fastcache.fill.own_columns import rows_shown
from fastcache.memory.arena import Arena
from fastcache.memory.columns import RaggedColumn
from fastcache.memory.layout import INDEX
from fastcache.memory.row_numbers import RowNumbers
from fastcache.read.columns.column_arrays import column_arrays
from fastcache.read.columns.columns import Reader, Rows
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.columns.readers import make_reader, make_readers
from fastcache.read.detection.detection import detection_of
from fastcache.read.gathering import gather
from fastcache.read.paged import ask_ahead, paged_in
from fastcache.read.pipeline import Pipeline
from fastcache.read.recipes.recipe_reader import Undrawn
from fastcache.read.sampling.keys import Keys, no_keys
from fastcache.read.transform_steps import Transform
from fastcache.schema import Derived, Nothing, Structure, Text, field_from_json, structure_from_json

_PATHS = Text()
_RANKS = 0x9E3779B97F4A7C15  # between the seeds of two ranks
_CLOSED = "the dataset is closed: its arena was given back"


class ArenaReader:
    """A committed arena as its datasets see it; all of them share one.

    Pickles as the arena does; copies are the same object, since an arena never changes.

    Parameters
    ----------
    arena : Arena
    seed : int
        Of what transforms draw; 0 or more.

    Attributes
    ----------
    arena : Arena
    catalog : dict
    structure : Structure
        Of a sample; its leaves name the columns. Of targets with boxes the whole is one leaf.
    fields : dict of str to Field
    detection : Detection or None
        Which columns such targets are made of.
    """

    def __init__(self, arena: Arena, seed: int = 0) -> None:
        self.arena = arena
        self._seed = seed
        self.catalog = arena.catalog
        self.fields = {n: field_from_json(f) for n, f in self.catalog["columns"].items()}
        self.structure = structure_from_json(self.catalog["structure"])
        self.detection = detection_of(self.catalog["attributes"], self.structure, self.fields)
        if self.detection is not None:
            self.structure = self.detection.structure
        self._opened: tuple[dict[str, Reader], RowNumbers] | None = None  # on first use
        self._over: WeakKeyDictionary[Pipeline, Mapping[str, Reader]] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        self._check_open()
        return ArenaReader, (self.arena, self._seed)

    def __copy__(self) -> "ArenaReader":
        return self

    def __deepcopy__(self, memo: object) -> "ArenaReader":
        return self

    @property
    def closed(self) -> bool:
        """Whether the arena was given back."""
        return self.arena.closed

    @property
    def home(self) -> str:
        """Where what samples are made of lies: "ram", "disk", or a device."""
        return self.arena.home

    @property
    def readers(self) -> dict[str, Reader]:
        """The reader of each column."""
        return self._open()[0]

    def pipeline(
        self, structure: Structure, transform: Transform, target: Transform, as_pil: bool
    ) -> Pipeline:
        """Return what makes samples of rows; arguments as for :class:`Pipeline`."""
        return Pipeline(structure, self.fields, transform, target, as_pil)

    def gather(
        self,
        readers: Mapping[str, Reader],
        rows: Mapping[str, Rows],
        threads: int,
        pipeline: Pipeline,
    ) -> dict[str, Any]:
        """Return the columns of a batch; arguments as for :func:`gather`, of that pipeline."""
        return gather(readers, rows, threads)

    def readers_over(self, pipeline: Pipeline) -> Mapping[str, Reader]:
        """Return the readers of what samples consist of, as a pipeline sees them.

        They are kept here, since whatever looks at the arena has to go when it is closed.
        """
        self._check_open()
        made = self._over.get(pipeline)
        if made is None:
            told, plain = self.detection, self.readers
            readers = plain if told is None else told.over(plain, self.arena)
            made = self._over[pipeline] = pipeline.over(readers)
        return made

    def readers_for(self, pipeline: Pipeline, rows: Rows, told: Rows) -> Mapping[str, Reader]:
        """Return the same for one batch: random numbers are drawn for its rows.

        Parameters
        ----------
        pipeline : Pipeline
        rows : int64 array (B,)
        told : int64 array (B,)
            By which numbers these samples are known to users.
        """
        readers, recipe = self.readers_over(pipeline), pipeline.recipe
        if recipe is None:
            return readers
        keys = no_keys(len(rows)) if pipeline.keys is None else pipeline.keys.take(rows)
        return {
            name: reader.drawn(keys, told) if isinstance(reader, Undrawn) else reader
            for name, reader in readers.items()
        }

    def new_keys(self) -> Keys:
        """Return what counts the visits of a dataset over this arena, whose samples are random."""
        shard = self.catalog["report"].get("shard")
        rank = 0 if shard is None else shard[0]  # its row 0 is another sample on each rank
        seed = (self._seed + rank * _RANKS) % (1 << 64)
        return Keys(seed, len(self.arena), outlives=self.arena.home == "disk")

    @property
    def rows(self) -> RowNumbers:
        """Rows of the arena in the order of the dataset."""
        return self._open()[1]

    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any] | RaggedColumn]:
        """The columns themselves: no copy, read-only, rows as the arena has them.

        Of windows: the array that they are windows of. A column whose samples are not all kept
        decoded is a NotKeptError.
        """
        with self._at_arena():
            mixed, why = self._no_arrays()
            columns = {
                name: self.arena.column(name)
                for name, field in self.fields.items()
                if not isinstance(field, Nothing | Derived) and name not in mixed
            }
        return column_arrays(columns, mixed, why)

    def _no_arrays(self) -> tuple[Collection[str], str]:
        """Return the columns of which there are no arrays, and why."""
        return self.catalog.get("kept", {}).keys(), (
            "its samples are not all kept decoded (report tells how many are). Read them through "
            'the dataset, or pass keep="decoded"'
        )

    @property
    def late(self) -> list[tuple[str, str]]:
        """Path and reason of samples that could not be had when this process asked for them."""
        opened = self._opened
        if self.closed or opened is None:
            return []
        fetching = [r for r in opened[0].values() if isinstance(r, FetchReader)]
        return [pair for reader in fetching for pair in reader.late.values()]

    def paths(self, column: str) -> Reader | None:
        """Return the reader of an image column's paths; None if it was not read from files."""
        name = self.catalog["paths"].get(column)
        with self._at_arena():
            return None if name is None else make_reader(self.arena, name, _PATHS)

    def paged(self, rows: Rows) -> AbstractContextManager[None]:
        """Within it samples in some rows are read: what of their files is missing comes at once."""
        paging = self.arena.paging
        if paging is None:
            return nullcontext()
        return paged_in(paging, self.readers, rows, len(self.arena))

    def read_ahead(self, rows: Rows) -> None:
        """Have the pages of samples in some rows read that will be needed soon."""
        paging = self.arena.paging
        if paging is not None:
            ask_ahead(paging, self.readers, rows)

    def check_savable(self) -> None:
        """Raise ArgumentError if the arena has not all that a file of it must have."""

    def close(self) -> None:
        """Let go of the arena's memory, and close it; if others still hold it, all is as before."""
        self._opened = None
        self._over.clear()
        if not self.closed and (paging := self.arena.paging) is not None:
            with suppress(FastcacheError):  # what was read ahead does not matter any more
                paging.settle()
        self.arena.close()

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError(_CLOSED)

    @contextmanager
    def _at_arena(self) -> Iterator[None]:
        """Within it the arena is looked at; say what is closed if another thread closes it then."""
        self._check_open()
        try:
            yield
        except ClosedError as error:
            raise ClosedError(_CLOSED) from error

    def _open(self) -> tuple[dict[str, Reader], RowNumbers]:
        with self._at_arena():
            opened = self._opened
            if opened is None:
                readers = make_readers(self.arena, self.fields)
                shown = self.catalog["visible"]
                index = self.arena.column(INDEX) if INDEX in self.arena.layout.columns else None
                opened = self._opened = readers, rows_shown(index, shown)
            return opened
