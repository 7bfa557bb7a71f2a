"""Arenas of files that nobody has asked to keep: they go when their dataset does."""

from pathlib import Path

from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.disk.temporary_folder import DATA, ELSEWHERE, TemporaryFolder, temporary_base
from fastcache.fill.options import Accept, FillOptions
from fastcache.memory.arena import Arena
from fastcache.sources.base import Source


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
    advice = ELSEWHERE if base is None else f"have {base} be writable, or free memory"
    folder = TemporaryFolder(base or temporary_base(), advice)
    try:
        pack_arena(source, options, folder.path / DATA, {}, accept=accept)
        arena = Arena.open(folder.path / DATA)
        arena.on_free(folder.remove)
    except BaseException:
        folder.remove()
        raise
    return arena
