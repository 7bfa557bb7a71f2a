"""What is saved comes back: every kind of column, over several files."""

import os
import pickle
import shutil

import numpy as np
import pytest
import saved_arenas as saved
from edited_arenas import Twin, column_of

from fastcache.errors import (
    ArenaGoneError,
    ArgumentError,
    ArgumentTypeError,
    NoMemoryError,
    SchemaError,
)
from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.columns import DenseColumn
from fastcache.memory.files import open_files, opening, verify
from fastcache.memory.files.revision import Revision
from fastcache.schema import Array, Image, Ragged, Scalar, Text, WindowLabels, Windows

WINDOWS = {
    "series": Windows("float32", (3, 9000), 50, 1),
    "steps": WindowLabels("int64", (9000,), 50, 1, "any"),
    "label": Scalar("int8"),
}


def test_paths_of_every_form(tmp_path):
    """A11: bytes and os.PathLike, names that are no UTF-8; what can be no path is our error."""
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.arena"
    with saved.make_arena(count=3)[0] as arena:
        for path in (str(tmp_path / "a"), tmp_path / "b", os.fsencode(tmp_path / "c"), odd):
            arena.save(path)
            assert verify(path).ok
            with Arena.open(path) as again, pickle.loads(pickle.dumps(again)) as twin:
                assert len(twin) == 3
            Arena.load(path).close()
            Revision(path).close()
        uses = (arena.save, Arena.open, Arena.load, verify, Revision)
        for use in uses:
            for bad in (3, None, ["x"]):
                with pytest.raises(ArgumentTypeError, match="give a str, bytes"):
                    use(bad)
            for bad in ("a\0b", b"a\0b"):
                with pytest.raises(ArgumentError, match="null character"):
                    use(bad)
            with pytest.raises(ArgumentError, match="as bytes"):
                use("\ud800")


def test_no_memory_for_tables(tmp_path, monkeypatch):
    """A11: what the interpreter cannot get says which arena it was for."""

    def fail(*_):
        raise MemoryError

    with saved.make_arena(count=3)[0] as arena:
        arena.save(tmp_path / "x.arena")
    monkeypatch.setattr(opening, "parse_header", fail)
    for use in (Arena.open, open_files, Arena.load, Revision):
        with pytest.raises(NoMemoryError, match="x.arena"):
            use(tmp_path / "x.arena")


def test_a_copy_that_was_edited_is_another_arena(tmp_path):
    """C3: one id and one generation, two contents: nobody gets the one for the other."""
    twin = Twin(tmp_path / "x.arena", {"label": Scalar("int64")}, 10, None)
    twin.revision.close()
    shutil.copytree(twin.folder, tmp_path / "backup")

    def edit(value):
        revision = Revision(twin.folder)
        field = Scalar("int64")
        revision.put("label", field, column_of(field, [np.array(value)] * 10))
        revision.commit(lambda plan: {}, {})
        revision.close()

    edit(1)
    with Arena.open(twin.folder) as first:
        pickled = pickle.dumps(first)
        shutil.rmtree(twin.folder)
        shutil.copytree(tmp_path / "backup", twin.folder)
        edit(2)
        with Arena.open(twin.folder) as second:
            assert [first.column("label")[0], second.column("label")[0]] == [1, 2]
            with pytest.raises(ArenaGoneError, match="another arena"):
                pickle.loads(pickled)


@pytest.mark.parametrize("shard_bytes", [None, saved.SMALL, 3 * saved.SMALL])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_every_kind_of_column(tmp_path, count, shard_bytes):
    """A11: saved and opened, dense, padded, ragged, text, without bytes, without rows."""
    arena, rows = saved.make_arena(count=count)
    path = tmp_path / "x.arena"
    with arena:
        arena.save(path, shard_bytes=shard_bytes)
        saved.check_rows(arena, rows)
    with Arena.open(path) as opened:
        assert opened.committed
        assert opened.catalog == {"seed": 0, "pair": [1, None]}
        saved.check_rows(opened, rows)
        with pytest.raises(ValueError, match="read-only"):
            opened.column("label").rows[...] = 0
    with Arena.load(path) as loaded:
        saved.check_rows(loaded, rows)
    shards = [name for name in os.listdir(path) if name.startswith("shard-")]
    assert len(shards) > 3 if (count, shard_bytes) == (100, saved.SMALL) else len(shards) < 10


