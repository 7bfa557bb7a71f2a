"""Orders of epochs and parts of ranks against slow ones that are obvious."""

import math

import numpy as np
import pytest

from fastcache.memory.permutation import Permutation
from fastcache.read.sampling.order import Order, Share


def whole(order):
    return order.at(np.arange(order.count))


@pytest.mark.parametrize("shuffle", [False, True, "blocks"])
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 64, 100, 997])
def test_every_order_has_every_sample_once(shuffle, count):
    """F5."""
    for block, window in ((1, 1), (4, 2), (7, 3), (5, 1), (200, 8)):
        for epoch in (0, 1):
            found = whole(Order(count, shuffle, 3, epoch, block, window))
            assert sorted(found.tolist()) == list(range(count))


def slow_blocks(order):
    """The order by blocks, made from lists of all of it."""
    blocks = -(-order.count // order.block)
    numbers = Permutation(blocks, order.seed, 2, order.epoch).at(np.arange(blocks)).tolist()
    out = []
    for window in range(0, blocks, order.window):
        pool = []
        for number in numbers[window : window + order.window]:
            begin = number * order.block
            pool += range(begin, min(begin + order.block, order.count))
        key = (order.seed, 3, order.epoch, window // order.window)
        out += [pool[k] for k in Permutation(len(pool), *key).at(np.arange(len(pool)))]
    return out


@pytest.mark.parametrize("count", [1, 10, 63, 64, 65, 500, 1003])
def test_blocks_are_what_the_slow_way_gives(count):
    """F5: from any places asked for in any order."""
    rng = np.random.default_rng(count)
    for block, window in ((1, 4), (4, 2), (10, 3), (17, 8), (64, 1), (2000, 2)):
        order = Order(count, "blocks", 5, 2, block, window)
        wanted = slow_blocks(order)
        assert whole(order).tolist() == wanted
        places = rng.integers(0, count, 50)
        assert order.at(places).tolist() == [wanted[k] for k in places]


def test_neighbours_stay_together_in_blocks():
    """F5: what the documentation promises: how far two samples of a block can be apart."""
    count, block, window = 5000, 32, 4
    place = np.argsort(whole(Order(count, "blocks", 1, 0, block, window)))
    for begin in range(0, count, block):
        mine = place[begin : begin + block]
        assert mine.max() - mine.min() < window * block
    # And windows are well mixed inside, blocks over the whole epoch.
    assert abs(np.corrcoef(np.arange(count), place)[0, 1]) < 5 * math.sqrt(block / count)


def test_orders_never_change():
    """F5: a state that was saved means the same order in every version."""
    assert whole(Order(12, True, 0, 0)).tolist() == [4, 7, 6, 5, 2, 1, 9, 8, 3, 0, 11, 10]
    assert whole(Order(12, True, 0, 1)).tolist() == [7, 2, 11, 0, 4, 1, 3, 8, 10, 9, 5, 6]
    assert whole(Order(12, "blocks", 0, 0, 3, 2)).tolist() == [1, 9, 11, 10, 2, 0, 6, 5, 7, 8, 4, 3]


def slow_shares(count, start, world, drop_last):
    """What each rank takes, as torch's DistributedSampler has it, from `start` on."""
    places = list(range(start, count))
    over = len(places) % world
    if drop_last:
        places = places[: len(places) - over]
    elif over:
        places += [k % count for k in range(world - over)]
    return [places[rank::world] for rank in range(world)]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 100])
def test_shares_of_ranks(count, world, drop_last):
    """F5: from any position on, as many on each rank, and together what is left."""
    for start in range(count + 1):
        wanted = slow_shares(count, start, world, drop_last)
        for rank in range(world):
            share = Share(count, start, rank, world, drop_last, count)
            assert share.positions(0, 10**6).tolist() == wanted[rank]
            assert len(share) == len(wanted[rank])
            assert share.positions(1, 3).tolist() == wanted[rank][1:3]
            for taken in range(len(share) + 1):
                assert share.reached(taken) == min(start + taken * world, count)


def test_shares_as_long_as_those_of_other_ranks():
    """D6: a rank whose own samples are fewer takes its first ones once more."""
    assert Share(3, 0, 0, 1, False, 4).positions(0, 9).tolist() == [0, 1, 2, 0]
    assert Share(4, 0, 0, 1, True, 3).positions(0, 9).tolist() == [0, 1, 2]
    assert len(Share(3, 4, 0, 1, False, 4)) == 0
