"""B4: workers of the benchmark of homes of arenas, and how they know what memory is shared."""

import importlib
import json
import mmap
import os
import subprocess
import sys

import pytest
from project import source_root

BENCHMARKS = source_root() / "benchmarks"


# ---- memory of processes


LOOK = """
import mmap, sys
own = b"1" * int(sys.argv[2])
with open(sys.argv[1], "rb") as file:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(memory[:: mmap.PAGESIZE])
    print(flush=True)
    sys.stdin.read()
"""


def test_pages_that_two_processes_share_count_once(bench, tmp_path):
    """F1: and what one of them has alone counts as well."""
    mib = 1 << 20
    (tmp_path / "shared").write_bytes(b"\1" * (64 * mib))

    def look(own: int) -> subprocess.Popen:
        child = subprocess.Popen(
            [sys.executable, "-c", LOOK, str(tmp_path / "shared"), str(own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        child.stdout.readline()
        return child

    children = [look(0)]
    try:
        alone = bench.proportional.pss([children[0].pid])
        assert alone > 64 * mib
        children.append(look(0))
        both = bench.proportional.pss([child.pid for child in children])
        assert 64 * mib < both < alone + 32 * mib
        assert bench.proportional.pss([children[0].pid]) < alone - 24 * mib
        children.append(look(48 * mib))
        all_three = bench.proportional.pss([child.pid for child in children])
        assert both + 40 * mib < all_three < both + 80 * mib
        members = bench.proportional.family(os.getpid())
        assert members[0] == os.getpid()
        assert {child.pid for child in children} <= set(members)
    finally:
        for child in children:
            child.communicate()
    assert children[0].pid not in bench.proportional.family(os.getpid())


def test_only_pages_that_were_looked_at_are_mapped(bench, tmp_path):
    """A11: the means by which the row knows that no other pixel was read."""
    path = tmp_path / "shard-1"
    path.write_bytes(b"\1" * (4 << 20))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        assert bench.proportional.mapped_bytes(str(tmp_path), "shard") == 0
        assert memory[0] == 1
        few = bench.proportional.mapped_bytes(str(tmp_path), "shard")
        assert 0 < few < 4 << 20
        assert bench.proportional.mapped_bytes(str(tmp_path), "other") == 0
        sum(memory[:: mmap.PAGESIZE])
        assert bench.proportional.mapped_bytes(str(tmp_path), "shard") == 4 << 20


def test_bytes_that_calls_read_are_counted(bench, tmp_path):
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    before = bench.proportional.read_by_calls()
    (tmp_path / "file").read_bytes()
    assert 1 << 20 <= bench.proportional.read_by_calls() - before < 1 << 21


# ---- every worker, small


@pytest.fixture(scope="module")
def options(bench, tmp_path_factory, photos):
    """Return what each worker is told: (options, threads)."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("homes")
    root = bench.homes_sets.link_photos(photos, folder, 12)
    arena = bench.homes_sets.save_rows(folder / "rows", 200, 32)
    return {
        "plan_headers": {"root": str(root)},
        "reopen": {"arena": str(arena)},
        "save_arena": {"folder": str(folder)},
        "disk_batches": {"folder": str(folder)},
        "arena_rates": {"folder": str(folder)},
    }


@pytest.mark.parametrize(
    ("script", "keys"),
    [
        ("plan_headers", {"folder"}),
        ("reopen", {"opening", "beyond", "read"}),
        ("save_arena", {"cp", "bytes"}),
        ("disk_batches", {"ram", "warm", "first"}),
        ("encoded", {"fill"}),
        ("mixed", {"half", "all", "cold", "kept"}),
        ("arena_rates", {"fill", "pack", "verify", "load", "bytes"}),
    ],
)
def test_workers_answer_with_what_their_rows_read(bench, options, photos, script, keys):
    """B4: what the package's names are may change; that a worker still runs is seen here."""
    settings = bench.serve.Settings(photos, [0], 1, 64, options=options.get(script, {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "ours"))
        worker = importlib.import_module(script)
        for name, value in [("PASSES", 1), ("BATCH", 16)]:
            if hasattr(worker, name):
                patch.setattr(worker, name, value)
        one = worker.prepare(settings)()
    assert keys | {"seconds"} <= set(one)
    assert all(one[key] > 0 for key in keys - {"kept", "beyond", "cold"})
    json.dumps(one)


@pytest.mark.parametrize("script", ["share_workers", "share_ranks"])
def test_workers_of_shared_arenas_tell_their_memory(bench, photos, script):
    """B4, F1: whole programs, with processes of their own."""
    pytest.importorskip("torch")
    options = {"method": "fork", "data": True}
    settings = bench.serve.Settings(photos, [0], 1, 128, options=options)
    task = bench.harness.Task(f"ours/{script}.py", sys.executable, settings, fresh=True)
    (result,) = bench.harness.run_interleaved({"one": task}, 1).values()
    assert result.error is None
    if result.missing:
        pytest.skip(result.missing)
    (one,) = result.rounds
    assert one["processes"] >= 5
    assert one["pss"] > one["arena"] >= 128 * 224 * 224 * 3


def test_other_rows_than_those_in_memory_are_found(bench, photos, tmp_path):
    """B4: what is compared is the same work."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "ours"))
        common, disk = (importlib.import_module(name) for name in ("common", "disk_batches"))
    import fastcache as fc

    with common.open_files(photos, 1) as ram, common.open_files(photos[::-1], 1) as other:
        other.save(tmp_path / "other.arena")
        with fc.open(tmp_path / "other.arena") as files, pytest.raises(RuntimeError, match="rows"):
            disk.verify(ram, files)


def test_what_is_written_as_one_has_the_bytes_of_the_arena(bench, photos, tmp_path):
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "ours"))
        common, save = (importlib.import_module(name) for name in ("common", "save_arena"))
    with common.open_files(photos, 1) as dataset:
        dataset.save(tmp_path / "a.arena")
    size = save.write_as_one(tmp_path / "a.arena", tmp_path / "one")
    files = bench.homes_sets.arena_files(tmp_path / "a.arena")
    assert (tmp_path / "one").read_bytes() == b"".join(path.read_bytes() for path in files)
    assert size == sum(path.stat().st_size for path in files)
    save.copy_and_sync(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two").stat().st_size == size
    save.forget(tmp_path / "two")
    save.forget(tmp_path / "a.arena")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_the_least_budget_is_least(bench, photos):
    """A7: cold means that nothing is kept, and not that little is."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "ours"))
        mixed = importlib.import_module("mixed")
    paths = photos * 20
    least = mixed.least_budget(paths, 1)
    plan = mixed.plan(paths, 1, least)
    assert plan.fits and plan.kept["absent"] == len(paths)
    assert not mixed.plan(paths, 1, least - mixed.NEAR).fits
