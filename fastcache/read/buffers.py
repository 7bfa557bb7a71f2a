"""Where batches are written, and how many threads write them."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import get_worker_info

from fastcache._core import threads as pool
from fastcache._core.lease import Pool
from fastcache.errors import BlockError
from fastcache.read.per_thread import PerThread

# Idle memory that the process keeps for its next batches: a few large ones (256 photos of 224
# pixels are 37 MiB). What lives on tensors comes on top of it and is the caller's.
POOL = Pool(512 << 20)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)

# Below this a plain allocation is as good: its pages stay with the C library.
_LEASE_FROM = 64 << 10
# From here on a batch does not stay in the cache until it is used: write past it.
STREAM_FROM = 4 << 20


_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Offsets: TypeAlias = npt.NDArray[np.int64]


class Finishes:
    """What is still to be done to tensors of a batch where it is moved to.

    Who loads the batch has promised to do it: see :func:`finishes`.
    """

    def __init__(self) -> None:
        self._of: dict[int, Callable[[torch.Tensor], torch.Tensor]] = {}

    def later(
        self, tensor: torch.Tensor, finish: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Have `finish` called on the moved tensor; it has its memory for itself. Return it."""
        self._of[tensor.untyped_storage().data_ptr()] = finish
        return tensor

    def of(self, tensor: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Return what is to be done to a tensor; None if nothing is."""
        return self._of.get(tensor.untyped_storage().data_ptr())


class Wishes(NamedTuple):
    """What who loads batches wants of them.

    Attributes
    ----------
    threads : int, optional
        By how many they are made; None: by as many as their dataset says.
    new_bytes : callable, optional
        Returns the memory that they are written into, uint8 (size,); None: the pool's.
    gather : callable, optional
        Called with the bytes of a column, and where rows begin there and how long they are:
        returns a uint8 tensor with these rows one after the other, wherever that lies, or None if
        it does not know the column. None: C threads copy them.
    finishes : Finishes, optional
        Takes what may be done to the batch where it is moved to. None: batches are finished.
    """

    threads: int | None = None
    new_bytes: Callable[[int], torch.Tensor] | None = None
    gather: Callable[[_Bytes, _Offsets, int | _Offsets], torch.Tensor | None] | None = None
    finishes: Finishes | None = None


_told = PerThread(Wishes())

# Within it, batches that this thread makes are made as somebody wishes.
wishing = _told.within


def finishes() -> Finishes | None:
    """Return where to leave what may be done to this thread's batches later; None: do it now."""
    return _told.value.finishes


@contextmanager
def finished() -> Iterator[None]:
    """Within it, what this thread makes is finished at once: somebody looks at its numbers."""
    with wishing(_told.value._replace(finishes=None)):
        yield


def gathered(memory: _Bytes, starts: _Offsets, lengths: int | _Offsets) -> torch.Tensor | None:
    """Return rows as who loads this batch gathers them by itself; None if C threads shall."""
    gather = _told.value.gather
    return None if gather is None else gather(memory, starts, lengths)


def new_bytes(size: int) -> torch.Tensor:
    """Return a fresh uint8 tensor of shape (size,) for a batch; its content is arbitrary.

    In a worker of a ``DataLoader`` it lies in torch's shared memory, so that it travels to the
    parent without another copy. Elsewhere large ones come from the process's pool and go back to
    it with the last tensor on them.

    Raises
    ------
    BlockError
        If there is not so much memory.
    """
    if size > sys.maxsize:
        raise BlockError(errno.ENOMEM, f"no memory for a batch of {size} bytes: make less of it")
    if get_worker_info() is not None and size:
        storage = torch.UntypedStorage._new_shared(size)  # type: ignore[no-untyped-call]
        return torch.empty(0, dtype=torch.uint8, device="cpu").set_(storage, 0, (size,), (1,))
    if size < _LEASE_FROM:
        return torch.empty(size, dtype=torch.uint8, device="cpu")
    if _told.value.new_bytes is not None:
        return _told.value.new_bytes(size)
    return torch.frombuffer(POOL.lease(size), dtype=torch.uint8)


def run(jobs: Sequence[pool.Work], size: int, threads: int) -> None:
    """Run jobs that write `size` bytes in all; in a worker on one thread."""
    # The workers of a DataLoader are the parallelism.
    if get_worker_info() is not None:
        threads = 1
    elif _told.value.threads is not None:
        threads = _told.value.threads
    pool.run_jobs(jobs, size, threads)
