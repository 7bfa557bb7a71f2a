"""Hypothesis strategies for operations and chains of them."""

from hypothesis import settings
from hypothesis import strategies as st

from fastcache import transforms as T

SIDES = st.integers(1, 90)
FILTERS = st.sampled_from(sorted(T.FILTERS))
TARGETS = st.one_of(SIDES, st.tuples(SIDES, SIDES))
EXAMPLES = settings(max_examples=150, deadline=None)


@st.composite
def resizes(draw):
    size = draw(st.one_of(st.none(), TARGETS))
    limit = None
    if size is None:
        limit = draw(SIDES)
    elif isinstance(size, int):
        limit = draw(st.one_of(st.none(), st.integers(size + 1, 120)))
    return T.Resize(size, draw(FILTERS), limit)


@st.composite
def letter_boxes(draw):
    return T.LetterBox(draw(TARGETS), draw(st.integers(0, 255)), draw(FILTERS), draw(st.booleans()))


CROPS = TARGETS.map(T.CenterCrop)
CHAINS = st.lists(st.one_of(resizes(), CROPS, letter_boxes()), max_size=4)
