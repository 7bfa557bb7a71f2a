"""Arenas of files that nobody has asked to keep: they go when their dataset does."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from fastcache.fill.options import Accept, FillOptions
from fastcache.fill.pack import pack_arena
from fastcache.memory.arena import Arena
from fastcache.sources.base import Source

_PREFIX = "fastcache-"
_CREATE = os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
_OWNER = "owner"  # locked by the process that the folder belongs to, for as long as it lives


def temporary_arena(
    source: Source,
    options: FillOptions,
    base: Path | None = None,
    accept: Accept | None = None,
) -> Arena:
    """Return an arena of files in a folder `base`: the system's for temporary ones, if not given.

    Its files are removed when the arena is closed or the process ends. Those of a process that was
    killed are removed by the next that makes such an arena there. `accept` is as for `pack_arena`.
    """
    base = base or Path(tempfile.gettempdir())
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        owner = os.open(folder / _OWNER, _CREATE, 0o600)
    except BaseException:
        folder.rmdir()
        raise
    process = os.getpid()

    def remove() -> None:
        if os.getpid() != process:  # a child by fork looks at the same files
            return
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)

    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        pack_arena(source, options, folder / "data.arena", {}, accept=accept)
        arena = Arena.open(folder / "data.arena")
    except BaseException:
        remove()
        raise
    arena.on_free(remove)
    return arena


def _sweep(base: Path) -> None:
    """Remove folders of ours whose process has ended."""
    for folder in base.glob(f"{_PREFIX}*"):
        try:
            owner = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # somebody else's, or it is being made or removed just now
            continue
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(owner)
