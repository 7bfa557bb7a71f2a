"""``plan_for`` of arenas in files: the disk's room, and the memory while they fill."""

import re
import tempfile
from dataclasses import replace

import images
import numpy as np
import pytest
from filling import save, values

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArenaFileError, ArgumentError, BudgetError
from fastcache.fill.estimate.plan import Plan
from fastcache.memory import reading
from fastcache.memory.limits import Limit
from fastcache.sources import Arrays, Files, Series

MIB = 1 << 20


def arrays(_):
    return Arrays(np.zeros((1000, 64, 64), np.float32))


def npy_files(tmp_path):
    paths = [save(tmp_path / f"{k}.npy", values("float32", seed=k)) for k in range(4)]
    return Files([str(path) for path in paths], [0, 1, 2, 3])


SOURCES = {
    "arrays": arrays,
    "folder": lambda folder: images.write_class_folder(folder / "set"),
    "npy": npy_files,
    "series": lambda _: Series(np.zeros((3, 5000), np.float32), window=32),
}


@pytest.fixture(autouse=True)
def _own_temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


def disk_of(monkeypatch, size):
    """Let every file system have so many bytes left, for plans."""
    limit = lambda folder: Limit(f"free space of the file system of {folder}", size)  # noqa: E731
    monkeypatch.setattr(reading, "disk_limit", limit)


def without_the_moment(plan):
    """Return a plan without what depends on when it was made, and where."""
    moment = {"have_bytes": 0, "available_bytes": 0, "limit": "", "fill_seconds": None}
    return replace(plan, **moment, memory_have_bytes=0, memory_limit="", unread=())


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("where", ["home", "cache"])
def test_the_plan_is_that_of_the_dataset(tmp_path, name, where):
    """A1, A7: the same home, bytes and limits."""
    pytest.importorskip("torch")
    source = SOURCES[name](tmp_path)
    given = {"home": "disk"} if where == "home" else {"cache_dir": tmp_path / "cache"}
    plan = fc.plan_for(source, **given, budget="90MB", threads=1)
    assert not (tmp_path / "cache").exists()
    ds = fc.ArenaDataset(source, **given, budget="90MB", threads=1)
    assert without_the_moment(plan) == without_the_moment(ds.plan)
    assert (plan.home, plan.memory_have_bytes) == ("disk", 90_000_000)
    assert plan.limit.startswith("free space of the file system of ") and plan.fits
    assert plan.fill_seconds is not None or name == "series"
    assert "memory" in str(plan) and "budget='90MB'" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan
    ds.close()


def test_the_budget_binds_memory_and_not_the_files():
    """A1: data larger than the budget fit the disk."""
    plan = fc.plan_for(arrays(None), home="disk", budget=10_000_000, threads=1)
    assert plan.fits and plan.arena_bytes > 10_000_000 >= plan.memory_bytes > 0
    assert plan.have_bytes > plan.arena_bytes and not plan.remedies
    assert not fc.plan_for(arrays(None), budget=10_000_000, threads=1).fits


def test_memory_that_is_too_small_even_for_files():
    pytest.importorskip("torch")
    plan = fc.plan_for(arrays(None), home="disk", budget="2MB", threads=1)
    assert not plan.fits and not plan.memory_fits and plan.need_bytes <= plan.have_bytes
    assert any("allow more with budget=" in told for told in plan.remedies)
    assert "does not fit" in str(plan)
    with pytest.raises(BudgetError) as caught:
        fc.ArenaDataset(arrays(None), home="disk", budget="2MB", threads=1)
    assert (caught.value.need, caught.value.have) == (plan.memory_bytes, plan.memory_have_bytes)


