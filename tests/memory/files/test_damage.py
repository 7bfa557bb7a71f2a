"""Files that are not as they were written: refused when opened, or found by verify."""

import json
import os
import random

import pytest
import saved_arenas as saved

from fastcache.errors import ArenaDamagedError, ArenaFormatError, FastcacheError
from fastcache.memory.arena import Arena
from fastcache.memory.files import open_files, verify
from fastcache.memory.files.sums import seal
from fastcache.schema import Array, Image, Ragged, Scalar, Text, WindowLabels, Windows

MIB = 1 << 20
FLIPS = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An arena of several files, which every test leaves as it was."""
    path = tmp_path_factory.mktemp("damage") / "x.arena"
    arena, _ = saved.make_arena(count=60)
    with arena:
        arena.save(path, shard_bytes=saved.SMALL)
    return path


@pytest.fixture(scope="module")
def content(folder):
    return saved.files_in(folder)


class Changed:
    """A file that is something else for a while."""

    def __init__(self, path, data):
        self.path, self.data = path, data

    def __enter__(self):
        self.before = self.path.read_bytes()
        self.path.write_bytes(self.data)

    def __exit__(self, *_):
        self.path.write_bytes(self.before)


def opens(folder):
    """Whether the arena opens; an error must be ours, and leave nothing behind."""
    descriptors = len(os.listdir("/proc/self/fd"))
    try:
        Arena.open(folder).close()
        return True
    except ArenaFormatError:
        return False
    finally:
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert saved.mapped(folder.name) == 0


def metadata_bytes(folder, name, size):
    """Return how many bytes of a file are looked at when the arena is opened."""
    if name.startswith("shard-"):
        files = {entry.file: (entry, shard) for entry, shard in open_files(folder).manifest.files}
        entry, shard = files[name]
        return entry.bytes - shard.data_bytes
    return size


def test_every_bit_counts(folder, content):
    """F6: metadata are refused at open, data found by verify, all of them."""
    rng = random.Random(3)
    whole = verify(folder)
    assert whole.ok
    assert str(whole).endswith("every byte as it was written")
    assert not whole.rows
    names = [name for name in content if content[name]]
    for _ in range(FLIPS):
        name = rng.choice(names)
        data = bytearray(content[name])
        looked_at = metadata_bytes(folder, name, len(data))
        # Half of the flips where few bytes are: a uniform choice would miss the manifest.
        at = rng.randrange(looked_at) if rng.random() < 0.5 else rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
        with Changed(folder / name, data):
            assert opens(folder) == (at >= looked_at), (name, at)
            if name == "manifest.json":
                with pytest.raises(ArenaFormatError):
                    verify(folder)
            else:
                found = verify(folder)
                assert [check.file for check in found.damaged] == [name]
                assert found.damaged[0].damaged == (at // MIB,)
                assert name in str(found)


def test_every_truncation_is_refused(folder, content):
    """A11, F6: short files are refused, wherever they end."""
    rng = random.Random(4)
    for name, data in content.items():
        if not data:
            continue
        ends = {0, 1, 7, 8, 9, len(data) // 2, len(data) - 1, *rng.sample(range(len(data)), 8)}
        for end in sorted(ends):
            with Changed(folder / name, data[:end]):
                assert not opens(folder), (name, end)
                if name != "manifest.json":
                    (check,) = verify(folder).damaged
                    assert check.file == name
                    assert f"has {end} bytes" in check.problem
        with Changed(folder / name, data + b"\0"):
            assert not opens(folder)
    assert opens(folder)


def test_missing_and_foreign_files(folder, content, tmp_path):
    """A11: what is missing, or is another arena's, is named."""
    for name in content:
        if name == ".lock":
            continue
        (folder / name).rename(tmp_path / name)
        with pytest.raises(ArenaFormatError, match=name):
            Arena.open(folder)
        if name != "manifest.json":
            (check,) = verify(folder).damaged
            assert check.file == name
            assert "missing" in check.problem
        (tmp_path / name).rename(folder / name)
    other, _ = saved.make_arena(count=60, seed=9)
    with other:
        other.save(tmp_path / "y.arena", shard_bytes=saved.SMALL)
    with Changed(
        folder / "columns.safetensors", (tmp_path / "y.arena" / "columns.safetensors").read_bytes()
    ):
        assert not opens(folder)
    for number in range(2):
        name = f"shard-{number:05d}.safetensors"
        with Changed(folder / name, content["shard-00002.safetensors"]):
            assert not opens(folder)


