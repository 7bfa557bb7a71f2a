"""What kills and shortages leave behind, as the scripts in faults/ found it."""

import errno
import gc
import os

import pytest
import saved_arenas as saved
import saving_workers as workers

from fastcache.errors import BlockError, BudgetError
from fastcache.memory.arena import Arena
from fastcache.memory.files import ArenaWriter, verify


@pytest.mark.parametrize("name", ["journal.jsonl", "manifest.json", "shard-00000.safetensors"])
def test_any_file_may_be_half_written_when_a_run_is_killed(tmp_path, name):
    """F6, E8: the next run writes it again, whichever it was."""
    path = tmp_path / "x.arena"
    path.mkdir()
    (path / ".lock").touch()
    (path / f".tmp-{name}").write_bytes(b"half")
    workers.write(path)
    assert verify(path).ok
    assert not [left for left in os.listdir(path) if left.startswith(".tmp-")]


def test_a_disk_that_fills_up_is_told_with_all_that_is_left_to_write(tmp_path, monkeypatch):
    """B6: not with one shard, for which there may be room again by the time of the message."""
    plan = workers.plan()
    with ArenaWriter(tmp_path / "x.arena", plan, {}) as writer:
        first = plan.families[0].shards[0]
        writer.write_shard(0, 0, workers.shard_parts(plan, 0, 0))

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(BudgetError) as error:
            writer.write_shard(0, 1, workers.shard_parts(plan, 0, 1))
        assert error.value.need == plan.file_bytes - first.file_bytes


def test_loading_without_memory_says_so(tmp_path, monkeypatch):
    """A10: the error is the one that was met, and nothing stays mapped."""
    path = tmp_path / "x.arena"
    arena, _ = saved.make_arena(count=20)
    with arena:
        arena.save(path)

    def refuse(*_):
        raise BlockError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(Arena, "allocate", refuse)
    with pytest.raises(BlockError, match="no memory"):
        Arena.load(path)
    gc.collect()
    assert saved.mapped("x.arena") == 0
