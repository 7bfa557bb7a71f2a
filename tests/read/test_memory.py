"""The gather job and the pool of leased buffers: ``fastcache._core.batch`` and ``.lease``."""

import gc
import itertools
import multiprocessing
import os
import pickle
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache._core import threads
from fastcache._core.batch import CopyJob
from fastcache._core.lease import Lease, Pool
from fastcache.errors import ArgumentError, BlockError
from fastcache.read.buffers import POOL, new_bytes

KiB = 1 << 10
MiB = 1 << 20


def int64(values):
    return np.array(values, np.int64)


# -- CopyJob ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 700)), max_size=60),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 65),
)
def test_runs_land_one_behind_the_other(runs, streaming, workers, shift):
    """Whatever the lengths, alignment and threads: what slicing in Python gives."""
    source = np.random.default_rng(0).integers(0, 256, 6000, np.uint8)
    wanted = b"".join(source[start : start + length].tobytes() for start, length in runs)
    frame = np.full(len(wanted) + shift + 64, 7, np.uint8)
    target = frame[shift : shift + len(wanted)]
    starts, lengths = int64([s for s, _ in runs]), int64([n for _, n in runs])
    job = CopyJob(source, target, starts, lengths, streaming=streaming)
    threads.run(job.run, workers)
    assert target.tobytes() == wanted
    assert (frame[:shift] == 7).all()
    assert (frame[shift + len(wanted) :] == 7).all()
    assert job.done == len(runs)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("row", [1, 63, 64, 300, 150_528])
def test_rows_of_one_length(row, streaming):
    source = np.random.default_rng(1).integers(0, 256, (9, row), np.uint8)
    picked = int64([8, 0, 3, 3, 8])
    target = np.empty(5 * row, np.uint8)
    CopyJob(source.ravel(), target, picked * row, row, streaming=streaming).run()
    assert np.array_equal(target.reshape(5, row), source[picked])


def test_the_callers_table_may_change_after_the_check():
    source, target = np.arange(10, dtype=np.uint8), np.zeros(2, np.uint8)
    starts = int64([3, 4])
    job = CopyJob(source, target, starts, 1)
    starts[:] = 10**12
    job.run()
    assert target.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("starts", "lengths", "size"),
    [
        ([-1], 1, 1),
        ([10], 1, 1),
        ([8], 3, 3),
        ([2**63 - 1], 2, 2),
        ([0], [-1], 0),
        ([0], [11], 11),
        ([0, 0], [1], 2),
        ([0], [1, 1], 1),
        ([0, 0], 2, 3),
        ([0, 0], 2, 5),
        ([0], 2**62, 4),
    ],
)
def test_runs_that_do_not_fit_are_refused(starts, lengths, size):
    source, target = np.zeros(10, np.uint8), np.full(size, 9, np.uint8)
    lengths = lengths if isinstance(lengths, int) else int64(lengths)
    with pytest.raises(ArgumentError, match="run|lengths"):
        CopyJob(source, target, int64(starts), lengths)
    assert (target == 9).all()


def test_a_job_needs_a_writable_target():
    frozen = np.zeros(4, np.uint8)
    frozen.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        CopyJob(np.zeros(4, np.uint8), frozen, int64([0]), 4)


def test_a_job_keeps_its_buffers_alive():
    source, target = bytearray(b"abcd"), bytearray(4)
    job = CopyJob(source, target, int64([0]), 4)
    with pytest.raises(BufferError):
        source.extend(b"x")
    with pytest.raises(BufferError):
        target.clear()
    job.run()
    del job
    source.extend(b"x")
    assert target == b"abcd"


def test_a_job_that_was_not_set_up_says_so():
    with pytest.raises(ArgumentError, match="not set up"):
        CopyJob.__new__(CopyJob).run()


# -- Pool and Lease -----------------------------------------------------------------------------


def test_a_lease_comes_back_when_the_last_tensor_on_it_dies():
    """B7 in small: memory returns exactly once, and views keep it away."""
    pool = Pool(64 * MiB)
    tensor = torch.frombuffer(pool.lease(3 * MiB), dtype=torch.uint8)
    address = tensor.data_ptr()
    view = tensor[100:200].view(10, 10).permute(1, 0)
    array = tensor.numpy()
    del tensor
    gc.collect()
    assert pool.idle_count == 0
    del view
    assert pool.idle_count == 0
    del array
    assert pool.idle_count == 1
    assert pool.idle_bytes >= 3 * MiB
    again = pool.lease(3 * MiB)
    assert again.address == address
    assert pool.idle_count == 0


def test_leases_are_aligned_writable_and_exactly_as_long_as_asked():
    pool = Pool(MiB)
    for size in (1, 63, 64 * KiB, 100_001, 3 * MiB):
        lease = pool.lease(size)
        with memoryview(lease) as view:
            assert view.nbytes == lease.size == size
            assert not view.readonly
            view[0] = view[size - 1] = 5
        assert lease.address % 64 == 0


