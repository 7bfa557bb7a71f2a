"""The official safetensors reader opens every file, and finds the same rows."""

import numpy as np
import pytest
import saved_arenas as saved

from fastcache.memory.arena import Arena
from fastcache.schema import Array, Image, Mask, Ragged, Scalar, Text, WindowLabels, Windows

safetensors = pytest.importorskip("safetensors", reason="needs the package safetensors")

FIELDS = {
    **saved.FIELDS,
    "series": Windows("float32", (3, 9000), 50, 1),
    "steps": WindowLabels("int64", (9000,), 50, 1, "any"),
    "tiny": Scalar("uint16"),
    "more": Array("float16", (7,)),
    "unsigned": Array("uint64", (2,)),
    "long": Ragged("uint32", 1),
    "dark": Mask(dtype="uint16"),
    "wide": Image(size=(8, 8), dtype="uint16", channels=1),
    "late": Text(),
}


@pytest.mark.parametrize("count", [0, 1, 70])
@pytest.mark.parametrize("shard_bytes", [None, saved.SMALL])
def test_every_file_opens(tmp_path, count, shard_bytes):
    """F6: a format that others can read; no holes, names as users gave them."""
    arena, rows = saved.make_arena(FIELDS, count)
    with arena:
        arena.save(tmp_path / "x.arena", shard_bytes=shard_bytes)
    found = {}
    for path in sorted((tmp_path / "x.arena").glob("*.safetensors")):
        with safetensors.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                found.setdefault(name, []).append(file.get_tensor(name))
    with Arena.open(tmp_path / "x.arena") as opened:
        for name, given in rows.items():
            if not count or name == "none":
                continue
            dtype = np.dtype(FIELDS[name].dtype)
            pieces = np.concatenate([part.reshape(-1).view(np.uint8) for part in found[name]])
            column = opened.column(name)
            if FIELDS[name].row_shape is None:
                assert pieces.tobytes() == b"".join(row.tobytes() for row in given)
            else:
                stride = column.stride
                table = pieces.reshape(len(given), stride)[:, : column.row_bytes]
                assert np.array_equal(table.reshape(-1), np.array(given).reshape(-1).view(np.uint8))
            if (
                dtype.kind in "biuf"
                and FIELDS[name].row_shape
                and column.stride == column.row_bytes
            ):
                assert found[name][0].dtype == dtype
                assert found[name][0].shape[1:] == FIELDS[name].row_shape
            column = None
        assert np.array_equal(
            np.concatenate(found["series"]), opened.column("series").values.reshape(-1)
        )
        assert np.array_equal(found["_grids/steps"][0], opened.column("steps").grids)
        assert np.array_equal(found["_offsets/photo"][0], opened.column("photo").offsets)
        assert np.array_equal(found["_shapes/photo"][0], opened.column("photo").shapes)
