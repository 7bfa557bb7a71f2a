"""Arenas made to hurt, with every checksum right: all are refused, and nothing is left open."""

import json
import os
import subprocess
import sys

import forged_arenas as forged
import numpy as np
import pytest
import saved_arenas as saved

from fastcache.errors import ArenaFormatError, BlockError
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.memory.files.sums import digest_of
from fastcache.schema import Array, Image, Ragged, Scalar, Text, WindowLabels, Windows

FIELDS = {
    "image": Image(size=(64, 32)),
    "photo": Image(),
    "boxes": Ragged("float64", 2),
    "label": Scalar("int64"),
    "name": Text(),
    "series": Windows("float32", (2, 3, 5000), 50, 2),
    "steps": WindowLabels("int64", (5000,), 50, 1),
    "_index": Scalar("int64"),
}
COUNT, WINDOW_COUNT = 90, 4000
SHARD = "shard-00000.safetensors"


@pytest.fixture
def folder(tmp_path):
    counts = {"series": WINDOW_COUNT, "steps": WINDOW_COUNT}
    arena, _ = saved.make_arena(FIELDS, COUNT, counts | {"_index": COUNT})
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=4 * saved.SMALL)
    path = tmp_path / "x.arena"
    # Two grids, the first of which runs over both series.
    grids = [[0, 2000, 0, 15000, 1], [3000, 1000, 15000, 0, 4]]
    forged.change_tensor(
        path, "_grids/series", "<i8", lambda v: v.__setitem__(..., np.array(grids).T)
    )
    forged.change_tensor(path, "_index", "<i8", lambda v: v.__setitem__(..., np.arange(COUNT)))
    return path


def check_refused(folder, match=None):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises((ArenaFormatError, BlockError), match=match):
        Arena.open(folder)
    assert len(os.listdir("/proc/self/fd")) == before
    assert saved.mapped(folder.name) == 0


def test_what_the_fixture_forges_opens(folder):
    """A11: the starting point of all tests here is sound."""
    with Arena.open(folder) as arena:
        assert len(arena.column("series")) == WINDOW_COUNT
        assert arena.column("series")[3999].shape == (3, 50)
    assert verify(folder).ok


BIG = [-1, 1 << 62, 1 << 63, 1 << 64, 1 << 200, 1.5, "1", None, True, [], {}]


def put(*keys, value):
    """Return a change that sets what is found by the keys."""

    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def drop(*keys):
    def change(document):
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


SHARDS = ("families", 0, "shards")
NUMBERS = [
    ("count",),
    ("generation",),
    ("version",),
    ("columns", "image", "count"),
    ("columns", "photo", "count"),
    ("columns", "label", "count"),
    ("columns", "name", "elements"),
    ("columns", "series", "count"),
    ("columns", "image", "field", "channels"),
    ("columns", "series", "field", "length"),
    ("columns", "series", "field", "grids"),
    ("columns", "boxes", "field", "axes"),
    (*SHARDS, 0, "rows"),
    (*SHARDS, 0, "bytes"),
    (*SHARDS, 0, "elements", "photo"),
    ("columns_file", "bytes"),
]


@pytest.mark.parametrize("keys", NUMBERS, ids=lambda keys: "-".join(map(str, keys)))
def test_numbers_that_cannot_be(folder, keys):
    """A11: negative, too large, of another type, missing, or just off by one."""
    document = forged.manifest_of(folder)
    now = document
    for key in keys:
        now = now[key]
    others = [0, now + 1, now - 1, now * 2, now + 65536]
    # What is possible as well, and leads nowhere.
    free = keys in [("count",), ("generation",), ("columns", "series", "count")]
    if free:
        others = []
    elif keys[-1] == "length":
        others = [0, now + 65536]
    for value in [*BIG, *others]:
        if free and value == 1 << 62:
            continue
        changed = json.loads(json.dumps(document))
        put(*keys, value=value)(changed)
        forged.write_manifest(folder, changed)
        check_refused(folder)
    changed = json.loads(json.dumps(document))
    drop(*keys)(changed)
    forged.write_manifest(folder, changed)
    if keys[-1] not in ("axes", "channels", "length"):  # which have a usual value
        check_refused(folder)


