"""Paging arenas of files: what is asked for, what stays, and what goes."""

import errno
import gc
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paging import PAGE, evict, resident, values

from fastcache.errors import BlockError
from fastcache.memory import paging
from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.extents import Extents, joined
from fastcache.memory.paging import Paging
from fastcache.memory.reads import pages_read
from fastcache.schema import Array, Scalar

ROWS, ROW = 64, 256 << 10
FIELDS = {"x": Array("uint8", (ROW,)), "label": Scalar("int64")}
LAYOUT = plan_layout(FIELDS, ROWS)


class Told:
    """A block that only writes down what it is told."""

    def __init__(self, refuse=None):
        self.calls = []
        self.refuse = refuse

    def advise(self, starts, lengths, advice):
        self.calls.append((advice, starts.tolist(), lengths.tolist()))
        if self.refuse and advice == self.refuse[0]:
            raise BlockError(self.refuse[1], "refused")


@pytest.fixture(autouse=True)
def _nothing_else_open(monkeypatch):
    monkeypatch.setattr(paging, "_open", type(paging._open)())


@pytest.fixture
def saved(tmp_path):
    arena = Arena.allocate(LAYOUT)
    arena.column("x").rows[...] = np.arange(ROWS, dtype=np.uint8)[:, None]
    arena.commit({})
    arena.save(tmp_path / "x.arena")
    arena.close()
    with Arena.open(tmp_path / "x.arena") as opened:
        yield opened


def made(room, layout=LAYOUT, block=None):
    block = Told() if block is None else block
    return Paging(block, layout, lambda: room), block


def rows(*numbers, layout=LAYOUT):
    at = np.array(numbers, np.int64)
    return Extents(layout.columns["x"].values + at * ROW, np.full(len(at), ROW))


ranges = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)), max_size=30)


