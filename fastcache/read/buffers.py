"""Where batches are written, and how many threads write them."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch.utils.data import get_worker_info

from fastcache._core import threads as pool
from fastcache._core.lease import Pool

# Idle memory that the process keeps for its next batches: a few large ones (256 photos of 224
# pixels are 37 MiB). What lives on tensors comes on top of it and is the caller's.
POOL = Pool(512 << 20)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)

# Below this a plain allocation is as good: its pages stay with the C library.
_LEASE_FROM = 64 << 10
# From here on a batch does not stay in the cache until it is used: write past it.
STREAM_FROM = 4 << 20


class _Wishes(threading.local):
    """What who loads batches in this thread wants of them."""

    threads: int | None = None
    new_bytes: Callable[[int], torch.Tensor] | None = None


_wishes = _Wishes()


@contextmanager
def wishes(
    threads: int | None, new_bytes: Callable[[int], torch.Tensor] | None = None
) -> Iterator[None]:
    """Within it, batches that this thread makes are made by so many threads, in memory from there.

    None: by as many as their dataset says, and in the pool's memory.
    """
    before = _wishes.threads, _wishes.new_bytes
    _wishes.threads, _wishes.new_bytes = threads, new_bytes
    try:
        yield
    finally:
        _wishes.threads, _wishes.new_bytes = before


def new_bytes(size: int) -> torch.Tensor:
    """Return a fresh uint8 tensor of shape (size,) for a batch; its content is arbitrary.

    In a worker of a ``DataLoader`` it lies in torch's shared memory, so that it travels to the
    parent without another copy. Elsewhere large ones come from the process's pool and go back to
    it with the last tensor on them.
    """
    if get_worker_info() is not None and size:
        storage = torch.UntypedStorage._new_shared(size)  # type: ignore[no-untyped-call]
        return torch.empty(0, dtype=torch.uint8, device="cpu").set_(storage, 0, (size,), (1,))
    if size < _LEASE_FROM:
        return torch.empty(size, dtype=torch.uint8, device="cpu")
    if _wishes.new_bytes is not None:
        return _wishes.new_bytes(size)
    return torch.frombuffer(POOL.lease(size), dtype=torch.uint8)


def run(jobs: Sequence[pool.Work], size: int, threads: int) -> None:
    """Run jobs that write `size` bytes in all; in a worker on one thread."""
    # The workers of a DataLoader are the parallelism.
    if get_worker_info() is not None:
        threads = 1
    elif _wishes.threads is not None:
        threads = _wishes.threads
    pool.run_jobs(jobs, size, threads)