NAMES = [
    "../x.arena/shard-00000.safetensors",
    "/etc/passwd",
    "shard-00001.safetensors",
    "shard-00000.safetensors\0",
    "shard-00000.safetensors\n",
    "SHARD-00000.safetensors",
    "shard-0.safetensors",
    "shard-00000-g1.safetensors",
    "shard-00000-g02.safetensors",
    "shard-\u0660\u0660\u0660\u0660\u0660.safetensors",
    "./shard-00000.safetensors",
    "columns.safetensors",
    "manifest.json",
    ".lock",
    "",
    ".",
    5,
    None,
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_file_names(folder, name):
    """A11: no name leads out of the folder, and none stands twice."""
    document = forged.manifest_of(folder)
    changed = json.loads(json.dumps(document))
    changed["families"][0]["shards"][0]["file"] = name
    forged.write_manifest(folder, changed)
    check_refused(folder)
    with pytest.raises(ArenaFormatError):
        verify(folder)
    changed = json.loads(json.dumps(document))
    changed["columns_file"]["file"] = (
        "shard-00000.safetensors" if name == "columns.safetensors" else name
    )
    forged.write_manifest(folder, changed)
    check_refused(folder)


STATED = {
    "format": put("format", value="fastcache arenas"),
    "no columns": put("columns", value={}),
    "columns as list": put("columns", value=[]),
    "column as number": put("columns", "image", value=3),
    "unknown kind": put("columns", "image", "field", "kind", value="exec"),
    "kind as list": put("columns", "image", "field", "kind", value=["image"]),
    "object dtype": put("columns", "image", "field", "dtype", value="O"),
    "dtype as list": put("columns", "image", "field", "dtype", value=["i4"]),
    "record dtype": put("columns", "image", "field", "dtype", value="i4,i4"),
    "shape dtype": put("columns", "image", "field", "dtype", value="(3,)u1"),
    "void dtype": put("columns", "image", "field", "dtype", value="V8"),
    "long dtype": put("columns", "image", "field", "dtype", value="u" * 5000),
    "wide dtype": put("columns", "image", "field", "dtype", value="U99999999"),
    "dtype without bytes": put("columns", "image", "field", "dtype", value="U0"),
    "other dtype": put("columns", "image", "field", "dtype", value="int8"),
    "swapped dtype": put("columns", "label", "field", "dtype", value=">i8"),
    "field as list": put("columns", "image", "field", value=[]),
    "unknown parameter": put("columns", "image", "field", "more", value=1),
    "size of one": put("columns", "image", "field", "size", value=[64]),
    "size of three": put("columns", "image", "field", "size", value=[64, 32, 3]),
    "negative size": put("columns", "image", "field", "size", value=[-64, -32]),
    "size of texts": put("columns", "image", "field", "size", value=["64", "32"]),
    "overflowing size": put("columns", "image", "field", "size", value=[1 << 40, 1 << 40]),
    "ragged now": put("columns", "image", "field", "size", value=None),
    "dense now": put("columns", "photo", "field", "size", value=[2, 2]),
    "many axes": put("columns", "boxes", "field", "axes", value=40),
    "flat series": put("columns", "series", "field", "shape", value=[30000]),
    "overflowing series": put("columns", "series", "field", "shape", value=[1 << 40, 1 << 40]),
    "no length": put("columns", "series", "field", "length", value=0),
    "labels of no kind": put("columns", "steps", "field", "how", value="first"),
    "how as number": put("columns", "steps", "field", "how", value=1),
    "derived": put(
        "columns", "label", "field", value={"kind": "window_copy", "dtype": "i8", "of": "x"}
    ),
    "reserved name": lambda d: d["columns"].__setitem__("_pad7", d["columns"].pop("label")),
    "narrow stride": put("columns", "image", "stride", value=6143),
    "wide stride": put("columns", "image", "stride", value=6208),
    "stride as text": put("columns", "image", "stride", value="6144"),
    "no families": put("families", value=[]),
    "families as object": put("families", value={}),
    "family as number": put("families", 0, value=3),
    "family twice": lambda d: d["families"].append(d["families"][0]),
    "family of nobody": put("families", 0, "columns", value=[]),
    "column twice": lambda d: d["families"][0]["columns"].append("image"),
    "column of no family": lambda d: d["families"][0]["columns"].remove("photo"),
    "unknown column": lambda d: d["families"][0]["columns"].append("who"),
    "column as list": lambda d: d["families"][0]["columns"].append([]),
    "whole column in shards": lambda d: d["families"][0]["columns"].append("label"),
    "array among rows": lambda d: d["families"][1]["columns"].append("image"),
    "other order": lambda d: d["families"][0]["columns"].reverse(),
    "shards as object": put(*SHARDS, value={}),
    "shard as number": put(*SHARDS, 0, value=1),
    "shards swapped": lambda d: d["families"][0]["shards"].reverse(),
    "shard twice": lambda d: d["families"][0]["shards"].append(d["families"][0]["shards"][0]),
    "shard missing": lambda d: d["families"][0]["shards"].pop(),
    "elements of others": put(*SHARDS, 0, "elements", "image", value=3),
    "elements as list": put(*SHARDS, 0, "elements", value=[]),
    "no elements": drop(*SHARDS, 0, "elements"),
    "sums as list": put(*SHARDS, 0, "sums", value=[]),
    "no sums": put(*SHARDS, 0, "sums", value=""),
    "sums in no base64": put(*SHARDS, 0, "sums", value="?" * 12),
    "header as number": put(*SHARDS, 0, "header", value=0),
    "other header": put(*SHARDS, 0, "header", value="0" * 16),
    "no columns file": drop("columns_file"),
    "columns file as list": put("columns_file", value=[]),
    "sums of the columns file": put("columns_file", "sums", value="AAAAAAAAAAA="),
    "catalogue as list": put("catalog", value=[]),
    "no source": drop("source"),
    "id as number": put("id", value=1),
}


@pytest.mark.parametrize("what", STATED)
def test_what_is_stated(folder, what):
    """A11: nothing that a manifest says is believed."""
    forged.change_manifest(folder, STATED[what])
    check_refused(folder)


def test_manifests_that_are_no_json(folder):
    """A11: nesting without end, names that stand twice, NaN, other encodings, and much of it."""
    text = json.dumps(forged.manifest_of(folder))
    deep = "[" * 200_000 + "]" * 200_000
    bad = [
        text.replace('"catalog": {', f'"catalog": {{"x": {deep}, ', 1),
        text.replace('"count": 90', '"count": 90, "count": 91', 1),
        text.replace('"count": 90', '"count": NaN', 1),
        text.replace('"count": 90', '"count": 1e400', 1),
        text.replace('"count": 90', f'"count": {"9" * 10_000}', 1),
        text.replace('"count": 90', '"count": 90,', 1),
        text[:-1] + ', "x": "\ud800"}',
    ]
    for each in bad:
        body = each.encode("utf-8", "surrogatepass")[:-1]
        sealed = body + b', "digest": "' + digest_of(body).encode() + b'"}\n'
        (folder / "manifest.json").write_bytes(sealed)
        check_refused(folder)
    body = text.encode("utf-16")
    (folder / "manifest.json").write_bytes(body)
    check_refused(folder)
    (folder / "manifest.json").write_bytes(b"")
    check_refused(folder)
    with (folder / "manifest.json").open("wb") as file:
        file.truncate((1 << 30) + 1)  # holes
    check_refused(folder, "most")


HEADERS = {
    "renamed": lambda h: h.__setitem__("imago", h.pop("image")),
    "missing": lambda h: h.pop("boxes"),
    "another": lambda h: h.__setitem__(
        "more", {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    ),
    "metadata": lambda h: h.__setitem__("__metadata__", {"a": "b"}),
    "dtype": put("image", "dtype", value="I8"),
    "unknown dtype": put("image", "dtype", value="F4"),
    "dtype as list": put("image", "dtype", value=["U8"]),
    "shape": lambda h: h["image"]["shape"].reverse(),
    "flat": lambda h: h["image"].__setitem__("shape", [int(np.prod(h["image"]["shape"]))]),
    "negative": put("image", "shape", 0, value=-32),
    "overflow": put("image", "shape", value=[1 << 32, 1 << 32, 1 << 32]),
    "shape as number": put("image", "shape", value=5),
    "offsets as number": put("image", "data_offsets", value=5),
    "one offset": lambda h: h["image"]["data_offsets"].pop(),
    "three offsets": lambda h: h["image"]["data_offsets"].append(0),
    "offsets of texts": put("image", "data_offsets", value=["0", "1"]),
    "moved": lambda h: [
        h["image"]["data_offsets"].__setitem__(k, v + 1)
        for k, v in enumerate(h["image"]["data_offsets"])
    ],
    "overlap": lambda h: h["photo"].__setitem__(
        "data_offsets", [0, np.diff(h["photo"]["data_offsets"]).item()]
    ),
    "hole": lambda h: h.pop("_pad0"),
    "behind the end": put("image", "data_offsets", 1, value=1 << 40),
    "no end": put("image", "data_offsets", 1, value=1 << 63),
    "more members": put("image", "more", value=1),
    "tensor as list": put("image", value=[]),
}


@pytest.mark.parametrize("what", HEADERS)
def test_headers(folder, what):
    """A11: overlap, overflow, negative, and whatever else the manifest does not state."""
    forged.change_header(folder, SHARD, HEADERS[what])
    check_refused(folder)


def test_headers_that_are_none(folder):
    """A11: huge, nested without end, names that stand twice, no JSON, no object."""
    header, data = forged.split(folder, SHARD)
    text = json.dumps(header).encode()
    before = (folder / SHARD).read_bytes(), (folder / "manifest.json").read_bytes()
    twice = text[:-1] + b', "image": ' + json.dumps(header["image"]).encode() + b"}"
    deep = b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    for bad in (
        b"{}",
        b"[]",
        b"3",
        b'"x"',
        twice,
        deep,
        text[:-1],
        text + b"x",
        b"\xff\xfe" + text,
    ):
        (folder / SHARD).write_bytes(before[0])
        forged.write_header(folder, SHARD, bad)
        check_refused(folder)
    for length in (
        0,
        1,
        8,
        65527,
        65529,
        131064,
        100_000_001,
        1 << 40,
        (1 << 64) - 1,
        (1 << 64) - 8,
    ):
        (folder / SHARD).write_bytes(before[0])
        (folder / "manifest.json").write_bytes(before[1])
        changed = bytearray(before[0])
        changed[:8] = length.to_bytes(8, "little")
        (folder / SHARD).write_bytes(changed)

        def agree(document, changed=changed):
            document["families"][0]["shards"][0]["header"] = digest_of(changed[:65536])

        forged.change_manifest(folder, agree)
        check_refused(folder)


def test_what_is_no_regular_file(folder, tmp_path):
    """A11: links, FIFOs, folders and devices in the place of files; none is waited for."""
    (tmp_path / "outside").write_bytes((folder / SHARD).read_bytes())
    for name in (SHARD, "columns.safetensors", "manifest.json"):
        path, kept = folder / name, tmp_path / "kept"
        path.rename(kept)
        for make in (
            lambda path: path.symlink_to(tmp_path / "kept"),
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to(path.name),
            os.mkfifo,
            lambda path: path.mkdir(),
        ):
            make(path)
            check_refused(folder)
            path.rmdir() if path.is_dir() else path.unlink()
        kept.rename(path)
    Arena.open(folder).close()


def ragged(name, dtype, change):
    return lambda folder: forged.change_tensor(folder, name, dtype, change)


TABLES = {
    "negative shape": ragged("_shapes/photo", "<i4", lambda v: v.__setitem__((3, 0), -1)),
    "two negative axes": ragged(
        "_shapes/photo", "<i4", lambda v: v.__setitem__((3, slice(0, 2)), -2)
    ),
    "larger row": ragged("_shapes/photo", "<i4", lambda v: v.__setitem__((3, 0), 1000)),
    "largest row": ragged("_shapes/photo", "<i4", lambda v: v.__setitem__(3, (1 << 31) - 1)),
    "larger last row": ragged("_shapes/boxes", "<i4", lambda v: v.__setitem__((-1, 0), 40000)),
    "all rows large": ragged("_shapes/boxes", "<i4", lambda v: v.__setitem__(..., 1 << 30)),
    "negative offset": ragged("_offsets/photo", "<i8", lambda v: v.__setitem__(0, -8)),
    "lowest offset": ragged("_offsets/photo", "<i8", lambda v: v.__setitem__(5, -(1 << 63))),
    "highest offset": ragged("_offsets/photo", "<i8", lambda v: v.__setitem__(5, (1 << 63) - 1)),
    "offset behind the end": ragged(
        "_offsets/photo", "<i8", lambda v: v.__setitem__(-1, v[-1] + 1)
    ),
    "offsets reversed": ragged(
        "_offsets/boxes", "<i8", lambda v: v.__setitem__(..., v[::-1].copy())
    ),
    "row moved": ragged("_offsets/photo", "<i8", lambda v: v.__setitem__(7, v[7] + 1)),
    "rows moved to another shard": ragged(
        "_offsets/photo", "<i8", lambda v: v.__setitem__(slice(0, -1), 0)
    ),
    "text behind the end": ragged("_shapes/name", "<i4", lambda v: v.__setitem__(-1, 50)),
    "overlapping texts": ragged("_offsets/name", "<i8", lambda v: v.__setitem__(slice(1, -1), 1)),
    "index": ragged("_index", "<i8", lambda v: v.__setitem__(3, COUNT)),
    "negative index": ragged("_index", "<i8", lambda v: v.__setitem__(3, -1)),
}


def grid(row, column, value, name="series"):
    return ragged(f"_grids/{name}", "<i8", lambda v: v.__setitem__((row, column), value))


TABLES |= {
    "first row": grid(0, 0, 1),
    "negative row": grid(0, 1, -1),
    "rows behind the end": grid(0, 1, WINDOW_COUNT + 1),
    "no rows per series": grid(1, 0, 0),
    "fewer rows per series": grid(1, 0, 1),
    "more rows per series": lambda folder: [grid(1, 0, 5000)(folder), grid(4, 0, 2)(folder)],
    "negative element": grid(2, 0, -1),
    "element of another series": grid(2, 0, 15000),
    "element of another channel": grid(2, 0, 4000),
    "last element": grid(2, 1, 30_000 - 50),
    "far element": grid(2, 1, 1 << 61),
    "far series": grid(3, 0, 1 << 61),
    "series within one another": grid(3, 0, 14_999),
    "further series": grid(3, 0, 30_000),
    "negative series": grid(3, 0, -15000),
    "far steps": grid(4, 0, 3),
    "further steps": grid(4, 1, 5),
    "negative step": grid(4, 1, -1),
    "largest number": grid(4, 1, (1 << 63) - 1),
    "labels behind the end": grid(2, 0, 5000 - 50 - 3999 + 1, "steps"),
    "labels further": grid(4, 0, 2, "steps"),
    "negative label": grid(2, 0, -1, "steps"),
}


@pytest.mark.parametrize("what", TABLES)
def test_tables(folder, what):
    """A11: what C code trusts is checked value by value."""
    TABLES[what](folder)
    check_refused(folder, "cannot be")
    assert verify(folder).ok  # nothing else is wrong with it


def test_tables_at_the_limit(folder):
    """A11: what lies inside by a hair is not refused."""
    grid(2, 0, 5000 - 50 - 3999, "steps")(folder)
    grid(2, 1, 15_000 + 5000 - 50 - 999 * 4)(folder)
    ragged("_shapes/photo", "<i4", lambda v: v.__setitem__((3, 0), 0))(folder)
    with Arena.open(folder) as arena:
        assert len(arena.column("photo")[3]) == 0
        assert arena.column("series").start(3999) == 15_000 + 5000 - 50
        assert arena.column("steps")[3999].shape == (50,)


def test_opening_runs_no_pickle(folder):
    """F6: an audit hook sees what is unpickled, executed or imported from the folder: nothing."""
    program = f"""
import sys
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
def use():
    arena = Arena.open({str(folder)!r})
    arena.column("label").rows.sum()
    arena.close()
    assert verify({str(folder)!r}, threads=1).ok

use()  # imports are done
seen = []
watched = ("pickle.find_class", "exec", "compile", "import", "marshal.loads", "ctypes.dlopen")
sys.addaudithook(lambda event, arguments: seen.append(event) if event in watched else None)
use()
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def test_addresses_that_no_machine_has(folder):
    """A10: a need of exabytes is an error before any file is mapped."""
    arena, _ = saved.make_arena({"x": Array("uint8", (0,))}, 3)
    path = folder.with_name("y.arena")
    with arena:
        arena.save(path)

    def change(document):
        document["columns"]["x"]["field"]["shape"] = [1 << 60]

    forged.change_manifest(path, change)
    check_refused(path)
