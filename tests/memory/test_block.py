"""Shared memory as a Python object."""

import copy
import errno
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from fastcache._core.block import Block
from fastcache.errors import ArgumentError, BlockError, BudgetError, ClosedError, FastcacheError
from fastcache.memory import homes
from fastcache.memory.limits import Limit

PAGE = os.sysconf("SC_PAGESIZE")


def path_of(block):
    return f"/proc/self/fd/{block.fd}"


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_new_block():
    block = Block.create(PAGE + 1, "fastcache-test")
    assert block.size == 2 * PAGE
    assert block.inode == os.fstat(block.fd).st_ino
    assert os.readlink(path_of(block)).startswith("/memfd:fastcache-test")
    assert (block.owner, block.sealed, block.closed) == (True, False, False)
    assert bytes(block) == bytes(2 * PAGE)


def test_writable_until_sealed():
    block = Block.create(PAGE)
    with memoryview(block) as view:
        assert not view.readonly
        view[:3] = b"abc"
    array = np.frombuffer(block, np.uint8)
    assert array.flags.writeable
    assert array.ctypes.data == block.address
    del array
    block.seal()
    block.seal()
    array = np.frombuffer(block, np.uint8)
    assert not array.flags.writeable
    assert bytes(array[:3]) == b"abc"
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True
    with memoryview(block) as view, pytest.raises(TypeError):
        view[0] = 1
    with pytest.raises(TypeError, match="read-write"), open("/dev/zero", "rb") as zeros:
        zeros.readinto(block)


def test_held_memory_is_neither_closed_nor_sealed():
    block = Block.create(PAGE)
    array = np.frombuffer(block, np.uint8)
    view = array[5:].view()
    del array
    for step in (block.close, block.seal):
        with pytest.raises(BufferError, match="drop the arrays"):
            step()
    view[0] = 1
    del view
    block.seal()
    block.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_arrays_outlive_the_name_of_their_block(order):
    """Whatever the order of deletion, memory is freed once, when nobody can reach it."""
    before = descriptors()
    block = Block.create(PAGE)
    gone = weakref.ref(block)
    things = [block, np.frombuffer(block, np.uint8)]
    things[1][:] = 9
    del block
    if order[0] == 0:
        things[0] = None
        assert things[1].sum() == 9 * PAGE
        assert gone() is not None
    things[order[0]] = None
    things[order[1]] = None
    assert gone() is None
    assert descriptors() == before


def test_garbage_in_a_cycle():
    gc.collect()
    before = descriptors()
    cycle = [Block.create(PAGE)]
    cycle += [np.frombuffer(cycle[0], np.uint8), cycle]
    del cycle
    gc.collect()
    assert descriptors() == before