@given(ranges, st.sampled_from([1, 4, 7, 64]))
def test_joined_ranges_hold_the_same_bytes(given_ranges, grain):
    limit = 560
    extents = Extents(*np.array(given_ranges, np.int64).reshape(-1, 2).T.copy())
    found = joined(extents, grain, limit)
    expected = {
        byte
        for start, length in given_ranges
        if length
        for grained in range(start // grain, -(-(start + length) // grain))
        for byte in range(grained * grain, min((grained + 1) * grain, limit))
    }
    pairs = list(zip(found.starts.tolist(), found.lengths.tolist(), strict=True))
    told = [byte for start, length in pairs for byte in range(start, start + length)]
    assert len(told) == len(set(told))
    assert set(told) == expected
    ends = [start + length for start, length in pairs]
    assert all(start > end for (start, _), end in zip(pairs[1:], ends, strict=False))


def test_what_fits_is_read_as_the_system_likes():
    one, block = made(room=2 * LAYOUT.total_bytes)
    assert one.due("reading", 1)
    assert (one.passes, one.stays) == (False, 1.0)
    one.bring(rows(8))
    assert block.calls == [("willneed", [8 * ROW], [1 << 20])]  # with what lies around it


def test_of_what_does_not_fit_only_the_samples_are_read():
    """E8: of an arena larger than memory, the first part stays; the rest passes."""
    one, block = made(room=LAYOUT.total_bytes // 2)
    assert one.due("reading", 1)
    assert one.passes
    assert one.stays == pytest.approx(0.35)
    one.bring(rows(8, 3, 9))
    whole = LAYOUT.columns["x"]
    assert block.calls == [
        ("random", [whole.values], [whole.values_bytes]),  # not the labels
        ("willneed", [3 * ROW, 8 * ROW], [ROW, 2 * ROW]),
    ]
    one.let_go(rows(8, 9))
    assert block.calls[-1] == ("pageout", [8 * ROW], [2 * ROW])


@pytest.mark.parametrize(("room", "free"), [(0, 0), (5, 1.5), (10, 2.5), (100, 7), (400, 22)])
def test_what_is_left_free(room, free):
    """E8: three tenths, but of hundreds of GiB much less."""
    assert paging.spare(room << 30) == int(free * (1 << 30))


def test_arenas_share_the_room():
    room = int(LAYOUT.total_bytes * 1.5)
    one, _block = made(room)
    one.survey()
    assert not one.passes
    two, _other = made(room)
    one.survey()
    two.survey()
    assert one.passes
    assert two.passes
    assert one.stays == two.stays == pytest.approx(0.7 * 1.5 / 2)
    del two, _other
    gc.collect()
    one.survey()
    assert not one.passes
    assert _block.calls[-1][0] == "normal"


@pytest.mark.parametrize(("seconds", "times"), [(paging._SURVEY_SECONDS, 3), (0, 1)])
def test_the_room_is_looked_at_again(monkeypatch, seconds, times):
    """E8: after so many bytes, but not as often as they come where all is in memory."""
    now = [100.0]
    monkeypatch.setattr(paging, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asked = []
    one = Paging(Told(), LAYOUT, lambda: asked.append(1) or LAYOUT.total_bytes * 9)
    sample = LAYOUT.total_bytes // ROWS
    for _ in range(3 * paging._SURVEY // sample // 64):
        one.due("reading", 64)
        now[0] += seconds
    assert len(asked) == times


def test_nothing_is_asked_for_while_nothing_had_to_be_read(monkeypatch):
    read = [5]
    monkeypatch.setattr(paging, "pages_read", lambda: read[0])
    one, _block = made(room=LAYOUT.total_bytes * 9)
    assert one.due("reading", 64)  # nobody knows yet
    assert not one.due("reading", 64)
    assert one.due("ahead", 64)
    read[0] += 1
    assert one.due("reading", 64)
    assert not one.due("reading", 64)
    read[0] += 1
    assert [one.due("reading", 1) for _ in range(64)] == [False] * 63 + [True]  # one look
    monkeypatch.setattr(paging, "pages_read", lambda: None)  # a system that does not tell
    assert one.due("reading", 64)
    assert one.due("reading", 64)


def test_a_system_that_cannot_page_out():
    block = Told(refuse=("pageout", errno.EINVAL))
    one, _ = made(LAYOUT.total_bytes, block=block)
    one.let_go(rows(1))
    one.let_go(rows(2))
    assert [call[0] for call in block.calls] == ["pageout", "dontneed", "dontneed"]
    block = Told(refuse=("pageout", errno.EIO))
    one, _ = made(LAYOUT.total_bytes, block=block)
    with pytest.raises(BlockError):
        one.let_go(rows(1))


def test_what_goes_wrong_aside_is_raised_by_the_next_call():
    block = Told(refuse=("willneed", errno.EIO))
    one, _ = made(LAYOUT.total_bytes, block=block)
    one.bring_aside(rows(1))
    with pytest.raises(BlockError):
        one.settle()
    one.settle()


def test_no_more_than_a_few_wait_aside():
    goes_on, running = threading.Event(), []

    class Slow(Told):
        def advise(self, starts, lengths, advice):
            running.append(1)
            goes_on.wait()

    one, _ = made(LAYOUT.total_bytes * 9, block=Slow())
    for k in range(4):
        one.bring_aside(rows(k))
    fifth = threading.Thread(target=one.bring_aside, args=(rows(5),))
    fifth.start()
    assert len(one._pending) <= 4
    goes_on.set()
    fifth.join()
    one.settle()
    assert len(running) == 5


def test_an_arena_in_memory_is_not_paged():
    with Arena.allocate(LAYOUT) as arena:
        assert arena.paging is None


def test_arenas_over_the_same_files_are_paged_together(saved):
    with Arena.open(saved._claim.handle.path) as other:
        assert saved.paging is other.paging


def test_pages_come_and_go(saved):
    """A11: what is asked for is there, and nothing else; what has passed is gone."""
    if not evict(saved):
        pytest.skip("this file system keeps its pages")
    address, size = values(saved)
    one = saved.paging
    one._room = lambda: LAYOUT.total_bytes // 2
    assert one.due("reading", 1)
    before = pages_read()
    one.bring(rows(3, 4, 40, layout=saved.layout))
    assert pages_read() > before
    column = saved.column("x").rows
    for row in (3, 4, 40):
        assert (column[row] == row).all()
    there = resident(address, size).reshape(ROWS, -1)
    assert there[[3, 4, 40]].all()
    assert there.sum() == 3 * ROW // PAGE
    one.let_go(rows(3, 40, layout=saved.layout))
    there = resident(address, size).reshape(ROWS, -1)
    assert there[4].all()
    assert there.sum() == ROW // PAGE
    del column


def test_aside(saved):
    if not evict(saved):
        pytest.skip("this file system keeps its pages")
    one = saved.paging
    one._room = lambda: LAYOUT.total_bytes // 2
    one.survey()
    one.bring_aside(rows(7, layout=saved.layout))
    one.settle()
    assert (saved.column("x").rows[7] == 7).all()
    assert resident(*values(saved)).sum() == ROW // PAGE


def test_a_child_knows_nothing_of_what_waits(saved):
    goes_on = threading.Event()
    one, _ = made(LAYOUT.total_bytes * 9)
    one._block = lambda: Waiting(goes_on)
    one.bring_aside(rows(1))
    pid = os.fork()
    if pid == 0:
        one.settle()
        os._exit(0 if not one._pending else 1)
    assert os.waitpid(pid, 0)[1] == 0
    goes_on.set()
    one.settle()


class Waiting:
    def __init__(self, event):
        self.event = event

    def advise(self, *_):
        self.event.wait()
