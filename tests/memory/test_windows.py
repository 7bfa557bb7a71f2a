"""Rows without a table, and columns whose rows overlap (row B8)."""

import numpy as np
import pytest

from fastcache.errors import SchemaError
from fastcache.memory.arena import Arena, ArenaLayout, plan_layout
from fastcache.memory.row_numbers import AllRows
from fastcache.memory.windows import WindowColumn
from fastcache.schema import (
    Scalar,
    WindowCopy,
    WindowLabels,
    Windows,
    WindowStatistics,
    field_from_json,
)

FIELDS = [
    Windows("float32", (2, 10), 4, 1),
    Windows("int8", (3, 2, 10), 4, 2),
    WindowLabels("int64", (10,), 4, 1, "any"),
    WindowCopy("float32", "series", (2, 4)),
    WindowStatistics("float32", "series", (2, 3), ("mean", "std", "q0.5")),
]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_all_rows_are_what_their_array_is(count):
    """B8: every way of indexing that readers use, and no memory."""
    rows, table = AllRows(count), np.arange(count)
    assert len(rows) == len(table)
    assert list(rows) == rows.tolist() == table.tolist()
    assert np.array_equal(np.asarray(rows), table)
    assert np.asarray(rows).dtype == rows.copy().dtype == np.int64
    for part in (slice(2, 7), slice(None), slice(-3, None), slice(None, None, 2)):
        assert np.array_equal(rows[part], table[part])
    for k in range(-count, count):
        assert rows[k] == table[k]
    picked = np.array([k for k in (0, -1, 5, 5) if -count <= k < count], np.int64)
    assert np.array_equal(rows[picked], table[picked])
    for outside in (count, -count - 1):
        with pytest.raises(IndexError):
            rows[outside]
        with pytest.raises(IndexError):
            rows[np.array([outside])]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.kind)
def test_fields_travel_as_json(field):
    """B8: a catalogue holds them."""
    assert field_from_json(field.to_json()) == field


def test_shapes_and_sizes():
    """B8: rows have a shape, the column the elements of what is there once."""
    assert [field.row_shape for field in FIELDS] == [(2, 4), (2, 4), (), (2, 4), (2, 3)]
    assert [field.elements(1000) for field in FIELDS] == [20, 60, 10, 0, 0]
    assert Scalar("int64").elements(1000) == 1000


def test_a_column_of_windows():
    """B8: rows over two grids, the layout as JSON, and memory that does not follow the rows."""
    field = Windows("int64", (2, 2, 10), 4, 2)
    layout = plan_layout({"series": field}, 8)
    assert layout.total_bytes == 2 * 2 * 10 * 8 + 2 * 5 * 8
    assert ArenaLayout.from_json(layout.to_json()) == layout
    with Arena.allocate(layout) as arena:
        column = arena.column("series")
        assert isinstance(column, WindowColumn)
        values = np.arange(40).reshape(2, 2, 10)
        column.values[...] = values
        # Three windows of each series, two steps apart; then two of the second series.
        column.grids[...] = np.array([[0, 3, 0, 20, 2], [6, 2, 25, 20, 1]]).T
        places = [(k, s) for k in (0, 1) for s in (0, 2, 4)] + [(1, 5), (1, 6)]
        assert len(column) == len(places)
        starts = column.starts(np.arange(8)).tolist()
        assert starts == [column.start(row) for row in range(8)]
        for row, (k, step) in enumerate(places):
            assert starts[row] == 20 * k + step
            assert np.array_equal(column[row], values[k, :, step : step + 4])
            assert np.shares_memory(column[row], column.values)
        del column


def test_objects_have_no_bytes():
    """B8: as for other columns."""
    with pytest.raises(SchemaError, match="objects"):
        plan_layout({"series": Windows("O", (1, 9), 2)}, 8)
