"""ArenaLoader: a DataLoader whose batches are made ahead by threads, and moved to a device."""

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal
from weakref import WeakMethod

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from fastcache._core.threads import resolve_threads
from fastcache.errors import ArgumentError
from fastcache.read.device import cuda
from fastcache.read.device.moving import Mover
from fastcache.read.loading.batch_makers import BatchMaker, Made, WorkerBatches
from fastcache.read.loading.loader_device import check_device, mover_of
from fastcache.read.loading.loader_iterator import LoaderIterator
from fastcache.read.loading.loader_state import Resumable
from fastcache.read.loading.prefetch import Ahead, checked_count
from fastcache.read.loading.turns import Batches, Turn, Turns, asked_one_by_one
from fastcache.read.sampling.ranks import warn_of_equal_work
from fastcache.read.sampling.sampler import ArenaSampler

_AHEAD = 2


class ArenaLoader(Resumable, DataLoader[Any]):
    """A ``DataLoader`` that makes batches ahead in threads, and brings them to a device.

    Takes what ``DataLoader`` takes. With ``num_workers=0``, one thread asks the sampler, reads the
    dataset and collates while the loop works; an :class:`~fastcache.ArenaDataset` does nearly all
    of that in C, on as many threads as it has. Any other map-style dataset works, too. With
    ``num_workers`` above 0, ``DataLoader``'s own worker processes make the batches as ever.

    Parameters
    ----------
    dataset, batch_size, sampler, batch_sampler, num_workers, collate_fn, pin_memory, drop_last, \
worker_init_fn, multiprocessing_context, generator, persistent_workers, pin_memory_device, in_order
        As for ``DataLoader``.
    shuffle : bool or "blocks", optional
        Shuffles by ``ArenaSampler(dataset, shuffle, seed, rank=0, world=1)``: a new order in each
        epoch, the same in each run, all samples in each process. `seed` is
        ``generator.initial_seed()``, or 0 without a generator. For ranks that share an epoch give
        ``sampler=fc.ArenaSampler(dataset)`` instead.
    timeout : float
        Seconds in which a batch has to come; 0: no limit. Not with ``prefetch_factor=0``.
    prefetch_factor : int, optional
        Batches that are made ahead: 2 for None. With worker processes, by each of them. Without
        these, 0 makes batches where they are asked for, without a thread.
    device : str, torch.device or int, optional
        Where batches are to be: None or "cpu", "cuda", "cuda:1", 1. Tensors anywhere in the nested
        tuples, lists and dicts of a batch are moved, by way of page-locked memory of exactly their
        size and a stream of their own. They may be used at once on the stream that is current where
        the loop asks for them.
    threads : int, optional
        Threads that write a batch of an arena, -1 for every usable core. None: as many as the
        dataset was told. Not with worker processes, which have one each.
    pin : {"arena"}, optional
        "arena", with a CUDA device: the arena in memory is page-locked by the first iteration,
        until the dataset is closed, and the device reads the rows of a batch out of it itself. For
        datasets without transforms, whose samples are all decoded.

    Attributes
    ----------
    device : torch.device or None
    threads, pin
        As given.
    ahead : int
        Batches that are made ahead; 0 with worker processes, which have `prefetch_factor`.

    Raises
    ------
    ArgumentError
        For a device that does not exist, threads with worker processes, datasets without indices,
        and what `pin` cannot be had with.
    ValueError, TypeError
        What ``DataLoader`` raises for arguments that do not fit each other.
    LateError
        While iterating: a batch did not come within `timeout`.
    BlockError
        While iterating: memory could not be page-locked.
    ForkedError
        While iterating: in a child that was forked in the middle of an iteration.

    Notes
    -----
    What is raised while a batch is made is raised in the loop when it is that batch's turn, with
    its own type and traceback, and a note of the samples; the next request gets the next batch.

    An iteration that ends, by ``break`` or an error too, leaves neither thread nor memory: what was
    made ahead goes with the iterator. A loop that holds one batch never has more than ``ahead + 2``
    of them in memory. Batches are fresh memory, which is theirs as long as a tensor on it lives.

    Samplers are asked ahead of the loop, and in another thread: random numbers that these or a
    dataset take from torch's global state may come between those of the loop. Without `generator`
    and shuffling of its own, a sampler sees that state as under ``DataLoader``.

    Examples
    --------
    >>> loader = fc.ArenaLoader(ds, batch_size=256, shuffle=True, drop_last=True, device="cuda")
    >>> for images, labels in loader:
    ...     train(images, labels)
    ...     if time_to_save():
    ...         torch.save(loader.state_dict(), "loader.pt")
    >>> print(loader.stats())
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int | None = 1,
        shuffle: bool | Literal["blocks"] | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        device: str | torch.device | int | None = None,
        threads: int | None = None,
        pin: Literal["arena"] | None = None,
    ) -> None:
        if isinstance(dataset, IterableDataset):
            raise ArgumentError(
                f"{type(dataset).__name__} has no indices to fetch samples by: use torch's "
                "DataLoader, or a map-style dataset"
            )
        self.device, self.pin = cuda.checked_device(device), pin
        check_device(dataset, self.device, pin, num_workers)
        self.threads = threads
        if threads is not None and resolve_threads(threads) and num_workers > 0:
            raise ArgumentError(
                f"threads={threads} with num_workers={num_workers}: workers are the threads then, "
                "with one each; leave out one of the two"
            )
        if prefetch_factor is not None and num_workers == 0:
            prefetch_factor = checked_count(prefetch_factor, timeout)
        self._shuffles = bool(shuffle) and sampler is None and batch_sampler is None
        if self._shuffles:
            sampler, shuffle = _shuffled(dataset, shuffle, generator), None
        options: dict[str, Any] = {} if in_order else {"in_order": False}
        if options and "in_order" not in inspect.signature(DataLoader.__init__).parameters:
            raise ArgumentError(f"in_order=False: torch {torch.__version__} cannot do that")
        super().__init__(
            dataset,
            batch_size,
            bool(shuffle),
            sampler,
            batch_sampler,
            num_workers,
            collate_fn,
            pin_memory,
            drop_last,
            timeout,
            worker_init_fn,
            multiprocessing_context,
            generator,
            prefetch_factor=prefetch_factor if num_workers else None,
            persistent_workers=persistent_workers,
            pin_memory_device=pin_memory_device,
            **options,
        )
        self.in_order = in_order
        if not num_workers:
            self.prefetch_factor = prefetch_factor
        self._turns = Turns(dataset)

    # Tools make loaders anew of attributes.  Some look into __dict__ and make one of our class,
    # which has to get what was given; some hand what getattr gives to torch's, which refuses
    # anything but None where there are no workers.  What __dict__ has is the truth.
    @property
    def prefetch_factor(self) -> int | None:
        """As ``DataLoader`` has it: None without worker processes; `ahead` is what counts then."""
        return self.__dict__["prefetch_factor"] if self.num_workers else None

    @prefetch_factor.setter
    def prefetch_factor(self, value: int | None) -> None:
        self.__dict__["prefetch_factor"] = value

    @property
    def ahead(self) -> int:
        """Batches that are made ahead by a thread."""
        given: int | None = self.__dict__["prefetch_factor"]
        return 0 if self.num_workers else _AHEAD if given is None else given

    @property
    def _index_sampler(self) -> Batches:
        # DataLoader's iterators take their indices from here.
        listed = self._auto_collation and asked_one_by_one(self.dataset)
        return Batches(super()._index_sampler, self._turns, self._plain_sampler, listed)

    def __iter__(self) -> LoaderIterator:  # type: ignore[override]
        sampler = self._arena_sampler
        if self._shuffles and sampler is not None and sampler._part is None:
            warn_of_equal_work(stacklevel=3)
        turn = self._turns.make()
        ahead = _AHEAD if self.num_workers else self.ahead
        mover = mover_of(self.dataset, self.device, self.pin, ahead + 1, self.collate_fn)
        made: Ahead[Made]
        if self.num_workers:
            # With a device, so that copies begin before they are asked for.
            workers = WorkerBatches(mover, turn, self._turns if self.persistent_workers else None)
            made = Ahead(workers, 0 if mover is None else ahead)
            begin = partial(workers.begin, partial(self._begin_workers, turn))
        else:
            # DataLoader does so too: a sampler on the global state sees the same state.
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
            maker = self._maker(mover, turn)
            made, begin = Ahead(maker, ahead), partial(self._turns.begin, turn)
            # Weakly: what is dropped while its thread puts a batch there, in a garbage collection
            # at that, goes with the thread's last look at it, and not with the next collection.
            stopping = WeakMethod(made.stopping)
            maker.stopped = lambda: (asked := stopping()) is None or asked()
        return LoaderIterator(made, turn, begin, mover, self.timeout, self._index_sampler)

    def _begin_workers(self, turn: Turn) -> Iterator[Any]:
        """Begin an iteration of ``DataLoader``'s own, which asks for batches at once."""
        with self._turns.beginning(turn):
            return super().__iter__()

    def _maker(self, mover: Mover | None, turn: Turn) -> BatchMaker:
        finish = None
        if self.pin_memory and mover is None:
            finish = cuda.pinner()
            if finish is None:
                warnings.warn(
                    "pin_memory=True: torch sees no CUDA device, so memory is not page-locked",
                    stacklevel=3,
                )
        threads = None if self.threads is None else resolve_threads(self.threads)
        indices, collates = self._index_sampler.of(turn), self._auto_collation
        return BatchMaker(self.dataset, indices, self.collate_fn, collates, threads, finish, mover)


def _shuffled(dataset: Any, shuffle: Any, generator: torch.Generator | None) -> ArenaSampler:
    """Return the sampler that ``shuffle=`` means."""
    seed = 0 if generator is None else generator.initial_seed()
    return ArenaSampler(dataset, shuffle, seed, rank=0, world=1)
