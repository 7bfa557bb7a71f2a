"""Digests of arrays: every byte counts, and how it lies in memory does not."""

import numpy as np
import pytest
import xxhash

from fastcache.fill.disk import digests
from fastcache.fill.disk.digests import array_pieces, digest_of

X = np.random.default_rng(0).random((40, 7, 30))
ARRAYS = {
    "contiguous": X,
    "reversed": X[::-1],
    "transposed": X.transpose(2, 0, 1),
    "every other": X[:, :, ::2],
    "fortran": np.asfortranarray(X),
    "flat": X.reshape(-1),
    "one number": np.array(3.5),
    "no rows": X[:0],
    "no bytes": X[:, :0],
    "times": np.arange(20).astype("datetime64[s]"),
    "bytes": np.arange(256, dtype=np.uint8)[::3],
}


@pytest.mark.parametrize("piece", [1, 1000, 8 << 20])
@pytest.mark.parametrize("kind", ARRAYS)
def test_a_digest_is_that_of_all_bytes(kind, piece, monkeypatch):
    monkeypatch.setattr(digests, "_PIECE", piece)
    array = ARRAYS[kind]
    whole = f"{array.dtype.str} {array.shape}".encode() + array.tobytes()
    assert digest_of(array_pieces(array)) == xxhash.xxh3_128_hexdigest(whole)


def test_different_arrays_have_different_digests():
    found = {digest_of(array_pieces(array)) for array in ARRAYS.values()}
    assert len(found) == len(ARRAYS) - 1  # the order in which Fortran keeps it is nobody's business
