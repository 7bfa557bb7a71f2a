"""What a dataset says of its arena, and how it lets go of it."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from fastcache._core.threads import resolve_threads
from fastcache.errors import DecodeError
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.report import Report
from fastcache.memory.arena import RaggedColumn
from fastcache.memory.files.naming import AnyPath
from fastcache.memory.row_numbers import RowNumbers
from fastcache.read.columns.columns import Rows
from fastcache.read.pipeline import Pipeline
from fastcache.read.reader import ArenaReader
from fastcache.read.recipes.recipe_scratch import thread_scratch
from fastcache.read.whole import whole_arena

_Self = TypeVar("_Self", bound="ArenaHolder")


class ArenaHolder:
    """The part of :class:`~fastcache.read.view.ArenaView` that knows the arena as a whole."""

    _reader: ArenaReader
    _pipeline: Pipeline
    _threads: int

    if TYPE_CHECKING:  # what the dataset itself has

        @property
        def _rows(self) -> RowNumbers: ...
        def _follow_samples(self) -> None: ...

    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any] | RaggedColumn]:
        """The arena itself, read-only and without a copy.

        An array of shape (N, H, W, C), (N, ...) or (N,) per column of one shape, and a
        :class:`~fastcache.memory.arena.RaggedColumn` for others. Rows are in the order of the
        fill; they include samples that failed, and know nothing of assigned ``samples``:
        :attr:`rows` says which row a sample is. Of windows it is what they are windows of: the
        series, (C, T) or (n, C, T), and the labels of their steps.
        """
        return self._reader.arrays

    @property
    def rows(self) -> Rows:
        """Row in `arrays` of each sample: int64 (len(self),), a copy."""
        self._follow_samples()
        return self._rows.copy()

    @property
    def report(self) -> Report:
        """What was chosen, what it took, and what failed; prints as a table."""
        reader = self._reader
        now: dict[str, Any] = {"home": reader.home, "stays": 1.0}
        paging = reader.arena.paging
        if paging is not None:
            paging.survey()
            now["stays"] = paging.stays
        return Report({**reader.catalog["report"], **now}, reader.late)

    @property
    def plan(self) -> Plan:
        """The plan that the arena was filled by; prints as a table."""
        return Plan.from_json(self._reader.catalog["plan"])

    def scratch_bytes(self, threads: int | None = None) -> int:
        """Return the most bytes that threads hold beside a batch while they make it.

        It is 0 where rows are copied, or windows made images of. What is decoded on each read takes
        what the plan says of filling; recipes take rows of each image between their steps.

        Parameters
        ----------
        threads : int, optional
            None: as many as the dataset was told.

        Raises
        ------
        ArgumentError
            If `transform` cannot be done to the largest images.
        """
        reader, plan = self._reader, self._reader.catalog.get("plan")
        decoding = 0 if plan is None else plan["scratch_bytes"] // max(1, plan["threads"])
        readers = reader.readers_over(self._pipeline).values()
        each = thread_scratch(readers, len(reader.arena), decoding)
        return each * (self._threads if threads is None else resolve_threads(threads))

    def save(self, path: AnyPath, *, overwrite: bool = False) -> None:
        """Write the arena to a folder ``NAME.arena``, from which :func:`fastcache.open` opens it.

        It holds all samples of the arena, with what the report says of them; a `transform`, and
        samples that were assigned, are not part of it. Samples that were not kept (``keep="auto"``
        with a small budget, or .npy files with "encoded") are read from their files and decoded
        now, a few MiB at a time, so that the files are not needed afterwards. On return everything
        is on the disk; until then nobody can open it, and an arena that is replaced stays whole.

        Parameters
        ----------
        path : path
        overwrite : bool
            Whether an arena that is there may be replaced.

        Raises
        ------
        ArenaExistsError
            If there is something already.
        BudgetError
            If the disk has no room.
        DecodeError
            Samples that are not kept in the arena, and whose files cannot be read any more,
            whatever `on_error` says: no arena is written with zeros in their places.
        ArenaLockedError, ArenaFileError
            If another process writes there, or the system refuses.
        """
        self._reader.check_savable()
        arena = self._reader.arena
        columns, catalog = whole_arena(self._reader) or (None, None)
        try:
            arena.save(
                path,
                threads=self._threads,
                overwrite=overwrite,
                columns=columns,
                catalog=catalog,
            )
        except DecodeError as error:
            told = "\n".join(f"  {name}: {reason}" for name, reason in error.failed)
            raise DecodeError(
                f"{os.fsdecode(path)} was not written: samples that are not kept in the arena "
                f"cannot be read from their files any more:\n{told}\nMend these and save again, or "
                'build the arena in files at once, with cache_dir= or home="disk".',
                error.failed,
            ) from None

    def close(self) -> None:
        """Give the arena back; batches and samples live on. A second call does nothing.

        Raises
        ------
        BufferError
            If something of `arrays` is still alive.
        """
        self._reader.close()
        self._pipeline.keys = None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except BufferError:
            if error is None:  # the error that is under way counts more
                raise
