"""What is kept decoded, encoded or not at all: the choice, against trying everything."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache.fill.images.keeping import Offer, choose
from fastcache.fill.images.kept import ABSENT, DECODED, ENCODED


def offer(rows):
    """Return an offer of (decoded bytes, encoded bytes, decoded saves, encoded saves, can)."""
    decoded, encoded, saves, some, can = zip(*rows)
    return Offer(
        np.array(decoded, np.int64),
        np.array(encoded, np.int64),
        np.array(saves, float),
        np.array(some, float),
        np.array(can, bool),
    )


def total(made, forms):
    """Return bytes and seconds of a choice."""
    size = np.where(forms == DECODED, made.decoded_bytes, 0)
    size = size + np.where(forms == ENCODED, made.encoded_bytes, 0)
    saves = np.where(forms == DECODED, made.decoded_saves, 0.0)
    saves = saves + np.where(forms == ENCODED, made.encoded_saves, 0.0)
    return int(size.sum()), float(saves.sum())


def best(made, room):
    """Return the most seconds that any choice saves."""
    found = 0.0
    for forms in itertools.product((ABSENT, ENCODED, DECODED), repeat=len(made.decoded_bytes)):
        chosen = np.array(forms, np.uint8)
        if (chosen[~made.can_be_encoded] == ENCODED).any():
            continue
        size, saves = total(made, chosen)
        if size <= room:
            found = max(found, saves)
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.integers(1, 60),
        st.floats(0.5, 9.0),
        st.floats(0.0, 1.0),
        st.booleans(),
    ).map(lambda row: (row[0], row[1], row[2], row[2] * row[3], row[4])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, room=st.integers(0, 200))
def test_the_choice_fits_and_is_near_the_best(rows, room):
    """F3: chosen by seconds saved per byte; at most one sample's worth below the best choice."""
    made = offer(rows)
    forms = choose(made, room)
    size, saves = total(made, forms)
    assert size <= room
    assert not (forms[~made.can_be_encoded] == ENCODED).any()
    assert saves >= best(made, room) - made.decoded_saves.max() - 1e-9


def test_everything_is_decoded_where_there_is_room():
    made = offer([(10, 3, 2.0, 0.1, True), (20, 30, 1.0, 0.9, True)])
    assert choose(made, 30).tolist() == [DECODED, DECODED]
    assert choose(made, 29).tolist() == [DECODED, ABSENT]
    assert choose(made, 0).tolist() == [ABSENT, ABSENT]


def test_reading_that_costs_much_makes_encoded_worth_its_bytes():
    """F3: from a slow disk the files themselves are kept first, then pixels for what is left."""
    made = offer([(100, 10, 3.0, 2.0, True)] * 4)
    assert choose(made, 40).tolist() == [ENCODED] * 4
    assert sorted(choose(made, 130).tolist()) == [DECODED, ENCODED, ENCODED, ENCODED]


def test_what_is_too_large_does_not_keep_others_out():
    made = offer([(1000, 900, 50.0, 1.0, True), (10, 5, 0.1, 0.0, True)])
    assert choose(made, 10).tolist() == [ABSENT, DECODED]


@pytest.mark.parametrize("room", [0, 1, 10**6, 10**9, 1 << 50])
def test_large_offers_are_quick_and_exact(room):
    generator = np.random.default_rng(0)
    count = 100_000
    made = Offer(
        generator.integers(1, 200_000, count),
        generator.integers(1, 100_000, count),
        generator.uniform(0.001, 0.01, count),
        generator.uniform(0.0, 0.001, count),
        generator.random(count) < 0.9,
    )
    size, _ = total(made, choose(made, room))
    assert size <= room
    assert room < 10**6 or size > 0.9 * min(room, int(made.decoded_bytes.sum()))
