"""Ranks of a node that fill one arena, as processes of their own."""

import os
import pickle
import signal
import time
from contextlib import suppress
from pathlib import Path

import arena_workers
import images
import numpy as np
import pytest
from filling import filled
from node import Node

from fastcache import transforms as T
from fastcache.errors import ArenaGoneError
from fastcache.fill.estimate.plan import Plan
from fastcache.sources import Files

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="ranks meet on Linux only"
)

SOON = 10.0  # seconds within which a rank must know that another one is gone


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Files of all kinds that decode, in C and in Pillow, and of many sizes."""
    folder = tmp_path_factory.mktemp("mixed")
    kinds = {**images.jpeg_kinds(), **images.other_kinds(), **images.pillow_kinds()}
    for number, (name, data) in enumerate(sorted(kinds.items())):
        (folder / f"{number:03}-{name.replace('/', '-')}").write_bytes(data)
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough large files to keep all ranks in C for a while."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "0000.jpg").write_bytes(images.encode(images.photo(1500, 2000), quality=95))
    for number in range(1, 200):
        os.link(folder / "0000.jpg", folder / f"{number:04}.jpg")
    return [str(path) for path in sorted(folder.iterdir())]


def until(met, seconds=30.0):
    """Wait until something is the case."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def in_the_job(rank):
    """Whether a process has the tables of a joint fill."""
    return "memfd:fastcache-tables" in Path(f"/proc/{rank.pid}/maps").read_text()


def opened(rank, what):
    """Return how many of a process's descriptors are of a kind."""
    links = Path(f"/proc/{rank.pid}/fd").iterdir()
    with suppress(FileNotFoundError):  # closed meanwhile
        return sum(os.readlink(link).startswith(what) for link in links)
    return 0


def check_same(arena, expected):
    for name in expected.layout.columns:
        mine, theirs = arena.column(name), expected.column(name)
        assert mine.field == theirs.field
        assert len(mine) == len(theirs)
        assert all(np.array_equal(mine[i], theirs[i]) for i in range(len(mine)))
    report, told = arena.catalog["report"], expected.catalog["report"]
    assert report["columns"] == told["columns"]
    assert report["failed"] == told["failed"]


def has_joined(rank):
    return opened(rank, "socket:") > 0


@pytest.mark.parametrize("keep", ["decoded", "encoded"])
def test_memory_that_ranks_share_is_filled_as_one_rank_would(mixed, keep):
    """A12: two and three ranks hold one arena, with the bytes that one process alone makes."""
    options = {"color": "RGB", "on_error": "skip", "keep": keep}
    alone = filled(Files(mixed, list(range(len(mixed)))), **options)
    for world in (2, 3):
        with Node(world) as node:
            first = node.start({"files": mixed, "options": options, "hold": True})
            first.wait_for("filling")
            others = [node.start({"files": mixed, "options": options}) for _ in range(world - 1)]
            for other in others:
                other.wait_for("begins")
                until(lambda other=other: has_joined(other))
            first.go_on()
            told = [rank.wait_for("filled", "failed") for rank in node.ranks]
            assert [each["state"] for each in told] == ["filled"] * world, told
            assert len({each["inode"] for each in told}) == 1
            assert len({each["digest"] for each in told}) == 1
            assert [each["writeable"] for each in told] == [False] * world
            assert [each["mappings"] for each in told] == [2] * world  # nothing of the fill
            with pickle.loads(bytes.fromhex(told[-1]["pickled"])) as arena:
                check_same(arena, alone)


def test_ranks_decode_together(many):
    """A12: the files that C decodes are spread over the ranks, whose number the report tells."""
    with Node(2) as node:
        told = [node.start({"files": many, "resize": 64}) for _ in range(2)]
        found = [rank.wait_for("filled", "failed") for rank in told]
        assert [each["state"] for each in found] == ["filled"] * 2, found
        assert [each["ranks"] for each in found] == [2, 2]
        assert found[0]["digest"] == found[1]["digest"]
        for rank in told:
            rank.go_on()
            assert rank.wait_for("closed")["mappings"] == 0


