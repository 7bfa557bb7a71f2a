"""The demo's comparison fails loudly: limits, other pixels, other files."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

pytest.importorskip("torch", reason="the demo trains with torch")

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo"


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO))
    return SimpleNamespace(
        checks=importlib.import_module("checks"), disk=importlib.import_module("disk")
    )


@pytest.fixture
def folder(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for k in range(4):
            image = Image.effect_noise((300 + 7 * k, 290), 40 + k).convert("RGB")
            image.save(tmp_path / label / f"{k}.jpg")
    (tmp_path / "a" / "9.jpg").write_bytes(b"no image")
    return tmp_path


def test_the_same_folder_passes_both_checks(demo, folder):
    disk = demo.disk.DiskFolder(folder, demo.disk.ResizeCenterCrop())
    assert demo.checks.check_batches(folder, disk, 3, 0, 100) == {"equal": 3, "batches": 3}
    pixels = demo.checks.check_pixels(folder, disk, 0, 100)
    assert pixels["values"] == 8 * 224 * 224 * 3
    assert demo.checks.check_pixels(folder, disk, 0, 4)["values"] < pixels["values"]


def test_other_pixels_are_refused(demo, folder):
    class Other(demo.disk.ResizeCenterCrop):
        def __call__(self, image):
            return super().__call__(image) ^ 4

    disk = demo.disk.DiskFolder(folder, Other())
    with pytest.raises(demo.checks.DifferentError, match="mean pixel difference"):
        demo.checks.check_pixels(folder, disk, 0, 100)


def test_other_files_are_refused(demo, folder):
    disk = demo.disk.DiskFolder(folder, demo.disk.ResizeCenterCrop())
    disk.samples.pop()
    with pytest.raises(demo.checks.DifferentError, match="only in the arena"):
        demo.checks.check_batches(folder, disk, 3, 0, 100)


@pytest.mark.parametrize(
    ("mean", "maximum", "above"), [(0.051, 1, 0), (0.01, 2, 101), (0.01, 3, 1)]
)
def test_each_limit_is_kept(demo, mean, maximum, above):
    values = 100_000_000
    demo.checks.PixelDifference(values, 0.05, 2, 100).check()
    with pytest.raises(demo.checks.DifferentError):
        demo.checks.PixelDifference(values, mean, maximum, above).check()


def test_both_sides_publish_the_waits_for_batches(demo, folder, capsys):
    """A9: median and 99th percentile of the wait for a batch stand beside each other.

    How many times faster the arena is, is measured by ``make bench``, not by a test.
    """
    training = importlib.import_module("training")
    measure = importlib.import_module("measure")
    waits = [k / 1000 for k in range(101)]
    assert measure.milliseconds(training.Timing(waits=waits)) == pytest.approx(
        {"batch_p50_ms": 50.0, "batch_p99_ms": 99.0}
    )
    options = SimpleNamespace(batch=4, epochs=1, seed=0)
    paths = sorted(str(path) for path in folder.rglob("*.jpg"))
    sides = [side(folder, paths, options) for side in (measure.run_disk, measure.run_arena)]
    for numbers in sides:
        assert 0 < numbers["batch_p50_ms"] <= numbers["batch_p99_ms"]
        assert (numbers["samples"], numbers["failed"]) == (8, 1)
        assert len(numbers["losses"]) == 2
    assert "failed" in capsys.readouterr().out  # the arena's report
