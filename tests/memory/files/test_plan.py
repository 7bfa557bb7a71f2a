"""Plans of files against what is obvious: nothing overlaps, nothing is left out."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcache.errors import ArenaFormatError, SchemaError
from fastcache.memory.files import plan_files
from fastcache.memory.files.derive import derive_plan
from fastcache.memory.files.header import parse_header
from fastcache.memory.files.plan import Cut, Saved
from fastcache.memory.files.stated import plan_from_json, plan_to_json
from fastcache.schema import Array, Image, Mask, Ragged, Scalar, Text, WindowCopy, Windows

PAGE = 65536
DTYPES = st.sampled_from(["uint8", "int16", "float32", "complex128", "bool", "<U3", "float64"])
FIELDS = st.one_of(
    st.builds(Array, DTYPES, st.lists(st.integers(0, 60), max_size=3).map(tuple)),
    st.builds(Scalar, DTYPES),
    st.builds(Ragged, DTYPES, st.integers(1, 3)),
    st.just(Text()),
    st.just(Image()),
    st.just(Mask()),
    st.builds(lambda steps: Windows("float32", (2, steps), 4, 1), st.integers(4, 40_000)),
)


@st.composite
def plans(draw):
    """What plan_files takes; counts differ for some columns."""
    count = draw(st.integers(0, 300))
    columns = {f"c{i}": field for i, field in enumerate(draw(st.lists(FIELDS, max_size=5)))}
    counts = {name: 7 for name in columns if draw(st.integers(0, 5)) == 0}
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    shapes = {
        name: rng.integers(0, 30, (counts.get(name, count), field.ndim))
        for name, field in columns.items()
        if field.row_shape is None
    }
    return columns, count, shapes, counts, draw(st.sampled_from([PAGE, 3 * PAGE, 1 << 20, None]))


def addresses_of(plan):
    """Return (first, end) of everything in the arena's addresses."""
    yield 0, plan.tables.data_bytes
    for family in plan.families:
        for shard in family.shards:
            for part in shard.parts.values():
                yield part.at, part.at + part.room


@settings(max_examples=200, deadline=None)
@given(plans())
def test_every_byte_has_one_place(given_plan):
    """A11: addresses without holes, files without holes, shards without missing rows."""
    columns, count, shapes, counts, shard_bytes = given_plan
    plan = plan_files(columns, count, shapes, counts, shard_bytes)
    end = 0
    for first, stop in sorted(addresses_of(plan)):
        assert first == end
        assert first % PAGE == 0
        end = stop
    assert plan.layout.total_bytes == end
    assert [*plan.layout.columns] == [*columns]
    for shard in [plan.tables, *(s for f in plan.families for s in f.shards)]:
        assert shard.file_bytes % PAGE == 0
        assert len(shard.header) % PAGE == 0
        tensors = parse_header(shard.header, shard.data_bytes, "x")  # refuses holes and overlaps
        assert tensors == {name: part.tensor for name, part in shard.parts.items()}
    for family in plan.families:
        assert sum(shard.rows for shard in family.shards) == family.count
        assert all(shard.rows for shard in family.shards)
        for shard in family.shards:
            assert all(part.start % PAGE == 0 for part in shard.parts.values())


@settings(max_examples=200, deadline=None)
@given(plans())
def test_rows_lie_where_the_files_have_them(given_plan):
    """A11: the address of each row, found shard by shard, is what the layout says."""
    columns, count, shapes, counts, shard_bytes = given_plan
    plan = plan_files(columns, count, shapes, counts, shard_bytes)
    for family in plan.families:
        for name in family.columns:
            field, layout = columns[name], plan.layout.columns[name]
            if isinstance(field, Windows):
                at = layout.values
                for shard in family.shards:
                    assert shard.parts[name].at == at
                    at += shard.parts[name].size
                assert at - layout.values == layout.elements * field.itemsize
                continue
            offsets = None
            if field.row_shape is None:
                offsets = plan.tables_of_rows(name, shapes[name])["_offsets/" + name]
                assert offsets[-1] == layout.elements
            for shard in family.shards:
                at = shard.parts[name].at
                for row in range(shard.first, shard.first + shard.rows):
                    if offsets is None:
                        assert layout.values + row * layout.stride == at
                        at += layout.stride
                    else:
                        assert layout.values + offsets[row] * field.itemsize == at
                        at += math.prod(shapes[name][row].tolist()) * field.itemsize
                assert at == shard.parts[name].at + shard.parts[name].size