def test_a_rank_that_comes_late_gets_the_arena_at_once():
    with Node() as node:
        first = node.start({"arrays": 100})
        made = first.wait_for("filled")
        late = node.start({"arrays": 100}).wait_for("filled")
        assert (late["inode"], late["digest"]) == (made["inode"], made["digest"])
        assert late["ranks"] == 1  # who came late has had no part in the work


def test_a_holder_keeps_the_arena_when_its_owner_has_gone():
    """A12, B7: a rank goes on with the arena, and hands it on, after the owner was killed."""
    with Node(3) as node:
        first = node.start({"arrays": 100})
        made = first.wait_for("filled")
        second = node.start({"arrays": 100})
        held = second.wait_for("filled")
        first.kill()
        first.process.wait()
        with pytest.raises(ArenaGoneError):
            pickle.loads(bytes.fromhex(made["pickled"]))
        with pickle.loads(bytes.fromhex(held["pickled"])) as arena:
            assert arena_workers.digest(arena) == made["digest"]
        third = node.start({"arrays": 100}).wait_for("filled")  # the name is free
        assert third["content"] == made["content"]
        assert third["inode"] != made["inode"]


def test_an_arena_that_was_closed_is_built_anew():
    with Node() as node:
        first = node.start({"arrays": 100})
        made = first.wait_for("filled")
        first.go_on()
        first.wait_for("closed")
        again = node.start({"arrays": 100}).wait_for("filled")
        assert again["inode"] != made["inode"]
        assert again["content"] == made["content"]


def test_the_same_arguments_twice_are_two_arenas():
    with Node() as node:
        ranks = [node.start({"arrays": 50, "times": 2}) for _ in range(2)]
        once = [rank.wait_for("filled") for rank in ranks]
        for rank in ranks:
            rank.go_on()
            rank.wait_for("closed")
        twice = [rank.wait_for("filled") for rank in ranks]
        assert once[0]["inode"] == once[1]["inode"] != twice[0]["inode"] == twice[1]["inode"]


def test_threads_of_other_ranks_take_of_a_budget_that_datasets_share(many):
    """What the budget does not leave for them they do without; the arena is the same."""
    for amount, helped in (("2GB", 2), (None, 1)):
        with Node(2) as node:
            task = {"files": many, "resize": 64, "shared_budget": amount or tight(many)}
            ranks = [node.start(task) for _ in range(2)]
            told = [rank.wait_for("filled", "failed") for rank in ranks]
            assert [each["state"] for each in told] == ["filled"] * 2, told
            assert told[0]["inode"] == told[1]["inode"]
            assert [each["ranks"] for each in told] == [helped] * 2
            assert told[0]["budget_used"] <= told[0]["arena_bytes"]


def tight(paths):
    """Return the bytes that the arena of these files needs, and not a thread more."""
    with filled(Files(paths, list(range(len(paths)))), store=T.Resize(64)) as arena:
        plan = Plan.from_json(arena.catalog["plan"])
    return plan.need_bytes + 1000


@pytest.mark.parametrize(
    ("tasks", "environment"),
    [
        ([{"arrays": 50}, {"arrays": 50, "plus": 1}], {}),
        ([{"arrays": 50}, {"arrays": 50, "options": {"limit": 10}}], {}),
        ([{"arrays": 50}, {"arrays": 50}], {"FASTCACHE_SHARE": "0"}),
        ([{"arrays": 50}, {"arrays": 50}], {"LOCAL_WORLD_SIZE": "1"}),
    ],
)
def test_who_wants_something_else_or_nothing_shared_has_its_own(tasks, environment):
    with Node(**environment) as node:
        found = [node.start(task).wait_for("filled") for task in tasks]
        assert found[0]["inode"] != found[1]["inode"]
        assert [each["ranks"] for each in found] == [1, 1]
        assert [len(each["warnings"]) for each in found] == [0, 0 if environment else 1]


