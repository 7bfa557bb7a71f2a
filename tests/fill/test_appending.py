"""Samples that are appended to a saved arena: the same as if they had been there from the start."""

import logging
from pathlib import Path

import images
import numpy as np
import pytest
from filling import filled, shown
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import ArgumentError, BudgetError, DecodeError, SchemaError
from fastcache.fill.editing import appending
from fastcache.fill.editing.editor import ArenaEditor
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.sources import Arrays, ClassFolder, Files, Pairs, Series, Wrapped

SQUARE = [T.Resize(20), T.CenterCrop(16)]


def jpegs(folder, count, first=0, size=None):
    """Write photographs, each of its own size unless one is given; return their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for k in range(first, first + count):
        height, width = size or (30 + 3 * k, 50 - 2 * k)
        paths.append(folder / f"{k:02d}.jpg")
        Image.fromarray(images.pixels(height, width, 3)).save(paths[-1])
    return paths


def files(paths, first=0):
    return Files([str(path) for path in paths], range(first, first + len(paths)))


def saved(source, path, **options):
    with filled(source, **options) as arena:
        arena.save(path, overwrite=True)
    return path


def rows(path, name):
    with Arena.open(path) as arena:
        return [np.array(arena.column(name)[k]) for k in range(len(arena.column(name)))]


def same(path, source, **options):
    """Whether an arena's rows are those of a source; its report counts the same."""
    assert verify(path).ok
    with Arena.open(path) as ours, filled(source, **options) as arena:
        assert [*ours.layout.columns] == [*arena.layout.columns]
        for name in arena.layout.columns:
            mine, theirs = ours.column(name), arena.column(name)
            assert len(mine) == len(theirs) == len(arena)
            assert all(np.array_equal(mine[k], theirs[k]) for k in range(len(theirs))), name
            del mine, theirs
        for key in ("count", "visible", "structure", "columns", "paths"):
            assert ours.catalog[key] == arena.catalog[key], key
        report, expected = ours.catalog["report"], arena.catalog["report"]
        for key in ("samples", "failed", "columns"):
            assert report[key] == expected[key], key
    return True


@pytest.mark.parametrize("store", [None, SQUARE, T.Resize(24)])
def test_files(tmp_path, store):
    """A11: decoded with the arena's own options, into dense and ragged columns."""
    paths = jpegs(tmp_path, 12)
    path = saved(files(paths[:5]), tmp_path / "x.arena", store=store)
    with ArenaEditor(path) as editor:
        editor.append(files(paths[5:6], 5))
        assert len(editor) == 6
        editor.append(files(paths[6:], 6))
        editor.commit()
        assert len(editor) == 12
    assert same(path, files(paths), store=store)


def test_options_of_the_fill_hold(tmp_path):
    """A11: colour, orientation, limits and further formats are those of the arena."""
    paths = []
    for k in range(4):
        image = Image.fromarray(images.pixels(30, 40, 3))
        exif = Image.Exif()
        exif[0x0112] = 6
        paths.append(tmp_path / f"{k}.jpg")
        image.save(paths[-1], exif=exif)
    Image.fromarray(images.pixels(40, 40, 3)).save(tmp_path / "4.icns", format="ICNS")
    paths.append(tmp_path / "4.icns")
    options = {"color": "L", "exif": "apply", "extra_formats": ("ICNS",), "store": SQUARE}
    path = saved(files(paths[:2]), tmp_path / "x.arena", **options)
    with ArenaEditor(path) as editor:
        editor.append(files(paths[2:], 2))
        editor.commit()
    assert same(path, files(paths), **options)


@pytest.mark.parametrize("on_error", ["skip", "fill"])
def test_samples_that_fail(tmp_path, broken_kinds, on_error):
    """A5, A11: left out or filled as those of the arena were; rows and labels stay together."""
    good, bad = jpegs(tmp_path, 8), []
    for k, data in enumerate([*broken_kinds.values()][:6]):
        bad.append(tmp_path / f"bad{k}.jpg")
        bad[-1].write_bytes(data)
    mixed = [good[0], bad[0], good[1], bad[1], good[2]]
    more = [bad[2], good[3], bad[3], bad[4], good[4]]
    last = [good[5], bad[5]]
    path = saved(files(mixed), tmp_path / "x.arena", on_error=on_error)
    with ArenaEditor(path) as editor:
        editor.append(files(more, 5))
        editor.append(files(last, 10))
        editor.commit()
    source = files([*mixed, *more, *last])
    with Arena.open(path) as ours, filled(source, on_error=on_error) as arena:
        mine, theirs = shown(ours), shown(arena)
        assert [(each[0], each[2]) for each in mine] == [(each[0], each[2]) for each in theirs]
        for one, other in zip(mine, theirs, strict=True):
            both_filled = not one[1].any() and not other[1].any()  # with what size is of no account
            assert both_filled or np.array_equal(one[1], other[1])
        reports = [each.catalog["report"] for each in (ours, arena)]
        assert sorted(reports[0]["failed"]) == sorted(reports[1]["failed"])
        assert reports[0]["samples"] == reports[1]["samples"]
        del mine, theirs, one, other
    assert verify(path).ok


