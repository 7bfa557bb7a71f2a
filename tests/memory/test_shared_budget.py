"""One budget for several datasets: what one has is not there for the next."""

import copy
import gc
import os
import pickle
import threading
import time

import numpy as np
import pytest

from fastcache.errors import ArgumentError, ArgumentTypeError, BudgetError
from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.budget import Budget, read_budget, take
from fastcache.memory.limits import Limit, SystemLimits
from fastcache.schema import Array

GIB = 1 << 30


class System:
    """A machine whose free memory the test decides."""

    def __init__(self, left):
        self.left = left
        self.seconds = 0.0  # that it takes to read

    def __call__(self):
        time.sleep(self.seconds)
        return SystemLimits((Limit("available memory", self.left),), ("/x/memory.max",))


@pytest.fixture
def system(monkeypatch):
    made = System(100 * GIB)
    monkeypatch.setattr("fastcache.memory.reading.system_limits", made)
    return made


def test_two_holders_share_one_amount(system):
    """A8: training and validation sets share one budget."""
    budget = Budget("8GiB")
    train = budget.reserve(5 * GIB, "train")
    assert (budget.bytes, budget.used, budget.free) == (8 * GIB, 5 * GIB, 3 * GIB)
    with pytest.raises(BudgetError) as error:
        budget.reserve(4 * GIB, "val")
    assert (error.value.need, error.value.have) == (4 * GIB, 3 * GIB)
    assert error.value.limit == "budget='8GiB', 5.00 GiB of it reserved"
    assert "close datasets that share the budget (they hold 5.00 GiB)" in str(error.value)
    val = budget.reserve(3 * GIB, "val")
    assert budget.free == 0
    train.release()
    val.release()
    assert (budget.used, budget.free) == (0, 8 * GIB)


def test_a_reservation_shrinks_and_ends(system):
    budget = Budget(1000)
    with budget.reserve(800, "filling") as held:
        assert budget.free == 200
        held.shrink(300)
        assert (held.bytes, budget.used, budget.free) == (300, 300, 700)
        for nonsense in (301, -1):
            with pytest.raises(ArgumentError, match="cannot shrink"):
                held.shrink(nonsense)
    held.release()
    assert (held.bytes, budget.used) == (0, 0)
    with pytest.raises(ArgumentError):
        budget.reserve(-1, "nonsense")
    assert budget.used == 0


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (-1, ArgumentError),
        pytest.param(-(10**5000), ArgumentError, id="far below"),
        (1.5, ArgumentTypeError),
        (True, ArgumentTypeError),
        ("1", ArgumentTypeError),
        (None, ArgumentTypeError),
        pytest.param(10**5000, BudgetError, id="far above"),
    ],
)
def test_sizes_that_cannot_be_reserved(system, size, error):
    """A10: typed errors, and nothing is held."""
    budget = Budget(1000)
    with pytest.raises(error):
        budget.reserve(size, "nonsense")
    assert budget.used == 0
    with budget.reserve(np.int64(800), "filling") as held:
        assert type(held.bytes) is int
        if size not in (-1, True):
            with pytest.raises((ArgumentError, ArgumentTypeError)):
                held.shrink(size)
        assert held.bytes == 800


def test_memory_that_arenas_took_is_not_counted_twice(system):
    budget = Budget("90GiB")
    held = budget.reserve(60 * GIB, "train")
    assert budget.free == 30 * GIB
    system.left -= 60 * GIB  # the arena is allocated
    held.settle(60 * GIB)
    assert budget.free == 30 * GIB
    system.left -= 25 * GIB  # somebody else took memory
    reading = budget.read()
    assert (reading.bytes, reading.limit) == (15 * GIB, "available memory")
    assert reading.unread == ("/x/memory.max",)


def test_what_is_promised_and_not_yet_touched_is_gone_for_others(system):
    budget = Budget("1TiB")
    held = budget.reserve(60 * GIB, "arena and scratch")
    assert budget.free == 40 * GIB
    held.settle(50 * GIB)
    system.left -= 50 * GIB
    assert budget.free == 40 * GIB
    held.shrink(50 * GIB)  # the scratch is given back
    assert budget.free == 50 * GIB


