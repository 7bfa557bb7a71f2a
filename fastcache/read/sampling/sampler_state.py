"""Where an epoch stands, as plain values that any format can hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.read.sampling.checked_ints import LARGEST_EPOCH, LARGEST_SEED, checked_int
from fastcache.read.sampling.order import Share, Shuffle


@dataclass
class Run:
    """An iteration: what of which epoch it gives, and what it has given.

    Attributes
    ----------
    epoch : int
    share : Share
    taken : int
        Samples that were handed out.
    done : bool
        Whether these were all.
    live : bool
        Whether somebody still iterates.
    """

    epoch: int
    share: Share
    taken: int = 0
    done: bool = False
    live: bool = True

    @property
    def gives_each_once(self) -> bool:
        """Whether it gives no sample twice."""
        return self.share.whole <= self.share.count


@dataclass(frozen=True)
class SamplerState:
    """What :meth:`fastcache.ArenaSampler.state_dict` returns, and what its keys mean.

    Attributes
    ----------
    seed, epoch : int
    position : int
        Samples of the epoch that all ranks together are done with.
    n : int
        Samples of the dataset.
    shuffle, block, window
        As the sampler had them.
    shard : list of int or None
        Rank and world of a dataset that holds a part of the samples.
    """

    seed: int
    epoch: int
    position: int
    n: int
    shuffle: Shuffle
    block: int
    window: int
    shard: list[int] | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a dict of plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SamplerState":
        """Return the state that `to_dict` wrote; raise ArgumentError for anything else."""
        if not isinstance(data, Mapping):
            raise ArgumentError(f"no state of an ArenaSampler: {data!r}")
        missing = [key.name for key in fields(cls) if key.name not in data]
        if missing:
            raise ArgumentError(f"no state of an ArenaSampler: it lacks {', '.join(missing)}")
        n = checked_int("n", data["n"], 0)
        # With shard=, an epoch may take more samples than there are, some of them twice.
        most = LARGEST_EPOCH if data["shard"] else n
        return cls(
            seed=checked_int("seed", data["seed"], 0, LARGEST_SEED),
            epoch=checked_int("epoch", data["epoch"], 0, LARGEST_EPOCH),
            position=checked_int("position", data["position"], 0, most),
            n=n,
            shuffle=data["shuffle"],
            block=checked_int("block", data["block"], 1),
            window=checked_int("window", data["window"], 1),
            shard=data["shard"],
        )

    def check_order(self, other: "SamplerState") -> None:
        """Refuse the state of a sampler whose order another one cannot go on with."""
        for key in ("n", "shuffle", "shard"):
            theirs, own = getattr(self, key), getattr(other, key)
            if theirs != own:
                raise ArgumentError(
                    f"the state has {key}={theirs!r}, this sampler {key}={own!r}, so its order is "
                    "another one: make the sampler over the same samples and as it was made"
                )
