"""Layouts and arenas in one process; test_share.py has the others."""

import gc
import json
import math
import os
import resource
import subprocess
import sys
import weakref

import arena_workers as workers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache.errors import (
    ArgumentError,
    BudgetError,
    ClosedError,
    FastcacheError,
    SchemaError,
)
from fastcache.memory import homes
from fastcache.memory.arena import Arena, ArenaLayout, DenseColumn, RaggedColumn, plan_layout
from fastcache.schema import Array, Image, Mask, Nothing, Ragged, Scalar, Text

DTYPES = st.sampled_from(["uint8", "int16", "float32", "int64", "complex128", "bool"])
DENSE = st.one_of(
    st.builds(Array, DTYPES, st.lists(st.integers(0, 40), max_size=3).map(tuple)),
    st.builds(Scalar, DTYPES),
    st.just(Image(size=(30, 31))),
    st.just(Nothing()),
)
RAGGED = st.one_of(
    st.builds(Ragged, DTYPES, st.integers(1, 3)), st.just(Text()), st.just(Image()), st.just(Mask())
)


@st.composite
def plans(draw):
    """Columns, a number of samples, and shapes for the ragged ones."""
    count = draw(st.integers(0, 12))
    fields = draw(st.lists(st.one_of(DENSE, RAGGED), max_size=5))
    columns = {f"c{i}": field for i, field in enumerate(fields)}
    row = st.integers(0, 20)
    shapes = {
        name: np.array(
            [[draw(row) for _ in range(field.ndim)] for _ in range(count)], dtype=np.int64
        ).reshape(count, field.ndim)
        for name, field in columns.items()
        if field.row_shape is None
    }
    return columns, count, shapes


def ranges_of(layout):
    """Return (start, bytes) of everything in a layout, the slow and obvious way."""
    found = []
    for name, column in layout.columns.items():
        size = np.dtype(column.field.dtype).itemsize
        if column.field.row_shape is not None:
            elements = layout.count
            for length in column.field.row_shape:
                elements *= length
            found.append((column.values, elements * size))
            continue
        elements = 0
        for shape in layout.ragged_shapes[name].tolist():
            elements += math.prod(shape)
        found.append((column.values, elements * size))
        found.append((column.offsets, 8 * (layout.count + 1)))
        found.append((column.shapes, 4 * layout.count * column.field.ndim))
    return [(start, size) for start, size in found if size]


@settings(max_examples=150, deadline=None)
@given(plans())
def test_columns_neither_overlap_nor_reach_out(plan):
    """A1: the bytes that a layout states are exact."""
    layout = plan_layout(*plan)
    end = 0
    for start, size in sorted(ranges_of(layout)):
        assert start >= end
        assert start - end < 65536
        assert start % (65536 if size >= 65536 else 64) == 0
        end = start + size
    assert layout.total_bytes == end


@settings(max_examples=80, deadline=None)
@given(plans())
def test_layouts_survive_json(plan):
    layout = plan_layout(*plan)
    again = ArenaLayout.from_json(json.loads(json.dumps(layout.to_json())))
    assert again == layout


def write_through_the_buffer(arena, expected):
    """Write rows where the columns say that they lie, as the fill jobs do."""
    buffer = arena.buffer
    for name, rows in expected.items():
        column = arena.column(name)
        offsets, sizes = column.row_offsets(), column.row_sizes()
        assert sizes.tolist() == [row.nbytes for row in rows]
        for offset, row in zip(offsets, rows, strict=True):
            buffer[offset : offset + row.nbytes] = row.reshape(-1).view(np.uint8)


def check_rows(arena, expected):
    for name, rows in expected.items():
        column = arena.column(name)
        assert len(column) == len(rows)
        for i, row in enumerate(rows):
            assert (column[i].dtype, column[i].shape) == (row.dtype, row.shape)
            assert np.array_equal(column[i], row)


@settings(max_examples=60, deadline=None)
@given(plans(), st.integers(0, 1 << 32))
def test_what_is_written_is_read_back(plan, seed):
    columns, count, shapes = plan
    rng = np.random.default_rng(seed)

    def row(name, i):
        field = columns[name]
        shape = field.row_shape if field.row_shape is not None else tuple(shapes[name][i])
        return rng.integers(0, 2, shape).astype(field.dtype)

    expected = {name: [row(name, i) for i in range(count)] for name in columns}
    with Arena.allocate(plan_layout(columns, count, shapes)) as arena:
        write_through_the_buffer(arena, expected)
        check_rows(arena, expected)
        arena.commit({"count": count})
        check_rows(arena, expected)


@pytest.fixture
def arena():
    with workers.make_arena() as arena:
        yield arena