def test_windows(tmp_path):
    """A11: arrays that are kept once, cut within a series."""
    arena, rows = saved.make_arena(WINDOWS, count=8951)
    path = tmp_path / "x.arena"
    with arena:
        series = arena.column("series").values.copy()
        steps = arena.column("steps").values.copy()
        arena.save(path, shard_bytes=saved.SMALL)
    for make in (Arena.open, Arena.load):
        with make(path) as again:
            assert np.array_equal(again.column("series").values, series)
            assert np.array_equal(again.column("series")[8950], series[:, 8950:])
            assert np.array_equal(again.column("steps")[7], steps[7:57])
            saved.check_rows(again, rows)
    assert len(os.listdir(path)) == 2 + 2 + 2 + 1


def test_columns_with_counts_of_their_own(tmp_path):
    """A11: columns with other numbers of rows than there are samples have files of their own."""
    fields = {
        "all": Array("uint8", (999,)),
        "few": Array("float64", (33,)),
        "some": Ragged("uint8", 1),
        "label": Scalar("int64"),
    }
    arena, rows = saved.make_arena(fields, 300, {"few": 77, "some": 77, "label": 5})
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=saved.SMALL)
    with Arena.open(tmp_path / "x.arena") as opened:
        saved.check_rows(opened, rows)
        assert len(opened) == 300
    plan = open_files(tmp_path / "x.arena").manifest.plan
    assert [(family.columns, family.count) for family in plan.families] == [
        (("all",), 300),
        (("few", "some"), 77),
    ]


def test_one_array_over_many_files(tmp_path):
    """F6: the shards of a column are one contiguous array, and the pages of one mapping each."""
    arena, rows = saved.make_arena({"image": Image(size=(64, 32))}, count=200)
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=4 * saved.SMALL)
    with Arena.open(tmp_path / "x.arena") as opened:
        whole = opened.column("image").rows
        assert whole.shape == (200, 64, 32, 3)
        assert whole.flags.c_contiguous
        assert np.array_equal(whole, rows["image"])
        assert (
            saved.mapped("x.arena/shard-") == 7
        )  # of 32 rows, which end on a page; the last has 8
        del whole
    assert saved.mapped("x.arena") == 0


def test_odd_rows_are_padded_only_where_they_must(tmp_path):
    """F6: rows that end on no page get a stride; those of a single file stay side by side."""
    fields = {"odd": Image(size=(31, 17)), "even": Array("uint8", (64,))}
    arena, rows = saved.make_arena(fields, count=500)
    with arena:
        arena.save(tmp_path / "one.arena")
        arena.save(tmp_path / "many.arena", shard_bytes=2 * saved.SMALL)
    with Arena.open(tmp_path / "one.arena") as one:
        assert one.column("odd").stride == 1581
        saved.check_rows(one, rows)
    with Arena.open(tmp_path / "many.arena") as many:
        assert many.column("odd").stride % 64 == 0
        assert many.column("odd").row_bytes == 1581
        saved.check_rows(many, rows)
        assert isinstance(many.column("odd"), DenseColumn)
        assert not many.column("odd").rows.flags.c_contiguous
        # What was padded is saved once more as it is, and without it where one file will do.
        many.save(tmp_path / "again.arena", shard_bytes=2 * saved.SMALL)
        many.save(tmp_path / "back.arena")
    many, again, one, back = (
        saved.files_in(tmp_path / f"{name}.arena") for name in ("many", "again", "one", "back")
    )
    assert many == again
    assert one == back


