"""Tests take turns where several processes run them at once, as pytest-xdist does.

Any number of tests run beside each other; one that is marked `alone` waits until the others have
ended, and those wait for it: it looks at the whole machine, or what it measures is shared with
whoever runs beside.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOOR, ROOM = 0, 1  # bytes of the file


class Turns:
    """The locks of one process.

    They are locks of records: processes that a test forks do not have them, whatever becomes of
    these, and who is killed leaves none behind.

    Parameters
    ----------
    path : Path
        A file that all processes of the run name.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    @contextmanager
    def turn(self, alone: bool) -> Iterator[None]:
        """Be in the room with others, or alone.

        Who waits to be alone stands in the door meanwhile, or those who come later would go first
        for ever.
        """
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, DOOR)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, 1, ROOM)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, DOOR)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, ROOM)