def test_a_disk_that_is_too_small(tmp_path, monkeypatch):
    """A10: what to change, each of it true."""
    source = images.write_class_folder(tmp_path / "set")
    whole = fc.plan_for(source, home="disk", store=T.Resize((256, 256))).arena_bytes
    disk_of(monkeypatch, whole // 2)
    plan = fc.plan_for(source, home="disk", store=T.Resize((256, 256)))
    assert not plan.fits and plan.memory_fits
    smaller, _, elsewhere = plan.remedies
    assert smaller.startswith("store=T.Resize((") and "cache_dir= or TMPDIR" in elsewhere
    assert not any("encoded" in told or "budget=" in told for told in plan.remedies)
    size = eval(smaller.partition("=")[2].partition(" needs")[0], {"T": T})
    assert fc.plan_for(source, home="disk", store=size).fits


def test_several_choices_stand_side_by_side(class_folder):
    plans = fc.plan_for(class_folder, store={"a": T.Resize(64), "b": T.Resize(32)}, home="disk")
    assert [plan.home for plan in plans.values()] == ["disk", "disk"]
    assert "memory while it fills: " in str(plans)
    assert all(plan.fill_seconds for plan in plans.values())
    for name, size in (("a", 64), ("b", 32)):
        alone = fc.plan_for(class_folder, store=T.Resize(size), home="disk")
        assert without_the_moment(plans[name]) == without_the_moment(alone)


def test_what_is_read_from_files_into_memory_needs_both(tmp_path):
    pytest.importorskip("torch")
    source, cache = arrays(None), tmp_path / "cache"
    plan = fc.plan_for(source, home="ram", cache_dir=cache, budget="12MB", threads=1)
    assert plan.home == "disk" and not plan.fits
    assert plan.memory_bytes == plan.decoded_bytes
    assert any('leave home="ram" out' in told for told in plan.remedies)
    with pytest.raises(BudgetError, match='leave home="ram" out'):
        fc.ArenaDataset(source, home="ram", cache_dir=cache, budget="12MB", threads=1)
    budget = fc.Budget("40MB")
    with fc.ArenaDataset(source, home="ram", cache_dir=cache, budget=budget, threads=1) as ds:
        assert ds.report["home"] == "ram" and budget.used == plan.decoded_bytes
    assert budget.used == 0


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "set" / "c").mkdir(parents=True)
    (tmp_path / "set" / "c" / "x.jpg").write_bytes(b"no image")
    plan = fc.plan_for(tmp_path / "set", home="disk")
    assert (plan.samples, plan.home) == (0, "disk") and plan.limit.startswith("free space")


def test_encoded_files_are_not_kept_on_a_disk(tmp_path, class_folder):
    with pytest.raises(ArgumentError, match="encoded"):
        fc.plan_for(class_folder, keep="encoded", cache_dir=tmp_path)


def refused(**options):
    with pytest.raises(BudgetError) as caught:
        fc.ArenaDataset(arrays(None), budget=10_000_000, threads=1, **options)
    return str(caught.value)


def test_an_arena_that_memory_has_no_room_for_is_told_of_the_disk(monkeypatch):
    """A10: in errors and in plans, where the disk has room and the rest fits."""
    pytest.importorskip("torch")
    assert re.search(r'home="disk" needs 1[5-7]\S* MiB in \S+, and \S+ MiB of memory', refused())
    plan = fc.plan_for(arrays(None), budget=10_000_000, threads=1)
    assert any(told.startswith('home="disk" needs') for told in plan.remedies)
    assert fc.plan_for(arrays(None), home="disk", budget=10_000_000, threads=1).fits
    with monkeypatch.context() as patch:
        disk_of(patch, 10 * MIB)
        assert 'home="disk"' not in refused()

    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/a']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert 'home="disk"' not in refused()
    with pytest.raises(ArenaFileError, match="TMPDIR"):
        fc.plan_for(arrays(None), home="disk")


def test_the_disk_is_no_remedy_for_files_as_they_are(class_folder):
    plan = fc.plan_for(class_folder, keep="encoded", budget=100, threads=1)
    assert plan.remedies and not any('home="disk"' in told for told in plan.remedies)
    plan = fc.plan_for(class_folder, budget="9MB", store=T.Resize((512, 512)), threads=1)
    assert plan.fits and not plan.decoded_fits  # kept in part: what has all of it decoded
    assert any(told.startswith('home="disk" needs') for told in plan.remedies)
