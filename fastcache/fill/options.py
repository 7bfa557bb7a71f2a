"""What a user may ask of a fill, checked once, before any file is touched."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.fill.images.formats import check_extra_formats
from fastcache.fill.limits import Limits, settled
from fastcache.fill.progress import ProgressCallback
from fastcache.memory.budget import BudgetLike
from fastcache.memory.permutation import Permutation
from fastcache.memory.row_numbers import AllRows, RowNumbers
from fastcache.schema import Field
from fastcache.transforms import Operation, normalize_store

Color: TypeAlias = Literal["L", "RGB", "RGBA", "I;16"]
OnError: TypeAlias = Literal["raise", "skip", "fill"]
Exif: TypeAlias = Literal["ignore", "apply"]
Keep: TypeAlias = Literal["auto", "decoded", "encoded"]
Home: TypeAlias = Literal["auto", "ram", "disk"]
# Given the field of each column, the shapes of ragged rows, and the number of samples; raises what
# it has against them.
Accept: TypeAlias = Callable[[Mapping[str, Field], Mapping[str, npt.NDArray[np.int64]], int], None]

CHANNELS: dict[str, int] = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 1}

_SHARD = 0x5A  # what the permutation is for is part of its key: samplers use the same seed


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise ArgumentError(f"{name}={value!r}: this version has {choices}")


def _check_home(home: object) -> None:
    if home in get_args(Home):
        return
    if isinstance(home, str) and home.partition(":")[0] == "cuda":
        raise ArgumentError(
            f"home={home!r} is for ArenaDataset and open, which fill or read memory first and then "
            'put it on the device: plan that with home="ram"; the plan of such a dataset says what '
            "the device needs"
        )
    choices = ", ".join(map(repr, get_args(Home)))
    raise ArgumentError(f'home={home!r}: choose {choices}, or "cuda" (a device\'s memory)')


@dataclass(frozen=True)
class FillOptions:
    """Arguments of :class:`fastcache.ArenaDataset` that concern the fill; meanings stand there."""

    store: tuple[Operation, ...] = ()
    color: str | None = None
    exif: str = "ignore"
    keep: str = "auto"
    home: str = "auto"
    budget: BudgetLike = None
    on_error: str = "raise"
    limit: int | float | None = None
    threads: int | None = None
    seed: int = 0
    shard: tuple[int, int] | None = None
    progress: bool | ProgressCallback | None = None
    limits: Limits = field(default_factory=Limits)
    extra_formats: Collection[str] = ()
    cache_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", normalize_store(self.store))
        _one_of("color", self.color, (*get_args(Color), None))
        _one_of("exif", self.exif, get_args(Exif))
        _one_of("keep", self.keep, get_args(Keep))
        _check_home(self.home)
        if self.keep == "encoded" and (self.home == "disk" or self.cache_dir is not None):
            raise ArgumentError(
                'keep="encoded" keeps files in memory as they are; on a disk they would be there '
                "twice: leave keep= out, or home= and cache_dir="
            )
        if self.cache_dir is not None:
            object.__setattr__(self, "cache_dir", os.fsdecode(self.cache_dir))
            if not self.cache_dir:
                raise ArgumentError('cache_dir="": give a folder ("." is the one you are in)')
        _one_of("on_error", self.on_error, get_args(OnError))
        if not (self.progress is None or isinstance(self.progress, bool | Callable)):
            raise ArgumentError(f"progress={self.progress!r}: give None, a bool or a callable")
        if not isinstance(self.limits, Limits):
            raise ArgumentError(f"limits={self.limits!r}: give fastcache.Limits(pixels=...)")
        object.__setattr__(self, "limits", settled(self.limits))
        object.__setattr__(self, "extra_formats", check_extra_formats(self.extra_formats))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ArgumentError(f"seed={self.seed!r}: give an int of at least 0")
        object.__setattr__(self, "shard", _checked_shard(self.shard))

    @property
    def on_disk(self) -> bool:
        """Whether the arena is filled in files, wherever it is read from."""
        return self.home == "disk" or self.cache_dir is not None


def _checked_shard(shard: object) -> tuple[int, int] | None:
    if shard is None:
        return None
    pair = tuple(shard) if isinstance(shard, Sequence) else ()
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in pair)
    if len(pair) == 2 and whole and 0 <= pair[0] < pair[1]:
        return int(pair[0]), int(pair[1])
    raise ArgumentError(f"shard={shard!r}: give (rank, world), ints with 0 <= rank < world")


def select(count: int, limit: int | float | None, seed: int) -> RowNumbers:
    """Return which of `count` samples are taken, in their own order.

    Parameters
    ----------
    count : int
    limit : int, float or None
        None: all. An int: the first so many. A float in (0, 1]: that share, drawn with `seed`.
    seed : int

    Raises
    ------
    ArgumentError
        If `limit` is neither, or takes nothing.
    """
    if limit is None:
        return AllRows(count)
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.integer | np.floating):
        raise ArgumentError(f"limit={limit!r}: give a number of samples, or a share in (0, 1]")
    if isinstance(limit, int | np.integer):
        if limit < 1:
            raise ArgumentError(f"limit={limit}: give at least 1 sample")
        return AllRows(min(count, int(limit)))
    if not 0 < limit <= 1:
        raise ArgumentError(f"limit={limit}: a share lies in (0, 1]; for a number give an int")
    share = max(1, round(count * float(limit)))
    drawn = np.random.Generator(np.random.PCG64(seed)).choice(count, share, replace=False)
    return np.sort(drawn).astype(np.int64)


def cut(rows: RowNumbers, shard: tuple[int, int] | None, seed: int) -> RowNumbers:
    """Return one process's part of the rows that were taken, in their own order.

    Parameters
    ----------
    rows : AllRows or int64 array (N,)
    shard : (int, int) or None
        Rank and world. The parts of all ranks have no row in common, and all rows together; their
        sizes differ by one at most.
    seed : int
        Draws who has which; the same on all ranks.

    Raises
    ------
    ArgumentError
        If a part would have no row.
    """
    if shard is None or shard[1] == 1:
        return rows
    rank, world = shard
    count = len(rows)
    if count < world:
        raise ArgumentError(f"shard={shard}: {count} samples cannot be shared by {world} processes")
    places = np.arange(rank * count // world, (rank + 1) * count // world)
    mine = Permutation(count, seed, _SHARD).at(places)
    mine.sort()
    return rows[mine]


def taken_rows(count: int, options: FillOptions) -> tuple[RowNumbers, list[int] | None]:
    """Return which of a source's samples this process takes.

    Returns
    -------
    rows : AllRows or int64 array
    shard : [rank, world, samples] or None
        Whose part that is, and of how many samples.

    Raises
    ------
    ArgumentError
        If that is none.
    """
    taken = select(count, options.limit, options.seed)
    if not len(taken):
        raise ArgumentError("the source has no samples")
    shard = None if options.shard is None else [*options.shard, len(taken)]
    return cut(taken, options.shard, options.seed), shard