def test_a_budget_without_an_amount_keeps_the_reserve_of_its_beginning(system):
    budget = Budget()
    assert budget.bytes == budget.free == 85 * GIB
    held = budget.reserve(50 * GIB, "train")
    held.settle(50 * GIB)
    system.left -= 50 * GIB
    assert budget.free == 35 * GIB
    system.left -= 10 * GIB
    reading = budget.read()
    assert (reading.bytes, reading.limit) == (
        25 * GIB,
        "available memory, 15.0 GiB kept in reserve",
    )


def test_a_share_is_settled_when_the_budget_is_made(system):
    budget = Budget(0.5)
    system.left = 200 * GIB
    assert budget.free == budget.bytes == 50 * GIB
    assert read_budget(budget).limit == "budget=0.5 of available memory"


@pytest.mark.parametrize("amount", [-1, 1.5, "much", True, [1]])
def test_amounts_that_mean_nothing(system, amount):
    with pytest.raises(ArgumentError, match=r"budget=|such as"):
        Budget(amount)


def test_a_budget_of_a_budget_is_an_error(system):
    with pytest.raises(ArgumentError, match="Budget"):
        Budget(Budget(5))


def test_it_prints_who_holds_what_and_what_binds(system):
    budget = Budget("8GiB")
    held = budget.reserve(2 * GIB, "photos/train")
    text = repr(budget)
    for part in ("8.00 GiB", "photos/train 2.00 GiB", "6.00 GiB free", "budget='8GiB'"):
        assert part in text
    held.release()
    assert "photos" not in repr(budget)


def test_it_is_not_pickled_and_a_copy_is_itself(system):
    budget = Budget(5)
    with pytest.raises(ArgumentError, match="pickle the dataset"):
        pickle.dumps(budget)
    assert copy.copy(budget) is budget
    assert copy.deepcopy({"budget": budget})["budget"] is budget


def test_anything_that_is_no_shared_budget_is_checked_against_its_reading(system):
    reading = read_budget(1000)
    assert take(1000, 1000, "x", reading).bytes == 1000
    with pytest.raises(BudgetError):
        take(1000, 1001, "x", reading)


def test_threads_never_have_more_than_there_is(system):
    budget = Budget(1000)
    system.seconds = 0.001  # long enough for another thread to come in between
    start = threading.Barrier(8)
    over, held = [], []

    def work():
        start.wait()
        for _ in range(20):
            try:
                mine = budget.reserve(300, "mine")
            except BudgetError:
                continue
            held.append(mine)
            time.sleep(0.001)
            if budget.used > 1000:
                over.append(budget.used)
            mine.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not over
    assert held
    assert budget.used == 0


def test_an_arena_gives_its_part_back_when_its_memory_goes():
    """A8, C1: closed or collected, the bytes are there for the next dataset."""
    budget = Budget("64MiB")
    for end in ("closed", "collected"):
        arena = Arena.allocate(plan_layout({"x": Array("uint8", (1000,))}, 1000))
        held = budget.reserve(arena.layout.total_bytes, "x")
        arena.on_free(held.release)
        arena.commit({})
        twin = pickle.loads(pickle.dumps(arena))  # in this process: the same memory
        arena.close()
        assert budget.used == 1_000_000
        if end == "closed":
            twin.close()
        del arena, twin
        gc.collect()
        assert budget.used == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_can_reserve_although_a_thread_of_the_parent_was_just_doing_so(system):
    from fastcache.memory import budget as module

    budget = Budget(1000)
    with module._lock.held:
        child = os.fork()
        if child == 0:
            os._exit(0 if budget.reserve(10, "child").bytes == 10 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert budget.used == 0


def test_reservations_take_numpy_integers(system):
    assert Budget(10).reserve(np.int64(4), "x").bytes == 4
