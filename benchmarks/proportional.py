"""Memory that processes share: each one's part of it, and which of a mapping's pages are there."""

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def parents() -> dict[int, int]:
    """Return the number of the parent of every process, by its own."""
    found = {}
    for name in os.listdir(_PROC):
        if not name.isdecimal():
            continue
        try:
            text = (_PROC / name / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        found[int(name)] = int(text.rpartition(")")[2].split()[1])  # a name may hold brackets
    return found


def family(of: int) -> list[int]:
    """Return a process and all that came from it and are still there, itself first."""
    known, members = parents(), [of]
    for member in members:  # grows while it is gone through
        members += [pid for pid, parent in known.items() if parent == member]
    return members


def pss(processes: Iterable[int]) -> int:
    """Return the proportional set size of processes together, in bytes.

    A page that k processes have mapped counts as a k-th in each, so a page that all of these
    share, and nobody else has, counts once.
    """
    total = 0
    for pid in processes:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def mapped_bytes(folder: str, prefix: str) -> int:
    """Return how many bytes of some of a folder's files are in this process's page tables."""
    total, inside = 0, False
    for line in (_PROC / "self" / "smaps").read_text(encoding="utf-8").splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):  # a mapping begins: its addresses, …, and its file
            inside = len(words) == 6 and words[5].startswith(os.path.join(folder, prefix))
        elif inside and words[0] == "Rss:":
            total += int(words[1]) * 1024
    return total


def read_by_calls() -> int:
    """Return how many bytes this process has read by calls so far, wherever they came from."""
    for line in (_PROC / "self" / "io").read_text(encoding="ascii").splitlines():
        if line.startswith("rchar:"):
            return int(line.split()[1])
    raise KeyError("rchar")
