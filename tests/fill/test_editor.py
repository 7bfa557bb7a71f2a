"""Columns that are put into a saved arena: what they become, and what is refused."""

import copy
import os
import pickle

import numpy as np
import pytest
from filling import filled
from PIL import Image as Pillow

import fastcache as fc
from fastcache.errors import (
    ArenaExistsError,
    ArenaFormatError,
    ArenaLockedError,
    ArgumentError,
    ArgumentTypeError,
    ClosedError,
    SchemaError,
)
from fastcache.fill.disk.cached import cached_arena
from fastcache.fill.editing.editor import ArenaEditor
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.files import verify
from fastcache.memory.files.lock import FolderLock
from fastcache.memory.files.manifest import read_manifest
from fastcache.schema import Array, Image, Mask, Nothing, Ragged, Scalar, Text, structure_from_json
from fastcache.sources import Arrays, Series, Wrapped

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 8, 6, 3), np.uint8)


class Samples:
    """A map-style Dataset of samples that are dicts."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return {
            "image": PIXELS[index],
            "mask": {"of": np.arange(index, dtype=np.int16), "none": None},
            "text": f"text {index}",
        }


@pytest.fixture
def path(tmp_path):
    """An arena of images and labels."""
    with filled(Arrays(PIXELS, np.arange(40), layout="HWC")) as arena:
        arena.save(tmp_path / "x.arena")
    return tmp_path / "x.arena"


@pytest.fixture
def nested(tmp_path):
    """An arena of dicts."""
    with filled(Wrapped(Samples(), infer="scan")) as arena:
        arena.save(tmp_path / "d.arena")
    return tmp_path / "d.arena"


def rows(path, name):
    """Return a column's rows as they lie in the arena."""
    with Arena.open(path) as arena:
        return [np.array(arena.column(name)[k]) for k in range(len(arena.column(name)))]


