"""Comparing every byte of an arena with its checksums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastcache._core import threads as pool
from fastcache.errors import ArenaFileError, ArenaFormatError
from fastcache.memory.files.damage import Tables, damaged_rows
from fastcache.memory.files.disk import open_regular, read_at
from fastcache.memory.files.manifest import FileEntry, Manifest, read_manifest
from fastcache.memory.files.naming import MANIFEST, SUMMED, AnyPath, folder_of
from fastcache.memory.files.sums import sum_of, unpack_sums
from fastcache.memory.units import format_bytes

_PIECE = 16  # MiB that a thread reads before it takes the next


@dataclass(frozen=True)
class FileCheck:
    """What became of one file.

    Attributes
    ----------
    file : str
    bytes : int
        As it was written.
    problem : str
        Empty if it is whole.
    damaged : tuple of int
        Numbers of the MiBs of the file that are not as they were written, or not there.
    rows : dict of str to int64 arrays
        Rows of each column that lie in them.
    """

    file: str
    bytes: int
    problem: str
    damaged: tuple[int, ...]
    rows: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found; prints as a table.

    Attributes
    ----------
    path : str
    count : int
        Samples of the arena.
    files : tuple of FileCheck
        All files but the manifest, which was read before.
    """

    path: str
    count: int
    files: tuple[FileCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every byte is as it was written."""
        return not self.damaged

    @property
    def damaged(self) -> tuple[FileCheck, ...]:
        """The files that are not whole."""
        return tuple(check for check in self.files if check.problem)

    @property
    def rows(self) -> dict[str, NDArray[np.int64]]:
        """Damaged rows of each column, sorted. Columns of the columns file are not listed."""
        found: dict[str, list[NDArray[np.int64]]] = {}
        for check in self.damaged:
            for name, rows in check.rows.items():
                found.setdefault(name, []).append(rows)
        return {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}

    def __str__(self) -> str:
        size = format_bytes(sum(check.bytes for check in self.files))
        lines = [f"{self.path}: {self.count} samples, {len(self.files)} files, {size}"]
        if self.ok:
            return f"{lines[0]}, every byte as it was written"
        width = max(len(check.file) for check in self.damaged)
        for check in self.damaged:
            lines.append(f"  {check.file:{width}}  {check.problem}")
            for name, rows in check.rows.items():
                lines.append(f"  {'':{width}}  {len(rows)} rows of {name!r}: {ranges_text(rows)}")
        return "\n".join(lines)


def ranges_text(numbers: Sequence[int] | NDArray[np.int64], most: int = 8) -> str:
    """Return sorted numbers as text, such as ``"3, 7-9"``; ``most`` ranges, then the rest."""
    values = np.asarray(numbers, np.int64)
    if not len(values):
        return "none"
    breaks = np.flatnonzero(np.diff(values) != 1)
    starts, ends = values[np.append(0, breaks + 1)], values[np.append(breaks, len(values) - 1)]
    pairs = zip(starts[:most].tolist(), ends[:most].tolist(), strict=True)
    text = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in pairs)
    return text if len(starts) <= most else f"{text} and {len(starts) - most} ranges more"


class _Check:
    """One file while it is read: any number of threads take pieces of it."""

    def __init__(self, folder: Path, entry: FileEntry) -> None:
        self._path, self._entry = folder / entry.file, entry
        self._expected = unpack_sums(entry.sums, entry.bytes, entry.file)
        self.problem = ""
        self.bad: set[int] = set()

    @property
    def pieces(self) -> list[range]:
        """Its MiBs in groups."""
        count = len(self._expected)
        return [range(at, min(at + _PIECE, count)) for at in range(0, count, _PIECE)]

    def compare(self, blocks: range) -> None:
        """Compare some MiBs; of a file that cannot be opened, all are damaged."""
        try:
            fd, size = open_regular(self._path)
        except (ArenaFormatError, ArenaFileError) as error:
            self.problem = str(error)
            self.bad.update(blocks)
            return
        with open(fd, "rb"):
            if size != self._entry.bytes:
                self.problem = f"has {size} bytes, {self._entry.bytes} were written"
            for block in blocks:
                if not self._is_whole(fd, block):
                    self.bad.add(block)

    def _is_whole(self, fd: int, block: int) -> bool:
        size = min(SUMMED, self._entry.bytes - block * SUMMED)
        try:
            data = read_at(fd, size, block * SUMMED, self._path)
        except ArenaFileError as error:  # the disk itself is damaged there
            self.problem = str(error)
            return False
        return len(data) == size and sum_of(data) == int(self._expected[block])


def _compare(checks: Sequence[_Check], threads: int) -> None:
    """Read all files."""
    pieces = [(check, blocks) for check in checks for blocks in check.pieces]
    pool.run_each(lambda piece: piece[0].compare(piece[1]), pieces, threads)


def damaged_files(folder: Path, entries: Sequence[FileEntry], threads: int) -> list[str]:
    """Return the names of those files that are not as they were written."""
    checks = [_Check(folder, entry) for entry in entries]
    _compare(checks, threads)
    return [e.file for e, check in zip(entries, checks, strict=True) if check.bad or check.problem]


def _result(folder: Path, manifest: Manifest, checks: Sequence[_Check]) -> tuple[FileCheck, ...]:
    tables = Tables(folder, manifest, whole=not checks[-1].bad and not checks[-1].problem)
    found = []
    for check, (entry, shard) in zip(checks, manifest.files, strict=True):
        bad = tuple(sorted(check.bad))
        if bad and not check.problem:
            check.problem = f"is not as it was written, in MiB {ranges_text(bad)}"
        rows = damaged_rows(manifest.plan, tables, entry, shard, bad) if shard.rows else {}
        found.append(FileCheck(entry.file, entry.bytes, check.problem, bad, rows))
    return tuple(found)


def verify(path: AnyPath, threads: int | None = None) -> Verification:
    """Compare every byte of an arena with the checksums that were made when it was written.

    Parameters
    ----------
    path : path
        ``NAME.arena``.
    threads : int, optional
        How many read; every usable core if not given.

    Returns
    -------
    Verification
        Which files are damaged, and which rows lie there.

    Raises
    ------
    ArenaFormatError, ArenaDamagedError
        If there is no arena, or its manifest is damaged: then nothing is known about the files.
    ArenaFileError
        If the system refuses to read the manifest.
    """
    folder, width = folder_of(path), pool.resolve_threads(threads)
    manifest = read_manifest(folder)
    checks = [_Check(folder, entry) for entry, _ in manifest.files]
    _compare(checks, width)
    files = _result(folder, manifest, checks)
    found = Verification(str(folder), manifest.plan.layout.count, files)
    if not found.ok and read_manifest(folder).digest != manifest.digest:
        raise ArenaFormatError(f"{folder / MANIFEST} was replaced meanwhile: verify it again")
    return found