def test_samples_that_fail_end_it(tmp_path, broken_kinds):
    """A5, A11: with on_error="raise"; the editor is as it was."""
    good = jpegs(tmp_path, 4)
    (tmp_path / "bad.jpg").write_bytes(next(iter(broken_kinds.values())))
    path = saved(files(good[:2]), tmp_path / "x.arena")
    with ArenaEditor(path) as editor:
        with pytest.raises(DecodeError, match=r"bad\.jpg"):
            editor.append(files([good[2], tmp_path / "bad.jpg"]))
        assert len(editor) == 2
        editor.append(files(good[2:], 2))
        editor.commit()
    assert same(path, files(good))


class Words:
    """A Dataset whose samples have parts of every kind."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        k = self.numbers[index]
        return {
            "list": np.arange(2 * (k % 5), dtype=np.int32).reshape(2, -1),
            "pair": (np.full(3, k, np.float32), None),
            "text": "é" * k,
            "number": k,
        }


def test_datasets(tmp_path):
    """A11: arrays, ragged ones, texts and nothing, of a wrapped Dataset."""
    path = saved(Wrapped(Words(*range(9)), infer="scan"), tmp_path / "x.arena")
    with ArenaEditor(path) as editor:
        editor.append(Words(9, 10, 11), infer="scan")
        editor.append(Words(11, 11), infer="scan")  # all of one size
        editor.commit()
    assert same(path, Wrapped(Words(*range(12), 11, 11), infer="scan"))


def test_a_ragged_source_may_fit_a_dense_column(tmp_path):
    """A11: if its rows do; another kind of source leaves paths empty."""
    pixels = np.stack([images.pixels(16, 16, 3) for _ in range(3)])
    path = saved(files(jpegs(tmp_path, 3)), tmp_path / "x.arena", store=SQUARE)
    with ArenaEditor(path) as editor:
        editor.append(Arrays(pixels, [7, 8, 9], layout="HWC"))
        editor.commit()
    assert np.array_equal(rows(path, "image")[3:], pixels)
    assert [int(label) for label in rows(path, "label")] == [0, 1, 2, 7, 8, 9]
    assert [len(text) for text in rows(path, "_path.image")[3:]] == [0, 0, 0]

    class Own(Words):
        def __getitem__(self, index):
            return np.full(3 if index < 4 else self.numbers[index], index)

    path = saved(Arrays(np.zeros((2, 3), np.int64)), tmp_path / "y.arena")
    with ArenaEditor(path) as editor:
        editor.put("value", np.zeros((2, 3), np.int64))
        editor.put("array", [f"{k}" for k in range(2)])
        with pytest.raises(SchemaError, match=r"sample 4 that is to be appended has \(5,\)"):
            editor.append(Own(1, 2, 3, 4, 5), infer="scan")
        editor.append(Own(1, 2, 3, 4, 3), infer="scan")
        with pytest.raises(ArgumentError, match="'array'"):
            editor.append(Own(1))
        with pytest.raises(ArgumentError, match=r"no 'array': put\(\) that as a whole, 7 rows"):
            editor.commit()
        editor.put("array", [f"{k}" for k in range(7)])
        editor.commit()
    assert np.array_equal(rows(path, "value")[6], [4, 4, 4])


def test_shapes_that_do_not_fit(tmp_path):
    """A11: an error that names the first sample, before anything is decoded or written."""
    paths = jpegs(tmp_path, 3, size=(20, 30))
    path = saved(files(paths), tmp_path / "x.arena")
    other = jpegs(tmp_path, 2, 10, size=(20, 31))
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    with ArenaEditor(path) as editor:
        for bad in (other, [paths[0], other[0]]):
            with pytest.raises(SchemaError, match=r"\(20, 30, 3\); sample . that .* \(20, 31, 3\)"):
                editor.append(files(bad), progress=lambda *_: pytest.fail("decoded"))
        with pytest.raises(SchemaError, match="an image of 3 channels.*an array"):
            editor.append(Pictures(lambda k: (np.zeros((20, 30, 3), np.uint8), k)))
        with pytest.raises(SchemaError, match="columns that the arena lacks: 'mask'"):
            editor.append(Pairs([str(paths[0])], [str(paths[1])]))
        with pytest.raises(SchemaError, match="an int for each sample, the .* a float"):
            editor.append(Files([str(paths[0])], [0.5]))
        with pytest.raises(ArgumentError, match="infer"):
            editor.append(files(paths), infer="scan")
        assert len(editor) == 3
        editor.commit()
    before.setdefault(".lock", b"")
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


class Pictures:
    """A Dataset of samples (image, label) under the names of folders' columns."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 1

    def __getitem__(self, index):
        image, label = self.make(index)
        return {"image": image, "label": label}


