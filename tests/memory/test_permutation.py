"""Permutations without a table: they are permutations, look random, and never change."""

import itertools
import math

import numpy as np
import pytest

from fastcache.memory.permutation import Permutation


def whole(count, *key):
    return Permutation(count, *key).at(np.arange(count))


def surprise(counts, expected):
    """Return by how many standard deviations a chi-square of counts exceeds its mean."""
    square = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.size - 1
    return (square - freedom) / math.sqrt(2 * freedom)


def test_every_small_count_is_a_bijection():
    """F5: nothing twice, nothing left out, for every length of 1 to 2000."""
    for count in range(1, 2001):
        found = whole(count, 3, count)
        assert found.dtype == np.int64
        assert np.array_equal(np.sort(found), np.arange(count)), count


def test_large_counts_are_bijections():
    """F5: random lengths, powers of two and their neighbours."""
    rng = np.random.default_rng(0)
    counts = [*rng.integers(2001, 400_000, 12).tolist(), 2**16 - 1, 2**16, 2**16 + 1]
    for count in counts:
        seen = np.zeros(count, np.int64)
        np.add.at(seen, whole(count, 1, count), 1)
        assert (seen == 1).all(), count


@pytest.mark.parametrize("count", [10**8, 2**40 + 1, 2**62])
def test_numbers_without_memory(count):
    """F5: a stretch of an order that no machine could hold, and the same in any pieces."""
    rng = np.random.default_rng(1)
    places = np.unique(rng.integers(0, count, 50_000))
    order = Permutation(count, 5)
    found = order.at(places)
    assert found.min() >= 0
    assert found.max() < count
    assert len(np.unique(found)) == len(places)
    pieces = np.array_split(places, 77)
    assert np.array_equal(np.concatenate([order.at(piece) for piece in pieces]), found)
    single = [int(order.at(places[k : k + 1])[0]) for k in range(0, len(places), 5000)]
    assert single == found[::5000].tolist()


def test_orders_never_change():
    """F5: a state that was saved means the same order in every version."""
    assert whole(10, 0, 1, 0).tolist() == [4, 7, 6, 5, 2, 1, 9, 8, 3, 0]
    assert whole(10, 0, 1, 1).tolist() == [7, 2, 6, 0, 4, 1, 3, 8, 5, 9]
    far = Permutation(10**9, 2**64 - 1, 7).at(np.array([0, 1, 2, 10**9 - 1]))
    assert far.tolist() == [210723158, 453760556, 987896062, 708945685]
    assert int((whole(5000, 42) * np.arange(5000)).sum()) == 31194123391


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_small_orders_are_equally_likely(count):
    """F5: every one of all permutations of a few samples."""
    orders = list(itertools.permutations(range(count)))
    trials = 25 * len(orders)
    numbers = dict.fromkeys(orders, 0)
    for epoch in range(trials):
        numbers[tuple(whole(count, 11, epoch).tolist())] += 1
    assert abs(surprise(np.array([*numbers.values()]), 25)) < 5


@pytest.mark.parametrize("count", [33, 64])
def test_places_and_neighbours_over_epochs(count):
    """F5: each sample at each place, each pair beside each other, equally often."""
    epochs = 6000
    places = np.zeros((count, count))
    pairs = np.zeros((count, count))
    for epoch in range(epochs):
        order = whole(count, 7, epoch)
        places[np.arange(count), order] += 1
        pairs[order[:-1], order[1:]] += 1
    assert abs(surprise(places, epochs / count)) < 5
    assert abs(surprise(pairs[~np.eye(count, dtype=bool)], epochs / count)) < 5


@pytest.mark.parametrize("count", [100_003, 2**18])
def test_large_orders_look_random(count):
    """F5: places, neighbours, their distances, and two epochs after each other."""
    now, then = whole(count, 9, 0), whole(count, 9, 1)
    cells = 32
    rough = [np.arange(count) * cells // count, now * cells // count, then * cells // count]

    def joint(a, b):
        return np.bincount(a * cells + b, minlength=cells * cells)

    for first, second in ((rough[0], rough[1]), (rough[1][:-1], rough[1][1:]), rough[1:]):
        assert abs(surprise(joint(first, second), len(first) / cells**2)) < 5
    steps = np.diff(now) % count * 1000 // count
    assert abs(surprise(np.bincount(steps, minlength=1000), (count - 1) / 1000)) < 5
    assert abs(np.corrcoef(now, then)[0, 1]) < 5 / math.sqrt(count)
    assert (now == then).sum() < 12  # one is expected


def test_keys_of_any_part_matter():
    """F5: seeds and epochs beside each other, and their exchange, give other orders."""
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (2**64 - 1,), (2**63,), (0, 0, 0)]
    orders = {tuple(whole(50, *key).tolist()) for key in keys}
    assert len(orders) == len(keys)
