"""Every error of fastcache: one base class, and beside it the builtin that fits.

Code that knows nothing of fastcache can go on catching ``ValueError``, ``MemoryError`` or
``OSError``; code that does can catch :class:`FastcacheError`.
"""

from collections.abc import Sequence


class FastcacheError(Exception):
    """Base class of everything that fastcache raises on purpose."""


class ArgumentError(FastcacheError, ValueError):
    """An argument has a value that cannot be used; the message says which would do."""


class ArgumentTypeError(FastcacheError, TypeError):
    """An argument is of a type that cannot be used; the message says which would do."""


class MissingPackageError(FastcacheError, ImportError):
    """An optional package is needed for what was asked, and is not installed."""


class SchemaError(FastcacheError, TypeError):
    """A sample does not fit the columns, or cannot be kept in an arena at all."""


class SourceNotFoundError(FastcacheError, FileNotFoundError):
    """A folder or file that a source names is missing, or holds nothing that can be used."""


class NotFrozenError(FastcacheError, ValueError):
    """A wrapped Dataset returned different things for the same index."""


class BudgetError(FastcacheError, MemoryError):
    """The plan does not fit the memory that is allowed.

    Attributes
    ----------
    need, have : int
        Bytes that the plan wants, and bytes that the binding limit leaves.
    limit : str
        Name of the limit that binds.
    """

    def __init__(self, message: str, need: int, have: int, limit: str) -> None:
        super().__init__(message)
        self.need, self.have, self.limit = need, have, limit

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.args[0], self.need, self.have, self.limit)


class NoMemoryError(FastcacheError, MemoryError):
    """The system has no memory for a result; the message says how large that is."""


class BlockError(FastcacheError, OSError):
    """The system refused memory or a mapping; the message carries its reason."""


class LoaderError(FastcacheError, RuntimeError):
    """A loader cannot go on with an iteration."""


class LateError(LoaderError, TimeoutError):
    """A loader's batch did not come within its ``timeout``."""


class ForkedError(LoaderError):
    """A worker or forked child used what is its parent's: an iteration's thread, or a device."""


class ArenaGoneError(FastcacheError, ConnectionError):
    """A pickled arena was opened after the process that owned it had ended or closed it."""


class PeerError(FastcacheError, ConnectionError):
    """Another rank that was filling the same arena ended, went silent, or cannot be understood.

    Attributes
    ----------
    pid : int
        Number of that process; 0 if it is not known.
    """

    def __init__(self, message: str, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.args[0], self.pid)


class NotKeptError(FastcacheError, KeyError):
    """A column was asked for as one array whose samples are not all kept decoded."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote it


class ArenaFormatError(FastcacheError, ValueError):
    """A folder is no arena, or its files are not what its manifest says; nothing was opened."""


class ArenaDamagedError(ArenaFormatError):
    """Files of an arena have other bytes than were written; the message names them."""


class ArenaExistsError(FastcacheError, FileExistsError):
    """An arena would be written where there is something already."""


class ArenaLockedError(FastcacheError, BlockingIOError):
    """Another process is writing the arena."""


class ArenaFileError(FastcacheError, OSError):
    """The system refused to read or write a file of an arena; the message carries its reason."""


class ClosedError(FastcacheError, ValueError):
    """Something was asked of an arena after ``close()``."""


class DecodeError(FastcacheError, OSError):
    """Samples could not be read or decoded.

    Attributes
    ----------
    failed : list of (str, str)
        Path (or ``"sample k"``) and reason of each, in sample order.
    """

    def __init__(self, message: str, failed: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.failed = list(failed)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.args[0], self.failed)
