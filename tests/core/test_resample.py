"""The C resampler against Pillow's, and its code paths against one another."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import same_passes
from PIL import Image

from fastcache._core import image as core
from fastcache.errors import ArgumentError
from fastcache.transforms import FILTERS, GEOMETRY

# Pillow's numbers for the core's filters; the names are the same.
PILLOW = {name: Image.Resampling[name.upper()] for name in FILTERS}
MODES = {1: "L", 3: "RGB", 4: "RGBX"}


def geometry(height: int, width: int, out_h: int, out_w: int) -> npt.NDArray[np.void]:
    """Return the geometry of a plain resize."""
    record = np.zeros(1, GEOMETRY)
    for key, source, out in (("h", height, out_h), ("w", width, out_w)):
        record[f"src_{key}"] = record[f"crop_{key}"] = source
        record[f"size_{key}"] = record[f"out_{key}"] = out
    return record


def resize(
    pixels: npt.NDArray[np.uint8], out_h: int, out_w: int, name: str
) -> npt.NDArray[np.uint8]:
    height, width, channels = pixels.shape
    out = np.empty((out_h, out_w, channels), np.uint8)
    core.resample(
        pixels.reshape(-1),
        core.Spec(channels=channels, filter=FILTERS[name]),
        geometry(height, width, out_h, out_w).view(np.uint8),
        out.reshape(-1),
    )
    return out


def pillow_resize(
    pixels: npt.NDArray[np.uint8], out_h: int, out_w: int, name: str
) -> npt.NDArray[np.uint8]:
    height, width, channels = pixels.shape
    image = Image.frombytes(MODES[channels], (width, height), pixels.tobytes())
    return np.asarray(image.resize((out_w, out_h), PILLOW[name])).reshape(out_h, out_w, channels)


def noise(height: int, width: int, channels: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return slopes with noise in one half, pure black and white in the other: overshoot occurs."""
    rng = np.random.default_rng((seed, height, width, channels))
    slope = np.linspace(0, 255, width)[None, :, None] + np.linspace(-60, 60, height)[:, None, None]
    soft = slope + rng.normal(0, 20, (height, width, channels))
    hard = 255.0 * rng.integers(0, 2, (height, width, channels))
    left = np.arange(width)[None, :, None] < width // 2
    return np.clip(np.where(left, soft, hard), 0, 255).astype(np.uint8)


@dataclass
class Tally:
    values: int = 0
    total: int = 0
    above_one: int = 0
    largest: int = 0

    def add(self, got: npt.NDArray[np.uint8], want: npt.NDArray[np.uint8]) -> None:
        off = np.abs(got.astype(np.int16) - want)
        self.values += off.size
        self.total += int(off.sum())
        self.above_one += int((off > 1).sum())
        self.largest = max(self.largest, int(off.max()))


@pytest.mark.parametrize("name", FILTERS)
def test_resampling_is_pillows(name):
    """F8: every filter, up and down, sizes 1..2000: the limits of Fidelity hold over all."""
    tally = Tally()
    side = st.one_of(st.integers(1, 64), st.integers(1, 700), st.integers(1, 2000))

    @settings(
        max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(side, side, side, side, st.sampled_from(sorted(MODES)), st.integers(0, 9))
    def check(height, width, out_h, out_w, channels, seed):
        if not same_passes((height, width), (out_h, out_w)):
            return
        pixels = noise(height, width, channels, seed)
        tally.add(resize(pixels, out_h, out_w, name), pillow_resize(pixels, out_h, out_w, name))

    check()
    assert tally.values > 1_000_000
    assert tally.total / tally.values <= 0.05
    assert tally.above_one <= tally.values / 1_000_000
    assert tally.largest <= 2
    if name == "nearest":
        assert tally.total == 0


@pytest.mark.parametrize("name", FILTERS)
def test_equal_size_is_a_copy(name):
    pixels = noise(37, 53, 3, 0)
    np.testing.assert_array_equal(resize(pixels, 37, 53, name), pixels)


DIGESTS = """
    import hashlib, sys
    import numpy as np
    from test_resample import FILTERS, MODES, noise, resize
    from fastcache._core import image as core

    digest = hashlib.sha256()
    rng = np.random.default_rng(1)
    for k in range(240):
        h, w, out_h, out_w = (int(v) for v in rng.integers(1, [400, 400, 300, 300]))
        pixels = noise(h, w, sorted(MODES)[k % 3], k)
        digest.update(resize(pixels, out_h, out_w, sorted(FILTERS)[k % len(FILTERS)]).tobytes())
    print(core.cpu_name(), digest.hexdigest())
"""


def run_with(cpu: str | None) -> list[str]:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here, here.parent)))}
    environment.pop("FASTCACHE_CPU", None)
    if cpu:
        environment["FASTCACHE_CPU"] = cpu
    command = [sys.executable, "-c", textwrap.dedent(DIGESTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_every_processor_path_gives_the_same_bits():
    """F8: scalar and SIMD are identical, so a machine's age does not show in its data."""
    best, scalar = run_with(None), run_with("scalar")
    assert scalar[0] == "scalar"
    assert best[1] == scalar[1]
    if best[0] == "scalar":
        pytest.skip("this processor has no other path")


def test_an_unknown_processor_path_is_named():
    code = "from fastcache._core import image; image.cpu_name()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FASTCACHE_CPU": "quantum"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ArgumentError" in done.stderr
    assert "does not know (scalar" in done.stderr


@pytest.mark.parametrize(
    "change",
    [{"crop_w": 0}, {"crop_x": 1}, {"crop_h": 38}, {"size_h": 0}, {"out_w": -1}, {"src_h": 0}],
    ids=str,
)
def test_geometries_that_contradict_themselves_are_refused(change):
    record = geometry(37, 53, 10, 10)
    for key, value in change.items():
        record[key] = value
    with pytest.raises(ArgumentError):
        core.resample(
            np.zeros(37 * 53 * 3, np.uint8),
            core.Spec(),
            record.view(np.uint8),
            np.zeros(300, np.uint8),
        )


def test_buffers_that_are_too_small_are_refused():
    record = geometry(37, 53, 10, 10).view(np.uint8)
    enough, out = np.zeros(37 * 53 * 3, np.uint8), np.zeros(300, np.uint8)
    for source, target in ((enough[:-1], out), (enough, out[:-1])):
        with pytest.raises(ArgumentError, match="needed"):
            core.resample(source, core.Spec(), record, target)
