"""ArenaEditor: columns and rows for an arena of files, seen by nobody before they are committed."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal

from fastcache._core.threads import resolve_threads
from fastcache.errors import ArgumentTypeError, ClosedError
from fastcache.fill.editing.edits import Edits
from fastcache.memory.files.naming import AnyPath
from fastcache.schema import Field
from fastcache.sources import as_source


class ArenaEditor:
    """A saved arena that is being changed: what ``fastcache.open(path, mode="r+")`` returns.

    Edits are gathered until :meth:`commit` publishes all of them in one step. Without it (after
    :meth:`close`, an error, a kill) the arena is as it was. Datasets that are open go on with what
    they opened, and so do their workers; pickling them again is an ArenaGoneError.

    The editor alone may write as long as it is open; as a context manager it closes itself. A child
    by fork cannot use it: what it asks for is an ArenaLockedError there.

    Parameters
    ----------
    path : path
        ``NAME.arena``.
    threads : int, optional
        Threads for writing and decoding. None or -1: every usable core.

    Raises
    ------
    ArenaFormatError, ArenaDamagedError
        If there is no arena, or its files are not as they were written.
    ArenaLockedError
        If another process, or another editor, is writing there.
    ArenaFileError
        If the system refuses.

    Examples
    --------
    >>> import fastcache as fc
    >>> with fc.open("train.arena", mode="r+") as editor:
    ...     editor.put("weight", weights)  # float64 (len(editor),)
    ...     editor.append("photos/more")
    ...     editor.commit()
    """

    def __init__(self, path: AnyPath, *, threads: int | None = None) -> None:
        self._edits: Edits | None = None
        self._edits = Edits(path, resolve_threads(threads))

    def _open(self) -> Edits:
        if self._edits is None or self._edits.revision.closed:
            raise ClosedError("the editor is closed")
        self._edits.revision.check_owner()
        return self._edits

    def __len__(self) -> int:
        """Return the rows of the arena: samples that failed are counted, appended ones too."""
        return self._open().revision.count

    @property
    def columns(self) -> Mapping[str, Field]:
        """What each column of the samples holds, by name."""
        return self._open().fields

    @property
    def closed(self) -> bool:
        """Whether the editor was closed."""
        return self._edits is None or self._edits.revision.closed

    def __repr__(self) -> str:
        if self._edits is None or self.closed:
            return "<ArenaEditor, closed>"
        state = "changed" if self._edits.changed else "as it is"
        revision = self._edits.revision
        return f"<ArenaEditor of {revision.folder}, {revision.count} rows, {state}>"

    def __reduce__(self) -> Any:
        raise ArgumentTypeError("an editor cannot be pickled: open the arena with mode='r' there")

    def put(self, name: str, values: Any, rows: Any = None) -> None:
        """Add or replace a column, or replace some of its rows.

        Parameters
        ----------
        name : str
            A new column is a further key of samples that are dicts, and otherwise their last part.
        values : array, tensor or list
            Numbers (N,); arrays (N, ...); a list of N strings; or a list of N arrays of one dtype
            and number of axes, which is a ragged column. N is ``len(editor)``: a row for each of
            the arena's, in its own order (``ds.rows`` tells which row a sample is), those that
            failed included. Images are (N, H, W, C), as in ``ds.arrays``. With `rows`, a value for
            each of these. Values are copied, unless nobody can write to them, as to arrays that are
            mapped from a file (``numpy.load(..., mmap_mode="r")``).
        rows : sequence of int, optional
            Numbers of rows, each of them once. The column keeps what it holds: values have its
            dtype, or can be turned into it without loss (floats may be rounded), and its shape, if
            that is the same in all rows. Only files that hold these rows are written anew.

        Raises
        ------
        SchemaError
            If values do not fit.
        ArgumentError
            If a column or a row does not exist, or cannot be replaced.
        """
        edits = self._open()
        if rows is None:
            edits.put(name, values)
        else:
            edits.put_rows(name, values, rows)

    def append(
        self,
        source: Any,
        *,
        infer: Literal["first", "scan"] = "first",
        frozen: bool = False,
        parallel: bool = False,
        progress: bool | Callable[..., object] | None = None,
    ) -> None:
        """Put the samples of a source behind the last.

        They are decoded now, as the arena's own were (``store``, ``color``, ``exif``, ``on_error``
        and limits are those of its fill), into memory or, if that has no room, into files beside
        the arena that go with the editor. Columns that were put, and that the source lacks, have to
        be put again before :meth:`commit`, as a whole. Classes are matched by name.

        Parameters
        ----------
        source, infer, frozen, parallel, progress
            As for :class:`fastcache.ArenaDataset`.

        Raises
        ------
        SchemaError
            If samples do not fit the columns; nothing was decoded, or written.
        ArgumentError
            If the arena cannot grow (windows of series, samples that are not all kept decoded), or
            lacks a class of the source.
        DecodeError
            With ``on_error="raise"``, samples that cannot be read.
        BudgetError
            If neither memory nor disk has room for them.
        """
        edits = self._open()
        edits.check_can_grow()
        options = edits.options(progress)
        kind: dict[str, Any] = {"infer": infer, "frozen": frozen, "parallel": parallel}
        edits.append(as_source(source, **kind, color=options.color), options)

    def commit(self) -> None:
        """Publish all edits at once; on return they are on the disk. Editing may go on then.

        Raises
        ------
        ArgumentError
            If appended samples lack a column.
        ArenaDamagedError
            If rows that stay lie in a file that is not as it was written.
        ArenaFormatError
            If another arena was put there meanwhile, past the lock: it stays as it is.
        BudgetError, ArenaFileError
            If the disk has no room, or the system refuses: the arena is as it was, and the edits
            are still there.
        """
        self._open().commit()

    def close(self) -> None:
        """Let others write; edits that were not committed are forgotten. A second call is fine."""
        edits, self._edits = self._edits, None
        if edits is not None:
            edits.close()

    def __enter__(self) -> "ArenaEditor":
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
