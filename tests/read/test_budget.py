"""Datasets that share a budget."""

import gc
import pickle

import pytest

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import BudgetError

CROP = [T.Resize(48), T.CenterCrop(48)]


def test_training_and_validation_sets_share_one_budget(class_folder):
    """A8: the second has what the first left; a set that is closed or collected gives it back."""
    budget = fc.Budget("64MiB")
    train = fc.ArenaDataset(class_folder, store=CROP, budget=budget)
    size = train.report["arena_bytes"]
    assert budget.used == size
    val = fc.ArenaDataset(class_folder, store=CROP, budget=budget)
    assert budget.used == 2 * size
    assert val.plan.have_bytes == (64 << 20) - size
    val.close()
    assert budget.used == size
    del train
    gc.collect()
    assert budget.used == 0


def test_a_view_keeps_the_part_of_its_arena(class_folder):
    """A8: another transform over the same memory is no further memory."""
    budget = fc.Budget("64MiB")
    ds = fc.ArenaDataset(class_folder, store=CROP, budget=budget)
    view = ds.with_transform(None)
    used = budget.used
    del ds
    gc.collect()
    assert budget.used == used > 0
    del view
    gc.collect()
    assert budget.used == 0


def test_a_dataset_with_a_budget_is_pickled_without_it(class_folder):
    budget = fc.Budget("64MiB")
    with fc.ArenaDataset(class_folder, store=CROP, budget=budget) as ds:
        twin = pickle.loads(pickle.dumps(ds))
        assert len(twin) == len(ds)
        twin.close()
        assert budget.used == ds.report["arena_bytes"]


def test_too_little_is_an_error_that_names_need_have_and_remedies(class_folder):
    """A2: nothing is allocated, and the budget is as it was."""
    budget = fc.Budget(100_000)
    with pytest.raises(BudgetError) as error:
        fc.ArenaDataset(class_folder, store=T.LetterBox(640), budget=budget)
    assert error.value.have == 100_000 < error.value.need
    assert error.value.limit == "budget=100000"
    assert budget.used == 0