@settings(max_examples=100, deadline=None)
@given(plans())
def test_manifests_say_enough(given_plan):
    """A11: a plan is derived again from what the manifest states of it."""
    columns, count, shapes, counts, shard_bytes = given_plan
    plan = plan_files(columns, count, shapes, counts, shard_bytes)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


@settings(max_examples=100, deadline=None)
@given(plans())
def test_shards_keep_to_their_limit(given_plan):
    """F6: only the fewest rows that can be cut off may be more."""
    columns, count, shapes, counts, shard_bytes = given_plan
    plan = plan_files(columns, count, shapes, counts, shard_bytes)
    limit = shard_bytes or 64 << 20
    for family in plan.families:
        strides = [plan.saved[name].stride for name in family.columns]
        if all(isinstance(columns[name], Windows) for name in family.columns):
            strides = [columns[name].itemsize for name in family.columns]
        quantum = max((PAGE // math.gcd(s, PAGE) for s in strides if s), default=1)
        for shard in family.shards[:-1]:
            assert shard.rows % quantum == 0
        for shard in family.shards:
            size = sum(part.size for part in shard.parts.values())
            assert size <= limit or shard.rows <= quantum


def test_sizes_of_real_arenas():
    """D1: 37,000 images of 640 pixels: files of 64 MiB, rows of whole pages, nothing padded."""
    plan = plan_files({"image": Image(size=(640, 640)), "label": Scalar("int64")}, 37_000)
    assert plan.saved["image"].stride == 640 * 640 * 3 == 1_228_800
    shards = plan.families[0].shards
    assert {shard.rows for shard in shards[:-1]} == {52}  # every 4th row ends on a page
    assert sum(shard.rows for shard in shards) == 37_000
    # Rows of 150,528 bytes end on a page every 64th time.
    plan = plan_files({"image": Image(size=(224, 224))}, 1_281_167)
    assert plan.saved["image"].stride == 150_528
    assert plan.families[0].shards[0].rows % 64 == 0
    assert 512 < len(plan.families[0].shards) < 1100
    # Rows of an odd number of bytes would end on one after 65,536 of them.
    plan = plan_files({"image": Image(size=(225, 225))}, 100_000)
    assert plan.saved["image"].stride == -(-225 * 225 * 3 // 256) * 256 == 152_064
    assert plan.families[0].shards[0].rows % 128 == 0
    assert plan.families[0].shards[0].data_bytes <= 64 << 20
    # All of them fit one file: there is nothing to fit its end.
    plan = plan_files({"image": Image(size=(225, 225))}, 400)
    assert plan.saved["image"].stride == 225 * 225 * 3


def test_what_cannot_be_cut():
    """A11: manifests that cut a dense column within a page are refused."""
    columns = {"x": Saved(Array("uint8", (3,)), 10, 3)}
    assert derive_plan(10, columns, [(["x"], [Cut(10, {})])]).layout.count == 10
    with pytest.raises(ArenaFormatError, match="within a page"):
        derive_plan(10, columns, [(["x"], [Cut(5, {}), Cut(5, {})])])
    huge = {"x": Saved(Ragged("uint8", 1), 1)}
    with pytest.raises(ArenaFormatError, match="no machine"):
        derive_plan(1, huge, [(["x"], [Cut(1, {"x": 1 << 63})])])


def test_what_no_file_can_hold():
    """A11: fields without bytes, or with bytes that others could not read."""
    with pytest.raises(SchemaError, match="made on each read"):
        plan_files({"x": WindowCopy("float32", "y", (2,))}, 3)
    for dtype in ("V5", "i4,f8", "(2,2)f4", "O", "U0", "S0"):
        with pytest.raises(SchemaError):
            plan_files({"x": Array(dtype, (2,))}, 3)
    with pytest.raises(SchemaError, match="shape"):
        plan_files({"x": Text()}, 3)


@pytest.mark.parametrize("behind", [b"x", b"}", b"{}", b"\0", b" x", b"} "])
def test_behind_a_header_there_are_only_spaces(behind):
    """A11: its padding is cut off before it is parsed, and nothing else with it."""
    shard = plan_files({"x": Array("uint8", (8,))}, 100).families[0].shards[0]
    assert parse_header(shard.header, shard.data_bytes, "x").keys() == {"x"}
    for raw in (shard.header[: -len(behind)] + behind, shard.header.rstrip() + behind):
        with pytest.raises(ArenaFormatError, match="not the JSON"):
            parse_header(raw, shard.data_bytes, "x")