def test_classes_are_matched_by_name(tmp_path):
    """A11: a folder with some of the classes; one with others is refused."""
    for name in ("cat", "dog", "owl"):
        jpegs(tmp_path / "a", 0)
        jpegs(tmp_path / "a" / name, 2, size=(20, 20))
    for name in ("dog", "owl"):
        jpegs(tmp_path / "b", 0)
        jpegs(tmp_path / "b" / name, 1, size=(20, 20))
    path = saved(ClassFolder(tmp_path / "a"), tmp_path / "x.arena")
    with ArenaEditor(path) as editor:
        editor.append(tmp_path / "b")
        paths = jpegs(tmp_path / "c", 2, size=(20, 20))
        editor.append(Files([str(p) for p in paths], ["owl", "cat"], classes=["owl", "cat"]))
        editor.append(Files([str(paths[0])], [1]))
        with pytest.raises(ArgumentError, match="label 3 .* the arena has 3, 0 to 2"):
            editor.append(Files([str(paths[0])], [3]))
        with pytest.raises(ArgumentError, match="no class 'emu'; it has 'cat', 'dog', 'owl'"):
            editor.append(Files([str(paths[0])], ["emu"], classes=["emu"]))
        editor.commit()
    assert [int(label) for label in rows(path, "label")] == [0, 0, 1, 1, 2, 2, 1, 2, 2, 0, 1]
    with Arena.open(path) as arena:
        assert arena.catalog["attributes"]["classes"] == ["cat", "dog", "owl"]
    told = [bytes(text).decode() for text in rows(path, "_path.image")]
    assert told[6] == str(tmp_path / "b" / "dog" / "00.jpg")


def test_arenas_that_cannot_grow(tmp_path):
    """A11: windows, samples that are kept in several forms, parts of ranks; with the reason."""
    path = saved(Arrays(np.zeros((4, 3))), tmp_path / "p.arena", shard=(1, 2))
    with ArenaEditor(path) as editor, pytest.raises(ArgumentError, match="part of rank 1 of 2"):
        editor.append(Arrays(np.zeros((4, 3))))
    path = saved(Series(np.arange(100.0), window=10), tmp_path / "w.arena")
    with ArenaEditor(path) as editor, pytest.raises(ArgumentError, match="windows of series"):
        editor.append(Series(np.arange(100.0), window=10))
    paths = jpegs(tmp_path, 3)
    path = saved(files(paths), tmp_path / "k.arena", keep="encoded")
    with ArenaEditor(path) as editor:
        with pytest.raises(ArgumentError, match="not all kept decoded"):
            editor.append(files(paths))
        with pytest.raises(ArgumentError, match="not all kept decoded"):
            editor.put("image", [np.zeros((2, 2, 3), np.uint8)], rows=[0])
        editor.put("image", [images.pixels(9, 8, 3)] * 3)  # from now on they are
        editor.append(files(paths, 3))
        editor.commit()
    assert [row.shape for row in rows(path, "image")][2:4] == [(9, 8, 3), (30, 50, 3)]
    with Arena.open(path) as arena:
        assert not arena.catalog["kept"]
        assert not [name for name in arena.layout.columns if name.startswith("_form")]


def test_what_memory_has_no_room_for_is_staged_in_files(tmp_path, monkeypatch, caplog):
    """A11: beside the arena, and gone afterwards."""
    paths = jpegs(tmp_path / "photos", 9)
    path = saved(files(paths[:4]), tmp_path / "x.arena")

    def refuse(*args):
        raise BudgetError("no room", 2, 1, "memory")

    monkeypatch.setattr(appending, "fill_arena", refuse)
    with caplog.at_level(logging.INFO, "fastcache"), ArenaEditor(path) as editor:
        with pytest.raises(SchemaError):
            editor.append(Files([str(paths[0])], [0.5]))
        editor.append(files(paths[4:], 4))
        assert [each.name for each in tmp_path.glob("fastcache-*")]
        editor.commit()
        assert not [*tmp_path.glob("fastcache-*")]
    assert "into files beside" in caplog.text
    monkeypatch.undo()
    assert same(path, files(paths))


def test_rows_that_were_appended_are_rows_like_others(tmp_path):
    """A11: replaced before and after the commit; columns are added to all."""
    pixels = np.stack([images.pixels(12, 10, 3) for _ in range(9)])
    path = saved(Arrays(pixels[:4], np.arange(4), layout="HWC"), tmp_path / "x.arena")
    with ArenaEditor(path) as editor:
        editor.append(Arrays(pixels[4:], np.arange(4, 9), layout="HWC"))
        editor.put("image", pixels[:1] * 0, rows=[8])
        editor.put("extra", np.arange(9))
        editor.put("extra", [50], rows=[4])
        editor.commit()
        editor.put("image", pixels[:2] * 0, rows=[4, 3])
        editor.commit()
    found = rows(path, "image")
    for row in range(9):
        assert np.array_equal(found[row], pixels[row] * (row not in (3, 4, 8)))
    assert [int(value) for value in rows(path, "extra")] == [0, 1, 2, 3, 50, 5, 6, 7, 8]
    assert isinstance(path, Path)