def test_a_rank_that_stays_alone_is_warned_once():
    """Another rank has an arena that it never asked for: perhaps they were to be one."""
    with Node() as node:
        first = node.start({"arrays": 50, "options": {"on_error": "skip"}})
        assert first.wait_for("filled")["warnings"] == []  # there is nobody else yet
        second = node.start({"arrays": 50, "times": 2})
        assert "rank 1 has filled an arena alone" in second.wait_for("filled")["warnings"][0]
        second.go_on()
        assert len(second.wait_for("filled")["warnings"]) == 1


def test_ranks_that_meet_are_not_warned():
    """Nor is one that is ahead, or has led alone what the other one fetches later."""
    with Node() as node:
        task = {"arrays": 50, "times": 2}
        first = node.start(task)
        told = [first.wait_for("filled")]
        second = node.start(task)
        told.append(second.wait_for("filled"))
        for rank in node.ranks:
            rank.go_on()
            told.append(rank.wait_for("filled"))
        assert [each["warnings"] for each in told] == [[]] * 4


def test_another_run_on_the_machine_has_its_own():
    with Node() as one, Node() as other:
        found = [node.start({"arrays": 50}).wait_for("filled") for node in (one, other)]
        assert found[0]["inode"] != found[1]["inode"]
        assert [each["warnings"] for each in found] == [[], []]


# -- errors --------------------------------------------------------------------------------------


def joined(node, task, count):
    """Start the ranks that come second, and wait until they are connected."""
    others = [node.start(task) for _ in range(count)]
    for other in others:
        other.wait_for("begins")
        until(lambda other=other: has_joined(other))
    time.sleep(0.2)  # connected is not yet welcomed
    return others


def test_what_the_fill_fails_with_reaches_everybody(tmp_path, many):
    """A5: an error is the same on all ranks."""
    (tmp_path / "broken.jpg").write_bytes(images.broken_kinds()["half"])
    task = {"files": [*many[:40], str(tmp_path / "broken.jpg")], "resize": 64}
    with Node(3) as node:
        first = node.start({**task, "hold": True})
        first.wait_for("filling")
        joined(node, task, 2)
        first.go_on()
        told = [rank.wait_for("failed", "filled") for rank in node.ranks]
        assert {each["type"] for each in told} == {"DecodeError"}
        assert len({each["text"] for each in told}) == 1
        assert all(each["failed"] == told[0]["failed"] for each in told)
        assert told[0]["failed"][0][0] == str(tmp_path / "broken.jpg")


def test_ranks_that_disagree_are_both_told():
    with Node() as node:
        first = node.start({"slow": [2000, 0.01], "options": {"budget": "100MB"}, "tell": True})
        first.wait_for("filling")
        second = node.start({"slow": [2000, 0.01]})
        told = [rank.wait_for("failed", "filled") for rank in (second, first)]
        assert {each["type"] for each in told} == {"ArgumentError"}
        for each in told:
            assert "budget is '100MB' here and None there" in each["text"]
            assert f"process {first.pid}" in each["text"]
            assert f"process {second.pid}" in each["text"]


@pytest.mark.parametrize("task", ["python", "c"])
def test_a_rank_that_is_killed_while_helping(task, many):
    """A12: SIGKILL of a rank while the arena is filled is an error on all others within seconds."""
    made = {"slow": [5000, 0.01]} if task == "python" else {"files": many, "resize": 64}
    with Node(3) as node:
        first = node.start({**made, "tell": True})
        first.wait_for("filling")
        second, third = joined(node, made, 2)
        if task == "c":
            until(lambda: in_the_job(second))
        second.kill()
        begun = time.monotonic()
        for rank in (first, third):
            told = rank.wait_for("failed", "filled", seconds=SOON)
            assert told["type"] == "PeerError", told
            assert f"rank 1 (process {second.pid})" in told["text"]
            assert "start all ranks again" in told["text"]
        assert time.monotonic() - begun < SOON


