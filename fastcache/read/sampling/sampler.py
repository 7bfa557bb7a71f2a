"""ArenaSampler: which samples an epoch takes, in which order, and where to go on after a stop."""

from collections.abc import Iterator, Mapping, Sized
from typing import Any

from torch.utils.data import Sampler

from fastcache.errors import ArgumentError
from fastcache.read.sampling.advice import advised
from fastcache.read.sampling.checked_ints import LARGEST_EPOCH, LARGEST_SEED, checked_int
from fastcache.read.sampling.epochs import epoch_begins
from fastcache.read.sampling.order import Ints, Order, Share, Shuffle
from fastcache.read.sampling.sampler_arguments import check_kinds, default_block, part_of, ranks_for
from fastcache.read.sampling.sampler_state import Run, SamplerState

_CHUNK = 1 << 12  # samples whose order is made at once


class ArenaSampler(Sampler[int]):
    """Samples in an order that can be told in three numbers, and resumed anywhere.

    Each epoch's order is a function of `seed`, the epoch and the number of samples; it takes no
    memory, however many these are. Several ranks share an epoch as with torch's
    ``DistributedSampler``. Iterating goes through the current epoch and then counts it up, so that
    a plain loop over a ``DataLoader`` shuffles anew each time; ``set_epoch`` works as well.

    Parameters
    ----------
    ds : ArenaDataset, or anything that has a length
    shuffle : bool or "blocks"
        True: a random order of all. False: 0, 1, 2, … "blocks": for arenas on
        disks that are slow at random reads; see Notes.
    seed : int
        0 to 2**64 - 1; the same on all ranks.
    rank, world : int, optional
        This process and the number of them; both or neither. None: those of torch.distributed
        where it is initialised, else of the environment (``RANK``, ``WORLD_SIZE``), else 0 of 1. Of
        a dataset with ``shard=``, which holds this rank's part alone: 0 of 1.
    drop_last : bool
        Ranks take equal numbers of samples. False: some samples, from the epoch's beginning, are
        taken once more at its end; at most ``world - 1``. True: as many are left out instead.
        Samples of a ``shard=`` that failed (``on_error="skip"``) are made up for in the same way.
    block : int, optional
        Samples of a block. None: as many as take 16 MiB in the arena; 1024 where `ds` does not
        tell.
    window : int
        Blocks among whose samples is shuffled.
    ahead : int
        If `ds` has a method ``read_ahead``, it is called with the samples of this rank that come
        next (int64 arrays, 256 in general), at least so many samples before they are due. If it
        has a method ``set_epoch``, each iteration begins by calling it.

    Attributes
    ----------
    ds, shuffle, seed, rank, world, drop_last, block, window, ahead
        As given, or as decided for None.
    epoch : int
        The epoch that the next iteration goes through.

    Raises
    ------
    ArgumentError
        For values that cannot be used, and for ``drop_last=True`` with fewer samples than ranks.

    Notes
    -----
    ``len`` is that of a whole epoch, and of a batch sampler around this one likewise; an iteration
    that was resumed is shorter. torch's global random state is neither used nor changed.

    With ``shuffle="blocks"``, blocks of neighbouring samples are shuffled over the whole epoch, and
    samples within each window of `window` consecutive blocks of that order. So a sample may come
    anywhere in an epoch, but neighbours stay together: two samples of one block are less than
    ``window * block`` positions apart, and a batch holds samples of one window, at its borders of
    two. If samples lie sorted by class, batches then hold few classes: shuffle before filling, or
    take a larger window. About ``window * block`` samples are in use at a time.

    Frameworks that cut batches for ranks by themselves (Accelerate; Lightning with
    ``use_distributed_sampler=True``) need ``rank=0, world=1`` here, or every rank would get a part
    of its part.

    Examples
    --------
    >>> sampler = fc.ArenaSampler(ds, seed=1)
    >>> loader = DataLoader(ds, batch_size=256, sampler=sampler)
    >>> for step, (images, labels) in enumerate(loader, 1):
    ...     train(images, labels)
    ...     if step % 1000 == 0:  # workers are ahead of what was trained: say how far that is
    ...         torch.save(sampler.state_dict(consumed=step * 256), "sampler.pt")

    And after a stop, with any number of ranks and workers and any batch size:

    >>> sampler.load_state_dict(torch.load("sampler.pt"))
    """

    def __init__(
        self,
        ds: Sized,
        shuffle: Shuffle = True,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        drop_last: bool = False,
        *,
        block: int | None = None,
        window: int = 8,
        ahead: int = 512,
    ) -> None:
        super().__init__()
        check_kinds(ds, shuffle, drop_last)
        self.ds = ds
        self.shuffle: Shuffle = shuffle
        self.seed = checked_int("seed", seed, 0, LARGEST_SEED)
        self.drop_last = drop_last
        self.block = default_block(ds) if block is None else checked_int("block", block, 1)
        self.window = checked_int("window", window, 1)
        self.ahead = checked_int("ahead", ahead, 1)
        self.epoch = 0
        self._part = part_of(ds)
        self.rank, self.world = ranks_for(self._part, rank, world)
        self._position = 0  # of the next iteration
        self._run: Run | None = None
        self._share(0)

    def __len__(self) -> int:
        return len(self._share(0))

    def _share(self, start: int) -> Share:
        count = len(self.ds)
        whole = count if self._part is None else self._part.whole(count, self.drop_last)
        if self.drop_last and 0 < count < self.world:
            raise ArgumentError(
                f"drop_last=True: {count} samples do not fill one step of {self.world} ranks; "
                "use fewer ranks, or drop_last=False"
            )
        return Share(count, start, self.rank, self.world, self.drop_last, whole)

    # -- iterating ----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[int]:
        # All of this runs with the first sample asked for: loaders make iterators that they never
        # use, which must not count as an epoch.
        run = Run(self.epoch, self._share(self._position))
        self._run = run
        self.epoch, self._position = run.epoch + 1, 0
        chunks = self._chunks(run)
        read_ahead = getattr(self.ds, "read_ahead", None)
        if read_ahead is not None:
            chunks = advised(chunks, read_ahead, self.ahead)
        try:
            for chunk in chunks:
                for index in chunk.tolist():
                    run.taken += 1
                    yield index
            run.done = True
        finally:
            run.live = False

    def _chunks(self, run: Run) -> Iterator[Ints]:
        share = run.share
        # No more than there are: larger numbers mean the same, and overflow.
        block, window = (min(value, max(1, share.count)) for value in (self.block, self.window))
        order = Order(share.count, self.shuffle, self.seed, run.epoch, block, window)
        epoch_begins(self.ds, run.epoch, order.at(share.to_come_again()))
        for begin in range(0, len(share), _CHUNK):
            yield order.at(share.positions(begin, begin + _CHUNK))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next iteration goes through, from its beginning.

        A position that ``load_state_dict`` brought stays if it is one of that epoch.
        """
        epoch = checked_int("epoch", epoch, 0, LARGEST_EPOCH)
        if epoch != self.epoch:
            self._position = 0
        if self._run is not None and (epoch != self._run.epoch or not self._run.live):
            self._run = None
        self.epoch = epoch

    # -- state --------------------------------------------------------------------------------

    def state_dict(self, consumed: int | None = None) -> dict[str, Any]:
        """Return where the iteration under way stands, as plain values.

        Parameters
        ----------
        consumed : int, optional
            Samples of this iteration that this rank is done with; batches that workers prefetched
            are not. It must be the same on all ranks. None: all that were handed out.

        Returns
        -------
        dict
            See :class:`~fastcache.read.sampling.sampler_state.SamplerState`. Once the iteration has
            ended it means the next epoch's beginning.

        Raises
        ------
        ArgumentError
            If `consumed` is more than was handed out, and that was not all of them: a short last
            batch may be counted as a whole one.
        """
        return self._state(consumed).to_dict()

    def _state(self, consumed: int | None = None) -> SamplerState:
        run, epoch, position = self._run, self.epoch, self._position
        given = 0 if run is None else run.taken
        if consumed is not None and checked_int("consumed", consumed, 0) > given:
            if run is None or given < len(run.share):
                raise ArgumentError(
                    f"consumed={consumed}: this iteration has handed out {given} samples; count "
                    "those of this rank since its loop began"
                )
            consumed = given  # whoever counts batches counts a short last one as a whole
        if run is not None and not (run.done and consumed is None):
            taken = given if consumed is None else consumed
            epoch, position = run.epoch, run.share.reached(taken)
        return SamplerState(
            seed=self.seed,
            epoch=epoch,
            position=position,
            n=len(self.ds),
            shuffle=self.shuffle,
            block=self.block,
            window=self.window,
            shard=None if self._part is None else [self._part.rank, self._part.world],
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where another one stood.

        Seed, block and window become those of `state`; ranks, workers and batch size are free to
        differ. Load the same state on every rank.

        Raises
        ------
        ArgumentError
            For what is no state, and a state of another number of samples, another `shuffle`, or
            another part of a dataset with ``shard=``.
        """
        given = SamplerState.from_dict(state)
        given.check_order(self._state())
        self.seed, self.block, self.window = given.seed, given.block, given.window
        self.epoch, self._position, self._run = given.epoch, given.position, None