def test_held_leases_never_share_memory():
    pool = Pool(64 * MiB)
    held = [pool.lease(size) for size in (5000, 70_000, 5000, MiB, MiB, 70_000)]
    spans = sorted((lease.address, lease.address + lease.size) for lease in held)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_idle_memory_stays_within_the_limit():
    pool = Pool(8 * MiB)
    for sizes in ([MiB] * 20, [3 * MiB, 2 * MiB, 6 * MiB], [KiB] * 200):
        leases = [pool.lease(size) for size in sizes]
        while leases:
            leases.pop()
            assert pool.idle_bytes <= pool.limit
            assert pool.idle_count <= 64
    assert pool.idle_count > 0


def test_a_buffer_larger_than_the_limit_is_given_back_at_once():
    pool = Pool(MiB)
    lease = pool.lease(5 * MiB)
    del lease
    assert (pool.idle_bytes, pool.idle_count) == (0, 0)


def test_what_has_lain_longest_goes_first():
    pool = Pool(4 * MiB)
    old, new = pool.lease(3 * MiB), pool.lease(2 * MiB)
    new_address = new.address
    del old, new
    assert pool.idle_count == 1
    assert pool.lease(2 * MiB).address == new_address


def test_a_small_request_does_not_take_a_large_buffer():
    pool = Pool(64 * MiB)
    large = pool.lease(30 * MiB)
    address = large.address
    del large
    small = pool.lease(MiB)
    assert small.address != address
    assert pool.lease(29 * MiB).address == address


def test_trim_gives_everything_back():
    pool = Pool(64 * MiB)
    leases = [pool.lease(MiB) for _ in range(5)]
    leases.clear()
    assert pool.idle_count == 5
    pool.trim()
    assert (pool.idle_bytes, pool.idle_count) == (0, 0)


def test_a_lease_outlives_its_pool():
    pool = Pool(64 * MiB)
    tensor = torch.frombuffer(pool.lease(MiB), dtype=torch.uint8)
    del pool
    gc.collect()
    assert int(tensor.fill_(3).sum()) == 3 * MiB


def test_a_lease_in_a_cycle_comes_back_with_the_garbage():
    pool = Pool(64 * MiB)
    holder: dict[str, object] = {"tensor": torch.frombuffer(pool.lease(MiB), dtype=torch.uint8)}
    holder["self"] = holder
    del holder
    gc.collect()
    assert pool.idle_count == 1


def test_many_threads_lease_and_return():
    pool = Pool(16 * MiB)
    wrong = []

    def work(mark):
        for _ in range(300):
            array = np.frombuffer(pool.lease(100 * KiB), np.uint8)
            array[:] = mark
            if not (array == mark).all():
                wrong.append(mark)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert 0 < pool.idle_count <= 12  # each holds one while it asks for the next


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_that_are_no_sizes(size):
    with pytest.raises(ArgumentError):
        Pool(MiB).lease(size)


def test_memory_that_is_not_there_is_an_error_of_ours():
    with pytest.raises((BlockError, OverflowError)) as caught:
        Pool(MiB).lease(1 << 60)
    assert not isinstance(caught.value, BlockError) or "batch" in str(caught.value)
    with pytest.raises(ArgumentError):
        Pool(MiB).lease((1 << 63) - 1)
    with pytest.raises(ArgumentError):
        Pool(-1)


def test_leases_come_from_pools_only():
    with pytest.raises(ArgumentError):
        Lease()
    with pytest.raises(ArgumentError, match="tensor"):
        pickle.dumps(Pool(MiB).lease(1))


def test_an_empty_lease_may_die():
    Lease.__new__(Lease)
    Pool.__new__(Pool, 5)


# -- after fork ---------------------------------------------------------------------------------


def in_child(held, queue):
    """Report what a forked child sees of the pool, and whether its parent's batch is intact."""
    before = (POOL.idle_count, POOL.idle_bytes)
    values = int(held.numpy().sum())  # torch's own sum would wait for the parent's threads
    del held
    queue.put((before, values))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_with_a_pool_of_its_own():
    held = new_bytes(MiB).fill_(2)
    spare = new_bytes(MiB)
    del spare
    assert POOL.idle_count > 0
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(held, queue))
    child.start()
    before, values = queue.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
    assert before == (0, 0)
    assert values == 2 * MiB
    assert int(held.sum()) == 2 * MiB


def test_leases_of_before_the_fork_are_not_kept_after_it():
    pool = Pool(64 * MiB)
    lease = pool.lease(MiB)
    pool.forget()
    del lease
    assert pool.idle_count == 0
    later = pool.lease(MiB)
    del later
    assert pool.idle_count == 1


def test_new_bytes_small_and_large():
    for size in (0, 1, 1000, 64 * KiB, MiB):
        tensor = new_bytes(size)
        assert tensor.dtype == torch.uint8
        assert tensor.shape == (size,)
        tensor.fill_(1)
        assert int(tensor.sum()) == size


def test_batches_do_not_grow_the_process_pool():
    POOL.trim()
    for _ in range(20):
        tensor = new_bytes(2 * MiB)
        gone = weakref.ref(tensor)
        del tensor
        assert gone() is None
    assert POOL.idle_count == 1
