"""Numbers of the output against NumPy's and torch's, and the code paths against one another."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from making import MEAN, STD, emit_of, make_one, plain_drawn, raw
from torchvision_oracle import torchvision

from fastcache._core import planes
from fastcache.errors import ArgumentError

REALS = ("float32", "float16", "bfloat16")


def every_value(channels):
    """Return an image that has every value in every channel."""
    values = np.arange(256, dtype=np.uint8).reshape(8, 32, 1)
    return np.concatenate([np.roll(values, c, 1) for c in range(channels)], 2)


def rounded(values, dtype):
    """Return float32 numbers rounded once more, half to even; bfloat16 as its bits."""
    if dtype == "float16":
        return values.astype(np.float16)
    if dtype == "bfloat16":
        bits = values.view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return values


def reference(pixels, scaling, channels, whole=255):
    """Three operations on float32, each rounded."""
    values = pixels.astype(np.float32)
    if scaling in ("unit", "normalised"):
        values = values / np.float32(whole)
    if scaling.startswith("normalised"):
        values = values - np.array(MEAN[:channels], np.float32)
        values = values / np.array(STD[:channels], np.float32)
    return values


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("scaling", ["plain", "unit", "normalised", "normalised_plain"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_value_becomes_what_float32_arithmetic_makes_of_it(dtype, scaling, channels):
    """E4: division by 255, mean and std to the last bit, whatever the order of the output."""
    pixels = every_value(channels)
    want = rounded(reference(pixels, scaling, channels), dtype)
    for planar in (False, True):
        for streaming in (False, True):
            emit = emit_of(dtype, channels, planar=planar, scaling=scaling, streaming=streaming)
            for flip in (0, 1):
                drawn = plain_drawn(*pixels.shape[:2])
                drawn["stage"]["flip_x"][:, 0] = flip
                got = make_one(pixels, drawn, emit)
                got = np.moveaxis(got, 0, 2) if planar else got
                np.testing.assert_array_equal(got, want[:, ::-1] if flip else want)


@pytest.mark.parametrize("dtype", REALS)
def test_wide_pixels_are_parts_of_65535(dtype):
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    for scaling in ("unit", "normalised"):
        want = rounded(reference(pixels, scaling, 1, 65535), dtype)
        got = make_one(pixels, plain_drawn(256, 256), emit_of(dtype, 1, scaling=scaling))
        np.testing.assert_array_equal(got, want)
    kept = make_one(pixels, plain_drawn(256, 256), emit_of("uint16", 1))
    np.testing.assert_array_equal(kept, pixels)


def test_normalised_pixels_are_torchvisions():
    """E4: against ToTensor and Normalize, then a cast: equal.

    ToDtype(scale=True) multiplies by the rounded 1/255 instead of dividing: its numbers before
    Normalize are one unit in the last place off at most.
    """
    torchvision_ = torchvision()
    v2, to_tensor = torchvision_.transforms.v2, torchvision_.transforms.functional.to_tensor
    import torch

    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (37, 53, 3), np.uint8)
    for trial in range(40):
        mean, std = MEAN, STD
        if trial:
            mean = tuple(rng.uniform(0, 1, 4))
            std = tuple(rng.uniform(0.01, 2, 4))
        want = v2.Normalize(mean[:3], std[:3])(to_tensor(pixels))
        for name, dtype in (("float32", torch.float32), ("float16", torch.float16)):
            emit = emit_of(name, planar=True, scaling="normalised", mean=mean, std=std)
            got = make_one(pixels, plain_drawn(37, 53), emit)
            np.testing.assert_array_equal(got, want.to(dtype).numpy())
            if name == "float32":
                tensor = torch.from_numpy(pixels).permute(2, 0, 1)
                scaled = v2.ToDtype(torch.float32, scale=True)(tensor)
                other = v2.Normalize(mean[:3], std[:3])(scaled).numpy()
                np.testing.assert_allclose(got, other, rtol=2**-22, atol=2**-22 / min(std[:3]))
        emit = emit_of("bfloat16", planar=True, scaling="normalised", mean=mean, std=std)
        got = make_one(pixels, plain_drawn(37, 53), emit)
        bits = want.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
        np.testing.assert_array_equal(got, bits)


def test_large_numbers_become_infinite_as_in_torch():
    emit = emit_of("float16", 1, scaling="normalised", mean=(0,) * 4, std=(1e-6,) * 4)
    got = make_one(every_value(1), plain_drawn(8, 32), emit)
    assert got[0, 0, 0] == 0
    assert np.isposinf(got.reshape(-1)[20:]).all()


DIGESTS = """
    import hashlib
    import numpy as np
    from making import emit_of, make_one, plain_drawn

    digest = hashlib.sha256()
    rng = np.random.default_rng(1)
    names = ("uint8", "float32", "float16", "bfloat16")
    for k in range(300):
        channels, dtype = (1, 3, 4)[k % 3], names[k // 3 % 4]
        h, w = (int(v) for v in rng.integers(1, [6, 120]))
        scaling = "plain" if dtype == "uint8" else ("plain", "unit", "normalised")[k % 7 % 3]
        drawn = plain_drawn(h, w)
        drawn["stage"]["flip_x"][:, 0] = k % 2
        std = tuple(rng.uniform(0.001, 3, 4))
        emit = emit_of(dtype, channels, planar=bool(k & 4), scaling=scaling, std=std,
                       streaming=bool(k & 8))
        pixels = rng.integers(0, 256, (h, w, channels), np.uint8)
        digest.update(make_one(pixels, drawn, emit).tobytes())
    print(digest.hexdigest())
"""


def test_every_instruction_set_makes_the_same_bits():
    """Runs as subprocesses: the choice is made once per process."""
    digests = set()
    for name in ("scalar", "avx2", "avx512", ""):
        environment = {**os.environ, "FASTCACHE_CPU": name}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(DIGESTS)],
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
            env=environment,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"std": (0.2, 0.0, 0.2, 0.2)},
        {"std": (0.2, np.nan, 0.2, 0.2)},
        {"mean": (np.inf, 0.0, 0.2, 0.2)},
        {"channels": 2},
        {"dtype": "uint8"},
        {"dtype": "float64"},
        {"dtype": "uint16"},
    ],
)
def test_what_cannot_be_emitted_is_refused(change):
    emit = emit_of(**({"dtype": "float32", "scaling": "normalised"} | change))
    with pytest.raises(ArgumentError, match="cannot be made"):
        planes.emit_bytes(raw(emit), 4, 4)


def test_a_record_of_another_size_is_refused():
    with pytest.raises(ArgumentError, match="record takes"):
        planes.emit_bytes(np.zeros(7, np.uint8), 4, 4)
    assert planes.emit_bytes(raw(emit_of("float16")), 4, 5) == 4 * 5 * 3 * 2