def test_columns_are_views_of_one_block(arena):
    image, label, name = (arena.column(each) for each in ("image", "label", "name"))
    assert isinstance(image, DenseColumn)
    assert isinstance(name, RaggedColumn)
    assert arena.base_address % os.sysconf("SC_PAGESIZE") == 0
    assert image.rows.ctypes.data == arena.base_address + image.offset
    assert name.values.ctypes.data == arena.base_address + name.offset
    assert arena.buffer.ctypes.data == arena.base_address
    assert arena.buffer.shape == (arena.layout.total_bytes,)
    assert arena.column("image") is image
    assert image.row_bytes == 24 * 17 * 3
    assert image.row_offsets([3, 0]).tolist() == [
        image.offset + 3 * image.row_bytes,
        image.offset,
    ]
    assert label.rows[:2].tolist() == [-7, -6]
    assert name.row_sizes().sum() == len(name.values) == name.offsets[-1]
    assert len(arena) == len(image) == len(name) == 50


def test_committed_columns_cannot_be_written(arena):
    for column in (arena.column("image").rows, arena.column("name").values, arena.buffer):
        with pytest.raises(ValueError, match="read-only"):
            column[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.flags.writeable = True
    for part in (arena.column("name").offsets, arena.column("name").shapes):
        assert not part.flags.writeable


def test_ragged_rows(arena):
    names = arena.column("name")
    texts = [bytes(names[i]) for i in range(len(names))]
    assert b"".join(texts) == names.values.tobytes()
    assert bytes(names[-1]) == texts[-1]
    assert bytes(names[np.int32(3)]) == texts[3]
    for index in (50, -51):
        with pytest.raises(IndexError):
            names[index]
    for index in (slice(0, 2), [0, 1], 1.0, None):
        with pytest.raises(ArgumentError, match="one int"):
            names[index]


@pytest.mark.parametrize("rows", [[50], [-1], [0, 1 << 40]])
def test_row_numbers_that_do_not_exist(arena, rows):
    for name in ("image", "name"):
        for ask in (arena.column(name).row_offsets, arena.column(name).row_sizes):
            with pytest.raises(IndexError):
                ask(rows)


def test_the_catalogue(arena):
    assert arena.catalog == {"classes": ["a", "b"], "rows": 50}
    odd = Arena.allocate(plan_layout({"x": Scalar("int8")}, 1))
    with pytest.raises(ArgumentError, match="commit"):
        odd.catalog  # noqa: B018
    for bad in ({"x": {1, 2}}, {"x": object()}):
        with pytest.raises(ArgumentError, match="JSON"):
            odd.commit(bad)
    assert not odd.committed
    odd.column("x").rows[...] = 1  # and still writable
    undecodable = os.fsdecode(b"caf\xe9")
    odd.commit({"path": undecodable, "pair": (1, None)})
    assert odd.catalog == {"path": undecodable, "pair": [1, None]}
    with pytest.raises(ArgumentError, match="already"):
        odd.commit({})


def test_commit_waits_for_no_writer():
    arena = workers.make_arena(commit=False)
    rows = arena.column("image").rows[3:5]
    with pytest.raises(BufferError, match="column 'image'"):
        arena.commit({})
    assert not arena.committed
    rows[...] = 7
    del rows
    arena.commit({})
    assert arena.column("image")[4].max() == 7


def test_close_while_arrays_are_alive(arena):
    view = arena.column("image").rows[1, 2:]
    text = arena.column("name")[4]
    with pytest.raises(BufferError, match=r"close\(\).*column 'image', column 'name'"):
        arena.close()
    assert not arena.closed
    before = view.copy()
    del text
    assert arena.column("image").rows is not None  # the arena is still in use
    with pytest.raises(BufferError, match=r"\(column 'image'\)"):
        arena.close()
    assert np.array_equal(view, before)
    del view
    arena.close()
    arena.close()
    assert arena.closed


def test_an_error_is_not_hidden_by_the_arrays_it_passed():
    def fail(arena):
        views.append(arena.column("label").rows)
        raise KeyError

    views = []
    with pytest.raises(KeyError), workers.make_arena() as arena:
        fail(arena)
    assert arena.closed
    assert views[0][0] == -7
    with pytest.raises(BufferError), workers.make_arena() as arena:
        views.append(arena.column("label").rows)
    assert not arena.closed
    views.clear()
    arena.close()


def test_arrays_in_a_cycle_do_not_hold_on(arena):
    cycle = [arena.column("image").rows]
    cycle.append(cycle)
    del cycle
    arena.close()


def test_a_closed_arena():
    with workers.make_arena() as arena:
        assert "committed" in repr(arena)
    uses = [
        lambda: arena.column("image"),
        lambda: arena.buffer,
        lambda: arena.base_address,
        lambda: arena.catalog,
        lambda: arena.commit({}),
        arena.__enter__,
    ]
    for use in uses:
        with pytest.raises(ClosedError):
            use()
    assert "closed" in repr(arena)
    assert len(arena) == 50


@pytest.mark.parametrize("arena_first", [True, False])
def test_garbage_in_any_order(arena_first):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    arena = workers.make_arena()
    gone = weakref.ref(arena)
    rows = arena.column("image").rows
    total = int(rows.sum())
    if arena_first:
        del arena
        assert gone() is None
        assert rows.sum() == total
        del rows
    else:
        del rows, arena
    assert len(os.listdir("/proc/self/fd")) == before


def test_names_that_do_not_exist(arena):
    with pytest.raises(ArgumentError, match="'image', 'label', 'name'"):
        arena.column("picture")


def test_nothing_takes_no_memory():
    layout = plan_layout({"a": Scalar("uint8"), "none": Nothing(), "b": Scalar("uint8")}, 3)
    assert layout.total_bytes == 64 + 3
    with Arena.allocate(plan_layout({"none": Nothing()}, 9)) as arena:
        assert len(arena.column("none")) == 9
        arena.commit({})
    with Arena.allocate(plan_layout({}, 0)) as arena:
        arena.commit({})


@pytest.mark.parametrize("threads", [1, 3, None])
def test_all_of_it_is_allocated(monkeypatch, threads):
    """A full machine shows here, and not as a SIGBUS while the arena is filled."""
    page = resource.getpagesize()
    monkeypatch.setattr("fastcache.memory.homes._SLICE", 2 * page)
    blocks = []
    make = homes.make_block

    def keep(*args, **kwargs):
        blocks.append(make(*args, **kwargs))
        return blocks[-1]

    monkeypatch.setattr("fastcache.memory.arena.make_block", keep)
    layout = plan_layout({"x": Array("uint8", (page,)), "y": Scalar("int64")}, 20)
    with Arena.allocate(layout, threads=threads) as arena:
        assert os.fstat(blocks[0].fd).st_blocks * 512 == blocks[0].size
        assert not arena.buffer.any()


def test_threads_that_are_none():
    with pytest.raises(ArgumentError, match="threads=0"):
        Arena.allocate(plan_layout({"x": Scalar("int8")}, 1), threads=0)


def test_shapes_that_do_not_fit():
    text = {"t": Text()}
    good = np.ones((3, 1), np.int64)
    assert plan_layout(text, 3, {"t": good.astype(np.uint16)}).columns["t"].elements == 3
    bad = [
        {},
        {"t": good[:2]},
        {"t": good.astype(float)},
        {"t": np.ones((3, 2), np.int64)},
        {"t": -good},
        {"t": good << 31},
    ]
    for shapes in bad:
        with pytest.raises(SchemaError, match="column 't'"):
            plan_layout(text, 3, shapes)
    with pytest.raises(SchemaError, match="elements"):
        plan_layout({"t": Ragged("uint8", 3)}, 3, {"t": np.full((3, 3), (1 << 31) - 1)})
    with pytest.raises(SchemaError, match="bytes"):
        plan_layout({"x": Array("float64", (1 << 60,))}, 8)
    with pytest.raises(SchemaError, match="Python objects"):
        plan_layout({"x": Array("object", (1,))}, 8)
    with pytest.raises(SchemaError, match="count=-1"):
        plan_layout({}, -1)


def test_a_layout_from_json_has_no_shapes_to_allocate():
    layout = plan_layout({"t": Text()}, 1, {"t": np.ones((1, 1), int)})
    with pytest.raises(ArgumentError, match="plan_layout"):
        Arena.allocate(ArenaLayout.from_json(layout.to_json()))


@pytest.mark.parametrize("size", [100 << 40, 1 << 50])
def test_far_too_much(size):
    """A10: a typed error, nothing leaked, the process usable afterwards."""
    before = len(os.listdir("/proc/self/fd"))
    layout = plan_layout({"x": Array("uint8", (size // 1024,))}, 1024)
    assert layout.total_bytes == size
    with pytest.raises(BudgetError, match=r"TiB|PiB") as error:
        Arena.allocate(layout)
    assert isinstance(error.value, MemoryError)
    assert isinstance(error.value, FastcacheError)
    assert error.value.need == size
    assert "limit=" in str(error.value)
    assert "budget=" not in str(error.value)  # no budget makes the machine larger
    assert len(os.listdir("/proc/self/fd")) == before
    workers.make_arena().close()


def test_an_address_space_limit_binds():
    """A10: with ulimit -v the kernel's refusal is foreseen and named."""
    program = f"""
import resource
from fastcache.errors import BudgetError
from fastcache.memory.arena import Arena, plan_layout
from fastcache.schema import Array
used = int(open("/proc/self/statm").read().split()[0]) * {resource.getpagesize()}
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
for _ in range(3):
    try:
        Arena.allocate(plan_layout({{"x": Array("uint8", (128 << 20,))}}, 1))
    except BudgetError as error:
        print(error.limit)
Arena.allocate(plan_layout({{"x": Array("uint8", (16 << 20,))}}, 1)).close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout == "address space (ulimit -v)\n" * 3, done.stderr
    assert done.returncode == 0