def test_an_opened_arena_is_saved_again(tmp_path):
    """A11: ragged rows that files hold with gaps are the same files again."""
    arena, rows = saved.make_arena(count=100)
    with arena:
        arena.save(tmp_path / "a.arena", shard_bytes=saved.SMALL, source={"of": 1})
        arena.save(tmp_path / "whole.arena", source={"of": 1})
    with Arena.open(tmp_path / "a.arena") as opened:
        opened.save(tmp_path / "b.arena", shard_bytes=saved.SMALL, source={"of": 1}, threads=1)
        opened.save(tmp_path / "w.arena", source={"of": 1})
    assert saved.files_in(tmp_path / "a.arena") == saved.files_in(tmp_path / "b.arena")
    assert saved.files_in(tmp_path / "whole.arena") == saved.files_in(tmp_path / "w.arena")


def test_views_keep_an_opened_arena_open(tmp_path):
    """A11: as for arenas in memory."""
    arena, rows = saved.make_arena(count=9)
    with arena:
        arena.save(tmp_path / "x.arena")
    opened, twice = Arena.open(tmp_path / "x.arena"), Arena.open(tmp_path / "x.arena")
    assert opened.base_address == twice.base_address  # one mapping, whoever opens it
    view = opened.column("image").rows[3]
    twice.close()
    with pytest.raises(BufferError, match="column 'image'"):
        opened.close()
    assert np.array_equal(view, rows["image"][3])
    del view
    opened.close()
    assert saved.mapped("x.arena") == 0


def test_pickles_are_small_and_know_their_arena(tmp_path):
    """A11: unpickled, an arena is the same one, or refused."""
    path = tmp_path / "x.arena"
    first, rows = saved.make_arena(count=9)
    with first:
        first.save(path)
    with Arena.open(path) as opened:
        text = pickle.dumps(opened)
        assert len(text) < 500
        with pickle.loads(text) as again:
            assert again.base_address == opened.base_address
    with pickle.loads(text) as again:
        saved.check_rows(again, rows)
    second, _ = saved.make_arena(count=9, seed=1)
    with second:
        second.save(path, overwrite=True)
    with pytest.raises(ArenaGoneError, match="another arena"):
        pickle.loads(text)


def test_descriptors_are_closed(tmp_path):
    """A11: mappings are what is kept open."""
    arena, _ = saved.make_arena(count=50)
    before = len(os.listdir("/proc/self/fd"))
    with arena:
        inside = len(os.listdir("/proc/self/fd"))
        arena.save(tmp_path / "x.arena", shard_bytes=saved.SMALL)
        assert len(os.listdir("/proc/self/fd")) == inside
    outside = len(os.listdir("/proc/self/fd"))
    assert outside < before
    with Arena.open(tmp_path / "x.arena"):
        assert len(os.listdir("/proc/self/fd")) == outside


def test_what_cannot_be_saved(tmp_path):
    """A11: refused before anything is written."""
    for name in ("_offsets/x", "_shapes/", "_grids/x", "_pad0", "__metadata__", "caf\udce9"):
        arena, _ = saved.make_arena({name: Array("uint8", (3,))}, count=2)
        with arena, pytest.raises(SchemaError, match="rename"):
            arena.save(tmp_path / "x.arena")
    arena, rows = saved.make_arena({"_pads": Text(), "a/b": Scalar("int8"), "é ": Text()}, count=2)
    with arena:
        for bad in (0, 65535, -1, True, "1MB"):
            with pytest.raises(ArgumentError, match="shard_bytes"):
                arena.save(tmp_path / "x.arena", shard_bytes=bad)
        with pytest.raises(ArgumentError, match="JSON"):
            arena.save(tmp_path / "x.arena", source={"x": {1}})
        arena.save(tmp_path / "y.arena")
    with Arena.open(tmp_path / "y.arena") as opened:
        saved.check_rows(opened, rows)
    unfinished = Arena.allocate(plan_layout({"x": Scalar("int8")}, 1))
    with unfinished, pytest.raises(ArgumentError, match="commit"):
        unfinished.save(tmp_path / "z.arena")
    assert not (tmp_path / "z.arena").exists()
