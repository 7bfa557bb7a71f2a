"""What an interrupted run has finished: a line for each whole shard, which stands before the next.

The first line says what was being written; another plan or source begins anew.  A line counts when
its digest fits, and lines behind one that does not are forgotten.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastcache.errors import ArenaFormatError
from fastcache.memory.files.disk import open_regular, publish, read_at, system_calls
from fastcache.memory.files.manifest import FileEntry
from fastcache.memory.files.naming import JOURNAL, PAGE
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.sums import digest_of, seal, unseal

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def plan_begun(folder: Path) -> str | None:
    """Return the digest of the plan that an interrupted run had; None if there is none."""
    path = folder / JOURNAL
    try:
        fd, size = open_regular(path)
        try:
            text = read_at(fd, size, 0, path)
        finally:
            os.close(fd)
        return str(unseal(text[: text.find(b"\n") + 1], str(path))["journal"]["plan"])
    except (ArenaFormatError, KeyError, TypeError):  # none, or none to go on from
        return None


class Done(NamedTuple):
    """A shard that is whole."""

    entry: FileEntry
    notes: Any


class Journal:
    """The journal of one folder, whose lock is held.

    Parameters
    ----------
    folder : Path
    plan : FilePlan
    head : mapping
        What is being written; a journal with another head is thrown away.

    Attributes
    ----------
    done : dict of (int, int) to Done
        Family and shard of what an interrupted run has finished.
    """

    def __init__(self, folder: Path, plan: FilePlan, head: Mapping[str, Any]) -> None:
        self._folder, self._plan = folder, plan
        self.path = folder / JOURNAL
        self.done: dict[tuple[int, int], Done] = {}
        self._fd = -1
        first = seal({"journal": head})
        if not self._resume(first):
            publish(self.path, len(first), [memoryview(first)])
            with system_calls("opening", self.path):
                self._fd = os.open(self.path, _FLAGS | os.O_APPEND)

    def _resume(self, first: bytes) -> bool:
        """Take up the journal that is there; False if there is none of the same run."""
        with system_calls("reading", self.path):
            try:
                fd = os.open(self.path, _FLAGS | os.O_APPEND)
            except FileNotFoundError:
                return False
            try:
                text = read_at(fd, os.fstat(fd).st_size, 0, self.path)
                if not text.startswith(first):
                    return False
                whole = len(first)
                for line in text[whole:].splitlines(keepends=True):
                    if not self._take(line):
                        break
                    whole += len(line)
                os.ftruncate(fd, whole)
                self._fd, fd = fd, -1
            finally:
                if fd >= 0:
                    os.close(fd)
        return True

    def _take(self, line: bytes) -> bool:
        """Take up one line; False if it is not as it was written, or its shard has gone."""
        try:
            document = unseal(line, str(self.path))
            family, number = document["family"], document["shard"]
            shard = self._plan.families[family].shards[number]
            entry = FileEntry.from_json(document["entry"], shard, "a shard")
        except (ArenaFormatError, KeyError, IndexError, TypeError):
            return False
        path = self._folder / entry.file
        try:
            about = path.lstat()
            with path.open("rb") as file:
                header = file.read(entry.bytes - shard.data_bytes)
        except OSError:
            return False
        if about.st_size != entry.bytes or digest_of(header) != entry.header:
            return False
        self.done[family, number] = Done(entry, document["notes"])
        return True

    def add(self, family: int, shard: int, done: Done) -> None:
        """Note that a shard is whole; on return that is on the disk.

        Raises
        ------
        TypeError, ValueError
            If the notes are more than JSON can say.
        """
        document = {"family": family, "shard": shard, "entry": done.entry.to_json()}
        line = seal({**document, "notes": done.notes})
        with system_calls("writing", self.path, PAGE):
            size = os.fstat(self._fd).st_size
            try:
                left = memoryview(line)
                while left:
                    left = left[os.write(self._fd, left) :]
                os.fsync(self._fd)
            except BaseException:
                os.ftruncate(self._fd, size)  # what follows must not stand behind half a line
                raise
        self.done[family, shard] = done

    def close(self) -> None:
        """Leave the journal where it is."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
