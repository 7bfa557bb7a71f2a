"""From a source to an arena, wherever that is to be."""

from fastcache.fill.build import fill_arena
from fastcache.fill.disk.cached import cached_arena
from fastcache.fill.disk.temporary import temporary_arena
from fastcache.fill.failures import memory_told
from fastcache.fill.options import Accept, FillOptions
from fastcache.fill.ranks.together import Team, fill_together
from fastcache.memory.arena import Arena
from fastcache.sources.base import Source


def make_arena(source: Source, options: FillOptions, accept: Accept | None = None) -> Arena:
    """Return a committed arena with everything that `source` holds.

    `accept` may refuse the columns of an arena in memory before anything is decoded. It is not
    asked for an arena that is there already.

    With ``cache_dir`` it is opened there, or built there first. Else it lies in memory, unless
    ``home="disk"`` was asked for. In memory the ranks of a node have one together: see
    :mod:`fastcache.fill.ranks.together`.
    """

    def fill(team: Team) -> Arena:
        if options.cache_dir is not None:
            return cached_arena(source, options)
        return fill_arena(source, options, accept, team)

    with memory_told("making an arena"):
        if options.home == "disk" or (options.cache_dir is not None and options.home == "auto"):
            made = temporary_arena if options.cache_dir is None else cached_arena
            return made(source, options)
        return fill_together(source, options, fill)
