"""All rows without a table, beside the array of them."""

import numpy as np
import pytest

from fastcache.memory.row_numbers import AllRows

COUNT = 9
TABLE = np.arange(COUNT, dtype=np.int64)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8])
@pytest.mark.parametrize(
    "index", [[], [0], [8, 0, 3, 3], [-1, 8, -9, 0], list(range(-COUNT, COUNT))]
)
def test_an_array_of_them_gives_new_memory_of_what_a_table_gives(index, dtype):
    asked = np.array(index, dtype)
    rows = AllRows(COUNT)[asked]
    np.testing.assert_array_equal(rows, TABLE[asked])
    assert rows.dtype == np.int64
    assert not np.shares_memory(rows, asked)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("index", [[9], [0, 9], [-10], [8, -10, 0], [2**31 - 1], [-(2**31)]])
def test_rows_beyond_are_refused_as_a_table_does(index, dtype):
    asked = np.array(index, dtype)
    with pytest.raises(IndexError):
        TABLE[asked]
    with pytest.raises(IndexError, match="rows .* of 9"):
        AllRows(COUNT)[asked]
