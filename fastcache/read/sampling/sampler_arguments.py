"""What a sampler is told, and what it finds out about its dataset."""

from collections.abc import Sized
from typing import Any, NamedTuple

from fastcache.errors import ArgumentError
from fastcache.read.sampling.ranks import ranks_of
from fastcache.read.view import ArenaView

_BLOCK_BYTES = 16 << 20  # what slow disks read at nearly full speed
_BLOCK = 1024  # samples, where their bytes are not known


class Part(NamedTuple):
    """A dataset's part of samples that processes have between them, each in an arena of its own.

    Attributes
    ----------
    rank, world : int
        As in ``shard=``.
    most, least : int
        Samples of the largest and of the smallest part.
    """

    rank: int
    world: int
    most: int
    least: int

    def whole(self, count: int, drop_last: bool) -> int:
        """Return how many samples an epoch takes on each rank, of the `count` that are here.

        It is the same number on all ranks, whatever failed on some: unequal steps would have them
        wait for one another without end.
        """
        whole = self.least if drop_last else self.most
        if whole and not count:
            raise ArgumentError(
                f"rank {self.rank} of {self.world} has no sample, and others have {whole}: use "
                "fewer ranks, or drop_last=True"
            )
        return whole


def check_kinds(ds: object, shuffle: object, drop_last: object) -> None:
    """Refuse what is of another kind."""
    if not isinstance(ds, Sized):
        raise ArgumentError(f"ds={ds!r}: give a dataset that has a length")
    if not (isinstance(shuffle, bool) or shuffle == "blocks"):
        raise ArgumentError(f"shuffle={shuffle!r}: give True, False or 'blocks'")
    if not isinstance(drop_last, bool):
        raise ArgumentError(f"drop_last={drop_last!r}: give True or False")


def default_block(ds: Sized) -> int:
    """Return how many samples of a dataset make a block that a disk reads well."""
    if not (isinstance(ds, ArenaView) and len(ds)):
        return _BLOCK
    row_bytes: int = max(1, ds.report["arena_bytes"] // len(ds))
    return -(-_BLOCK_BYTES // row_bytes)


def part_of(ds: Sized) -> Part | None:
    """Return which part of the samples a dataset holds; None for all of them."""
    shard: list[Any] | None = ds.report.get("shard") if isinstance(ds, ArenaView) else None
    if shard is None or shard[1] == 1:
        return None
    rank, world, samples = shard
    return Part(rank, world, -(-samples // world), samples // world)


def ranks_for(part: Part | None, rank: int | None, world: int | None) -> tuple[int, int]:
    """Return rank and number of those who share a dataset, as ``ranks_of`` has them.

    Raises
    ------
    ArgumentError
        Also where several are to share what is one rank's part alone.
    """
    if part is None:
        return ranks_of(rank, world)
    told = (0, 1) if rank is None and world is None else ranks_of(rank, world)
    if told[1] > 1:
        raise ArgumentError(
            f"world={told[1]}: the dataset is one of {part.world} parts, and no rank has the "
            "samples of another: leave out rank and world"
        )
    return told
