"""Which of how many processes this one is."""

import os
import warnings

import torch.distributed as dist

from fastcache.errors import ArgumentError


def ranks_of(rank: int | None, world: int | None) -> tuple[int, int]:
    """Return rank and number of processes.

    Parameters
    ----------
    rank, world : int or None
        Both or neither. None: those of torch.distributed where it is initialised, else of the
        environment (``RANK``, ``WORLD_SIZE``), else 0 of 1.

    Raises
    ------
    ArgumentError
        For numbers that do not fit each other.
    """
    if rank is None and world is None:
        if dist.is_available() and dist.is_initialized():
            return dist.get_rank(), dist.get_world_size()
        return _from_environment()
    if rank is None or world is None:
        raise ArgumentError(f"rank={rank!r}, world={world!r}: give both, or neither")
    if not (_is_int(rank) and _is_int(world) and 0 <= rank < world):
        raise ArgumentError(f"rank={rank!r}, world={world!r}: rank is an int from 0 to world - 1")
    return int(rank), int(world)


def rank_here(otherwise: int) -> int:
    """Return the rank of this process, as far as it is known; else what it is told here.

    For what ranks should do differently, but need not: nothing is refused.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    text = os.environ.get("RANK", "")
    return int(text) % (1 << 32) if text.isdecimal() else otherwise


def warn_of_equal_work(stacklevel: int) -> None:
    """Say so where there are several processes, and each is about to go through all samples."""
    world = ranks_of(None, None)[1]
    if world > 1:
        warnings.warn(
            f"each of {world} ranks goes through all samples, in the same order: for a part each "
            "give sampler=fc.ArenaSampler(dataset) instead of shuffle=",
            stacklevel=stacklevel + 1,
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _from_environment() -> tuple[int, int]:
    texts = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE")]
    if texts == [None, None]:
        return 0, 1
    try:
        rank, world = (int(text or "") for text in texts)
    except ValueError:
        rank, world = -1, 0
    if not 0 <= rank < world:
        raise ArgumentError(
            f"the environment has RANK={texts[0]}, WORLD_SIZE={texts[1]}: set both, with "
            "0 <= RANK < WORLD_SIZE, or pass rank= and world="
        )
    return rank, world
