""".npy files that are refused: never unpickled, never believed, with what would do."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from filling import filled, reason, row, save, values

from fastcache import Limits
from fastcache.errors import DecodeError
from fastcache.fill import build


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int16", "int32", "int64", "uint64", "complex64", "U3", "M8[s]"]
)
def test_other_dtypes_are_refused_by_name(tmp_path, dtype):
    """A5: with the dtypes that would do."""
    path = save(tmp_path / "a.npy", np.zeros((9, 9), dtype))
    assert np.dtype(dtype).name in reason(path)
    assert "astype" in reason(path)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((3, 20, 3), "both ends"),
        ((1, 20, 4), "both ends"),
        ((20, 20, 2), "neither end"),
        ((20, 3, 20), "neither end"),
        ((20,), "1 axes"),
        ((), "0 axes"),
        ((1, 20, 20, 3), "4 axes"),
        ((0, 20), "each from 1 to"),
        ((20, 0, 3), "each from 1 to"),
    ],
)
def test_unclear_shapes_are_refused(tmp_path, shape, why):
    """A5: no guess is made about axes."""
    told = reason(save(tmp_path / "a.npy", np.zeros(shape, np.float32)))
    assert why in told
    assert ("layout=" in told) == (why == "both ends")


class Bomb:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_pickles_are_never_loaded(tmp_path, monkeypatch):
    """A5: an array of objects is refused by its header."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npy"
    np.save(path, np.array([[Bomb()]], object), allow_pickle=True)
    assert "never loaded" in reason(path)
    assert not Path("unpickled").exists()


def with_header(text: bytes, version: int = 1, length: int | None = None) -> bytes:
    count = len(text) if length is None else length
    packed = struct.pack("<H" if version == 1 else "<I", count)
    return b"\x93NUMPY" + bytes([version, 0]) + packed + text


def header(descr="'<f4'", fortran="False", shape="(9, 9)") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()


ENDS = "the file ends within its .npy header"
DAMAGED = "its .npy header is damaged"
SHAPES = "an image has (H, W), (H, W, C) or (C, H, W), each from 1 to 2,147,483,647"
HOSTILE = {
    "magic-alone": (b"\x93NUMPY", "no .npy file: it does not begin as one"),
    "no-length": (b"\x93NUMPY\x01\x00\x10", ENDS),
    "short-header": (with_header(b"{'descr'", length=100), ENDS),
    "huge-header": (
        with_header(b" " * 100, version=2, length=0xFFFFFFFF),
        "its .npy header has 4,294,967,295 bytes; 4,096 are the limit",
    ),
    "long-header": (
        with_header(header() + b" " * 5000, version=2),
        "its .npy header has 5,060 bytes; 4,096 are the limit",
    ),
    "version-9": (
        b"\x93NUMPY\x09\x00" + bytes(100),
        ".npy version 9.0; numeric arrays have 1.0 or 2.0",
    ),
    "no-dict": (with_header(b"[1, 2]\n"), DAMAGED),
    "code": (with_header(b"__import__('os').abort()\n"), DAMAGED),
    "minus-chain": (with_header(b"-" * 4000 + b"1\n"), DAMAGED),
    "brackets": (with_header(b"(" * 4000 + b"\n"), DAMAGED),
    "open-string": (with_header(b"{'descr': '<f4\n"), DAMAGED),
    "not-utf8": (with_header(b"\xff\xfe" * 20), DAMAGED),
    "bad-descr": (with_header(header(descr="'<f3'")), DAMAGED),
    "struct": (
        with_header(header(descr="[('a', '<f4')]")),
        (
            "holds void32; .npy images are uint8, uint16, float16, float32, float64: "
            "convert it with astype and save it again"
        ),
    ),
    "negative": (
        with_header(header(shape="(-9, 9)")) + bytes(400),
        f"its array has 2 axes, lengths (-9, 9): {SHAPES}",
    ),
    "float-shape": (with_header(header(shape="(9.0, 9)")) + bytes(400), DAMAGED),
    "endless": (
        with_header(header(shape="(2000000000, 2000000000)")) + bytes(400),
        (
            "its header promises 16,000,000,000,000,000,088 bytes (float32 of shape "
            "(2000000000, 2000000000)), the file has 488"
        ),
    ),
    "overflow": (
        with_header(header(shape=f"({1 << 62}, {1 << 62}, 4)")) + bytes(400),
        f"its array has 3 axes, lengths (4611686018427387904, 4611686018427387904, 4): {SHAPES}",
    ),
    "no-data": (
        with_header(header()),
        "its header promises 394 bytes (float32 of shape (9, 9)), the file has 70",
    ),
    "truncated": (
        with_header(header()) + bytes(9 * 9 * 4 - 1),
        "its header promises 394 bytes (float32 of shape (9, 9)), the file has 393",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_damaged_files_are_refused_with_a_reason(tmp_path, kind):
    """A5: nothing is believed, allocated or run; the other files are not harmed."""
    path, good = tmp_path / "a.npy", save(tmp_path / "b.npy", values("float32"))
    data, want = HOSTILE[kind]
    path.write_bytes(data)
    arena = filled([path, good], on_error="skip", limits=Limits(pixels=2**63 - 1))
    ((told_path, why),) = arena.catalog["report"]["failed"]
    assert (told_path, why) == (str(path), want)
    assert arena.catalog["visible"] == 1


def test_bytes_behind_the_array_are_passed_over(tmp_path):
    """NumPy reads the first array of such files, too."""
    buffer = io.BytesIO()
    np.save(buffer, values("float32"))
    np.save(buffer, values("uint8"))
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(row(filled([tmp_path / "a.npy"]), 0), values("float32"))


def test_a_file_that_changes_after_the_probe_is_refused(tmp_path, monkeypatch):
    """A5: the header is read again when the array is, and must say the same."""
    path = save(tmp_path / "a.npy", values("float32"))
    allocate = build.Arena.allocate

    changes = {
        "changed": lambda: save(path, values("float32", 41, 30)),
        "not a regular file": lambda: (path.unlink(), os.mkfifo(path)),  # nobody waits for it
    }
    for told_, change in changes.items():

        def swap(*args, **kwargs):
            change()  # noqa: B023 - called within this round
            return allocate(*args, **kwargs)

        monkeypatch.setattr(build.Arena, "allocate", swap)
        with pytest.raises(DecodeError, match=told_):
            filled([path])
