"""What an interrupted run has finished: a line for each whole shard, which stands before the next.

The first line says what was being written; another plan or source begins anew.  A line counts when
its digest fits and every byte of its shard is as it was written; lines behind one that does not
count are forgotten.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastcache._core.threads import resolve_threads
from fastcache.errors import ArenaFileError, ArenaFormatError
from fastcache.memory.files.disk import open_regular, publish, read_at, system_calls
from fastcache.memory.files.manifest import FileEntry
from fastcache.memory.files.naming import JOURNAL, PAGE, is_shard_name
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.sums import digest_of, seal, unseal
from fastcache.memory.files.verification import damaged_files

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_HEAD = 1 << 30  # bytes of the first line: it names what the source is made of


def _head(path: Path) -> Mapping[str, Any] | None:
    """Return what the first line of a journal says; None if there is none of ours."""
    try:
        fd, _ = open_regular(path)
        with open(fd, "rb") as file:
            head: Mapping[str, Any] = unseal(file.readline(_MOST_HEAD), str(path))["journal"]
            return head
    except (ArenaFormatError, ArenaFileError, KeyError, TypeError):
        return None


def is_journal(path: Path) -> bool:
    """Whether a file begins as a journal of ours does."""
    return _head(path) is not None


def plan_begun(folder: Path) -> str | None:
    """Return the digest of the plan that an interrupted run had; None if there is none."""
    head = _head(folder / JOURNAL)
    return None if head is None or "plan" not in head else str(head["plan"])


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
                whole = len(first) + self._take_all(text[len(first) :])
                os.ftruncate(fd, whole)
                self._fd, fd = fd, -1
            finally:
                if fd >= 0:
                    os.close(fd)
        return True

    def _take_all(self, text: bytes) -> int:
        """Take up lines for as long as they count, and return how many bytes these have."""
        found: list[tuple[int, tuple[int, int], Done]] = []
        end = 0
        for line in text.splitlines(keepends=True):
            taken = self._read(line)
            if taken is None:
                break
            end += len(line)
            found.append((end, *taken))
        # What a disk or a crash has done to the rest of a file, the manifest would vouch for.
        entries = [done.entry for _, _, done in found]
        bad = set(damaged_files(self._folder, entries, resolve_threads(None)))
        end = 0
        for stop, at, done in found:
            if done.entry.file in bad:
                break
            self.done[at], end = done, stop
        return end

    def _read(self, line: bytes) -> tuple[tuple[int, int], Done] | None:
        """Return what a line says; None if it is not as it was written, or its shard has gone."""
        try:
            document = unseal(line, str(self.path))
            family, number = document["family"], document["shard"]
            shard = self._plan.families[family].shards[number]
            entry = FileEntry.from_json(document["entry"], shard, "a shard")
            notes = document["notes"]
        except (ArenaFormatError, KeyError, IndexError, TypeError):
            return None
        if not is_shard_name(entry.file):
            return None
        path = self._folder / entry.file
        try:
            fd, size = open_regular(path)
            try:
                header = read_at(fd, entry.bytes - shard.data_bytes, 0, path)
            finally:
                os.close(fd)
        except (ArenaFormatError, ArenaFileError):
            return None
        if size != entry.bytes or digest_of(header) != entry.header:
            return None
        return (family, number), Done(entry, notes)

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
