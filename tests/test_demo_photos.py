"""The demo's photographs: the same for the same seed, sized like ImageNet's, all or none."""

import importlib.util
import statistics
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo"
SOURCES = {"china": (640, 427), "flower": (640, 427), "grace_hopper": (512, 600)}
COUNT = 12


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"demo_{name}", DEMO / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


photos = load("photos")


@pytest.fixture
def shipped() -> None:
    """Skip where the packages that bring the photographs are not installed."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")


@pytest.fixture
def views() -> list:
    return [photos.plan_view(index, 0, SOURCES) for index in range(2000)]


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_view_depends_on_its_number_and_the_seed_alone(views):
    assert [photos.plan_view(index, 0, SOURCES) for index in (7, 3)] == [views[7], views[3]]
    assert photos.plan_view(7, 1, SOURCES) != views[7]


def test_windows_stay_inside_their_photograph(views):
    for view in views:
        a, b, c, d, e, f = view.affine
        width, height = SOURCES[view.label]
        for x, y in ((0, 0), (view.size[0], 0), (0, view.size[1]), view.size):
            assert -1e-6 <= a * x + b * y + c <= width + 1e-6
            assert -1e-6 <= d * x + e * y + f <= height + 1e-6


def test_the_mixture_is_the_one_promised(views):
    assert {view.label for view in views} == set(SOURCES)
    assert 0.03 < sum(view.grey for view in views) / len(views) < 0.07
    suffixes = [view.suffix for view in views]
    assert 5 <= suffixes.count(".png") <= 50
    assert 5 <= suffixes.count(".webp") <= 50
    assert suffixes.count(".jpg") + suffixes.count(".png") + suffixes.count(".webp") == 2000
    assert {view.quality for view in views} == set(range(75, 96))
    widths, heights = zip(*(view.size for view in views), strict=True)
    assert statistics.median(widths) == 500
    assert 300 <= statistics.median(heights) <= 400
    assert min(*widths, *heights) < 150
    assert max(*widths, *heights) > 800


def test_it_writes_what_it_planned_and_three_broken_files(tmp_path, shipped):
    root = photos.make(tmp_path, COUNT, seed=3)
    files = contents(root)
    broken = {name for name in files if "broken" in name}
    assert len(broken) == 3
    assert len(files) == COUNT + 3
    for index in range(COUNT):
        view = photos.plan_view(index, 3, SOURCES)
        with Image.open(root / view.label / f"{index:06d}{view.suffix}") as image:
            assert image.size == view.size
            assert image.mode == ("L" if view.grey and view.suffix != ".webp" else "RGB")
            image.load()
    for name in broken:
        with pytest.raises(OSError, match=r"truncated|identify"), Image.open(root / name) as image:
            image.load()


def test_threads_change_nothing_and_a_made_folder_is_found(tmp_path, shipped):
    one = photos.make(tmp_path / "one", COUNT, threads=1)
    four = photos.make(tmp_path / "four", COUNT, threads=4)
    assert contents(one) == contents(four)
    stamp = one.stat().st_mtime_ns
    assert photos.make(tmp_path / "one", COUNT) == one
    assert one.stat().st_mtime_ns == stamp
    assert photos.make(tmp_path / "one", COUNT, seed=1) != one


def test_a_folder_that_was_not_finished_is_not_there(tmp_path, shipped, monkeypatch):
    write_view = photos.write_view

    def failing(view, photo, stem):
        if stem.name == "000005":
            raise OSError(28, "No space left on device")
        write_view(view, photo, stem)

    monkeypatch.setattr(photos, "write_view", failing)
    with pytest.raises(OSError, match="No space left"):
        photos.make(tmp_path, COUNT)
    assert list(tmp_path.iterdir()) == []


def test_a_count_below_one_of_each_class_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="at least 3"):
        photos.make(tmp_path, 2)


def test_the_disk_side_leaves_out_exactly_the_broken_files(tmp_path, shipped):
    disk = load("disk")
    dataset = disk.DiskFolder(photos.make(tmp_path, COUNT), disk.ResizeCenterCrop())
    assert dataset.classes == sorted(SOURCES)
    assert len(dataset) == COUNT
    assert sorted(Path(path).stem for path, _ in dataset.failed) == [
        "broken-cut",
        "broken-empty",
        "broken-text",
    ]
    pixels, label = dataset[0]
    assert tuple(pixels.shape) == (3, 224, 224)
    assert label == 0