def spans_of(column, row):
    """Return (first, end) of the bytes of a row, from the start of the arena."""
    if hasattr(column, "row_offsets"):
        start = int(column.row_offsets([row])[0])
        return [(start, start + int(column.row_sizes([row])[0]))]
    start = column.offset + column.start(row) * column.field.itemsize
    size = column.field.length * column.field.itemsize
    pitch = column.field.shape[-1] * column.field.itemsize
    channels = column.field.shape[-2] if column.field.kind == "windows" else 1
    return [(start + c * pitch, start + c * pitch + size) for c in range(channels)]


def rows_of_bytes(folder, name, low, high):
    """Return the rows of each column that have bytes low..high of a file, one after the other."""
    found = {}
    with Arena.open(folder) as arena:
        ((entry, shard),) = [
            pair for pair in open_files(folder).manifest.files if pair[0].file == name
        ]
        begin = entry.bytes - shard.data_bytes
        for column_name, part in shard.parts.items():
            column = arena.column(column_name)
            # The MiB, cut to the part, in bytes from the start of the arena.
            shift = part.at - begin - part.start
            least, most = max(low + shift, part.at), min(high + shift, part.at + part.size)
            found[column_name] = [
                row
                for row in range(len(column))
                if any(
                    first < min(end, most) and end > least for first, end in spans_of(column, row)
                )
                and least < most
            ]
            column = None
    return {key: rows for key, rows in found.items() if rows}


def test_damaged_rows_are_named(tmp_path):
    """A11, F6: verify says which samples lie in a damaged MiB; a loop over all finds the same."""
    fields = {
        "image": Image(size=(90, 91)),
        "photo": Ragged("uint16", 2),
        "series": Windows("float64", (2, 100_000), 300, 1),
        "steps": WindowLabels("int64", (150_000,), 20, 1),
    }
    arena, _ = saved.make_arena(fields, 300, {"photo": 300, "series": 9000, "steps": 9000})
    path = tmp_path / "x.arena"
    with arena:
        arena.save(path, shard_bytes=4 * MIB)
    for name, data in saved.files_in(path).items():
        if not name.startswith("shard-"):
            continue
        blocks = range(-(-len(data) // MIB))
        for block in {*blocks[:2], blocks[-1]}:
            changed = bytearray(data)
            changed[min(block * MIB + 70_000, len(data) - 1)] ^= 255
            with Changed(path / name, changed):
                found = verify(path, threads=2)
            got = {key: value.tolist() for key, value in found.rows.items()}
            assert got == rows_of_bytes(path, name, block * MIB, (block + 1) * MIB), (name, block)
            assert found.damaged[0].damaged == (block,)


def test_without_tables_all_rows_may_be_damaged(tmp_path):
    """F6: nothing is read from a columns file that is not whole."""
    fields = {"photo": Ragged("uint8", 1), "x": Windows("uint8", (1, 90), 3, 1), "t": Text()}
    arena, _ = saved.make_arena(fields, 20)
    path = tmp_path / "x.arena"
    with arena:
        arena.save(path)
    for name, data in saved.files_in(path).items():
        if name.endswith(".safetensors"):
            (path / name).write_bytes(data[:-1] + b"x" if "columns" in name else b"x" + data[1:])
    found = verify(path)
    assert len(found.damaged) == len(found.files) == 3
    assert {n: len(rows) for n, rows in found.rows.items()} == {"photo": 20, "x": 20}
    with pytest.raises(ArenaDamagedError, match="not as it was written"):
        Arena.open(path)
    os.unlink(path / "columns.safetensors")
    assert len(verify(path).damaged) == 3


def test_a_journal_is_no_arena(tmp_path):
    """A11: an arena that is being written, and folders that are none."""
    for make, text in (
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "no folder"),
        (lambda path: path.mkdir(), "no arena"),
    ):
        path = tmp_path / f"{text}.arena"
        make(path)
        with pytest.raises(ArenaFormatError, match=text):
            Arena.open(path)
    (tmp_path / "no arena.arena" / "journal.jsonl").write_text("")
    with pytest.raises(ArenaFormatError, match="being written, or writing was interrupted"):
        verify(tmp_path / "no arena.arena")


def test_a_newer_version_is_named(tmp_path):
    """A11: versioned; what a newer version has written is not guessed at."""
    arena, _ = saved.make_arena({"x": Scalar("int8"), "y": Array("int8", (2,))}, 3)
    path = tmp_path / "x.arena"
    with arena:
        arena.save(path)
    document = json.loads((path / "manifest.json").read_text())
    for version, text in ((2, "version 2 .*newer"), (0, "version 0 .*write the arena again")):
        document = {**document, "version": version, "written_by": "9.9"}
        document.pop("digest", None)
        (path / "manifest.json").write_bytes(seal(document))
        with pytest.raises(ArenaFormatError, match=text) as error:
            Arena.open(path)
        assert "9.9" in str(error.value)
        assert isinstance(error.value, FastcacheError)
