"""The one function of the CUDA runtime that is called by its address: with a runtime of ours."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from fastcache._core import cudart
from fastcache.errors import ArgumentError, BlockError

POINTER, SIZE, INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


def runtime_of(version, driver, code=0):
    """Return functions with the runtime's own signatures of that version; they copy at once."""
    calls = []

    def versions(number):
        def tell(place):
            INT.from_address(place).value = number
            return 0

        return ctypes.CFUNCTYPE(INT, POINTER)(tell)

    def batch(targets, sources, sizes, count, attributes, first, kinds, *rest):
        read = [np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(a)).tolist()
                for a in (targets, sources, sizes)]  # fmt: skip
        order = (INT * 6).from_address(attributes)[:]
        calls.append((count, order, SIZE.from_address(first).value, kinds, rest[-1], len(rest)))
        if code == 0:
            for target, source, size in zip(*read, strict=True):
                ctypes.memmove(target, source, size)
        return code

    behind = [POINTER, POINTER] if version < 13000 else [POINTER]
    kind = ctypes.CFUNCTYPE(INT, *[POINTER] * 3, SIZE, POINTER, POINTER, SIZE, *behind)
    text = ctypes.create_string_buffer(b"invalid argument")
    made = SimpleNamespace(
        cudaRuntimeGetVersion=versions(version),
        cudaDriverGetVersion=versions(driver),
        cudaGetErrorString=ctypes.CFUNCTYPE(POINTER, INT)(lambda _: ctypes.addressof(text)),
        cudaGetLastError=ctypes.CFUNCTYPE(INT)(lambda: code),
    )
    if version >= 12080:
        made.cudaMemcpyBatchAsync = kind(batch)
    return made, calls


@pytest.mark.parametrize("version", [12080, 12090, 13000, 13020])
def test_the_copies_are_those_that_were_asked_for(version):
    """F1: with the signature that the runtime of this version has."""
    runtime, calls = runtime_of(version, 13020)
    copy = cudart.bound(runtime)
    source, target = np.arange(1000, dtype=np.uint8), np.zeros(1000, np.uint8)
    starts, places = np.array([900, 10, 300]), np.array([0, 100, 20])
    sizes = np.array([20, 30, 50], np.uint64)
    copy(
        (target.ctypes.data + places).astype(np.uint64),
        (source.ctypes.data + starts).astype(np.uint64),
        sizes,
        77,
    )
    wanted = np.zeros(1000, np.uint8)
    for start, place, size in zip(starts, places, sizes.tolist(), strict=True):
        wanted[place : place + size] = source[start : start + size]
    assert (target == wanted).all()
    # One attribute, for the first copy and all behind it: in the order of the stream, no hints.
    assert calls == [(3, [1, 0, 0, 0, 0, 0], 0, 1, 77, 2 if version < 13000 else 1)]


@pytest.mark.parametrize("versions", [(12040, 13000), (13000, 12060), (11080, 11080)])
def test_an_old_runtime_or_driver_has_none(versions):
    assert cudart.bound(runtime_of(*versions)[0]) is None


def test_a_refusal_is_told_with_its_reason():
    copy = cudart.bound(runtime_of(13000, 13000, code=1)[0])
    one = np.ones(2, np.uint64)
    with pytest.raises(BlockError, match="2 copies to the device were refused: invalid argument"):
        copy(one, one, one, 5)


def test_arrays_of_different_lengths_never_reach_the_runtime():
    runtime, calls = runtime_of(13000, 13000)
    with pytest.raises(ArgumentError, match="give one each"):
        cudart.bound(runtime)(np.ones(3, np.uint64), np.ones(2, np.uint64), np.ones(3), 5)
    assert not calls


def test_the_runtime_is_found_among_what_is_loaded(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libc.so.6\n"
        "7f02-7f03 rw-p 00000000 00:00 0 \n"
        "7f04-7f05 r-xp 00000000 08:01 2 /opt/a b/libcudart.so.12\n"
    )
    assert cudart.loaded_runtime(str(maps)) == "/opt/a b/libcudart.so.12"
    assert cudart.loaded_runtime(str(tmp_path / "nothing")) is None
