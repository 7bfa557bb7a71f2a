"""Indices of samples, beside Python's own."""

import numpy as np
import pytest
import torch

from fastcache.read.positions import positions_of

COUNT = 9
FORMS = {
    "list": list,
    "array": lambda index: np.array(index, np.int64),
    "int32": lambda index: np.array(index, np.int32),
    "every other": lambda index: np.repeat(np.array(index, np.int64), 2)[::2],
    "tensor": lambda index: torch.tensor(index, dtype=torch.int64),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("index", [[], [0], [8, 0, 3, 3], [-1, 8, -9, 0], [-9, -9]])
def test_positions_are_those_of_a_list(index, form):
    positions = positions_of(FORMS[form](index), COUNT)
    assert positions.dtype == np.int64
    assert positions.tolist() == [range(COUNT)[i] for i in index]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("index", "first"), [([9], 9), ([0, -10, 9], -10), ([-10], -10)])
def test_the_first_that_is_not_there_is_told(index, first, form):
    with pytest.raises(IndexError, match=f"sample {first} of 9"):
        positions_of(FORMS[form](index), COUNT)


def test_none_is_there_of_none():
    with pytest.raises(IndexError, match="sample 0 of 0"):
        positions_of([0], 0)
