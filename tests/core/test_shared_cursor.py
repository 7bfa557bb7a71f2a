"""Fill jobs that take their items from one cursor, as those of several processes do."""

import os

import images
import numpy as np
import pytest

from fastcache._core import image as core
from fastcache._core import threads as pool
from fastcache._core.block import Block
from fastcache._core.jobs import CURSOR_BYTES, FillJob
from fastcache._core.paths import Paths
from fastcache.errors import ArgumentError, BlockError
from fastcache.fill.ranks.tables import FillTables, absolute_paths, tables_bytes
from fastcache.transforms import compile_store

SIZE = (40, 60)


@pytest.fixture
def alone(tmp_path):
    """A job over 30 files that is not shared."""
    paths = []
    for number in range(30):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(images.encode(images.photo(*SIZE, seed=number)))
    count = len(paths)
    store = compile_store((), np.full(count, SIZE[0]), np.full(count, SIZE[1]))
    row = SIZE[0] * SIZE[1] * 3
    return FillJob(
        Paths([str(path) for path in paths], np.empty(count, np.int64)),
        core.Spec(),
        store.geometry.view(np.uint8),
        np.zeros(count * row, np.uint8),
        np.arange(count, dtype=np.int64) * row,
        np.full(count, core.PENDING, np.int32).view(np.uint8),
        np.zeros(count, np.int32).view(np.uint8),
    )


def shared(job, parts=2):
    """Return the tables of a job in shared memory, and several ways into it."""
    text, offset = absolute_paths(job.parts[0])
    block = Block.create(tables_bytes(len(offset), len(text)))
    block.allocate(0, block.size)
    tables = FillTables(block, len(offset), len(text))
    tables.take_in(job, text, offset)
    other = Block.adopt(block.fd, block.inode, block.size)
    targets = [np.zeros_like(np.asarray(job.parts[3])) for _ in range(parts)]
    ways = [FillTables(each, len(offset), len(text)) for each in (block, other)]
    jobs = [way.job(job.parts[1], t, False) for way, t in zip(ways, targets, strict=True)]
    return tables, jobs, targets


def test_every_item_is_done_once_whoever_takes_it(alone):
    tables, jobs, targets = shared(alone)
    futures = [future for job in jobs for future in pool.start(job.run, 2)]
    for future in futures:
        future.result()
    assert jobs[0].progress() == jobs[1].progress() == (30, 0, 30 * SIZE[0] * SIZE[1] * 3)
    tables.give_back(alone)
    status = np.asarray(alone.parts[5]).view(np.int32)
    assert (status == core.OK).all()
    both = targets[0] + targets[1]
    written = [target.reshape(30, -1).any(axis=1) for target in targets]
    assert (written[0] ^ written[1]).all()  # each row by one of them
    np.asarray(alone.parts[5]).view(np.int32)[:] = core.PENDING
    alone.run()
    assert np.array_equal(np.asarray(alone.parts[3]), both)


def test_cancelling_one_ends_all(alone):
    _, jobs, targets = shared(alone)
    jobs[1].cancel()
    for job in jobs:
        job.run()
    assert jobs[0].progress() == (0, 0, 0)
    assert not any(target.any() for target in targets)


def test_a_cursor_that_counts_something_else_is_refused(alone):
    tables, _, targets = shared(alone)
    tables.cursor[:8].view(np.int64)[:] = 31
    with pytest.raises(ArgumentError, match="counts 31 of 30"):
        tables.job(core.Spec(), targets[0], False)
    paths = Paths.packed(tables.text, tables.offset)
    rest = alone.parts[1:7]
    with pytest.raises(ArgumentError):
        FillJob(paths, *rest, cursor=np.zeros(CURSOR_BYTES - 1, np.uint8))


def test_slots_outside_the_memory_are_refused(alone):
    tables, _, targets = shared(alone)
    tables.slot[7] = len(targets[0]) - 5
    with pytest.raises(ArgumentError, match="item 7"):
        tables.job(core.Spec(), targets[0], False)


@pytest.mark.parametrize(
    ("text", "offset"), [(b"", [0]), (b"a", [0]), (b"a\0", [2]), (b"a\0", [-1])]
)
def test_packed_paths_must_end_and_begin_inside(text, offset):
    with pytest.raises(ArgumentError):
        Paths.packed(np.frombuffer(text, np.uint8), np.array(offset, np.int64))


def test_packed_paths_are_what_they_were():
    given = ["a", "", "é/b.jpg", "x" * 500]
    paths = Paths(given, np.empty(4, np.int64))
    assert [path.decode() for path in paths.split()] == given
    text, offset = absolute_paths(paths)
    again = [path.decode() for path in Paths.packed(np.frombuffer(text, np.uint8), offset).split()]
    assert again[3].endswith("/" + "x" * 500)
    assert again[3].startswith("/")


def test_a_specification_survives_the_way():
    for made in (
        core.Spec(channels=4, filter=3, apply_orientation=True, premultiply=True, fill=114),
        core.Spec(channels=1, wide=True, fill=7, max_pixels=5, max_bytes=6, max_scans=7, max_ms=8),
    ):
        assert core.Spec(**made.arguments()).arguments() == made.arguments()
        assert made.arguments()["fill"] in (114, 7)


def test_adopted_blocks_must_be_what_they_should(tmp_path):
    block = Block.create(4096)
    with pytest.raises(BlockError, match="is not the block"):
        Block.adopt(block.fd, block.inode + 1, block.size)
    with pytest.raises(BlockError):
        Block.adopt(10_000, block.inode, block.size)
    with open(tmp_path / "file", "w+b") as file:
        file.truncate(4096)
        inode = os.fstat(file.fileno()).st_ino
        with pytest.raises(BlockError, match="is not the block"):  # a file is not shared memory
            Block.adopt(file.fileno(), inode, 4096)
    adopted = Block.adopt(block.fd, block.inode, block.size)
    assert not adopted.owner and not adopted.sealed
    with memoryview(adopted) as mine, memoryview(block) as theirs:
        mine[5] = 9
        assert theirs[5] == 9
