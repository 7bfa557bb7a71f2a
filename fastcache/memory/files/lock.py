"""One writer at a time: a lock on a file of the arena's folder, which ends with its process."""

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from fastcache.errors import ArenaFileError, ArenaLockedError
from fastcache.memory.files.disk import system_calls
from fastcache.memory.files.naming import LOCK

_POLL = 0.05  # seconds


class FolderLock:
    """The lock of one folder, taken at once.

    Parameters
    ----------
    folder : Path
        Exists.
    wait : float
        Seconds to wait for another writer to end.

    Raises
    ------
    ArenaLockedError
        If another writer still holds it then.
    """

    def __init__(self, folder: Path, wait: float = 0.0) -> None:
        self.path, self._owner = folder / LOCK, os.getpid()
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        with system_calls("opening", self.path):
            self._fd = os.open(self.path, flags, 0o666)
        try:
            self._take(time.monotonic() + wait)
        except BaseException:
            self.release()
            raise

    def _take(self, until: float) -> None:
        while True:
            try:
                with system_calls("locking", self.path):
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except ArenaFileError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            if time.monotonic() >= until:
                raise ArenaLockedError(
                    errno.EWOULDBLOCK,
                    f"another process is writing {self.path.parent} (it holds {self.path}): wait "
                    "for it to end",
                )
            time.sleep(_POLL)

    def release(self) -> None:
        """Let the next writer in; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            # A child by fork has the same lock, and may outlive us; without one, closing is enough.
            with suppress(OSError):
                if os.getpid() == self._owner:
                    fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)
