"""The reader of docs/arena-format.md reads arenas of every kind."""

import json
import re

import numpy as np
import pytest
import saved_arenas as saved
import xxhash
from project import source_root

from fastcache.schema import Windows

PAGE = source_root() / "docs" / "arena-format.md"


@pytest.fixture(scope="module")
def reader():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert sum(bool(line.strip()) for line in block.splitlines()) <= 36
    assert not re.search(r"fastcache|safetensors import", block)
    names = {}
    exec(compile(block, str(PAGE), "exec"), names)
    return names


@pytest.mark.parametrize("count", [0, 1, 70])
@pytest.mark.parametrize("shard_bytes", [None, saved.SMALL])
def test_a_stranger_reads_all_rows(tmp_path, reader, count, shard_bytes):
    """F6: what the page says is enough to read an arena."""
    arena, rows = saved.make_arena(count=count)
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=shard_bytes)
    for name, expected in rows.items():
        if name == "none":
            continue
        found = [np.array(row) for row in reader["rows"](tmp_path / "x.arena", name)]
        assert len(found) == len(expected)
        for mine, row in zip(found, expected, strict=True):
            assert (mine.dtype, mine.shape) == (row.dtype, row.shape)
            assert np.array_equal(mine, row)


def test_windows_as_the_page_says(tmp_path, reader):
    """F6: the formula of grids."""
    arena, _ = saved.make_arena({"series": Windows("float32", (3, 40_000), 50, 1)}, 39_951)
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=saved.SMALL)
        whole = arena.column("series").values.copy()
    manifest = json.loads((tmp_path / "x.arena" / "manifest.json").read_text())
    (family,) = manifest["families"]
    parts = [
        reader["tensors"](tmp_path / "x.arena" / s["file"])["series"] for s in family["shards"]
    ]
    assert [len(part) for part in parts] == [s["rows"] for s in family["shards"]]
    values = np.concatenate(parts)
    small = reader["tensors"](tmp_path / "x.arena" / manifest["columns_file"]["file"])
    f, inner, first, series, step = small["_grids/series"][:, 0].tolist()
    for row in (0, 7, 39_950):
        start = first + (row - f) // inner * series + (row - f) % inner * step
        window = [values[start + c * 40_000 : start + c * 40_000 + 50] for c in range(3)]
        assert np.array_equal(window, whole[:, row : row + 50])


def test_checksums_as_the_page_says(tmp_path):
    """F6: digests are where the page has them."""
    import base64

    arena, _ = saved.make_arena(count=9)
    with arena:
        arena.save(tmp_path / "x.arena")
    text = (tmp_path / "x.arena" / "manifest.json").read_bytes()
    body, digest = re.fullmatch(rb'(.*), "digest": "([0-9a-f]{16})"}\n', text).groups()
    assert text.isascii()
    assert xxhash.xxh3_64_hexdigest(body) == digest.decode()
    manifest = json.loads(text)
    for entry in [*manifest["families"][0]["shards"], manifest["columns_file"]]:
        data = (tmp_path / "x.arena" / entry["file"]).read_bytes()
        assert len(data) == entry["bytes"]
        header = 8 + int.from_bytes(data[:8], "little")
        assert header % 65536 == len(data) % 65536 == 0
        assert xxhash.xxh3_64_hexdigest(data[:header]) == entry["header"]
        sums = np.frombuffer(base64.b64decode(entry["sums"]), "<u8").tolist()
        blocks = [data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)]
        assert sums == [xxhash.xxh3_64_intdigest(block) for block in blocks]
