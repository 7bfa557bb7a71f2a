"""Where the iterations of a loader stand: what was delivered, whatever was made ahead."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch.utils.data import BatchSampler

from fastcache.errors import ArgumentError
from fastcache.read.loading.loader_stats import LoaderStats
from fastcache.read.loading.turns import Turns
from fastcache.read.sampling.checked_ints import LARGEST_EPOCH, checked_int
from fastcache.read.sampling.sampler import ArenaSampler


def plain_sampler(sampler: Any, batch_sampler: Any) -> Any:
    """Return the sampler whose order, unchanged, is that of the batches; None if none is known."""
    if batch_sampler is None:
        return sampler
    # Another class may leave out samples, or take them in another order.
    return batch_sampler.sampler if type(batch_sampler) is BatchSampler else None


class Resumable:
    """The part of :class:`~fastcache.ArenaLoader` that tells where it stands, and goes on there."""

    _turns: Turns
    dataset: Any
    sampler: Any
    batch_sampler: Any
    num_workers: int
    threads: int | None

    @property
    def _plain_sampler(self) -> Any:
        return plain_sampler(self.sampler, self.batch_sampler)

    @property
    def _arena_sampler(self) -> ArenaSampler | None:
        sampler = self._plain_sampler
        # A class derived from it that iterates otherwise gives what its state does not tell.
        is_ours = isinstance(sampler, ArenaSampler)
        return sampler if is_ours and type(sampler).__iter__ is ArenaSampler.__iter__ else None

    @property
    def _size(self) -> int | None:
        batches = self.batch_sampler
        return batches.batch_size if isinstance(batches, BatchSampler) else None

    def stats(self) -> LoaderStats:
        """Return how the newest iteration went up to now; prints as a table."""
        turn = self._turns.begun
        stats = LoaderStats() if turn is None else turn.meter.stats()
        scratch = getattr(self.dataset, "scratch_bytes", None)
        if scratch is None:  # another kind of dataset, which does not tell
            return stats
        return replace(stats, scratch_bytes=scratch(1 if self.num_workers else self.threads))

    def state_dict(self) -> dict[str, Any]:
        """Return where the newest iteration stands, as plain values.

        It counts what the loop was given, whatever was made ahead. Once the loop has ended it means
        the next epoch's beginning.

        Returns
        -------
        dict
            With an ArenaSampler its state: samples are counted, so batch size, workers and ranks
            may be others when it is loaded, and what follows is exactly what would have followed.
            With other samplers, or a batch sampler of one's own, the number of iterations before
            this one and of batches: see `load_state_dict`.
        """
        turns, turn, sampler = self._turns, self._turns.begun, self._arena_sampler
        if sampler is not None:
            # Somebody may have told the sampler meanwhile where to go on, or iterate over it.
            ours = turn is not None and turn.run is not None and turn.run is sampler._run
            consumed = turn.samples if ours and turn is not None and not turn.ended else None
            return {"sampler": sampler.state_dict(consumed)}
        if turn is None:
            epoch, batches = turns.epoch, turns.skip
        elif turn.ended:
            epoch, batches = turns.number(turn) + 1, 0
        else:
            epoch, batches = turns.number(turn), turn.batches
        return {"epoch": epoch, "batches": batches, "batch_size": self._size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where another one stood.

        Without an ArenaSampler that means: the sampler is asked for the batches that were delivered
        before, and these are not read. So the same samples follow only if the sampler gives the
        same order again: one that goes straight on does, as one whose epoch or whose generator's
        state was set back as it was.

        Raises
        ------
        ArgumentError
            For what is no state, or one of a loader with other samples, another kind of sampler or,
            without an ArenaSampler, another batch size.
        """
        if not isinstance(state, Mapping):
            raise ArgumentError(f"no state of an ArenaLoader: {state!r}")
        sampler = self._arena_sampler
        if "sampler" in state:
            if sampler is None:
                raise ArgumentError(
                    "the state is that of a loader with an ArenaSampler, and this one has none: "
                    "make it with shuffle=True or sampler=fc.ArenaSampler(...), as it was made"
                )
            sampler.load_state_dict(state["sampler"])
            self._turns.reset(0, 0)
            return
        missing = [key for key in ("epoch", "batches", "batch_size") if key not in state]
        if missing:
            raise ArgumentError(f"no state of an ArenaLoader: it lacks {', '.join(missing)}")
        if sampler is not None:
            raise ArgumentError(
                "the state counts batches of a loader without an ArenaSampler, and this one has "
                "one: make it with the sampler that it had"
            )
        if state["batch_size"] != self._size:
            raise ArgumentError(
                f"the state counts batches of {state['batch_size']}, and this loader makes them of "
                f"{self._size}: use that batch size, or fc.ArenaSampler, which counts samples"
            )
        epoch = checked_int("epoch", state["epoch"], 0, LARGEST_EPOCH)
        self._turns.reset(epoch, checked_int("batches", state["batches"], 0))
