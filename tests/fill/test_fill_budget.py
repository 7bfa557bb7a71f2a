"""Fills that share one budget, and what they give back."""

import pytest
from filling import filled

import fastcache as fc
from fastcache.errors import BudgetError
from fastcache.fill import build
from fastcache.memory.reading import shortage
from fastcache.sources import ClassFolder


def test_two_datasets_share_a_budget(class_folder):
    """A8: what one has is not there for the next; closing gives it back."""
    source = ClassFolder(class_folder)
    plan = fc.plan_for(source)
    budget = fc.Budget(plan.need_bytes + plan.arena_bytes)
    first = filled(source, budget=budget)
    assert budget.used == plan.arena_bytes  # the scratch is given back
    second = filled(source, budget=budget)
    assert budget.free == budget.bytes - 2 * plan.arena_bytes
    with pytest.raises(BudgetError, match="close datasets that share the budget"):
        filled(source, budget=budget)
    assert budget.used == 2 * plan.arena_bytes
    second.close()
    assert "reserved" in fc.plan_for(source, budget=budget).limit
    filled(source, budget=budget).close()
    first.close()
    assert budget.used == 0


@pytest.mark.parametrize("failing", ["allocate", "commit"])
def test_a_fill_that_fails_gives_its_part_back(class_folder, monkeypatch, failing):
    """A10: after an error the budget is as it was."""
    budget = fc.Budget("64MiB")

    def fail(*args, **kwargs):
        raise MemoryError("none left")

    with monkeypatch.context() as patched:
        patched.setattr(build.Arena, failing, fail)
        with pytest.raises(MemoryError):
            filled(ClassFolder(class_folder), budget=budget)
    assert budget.used == 0
    filled(ClassFolder(class_folder), budget=budget).close()


def overtaking(monkeypatch, budget, sizes):
    """Have others take parts of a budget right after each reading of it; return these parts."""
    read, parts = build.read_budget, iter(sizes)
    taken = []

    def read_and_lose(asked):
        found = read(asked)
        size = next(parts, 0)
        if size:
            taken.append(budget.reserve(size, "another thread"))
        return found

    monkeypatch.setattr(build, "read_budget", read_and_lose)
    return taken


def test_auto_plans_anew_when_another_thread_was_faster(class_folder, monkeypatch):
    """A2, A8: "auto" chooses and reports, also where a budget shrinks while it plans."""
    source = ClassFolder(class_folder)
    plan = fc.plan_for(source, threads=1)
    budget = fc.Budget(plan.need_bytes + 8192)
    part = plan.arena_bytes // 4
    taken = overtaking(monkeypatch, budget, [part, part])
    with filled(source, budget=budget, threads=1) as arena:
        kept = arena.catalog["plan"]["kept"]
        assert kept["encoded"] + kept["absent"] > 0
        assert arena.catalog["plan"]["have_bytes"] == budget.bytes - 2 * part
        assert len(taken) == 2
        assert budget.used <= budget.bytes


def test_an_explicit_wish_is_not_planned_anew(class_folder, monkeypatch):
    source = ClassFolder(class_folder)
    budget = fc.Budget(fc.plan_for(source, threads=1).need_bytes)
    taken = overtaking(monkeypatch, budget, [8192, 8192])
    with pytest.raises(BudgetError, match="close datasets that share the budget"):
        filled(source, budget=budget, threads=1, keep="decoded")
    assert len(taken) == 1


def test_planning_anew_has_an_end(class_folder, monkeypatch):
    source, budget, asked = ClassFolder(class_folder), fc.Budget("64MiB"), []

    def gone(budget, size, what, reading, remedies):
        asked.append(size)
        raise shortage(size, reading, remedies=remedies)

    monkeypatch.setattr(build, "take", gone)
    with pytest.raises(BudgetError):
        filled(source, budget=budget, threads=1)
    assert 1 < len(asked) < 100
    assert budget.used == 0
