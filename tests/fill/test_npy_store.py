"""What store= makes of .npy images, and the memory that takes."""

import subprocess
import sys
import textwrap

import images
import numpy as np
import pytest
from filling import filled, reason, row, save, values
from PIL import Image

from fastcache import transforms as T

DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("store", [T.CenterCrop(20), T.CenterCrop(50), T.CenterCrop((8, 60))])
def test_cuts_and_padding_are_exact(tmp_path, dtype, store):
    """F8: windows move elements, they do not touch them."""
    x = values(dtype)
    x[3, 5] = np.finfo(dtype).max if "float" in dtype else np.iinfo(dtype).max
    got = row(filled([save(tmp_path / "a.npy", x)], store=store), 0)
    for c in range(3):
        numbers = Image.fromarray(np.arange(1, 30 * 41 + 1, dtype=np.int32).reshape(30, 41))
        where = np.asarray(store(numbers))
        flat = np.concatenate([[0], x[:, :, c].ravel()])
        np.testing.assert_array_equal(got[:, :, c], flat[where])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_resampling_is_torchs_within_rounding(tmp_path, dtype, interpolation):
    """F8: per channel, antialiased, as torchvision's Resize does to a tensor of the same numbers.

    Its work is torch's interpolate, which is asked here in float64.
    """
    torch = pytest.importorskip("torch")
    if dtype == "uint16" and not images.pillow_blends_16_bits():
        pytest.skip("needs a newer Pillow")
    x = values(dtype, 90, 70, 4)
    if "uint" in dtype:  # Pillow cuts off overshoot after each of two passes
        x = x // 2 + np.iinfo(dtype).max // 4
    got = row(filled([save(tmp_path / "a.npy", x)], store=T.Resize(33, interpolation)), 0)
    assert (got.dtype, got.shape) == (dtype, (42, 33, 4))
    exact = interpolation == "nearest"
    want = torch.nn.functional.interpolate(
        torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None],
        (42, 33),
        mode="nearest-exact" if exact else interpolation,
        antialias=not exact,
    )[0]
    want = want.permute(1, 2, 0).numpy()
    tolerance = {"uint8": 1.51, "uint16": 1.51, "float16": 2e-3}.get(dtype, 2e-6)
    if exact and dtype != "float64":
        tolerance = 0
    assert np.abs(got.astype(np.float64) - want).max() <= tolerance


def test_several_operations_and_sizes(tmp_path):
    """F8: geometry that the core has, and chains that it has not, mean the same to arrays."""
    for k, (h, w) in enumerate([(60, 80), (80, 60), (50, 50)]):
        save(tmp_path / f"{k}.npy", values("float32", h, w, 1, seed=k))
    paths = sorted(tmp_path.iterdir())
    for store in ([T.Resize(40), T.CenterCrop(36)], [T.Resize(40), T.Resize(20)], T.LetterBox(64)):
        arena = filled(paths, store=store)
        for k, path in enumerate(paths):
            image = Image.fromarray(np.load(path)[:, :, 0])
            want = np.asarray(T.apply_store(T.normalize_store(store), image))
            np.testing.assert_allclose(row(arena, k)[:, :, 0], want, atol=1e-6)


def test_float64_beyond_float32_is_not_resampled(tmp_path):
    path = save(tmp_path / "a.npy", np.full((20, 20), 1e300))
    assert "range of float32" in reason(path, store=T.Resize(10))
    assert row(filled([path], store=T.CenterCrop(9)), 0).max() == 1e300


PEAK = """
    import re, sys
    from pathlib import Path
    from fastcache import transforms as T
    from fastcache.fill.build import fill_arena
    from fastcache.fill.options import FillOptions
    from fastcache.sources import Files

    def status(name):
        text = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(name + r":\\s+(\\d+)", text)[1])

    small, large, cut = sys.argv[1:]
    fill_arena(Files([small]), FillOptions(threads=1, store=T.Resize(5)))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
    before = status("VmRSS")
    operations = [T.Resize(1500), T.CenterCrop(int(cut))]
    arena = fill_arena(Files([large]), FillOptions(threads=1, store=operations))
    plan = arena.catalog["plan"]
    print(status("VmHWM") - before, plan["arena_bytes"] + plan["scratch_bytes"])
"""


@pytest.mark.parametrize(("dtype", "cut"), [("float64", 64), (">f8", 1400), ("uint8", 1600)])
def test_the_plan_bounds_what_arrays_take(tmp_path, dtype, cut):
    """A2: the scratch that is planned for a .npy file is not exceeded."""
    small = save(tmp_path / "small.npy", np.ones((20, 20, 3), dtype))
    large = save(tmp_path / "large.npy", np.ones((1700, 1800, 3), dtype))
    command = [sys.executable, "-c", textwrap.dedent(PEAK), str(small), str(large), str(cut)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, planned = map(int, done.stdout.split())
    assert 1 << 24 < grown <= planned