ARRAY = np.arange(120.0).reshape(40, 3)
KINDS = {
    "floats": (ARRAY[:, 0], Scalar("float64")),
    "ints in a list": ([*range(40)], Scalar("int64")),
    "bools": ([True, False] * 20, Scalar("bool")),
    "halves": (ARRAY[:, 0].astype(np.float16), Scalar("float16")),
    "complex": (ARRAY[:, 0] * 1j, Array("complex128", ())),
    "other byte order": (ARRAY[:, 1].astype(">f4"), Scalar("float32")),
    "numbers of NumPy": ([np.int16(k) for k in range(40)], Scalar("int16")),
    "arrays without axes": ([np.array(k) for k in range(40)], Scalar("int64")),
    "vectors": (ARRAY, Array("float64", (3,))),
    "lists of lists": (ARRAY.tolist(), Array("float64", (3,))),
    "not contiguous": (ARRAY[:, ::-1], Array("float64", (3,))),
    "images": (PIXELS, Array("uint8", (8, 6, 3))),
    "empty rows": (np.zeros((40, 0), np.int8), Array("int8", (0,))),
    "ragged": ([np.zeros((k % 3, 2)) for k in range(40)], Ragged("float64", 2)),
    "one shape, in a list": ([*ARRAY], Ragged("float64", 1)),
    "texts": ([f"ä{k}" for k in range(40)], Text()),
    "texts in an array": (np.array([f"ä{k}" for k in range(40)]), Text()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_new_columns_of_every_kind(path, kind):
    """A11: what is put is found again, at the end of the samples, and described."""
    values, field = KINDS[kind]
    with ArenaEditor(path) as editor:
        editor.put("new", values)
        assert editor.columns["new"] == field
        editor.commit()
        assert editor.columns["new"] == field
    found = rows(path, "new")
    if isinstance(field, Text):
        assert [row.tobytes().decode() for row in found] == list(values)
    else:
        for row, value in zip(found, values, strict=True):
            assert row.dtype == np.dtype(field.dtype)
            assert np.array_equal(row, value)
    with Arena.open(path) as arena:
        catalog = arena.catalog
    assert structure_from_json(catalog["structure"]) == ("image", "label", "new")
    assert catalog["report"]["columns"]["new"]["row"].startswith(field.kind)
    assert catalog["report"]["arena_bytes"] > 40
    assert np.array_equal(rows(path, "image"), PIXELS)
    assert verify(path).ok


def test_columns_keep_what_they_are(path, tmp_path):
    """A11: images stay images, and masks masks, where dtype and channels do."""
    with ArenaEditor(path) as editor:
        editor.put("image", PIXELS[:, :4])
        assert editor.columns["image"] == Image("uint8", 3, (4, 6))
        editor.put("image", [image[: k % 8] for k, image in enumerate(PIXELS)])
        assert editor.columns["image"] == Image("uint8", 3)
        editor.put("image", PIXELS[..., :2])
        assert editor.columns["image"] == Array("uint8", (8, 6, 2))
        editor.put("image", PIXELS.astype(np.float32))
        assert editor.columns["image"] == Array("float32", (8, 6, 3))

    class Masks(Samples):
        def __getitem__(self, index):
            return Pillow.fromarray(PIXELS[index, :, :, 0]).convert("P")

    with filled(Wrapped(Masks())) as arena:
        arena.save(tmp_path / "m.arena")
    with ArenaEditor(tmp_path / "m.arena") as editor:
        assert editor.columns["value"] == Mask("uint8", (8, 6))
        editor.put("value", PIXELS[:, 1:, :, 0])
        assert editor.columns["value"] == Mask("uint8", (7, 6))
        editor.put("value", [*PIXELS[:, 1:, :, 0]])
        assert editor.columns["value"] == Mask("uint8")


def test_structures(nested, tmp_path):
    """A11: a further key of dicts; the second part where samples were one thing."""
    with ArenaEditor(nested) as editor:
        assert editor.columns["mask.none"] == Nothing()
        editor.put("new", ARRAY)
        editor.put("mask.none", ARRAY[:, 0])
        with pytest.raises(ArgumentError, match=r"'mask' is a key .* 'mask.none', 'mask.of'"):
            editor.put("mask", ARRAY)
        editor.commit()
    with Arena.open(nested) as arena:
        assert structure_from_json(arena.catalog["structure"]) == {
            "image": "image",
            "mask": {"of": "mask.of", "none": "mask.none"},
            "text": "text",
            "new": "new",
        }
    for sample, wanted in (
        (lambda index: PIXELS[index], ("value", "new")),
        (lambda index: [PIXELS[index], 1], ["0", "1", "new"]),
    ):
        source = type("Own", (Samples,), {"__getitem__": lambda _, index, s=sample: s(index)})()
        with filled(Wrapped(source)) as arena:
            arena.save(tmp_path / "s.arena", overwrite=True)
        with ArenaEditor(tmp_path / "s.arena") as editor:
            editor.put("new", ARRAY)
            editor.commit()
        with Arena.open(tmp_path / "s.arena") as arena:
            assert structure_from_json(arena.catalog["structure"]) == wanted


def test_rows_of_every_kind_are_replaced(nested):
    """A11: of dense and ragged columns, numbers and texts; the last of several edits counts."""
    kinds = {name.replace(" ", "_"): values for name, (values, _) in KINDS.items()}
    with ArenaEditor(nested) as editor:
        for name, values in kinds.items():
            editor.put(name, values)
        for _ in range(2):  # as they were put, and as they are in files
            for name, values in kinds.items():
                editor.put(name, [values[5], values[6]], rows=[0, 39])
                editor.put(name, [values[7]], rows=np.array([39]))
                editor.put(name, [], rows=[])
            editor.commit()
    for name, values in kinds.items():
        found = rows(nested, name)
        for row, of in ((0, 5), (39, 7), (38, 38)):
            value = values[of]
            if isinstance(value, str):
                value = np.frombuffer(value.encode(), np.uint8)
            assert np.array_equal(found[row], value), name


def test_types_of_replaced_rows(path):
    """A11: numbers that stay what they are, and floats that are rounded; nothing else."""
    with ArenaEditor(path) as editor:
        editor.put("half", np.zeros(40, np.float16))
        editor.put("byte", np.zeros(40, np.uint8))
        editor.put("half", [0.1], rows=[0])
        editor.put("byte", [255.0], rows=[1])
        editor.put("byte", np.array([3], np.int64), rows=range(2, 3))
        for bad in ([256], [-1], [0.5], [1j], [np.nan]):
            with pytest.raises(SchemaError, match="without loss"):
                editor.put("byte", bad, rows=[0])
        editor.commit()
    assert rows(path, "half")[0] == np.float16(0.1)
    assert [int(row) for row in rows(path, "byte")[:4]] == [0, 255, 3, 0]


def test_values_are_copied_unless_nobody_can_write_to_them(path, tmp_path):
    """A11: what becomes of an array after it was put is of no account."""
    values, shown = ARRAY.copy(), ARRAY.copy()
    np.save(tmp_path / "x.npy", ARRAY)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with ArenaEditor(path) as editor:
        editor.put("a", values)
        editor.put("c", mapped)
        values[:] = -1
        editor.commit()
    assert np.array_equal(rows(path, "a"), shown)
    assert np.array_equal(rows(path, "c"), shown)


BAD = {
    "too few": (ArgumentError, SchemaError, lambda e: e.put("x", ARRAY[1:])),
    "no rows": (TypeError, ArgumentTypeError, lambda e: e.put("x", 3)),
    "an array without rows": (TypeError, ArgumentTypeError, lambda e: e.put("x", np.array(3))),
    "a string": (TypeError, ArgumentTypeError, lambda e: e.put("x", "text")),
    "no name": (TypeError, ArgumentTypeError, lambda e: e.put("", ARRAY)),
    "a name of ours": (ValueError, ArgumentError, lambda e: e.put("_index", ARRAY)),
    "paths": (ValueError, ArgumentError, lambda e: e.put("_path.image", ARRAY)),
    "forms": (ValueError, ArgumentError, lambda e: e.put("_form.image", ARRAY)),
    "a name of files": (TypeError, SchemaError, lambda e: e.put("_offsets/x", ARRAY)),
    "no text": (TypeError, SchemaError, lambda e: e.put("\udc80", ARRAY)),
    "mixed": (TypeError, SchemaError, lambda e: e.put("x", ["a"] * 39 + [1])),
    "mixed axes": (TypeError, SchemaError, lambda e: e.put("x", [np.zeros(2)] * 39 + [[1, 2]])),
    "mixed ranks": (
        TypeError,
        SchemaError,
        lambda e: e.put("x", [np.zeros(2)] * 39 + [np.zeros((1, 1))]),
    ),
    "objects": (TypeError, SchemaError, lambda e: e.put("x", [object()] * 40)),
    "None": (TypeError, SchemaError, lambda e: e.put("x", [None] * 40)),
    "lists that differ": (TypeError, SchemaError, lambda e: e.put("x", [[1], [1, 2]] * 20)),
    "too large a number": (TypeError, SchemaError, lambda e: e.put("x", [1 << 70] * 40)),
    "too many axes": (TypeError, SchemaError, lambda e: e.put("x", np.zeros((40, *[1] * 32)))),
    "too many axes of one": (
        TypeError,
        SchemaError,
        lambda e: e.put("x", [np.zeros([1] * 32)] * 40),
    ),
    "dates": (TypeError, SchemaError, lambda e: e.put("x", np.zeros(40, "datetime64[s]"))),
    "no text in a text": (TypeError, SchemaError, lambda e: e.put("x", ["\ud800"] * 40)),
    "rows of nothing": (ValueError, ArgumentError, lambda e: e.put("x", [1], rows=[0])),
    "a row behind": (ValueError, ArgumentError, lambda e: e.put("label", [1], rows=[40])),
    "a row before": (ValueError, ArgumentError, lambda e: e.put("label", [1], rows=[-1])),
    "a row twice": (ValueError, ArgumentError, lambda e: e.put("label", [1, 2], rows=[3, 3])),
    "a mask": (TypeError, ArgumentTypeError, lambda e: e.put("label", [1], rows=[True])),
    "one row": (TypeError, ArgumentTypeError, lambda e: e.put("label", [1], rows=3)),
    "values for other rows": (TypeError, SchemaError, lambda e: e.put("label", [1], rows=[1, 2])),
    "another shape": (TypeError, SchemaError, lambda e: e.put("image", PIXELS[:1, 1:], rows=[1])),
    "texts for numbers": (TypeError, SchemaError, lambda e: e.put("label", ["a"], rows=[1])),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(path, case):
    """A11: an error that says what would do, of a type that fits, and nothing has changed."""
    builtin, kind, call = BAD[case]
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    with ArenaEditor(path) as editor:
        with pytest.raises(kind) as caught:
            call(editor)
        assert isinstance(caught.value, builtin) or builtin is ArgumentError
        assert len(str(caught.value)) > 20
        assert not editor._edits.changed
        editor.commit()  # of nothing
    before.setdefault(".lock", b"")
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def test_rows_of_ragged_columns_must_fit(nested):
    """A11: in the number of axes, and images in their channels."""
    with ArenaEditor(nested) as editor:
        with pytest.raises(SchemaError, match="1 axes"):
            editor.put("mask.of", [np.zeros((1, 1), np.int16)], rows=[0])
        with pytest.raises(SchemaError, match="not a string"):
            editor.put("text", [1], rows=[0])
        with pytest.raises(ArgumentError, match="nothing is stored"):
            editor.put("mask.none", [1], rows=[0])
        editor.put("mask.of", [[7, 8, 9], []], rows=[0, 39])
        editor.commit()
    assert [row.tolist() for row in rows(nested, "mask.of")[::39]] == [[7, 8, 9], []]


def test_windows_can_be_replaced_and_their_rows_cannot(tmp_path):
    """A11: windows overlap; columns beside them are like all others."""
    series = Series(np.arange(200.0).reshape(2, 100), np.arange(100), window=10)
    with filled(series) as arena:
        arena.save(tmp_path / "w.arena")
        count, names = len(arena), [*arena.catalog["columns"]]
    with ArenaEditor(tmp_path / "w.arena") as editor:
        with pytest.raises(ArgumentError, match="overlap"):
            editor.put(names[0], np.zeros((1, 2, 10)), rows=[0])
        editor.put("new", np.arange(count))
        editor.put(names[1], np.arange(count) * 2)
        editor.commit()
    assert rows(tmp_path / "w.arena", "new")[-1] == count - 1
    assert rows(tmp_path / "w.arena", names[1])[-1] == 2 * count - 2
    assert rows(tmp_path / "w.arena", names[0])[3].tolist()[0] == [*range(3, 13)]


def test_what_others_are_made_of_stays(tmp_path):
    series = Series(np.arange(200.0).reshape(2, 100), window=10, extra=("statistics",))
    with filled(series) as arena:
        arena.save(tmp_path / "w.arena")
        count = len(arena)
    with ArenaEditor(tmp_path / "w.arena") as editor:
        made_of = next(f.of for f in editor.columns.values() if hasattr(f, "of"))
        with pytest.raises(ArgumentError, match="is made of it"):
            editor.put(made_of, np.zeros((count, 2, 10)))


def test_editors(path):
    """A11: one at a time; closed by the end of the block; of one process."""
    editor = ArenaEditor(path, threads=1)
    assert (len(editor), editor.closed) == (40, False)
    assert "40 rows, as it is" in repr(editor)
    editor.put("x", ARRAY)
    assert "changed" in repr(editor)
    with pytest.raises(ArenaLockedError, match="wait for it to end"):
        ArenaEditor(path)
    with pytest.raises(TypeError, match="mode='r'"):
        pickle.dumps(editor)
    with pytest.raises(TypeError, match="pickled"):
        copy.copy(editor)
    editor.close()
    editor.close()
    assert editor.closed
    assert "closed" in repr(editor)
    for call in (editor.commit, lambda: len(editor), lambda: editor.put("x", ARRAY)):
        with pytest.raises(ClosedError):
            call()
    with pytest.raises(SchemaError), ArenaEditor(path) as editor:
        editor.put("x", ARRAY) or editor.put("x", ARRAY[1:])
    assert editor.closed
    assert read_manifest(path).generation == 1
    with pytest.raises(ArgumentError, match="threads"):
        ArenaEditor(path, threads=0)
    with pytest.raises(ArenaFormatError):
        ArenaEditor(path / "none")
    assert fc.ArenaEditor is ArenaEditor


def test_children_by_fork_get_no_editor(path):
    """A11: every request is refused there, before anything is decoded."""
    with ArenaEditor(path) as editor:
        child = os.fork()
        if child == 0:
            refused = 0
            try:
                for use in (
                    lambda: editor.put("x", ARRAY),
                    lambda: editor.append("nowhere"),
                    editor.commit,
                ):
                    with pytest.raises(ArenaLockedError):
                        use()
                    refused += 1
                refused *= "40 rows" in repr(editor)
            finally:
                os._exit(refused)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_arenas_that_are_no_datasets(tmp_path):
    with Arena.allocate(plan_layout({"x": Scalar("int64")}, 3)) as arena:
        arena.commit({})
        arena.save(tmp_path / "x.arena")
    with pytest.raises(ArgumentError, match="no dataset"):
        ArenaEditor(tmp_path / "x.arena")
    FolderLock(tmp_path / "x.arena").release()  # the editor's was given back


def test_edited_arenas_in_a_cache_are_neither_used_nor_lost(tmp_path):
    """A11: cache_dir= holds what the source does, and says so where somebody has changed that."""
    source = Arrays(PIXELS, np.arange(40), layout="HWC")
    options = FillOptions(cache_dir=tmp_path / "cache")
    cached_arena(source, options).close()
    (path,) = (tmp_path / "cache").iterdir()
    with ArenaEditor(path) as editor:
        editor.put("new", ARRAY)
        editor.commit()
        editor.put("new", ARRAY + 1)
        editor.commit()
    assert read_manifest(path).source["edited"] == 2
    for _ in range(2):
        with pytest.raises(ArenaExistsError, match="was edited"):
            cached_arena(source, options)
    assert np.array_equal(rows(path, "new"), ARRAY + 1)