def test_a_closed_block():
    block = Block.create(PAGE)
    fd = block.fd
    block.close()
    block.close()
    assert (block.closed, block.size, block.fd, block.address) == (True, 0, -1, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    for use in (lambda: memoryview(block), block.seal, lambda: block.allocate(0, PAGE)):
        with pytest.raises(ClosedError):
            use()


def test_opening():
    block = Block.create(PAGE)
    with memoryview(block) as view:
        view[:2] = b"hi"
    reader = Block.open(path_of(block), block.inode, block.size)
    assert (reader.owner, reader.sealed) == (False, True)
    assert reader.inode == block.inode
    assert bytes(reader)[:2] == b"hi"
    assert memoryview(reader).readonly
    block.close()
    assert bytes(reader)[:2] == b"hi"


def test_refused_openings():
    block = Block.create(PAGE)
    with pytest.raises(BlockError, match="not the block it was"):
        Block.open(path_of(block), block.inode + 1, block.size)
    with pytest.raises(BlockError, match="not the block it was"):
        Block.open(path_of(block), block.inode, block.size + PAGE)
    with pytest.raises(BlockError, match="No such file") as error:
        Block.open("/proc/self/fd/9999", block.inode, block.size)
    assert error.value.errno == 2


@pytest.mark.parametrize("size", [0, -1, -(1 << 70), 1 << 63, 1 << 70])
def test_sizes_that_are_none(size):
    with pytest.raises(ArgumentError, match="give 1 to"):
        Block.create(size)
    with pytest.raises(ArgumentError, match="give 1 to"):
        Block.open("/proc/self/fd/0", 1, size)


@pytest.mark.parametrize("size", [100 << 40, 1 << 50])
def test_sizes_beyond_the_machine(size):
    """A10: out of memory is a typed error, leaves nothing, and the process goes on."""
    before = descriptors()
    with pytest.raises(BlockError, match="Cannot allocate memory"):
        Block.create(size)
    with pytest.raises(BudgetError) as error:
        homes.make_block(size)
    assert isinstance(error.value, MemoryError)
    assert isinstance(error.value, FastcacheError)
    assert error.value.need == size > error.value.have > 0
    assert descriptors() == before
    assert homes.make_block(PAGE).size == PAGE


def test_blocks_are_made_by_name_and_never_copied():
    block = Block.create(PAGE)
    for attempt in (Block, lambda: pickle.dumps(block), lambda: copy.copy(block)):
        with pytest.raises(ArgumentError):
            attempt()


def allocated(block):
    return os.fstat(block.fd).st_blocks * 512


def test_a_range_is_allocated():
    block = Block.create(8 * PAGE)
    assert allocated(block) == 0
    with memoryview(block) as view:
        view[PAGE] = 7
        block.allocate(0, 3 * PAGE)
        assert allocated(block) == 3 * PAGE
        assert bytes(view) == bytes(PAGE) + b"\x07" + bytes(7 * PAGE - 1)
    block.allocate(3 * PAGE, 5 * PAGE)
    assert allocated(block) == block.size
    block.allocate(8 * PAGE, 0)


def test_ranges_that_are_not_there():
    block = Block.create(2 * PAGE)
    for offset, size in [(0, 2 * PAGE + 1), (PAGE, 2 * PAGE), (1 << 60, 5), (5, (1 << 64) - 3)]:
        with pytest.raises(ArgumentError, match=f"{size} bytes at {offset} of a block of"):
            block.allocate(offset, size)
    with pytest.raises(OverflowError):
        block.allocate(-1, 1)
    assert allocated(block) == 0
    block.seal()
    with pytest.raises(ArgumentError, match="read-only"):
        block.allocate(0, PAGE)


@pytest.mark.parametrize("threads", [1, 3, None])
def test_homes_allocate_every_page(monkeypatch, threads):
    monkeypatch.setattr(homes, "_SLICE", 3 * PAGE)
    for pages in (1, 3, 64):
        block = homes.make_block(pages * PAGE, threads=threads)
        assert allocated(block) == block.size == pages * PAGE
        assert bytes(block) == bytes(block.size)


class Refusing:
    """A block whose fourth page is refused."""

    def __init__(self, reason):
        self.reason = reason
        self.block = Block.create(200 * PAGE)
        self.size = self.block.size
        self.close = self.block.close
        self.refused = threading.Event()
        self.later = 0

    def allocate(self, offset, size):
        if offset == 3 * PAGE:
            self.refused.set()
            raise self.reason
        if offset > 3 * PAGE:
            assert self.refused.wait(10)
            time.sleep(0.01)
            self.later += 1
        self.block.allocate(offset, size)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("reason", "becomes"),
    [
        (BlockError(errno.ENOSPC, "the kernel's own words"), BudgetError),
        (BlockError(errno.EIO, "the kernel's own words"), BlockError),
        (KeyboardInterrupt("the kernel's own words"), KeyboardInterrupt),
    ],
)
def test_one_part_is_refused(monkeypatch, threads, reason, becomes):
    """Whichever thread meets it: the others stop, the block is closed, one typed error."""
    block = Refusing(reason)
    made = type("Made", (), {"create": staticmethod(lambda *_: block)})
    monkeypatch.setattr(homes, "Block", made)
    monkeypatch.setattr(homes, "_SLICE", PAGE)
    with pytest.raises(becomes, match="the kernel's own words"):
        homes.make_block(block.size, threads=threads)
    assert block.block.closed
    assert block.later < 100


def test_homes():
    with pytest.raises(ArgumentError, match="'auto', 'ram'"):
        homes.make_block(PAGE, "disk")
    for home in ("auto", "ram"):
        assert homes.make_block(PAGE, home, "fastcache-home").owner


@pytest.mark.parametrize("reason", ["ENOMEM", "ENOSPC"])
def test_the_kernel_refuses_what_seemed_free(monkeypatch, reason):
    def refuse(size, name):
        raise BlockError(getattr(errno, reason), "the kernel's own words")

    monkeypatch.setattr(homes, "Block", type("Refusing", (), {"create": staticmethod(refuse)}))
    with pytest.raises(BudgetError, match="the kernel's own words") as error:
        homes.make_block(PAGE)
    assert error.value.need == PAGE


def test_a_control_group_is_asked_before_the_kernel(monkeypatch):
    def full(*_):
        return [Limit("control group /x (memory.max)", PAGE)]

    monkeypatch.setattr("fastcache.memory.reading.system_limits", full)
    assert homes.make_block(PAGE).size == PAGE
    with pytest.raises(BudgetError, match="control group /x"):
        homes.make_block(PAGE + 1)


@pytest.mark.parametrize(
    ("reason", "remedy"), [("EMFILE", "ulimit -n"), ("ENOSYS", "needs Linux"), ("EPERM", "words")]
)
def test_other_refusals_say_what_to_do(monkeypatch, reason, remedy):
    def refuse(size, name):
        raise BlockError(getattr(errno, reason), "words")

    monkeypatch.setattr(homes, "Block", type("Refusing", (), {"create": staticmethod(refuse)}))
    with pytest.raises(BlockError, match=remedy) as error:
        homes.make_block(PAGE)
    assert error.value.errno == getattr(errno, reason)


