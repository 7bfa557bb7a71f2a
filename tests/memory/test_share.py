"""Arenas in several processes."""

import copy
import errno
import gc
import io
import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import arena_workers as workers
import numpy as np
import pytest

from fastcache.errors import ArenaGoneError, ArgumentError, BlockError, ClosedError
from fastcache.memory import handles, share
from fastcache.memory.arena import Arena, attach, plan_layout
from fastcache.schema import Array

START_METHODS = ["fork", "spawn", "forkserver"]
pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc"),
    # Forking with threads about is what torch's DataLoader does too.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


class Worker:
    """A process that runs a function of arena_workers with a connection as its last argument."""

    def __init__(self, method, target, *arguments):
        context = multiprocessing.get_context(method)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(*arguments, theirs))
        self.process.start()
        theirs.close()

    def receive(self):
        assert self.connection.poll(60), "no answer from the worker"
        return self.connection.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.join(60)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Owner(Worker):
    """A process that owns an arena and ends as it is told."""

    def __init__(self, ending):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=workers.own_and_end, args=(theirs, ending))
        self.process.start()
        theirs.close()
        self.pickled, self.digest = self.receive()

    def end(self):
        self.connection.send("go")
        self.process.join(60)
        assert self.process.exitcode is not None


def holders(handle):
    """Return the processes that have a descriptor of the arena's memory."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target, inode = os.readlink(link), link.stat().st_ino
        except OSError:
            continue  # ended meanwhile, or another user's
        if target.startswith("/memfd:fastcache") and inode == handle.data.inode:
            found.add(int(link.parts[2]))
    return found


_before = 0


@pytest.fixture(autouse=True)
def _count_from_here():
    """Leave out what tests of other files have open: which ones ran here before is chance."""
    global _before
    gc.collect()
    _before = workers.mappings()


def here():
    """Return how often memory of ours is mapped in this process by the test."""
    return workers.mappings() - _before


@pytest.fixture
def arena():
    with workers.make_arena() as arena:
        yield arena


def handle_of(arena):
    return arena.__reduce__()[1][0]


def handle_in(pickled):
    """Return what a pickled arena says, without opening it."""
    seen = []

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            return seen.append if name == "attach" else super().find_class(module, name)

    Reader(io.BytesIO(pickled)).load()
    return seen[0]


@pytest.mark.parametrize("method", START_METHODS)
def test_every_start_method_sees_the_same_bytes(arena, method):
    """B1: fork, spawn and forkserver see the same bytes, and cannot change them."""
    with Worker(method, workers.send_digest, arena) as worker:
        seen, writeable, pickled, mappings = worker.receive()
    assert seen == workers.digest(arena)
    assert not writeable
    handle, origin = handle_in(pickled), handle_of(arena)
    assert handle[:2] == origin[:2]
    # To be handed on, still naming the owner, and the worker itself if the owner should go.
    assert [holder.pid for holder in handle.holders] == [os.getpid(), worker.process.pid]
    assert mappings >= 2


@pytest.mark.parametrize("method", START_METHODS)
def test_unpickling_a_hundred_times_maps_once(arena, method):
    before = workers.mappings()
    with Worker(method, workers.unpickle_often, pickle.dumps(arena)) as worker:
        digests, addresses, mappings = worker.receive()
    assert digests == {workers.digest(arena)}
    assert len(addresses) == 1
    assert mappings == (before if method == "fork" else 2)


def test_unpickling_in_the_owner_shares_the_memory(arena):
    before = workers.mappings()
    copies = [pickle.loads(pickle.dumps(arena)) for _ in range(100)]
    assert {each.base_address for each in copies} == {arena.base_address}
    assert workers.mappings() == before


def test_the_pickle_is_small(arena):
    assert len(pickle.dumps(arena)) <= 1024


def test_the_last_arena_over_the_memory_gives_it_back():
    before = workers.mappings()
    first = workers.make_arena()
    second, third = copy.copy(first), copy.deepcopy(first)
    expected = workers.digest(first)
    view = first.column("image").rows
    first.close()  # others go on, so the view may too
    assert workers.digest(second) == expected
    second.close()
    second.close()
    del view
    with pytest.raises(ClosedError):
        second.column("image")
    assert workers.digest(third) == expected
    third.close()
    assert workers.mappings() == before


def test_a_dropped_copy_does_not_keep_the_memory():
    before = workers.mappings()
    first = workers.make_arena()
    second = copy.copy(first)
    del second
    first.close()
    assert workers.mappings() == before


def test_a_child_that_closes_does_not_disturb_its_parent(arena):
    expected = workers.digest(arena)
    for _ in range(3):
        with Worker("fork", workers.close_and_leave, arena) as worker:
            assert worker.receive() is True
        assert worker.process.exitcode == 0
    assert workers.digest(arena) == expected
    assert workers.digest(pickle.loads(pickle.dumps(arena))) == expected
    with Worker("spawn", workers.send_digest, arena) as worker:
        assert worker.receive()[0] == expected


def test_a_process_that_is_no_child_opens_it_too():
    with Owner("exit") as owner:  # ours is the owner's parent
        with pickle.loads(owner.pickled) as arena:
            assert workers.digest(arena) == owner.digest
            assert not arena.column("image").rows.flags.writeable
            assert handle_of(arena)[:2] == handle_in(owner.pickled)[:2]
        owner.end()


@pytest.mark.parametrize("ending", ["exit", "exception", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_however_the_owner_ends(ending):
    """B7: after an exception, SIGTERM, SIGKILL or normal exit no memory of ours remains."""
    files = set(os.listdir("/dev/shm"))
    with Owner(ending) as owner:
        arena = pickle.loads(owner.pickled)
        handle = handle_of(arena)
        assert holders(handle) == {os.getpid(), owner.process.pid}
        owner.end()
        assert holders(handle) == {os.getpid()}
        assert workers.digest(arena) == owner.digest  # a reader that has it keeps it
        assert workers.digest(pickle.loads(owner.pickled)) == owner.digest  # it is open here
        arena.close()
        assert holders(handle) == set()
        with pytest.raises(ArenaGoneError, match=f"process {owner.process.pid}, which has ended"):
            pickle.loads(owner.pickled)
    assert {name for name in set(os.listdir("/dev/shm")) - files if "fastcache" in name} == set()


def test_an_owner_that_is_killed_and_not_yet_waited_for():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    while Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        pass
    assert handles.start_time(pid) is None
    os.waitpid(pid, 0)
    assert handles.start_time(pid) is None


def test_an_owner_that_has_closed_it():
    with Owner("close") as owner:
        owner.connection.send("go")
        assert owner.receive() == "closed"
        with pytest.raises(ArenaGoneError, match="has closed it") as error:
            pickle.loads(owner.pickled)
        assert isinstance(error.value, ConnectionError)
        owner.end()


def test_a_closed_arena_in_its_own_process():
    arena = workers.make_arena()
    pickled = pickle.dumps(arena)
    arena.close()
    with pytest.raises(ArenaGoneError, match="has closed it"):
        pickle.loads(pickled)
    with pytest.raises(ClosedError):
        pickle.dumps(arena)


@pytest.fixture
def elsewhere():
    """Handle of an arena that another process has."""
    with Owner("exit") as owner:
        yield handle_in(owner.pickled)
        owner.end()


def test_a_process_number_that_was_used_again(elsewhere):
    (holder,) = elsewhere.holders
    with pytest.raises(ArenaGoneError, match="has ended"):
        attach(elsewhere._replace(holders=(holder._replace(started=holder.started + 1),)))
    with attach(elsewhere) as arena:
        assert len(arena) == 50


def test_a_descriptor_that_means_something_else_by_now(elsewhere, tmp_path):
    (tmp_path / "file").write_bytes(bytes(elsewhere.data.size))
    with open(tmp_path / "file", "rb") as other:
        inode = os.fstat(other.fileno()).st_ino
        started = handles.start_time(os.getpid())
        mine = handles.Holder(os.getpid(), started, other.fileno(), other.fileno())
        (theirs,) = elsewhere.holders
        for ref, holder in [
            (elsewhere.data, theirs._replace(data=theirs.catalog)),
            (handles.BlockRef(inode, elsewhere.data.size), mine),  # a file is not shared memory
        ]:
            with pytest.raises(ArenaGoneError, match="has closed it"):
                attach(elsewhere._replace(data=ref, holders=(holder,)))


def test_an_owner_that_may_not_be_looked_into(elsewhere, monkeypatch):
    def refuse(path, inode, size):
        raise BlockError(13, "refused")

    monkeypatch.setattr(share, "Block", type("Refusing", (), {"open": staticmethod(refuse)}))
    with pytest.raises(BlockError, match="same user"):
        attach(elsewhere)


@pytest.mark.parametrize("method", START_METHODS)
def test_a_holder_hands_on_what_its_owner_has_left(method):
    """A12: workers can be started by a process whose arena came from one that has ended."""
    with Owner("SIGKILL") as owner:
        arena = pickle.loads(owner.pickled)
        owner.end()
        with Worker(method, workers.send_digest, arena) as worker:
            seen, writeable, pickled, _ = worker.receive()
        assert seen == owner.digest
        assert not writeable
        assert [each.pid for each in handle_in(pickled).holders] == [
            os.getpid(),
            worker.process.pid,
        ]
        with pytest.raises(ArenaGoneError, match=f"process {owner.process.pid}, which has ended"):
            share.claim_open(handle_in(owner.pickled)._replace(data=handles.BlockRef(1, 4096)))
        arena.close()
        with pytest.raises(ArenaGoneError, match="which has ended"):
            pickle.loads(owner.pickled)
        with pytest.raises(ArenaGoneError, match=f"{os.getpid()}, .*which have all ended"):
            pickle.loads(pickled)


def test_handles_from_several_holders_open_one_mapping():
    with Owner("exit") as owner:
        arena = pickle.loads(owner.pickled)
        mine = pickle.loads(pickle.dumps(arena))
        assert mine.base_address == arena.base_address
        assert handle_of(arena) != handle_in(owner.pickled)
        assert pickle.loads(owner.pickled).base_address == arena.base_address
        assert here() == 2
        owner.end()


def test_a_handle_names_a_few_holders_whatever_the_way_it_took(elsewhere):
    (holder,) = elsewhere.holders
    blocks = share._open(elsewhere)
    blocks.holders = (holder, holder._replace(pid=1), *[holder] * 9)
    handle = blocks.handle()
    assert len(handle.holders) == 4
    assert handle.holders[-1].pid == os.getpid()
    assert holder._replace(pid=1) not in handle.holders


def test_an_arena_that_is_not_committed_stays_at_home():
    arena = workers.make_arena(commit=False)
    with pytest.raises(ArgumentError, match="commit"):
        pickle.dumps(arena)
    arena.close()


def test_threads_that_open_and_close_at_once():
    with Owner("exit") as owner:
        seen, barrier = [], threading.Barrier(8)

        def open_and_read():
            barrier.wait()
            for _ in range(20):
                with pickle.loads(owner.pickled) as arena:
                    seen.append(workers.digest(arena))

        threads = [threading.Thread(target=open_and_read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [owner.digest] * 160
        assert here() == 0
        owner.end()


def proportional_size(pid):
    """Return the bytes of our memory in a process, each page divided by its number of users."""
    total, ours = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            ours = "memfd:fastcache" in line
        elif ours and line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024
    return total


def test_readers_share_one_copy():
    size = 32 << 20
    with Arena.allocate(plan_layout({"x": Array("uint8", (size,))}, 1)) as arena:
        arena.column("x").rows[...] = 3
        arena.commit({})
        with (
            Worker("spawn", workers.read_and_wait, arena) as one,
            Worker("fork", workers.read_and_wait, arena) as two,
        ):
            assert one.receive() == two.receive() == 3 * size
            assert int(np.sum(arena.buffer, dtype=np.int64)) == 3 * size
            everyone = [os.getpid(), one.process.pid, two.process.pid]
            assert size * 0.95 < sum(map(proportional_size, everyone)) < size * 1.05
            one.connection.send("go")
            two.connection.send("go")


def test_what_the_system_does_not_say_is_our_error(monkeypatch):
    """C3: a process without descriptors left cannot look at others, or at itself."""

    def refuse(path):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with workers.make_arena() as arena:
        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(BlockError, match="when process"):
            pickle.dumps(arena)