@pytest.mark.parametrize("task", ["python", "c"])
def test_an_owner_that_is_killed_while_others_wait(task, many):
    """A12: so it is when the rank that fills is killed."""
    made = {"slow": [5000, 0.01]} if task == "python" else {"files": many, "resize": 64}
    with Node(3) as node:
        first = node.start({**made, "tell": True})
        first.wait_for("filling")
        others = joined(node, made, 2)
        if task == "c":
            until(lambda: in_the_job(others[0]))
        first.kill()
        begun = time.monotonic()
        for rank in others:
            told = rank.wait_for("failed", "filled", seconds=SOON)
            assert told["type"] == "PeerError", told
            assert told["peer"] == first.pid
            assert f"rank 0 (process {first.pid})" in told["text"]
        assert time.monotonic() - begun < SOON


@pytest.mark.parametrize("which", [0, 1])
def test_a_rank_that_is_interrupted_ends_all(which):
    """Ctrl-C on one rank does not leave the others waiting."""
    task = {"slow": [5000, 0.01]}
    with Node() as node:
        first = node.start({**task, "tell": True})
        first.wait_for("filling")
        joined(node, task, 1)
        node.ranks[which].kill(signal.SIGINT)
        told = [rank.wait_for("failed", "filled", seconds=SOON) for rank in node.ranks]
        assert told[which]["type"] == "KeyboardInterrupt"
        assert told[1 - which]["type"] == "PeerError"
        assert told[1 - which]["text"] == (
            f"rank {which} (process {node.ranks[which].pid}) was interrupted"
        )


@pytest.mark.parametrize("which", [0, 1])
def test_a_rank_that_is_stopped_is_not_waited_for_for_ever(which):
    task = {"slow": [5000, 0.01], "silence": 2.0}
    with Node() as node:
        first = node.start({**task, "tell": True})
        first.wait_for("filling")
        joined(node, task, 1)
        node.ranks[which].kill(signal.SIGSTOP)
        told = node.ranks[1 - which].wait_for("failed", "filled", seconds=30)
        assert told["type"] == "PeerError"
        assert "no sign of life" in told["text"]
        assert told["peer"] == node.ranks[which].pid


def test_an_error_in_one_fill_does_not_spoil_the_next(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with Node() as node:
        task = {"files": [str(tmp_path / "broken.jpg")], "times": 2}
        ranks = [node.start(task) for _ in range(2)]
        for rank in ranks:
            assert rank.wait_for("failed", "filled")["type"] == "DecodeError"
            rank.go_on()
        for rank in ranks:
            assert rank.wait_for("failed", "filled")["type"] == "DecodeError"


@pytest.mark.parametrize("victim", [0, 1])
def test_who_survives_a_kill_lets_go_of_the_memory(victim, many):
    """B7, A12: after SIGKILL of a rank nobody has anything left of the arena that was filled."""
    with Node(2) as node:
        ranks = [node.start({"files": many, "resize": 64, "tell": True}) for _ in range(2)]
        for rank in ranks:
            rank.wait_for("begins")
        until(lambda: all(map(in_the_job, ranks)))
        owner = next(rank for rank in ranks if opened(rank, "socket:") > 1)
        victims = [owner, *(rank for rank in ranks if rank is not owner)]
        victims[victim].kill()
        survivor = victims[1 - victim]
        assert survivor.wait_for("failed", "filled")["type"] == "PeerError"
        assert survivor.wait_for("clear")["mappings"] == 0
        assert opened(survivor, "/memfd:fastcache") == 0
        assert opened(survivor, "socket:") == 0