def test_nothing_is_named_in_shared_memory():
    before = set(os.listdir("/dev/shm"))
    block = Block.create(PAGE)
    assert not {name for name in set(os.listdir("/dev/shm")) - before if "fastcache" in name}
    assert Path(os.readlink(path_of(block))).name.endswith("(deleted)")


# -- blocks made of files ------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    """A file of three pages of 64 KiB, each full of its number."""
    path = tmp_path / "file"
    path.write_bytes(b"".join(bytes([k]) * 65536 for k in (1, 2, 3)))
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_files_side_by_side(file):
    """A11: parts of files in any order are one range of bytes, read-only."""
    block = Block.reserve(4 * 65536)
    assert (block.size, block.fd, block.inode) == (4 * 65536, -1, 0)
    assert block.sealed
    assert not block.owner
    block.map_file(0, file, 65536, 2 * 65536)
    block.map_file(2 * 65536, file, 0, 65536)
    block.map_file(3 * 65536, file, 0, 65536)
    pages = np.frombuffer(block, np.uint8).reshape(4, 65536)
    assert pages.min(axis=1).tolist() == pages.max(axis=1).tolist() == [2, 3, 1, 1]
    assert not pages.flags.writeable
    starts, lengths = np.array([10, 2 * 65536]), np.array([65536, 65536])
    for advice in ("random", "willneed", "cold", "dontneed", "pageout", "normal"):
        block.advise(starts, lengths, advice)
        block.advise(starts[:0], lengths[:0], advice)
    assert pages.min(axis=1).tolist() == [2, 3, 1, 1]
    with pytest.raises(BufferError):
        block.map_file(0, file, 0, 65536)
    with pytest.raises(BufferError):
        block.close()
    del pages
    block.close()
    assert block.closed
    for use in (
        lambda: block.map_file(0, file, 0, 65536),
        lambda: block.advise(starts, lengths, "cold"),
    ):
        with pytest.raises(ClosedError):
            use()


def test_parts_that_cannot_be_mapped(file, tmp_path):
    """A11: out of the block, out of the file, within a page, no file."""
    block = Block.reserve(2 * 65536)
    for at, start, size in (
        (1, 0, 65536),
        (0, 1, 65536),
        (0, 0, 65535),
        (0, 0, 0),
        (2 * 65536, 0, 65536),
        (0, 0, 3 * 65536),
    ):
        with pytest.raises(ArgumentError):
            block.map_file(at, file, start, size)
    with pytest.raises(BlockError, match="shorter") as error:
        block.map_file(0, file, 2 * 65536, 2 * 65536)
    assert error.value.errno == errno.ESTALE
    os.mkfifo(tmp_path / "fifo")
    fifo = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockError, match="regular"):
        block.map_file(0, fifo, 0, 65536)
    os.close(fifo)
    starts, lengths = np.array([0, 1]), np.array([65536, 2 * 65536])
    with pytest.raises(ArgumentError, match="'willneed'"):
        block.advise(starts, lengths, "now")
    with pytest.raises(ArgumentError, match="2 offsets, but 1 lengths"):
        block.advise(starts, lengths[:1], "cold")
    for other in (starts - 1, lengths * 2):
        with pytest.raises(ArgumentError):
            block.advise(other, lengths, "cold")
    with pytest.raises(ArgumentError):
        block.allocate(0, 65536)
    with pytest.raises(BlockError):
        block.map_file(0, -1, 0, 65536)
    assert block.closed  # others may have got its addresses
    for size in (0, -1, 1 << 80):
        with pytest.raises(ArgumentError):
            Block.reserve(size)
    with pytest.raises(BlockError, match=os.strerror(errno.ENOMEM)) as refused:
        Block.reserve(1 << 62)
    assert refused.value.errno == errno.ENOMEM
    memory = Block.create(65536)
    with pytest.raises(ArgumentError):
        memory.map_file(0, file, 0, 65536)


def test_addresses_that_are_not_there_are_refused_with_the_reason():
    with pytest.raises(BlockError, match="of addresses: Cannot allocate memory") as error:
        Block.reserve(1 << 62)
    assert error.value.errno == errno.ENOMEM


@pytest.mark.parametrize("home", ["ram", "disk"])
def test_a_limit_on_the_size_of_files_is_named(home, tmp_path):
    """A10: it holds for shared memory too, which whoever is refused does not expect."""
    script = (
        "import resource, sys, numpy as np\n"
        "from fastcache.errors import BlockError\n"
        "from fastcache.fill.make import make_arena\n"
        "from fastcache.fill.options import FillOptions\n"
        "from fastcache.sources import Arrays\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n"
        "    make_arena(Arrays(np.zeros((4, 1 << 20))), FillOptions(home=sys.argv[1]))\n"
        "except BlockError as error:\n"
        "    print(error.errno, error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, home],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith(f"{errno.EFBIG} ") and "ulimit -f" in told
    assert "could not be read" not in told
    assert os.listdir(tmp_path) == []
