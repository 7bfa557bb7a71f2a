"""Fills that share one budget, and what they give back."""

import pytest
from filling import filled

import fastcache as fc
from fastcache.errors import BudgetError
from fastcache.fill import build
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
