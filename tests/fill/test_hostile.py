"""A5: files that are built to do harm: refused with the reason, at next to no cost."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import hostile
import images
import mutations
import numpy as np
import pytest
from filling import by_pillow, filled, listed, reasons, shown

from fastcache.errors import DecodeError
from fastcache.sources import ClassFolder

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


# ---- bombs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bombs(tmp_path_factory) -> Path:
    """A folder of every bomb, and one good file."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _) in hostile.REFUSED.items():
        (folder / name).write_bytes(make())
    for name, make in hostile.JUDGED.items():
        (folder / name).write_bytes(make())
    (folder / "good.jpg").write_bytes(images.encode(images.photo(30, 40)))
    return folder


@pytest.mark.parametrize("name", hostile.REFUSED)
def test_a_bomb_is_refused_by_name_and_with_the_limit_it_breaks(bombs, name):
    with pytest.raises(DecodeError) as caught:
        filled(listed(bombs / "good.jpg", bombs / name))
    ((path, reason),) = caught.value.failed
    assert path == str(bombs / name)
    assert hostile.REFUSED[name][1] in reason


@pytest.mark.parametrize("name", hostile.JUDGED)
def test_what_inflates_is_judged_as_pillow_judges_it(bombs, name):
    arena = filled(listed(bombs / "good.jpg", bombs / name), on_error="skip")
    want = by_pillow(bombs / name)
    got = {path.name: pixels for path, pixels, _ in shown(arena)}
    assert (name in got) == (want is not None), reasons(arena)
    if want is not None:
        np.testing.assert_array_equal(got[name], want)
    else:
        assert reasons(arena)[name].strip()


def test_a_dataset_with_bombs_goes_on_with_its_good_files(tmp_path):
    """What is left has its own pixels and labels, in order."""
    root = images.write_class_folder(tmp_path / "photos", classes=3)
    for number, (name, (make, _)) in enumerate(hostile.REFUSED.items()):
        (root / f"class_{number % 3}" / f"001-{name}").write_bytes(make())
    samples = shown(filled(ClassFolder(root), on_error="skip"))
    assert len(samples) == 12
    for path, pixels, label in samples:
        assert label == int(path.parent.name[-1])
        np.testing.assert_array_equal(pixels, by_pillow(path))


# VmHWM is the address space's own; ru_maxrss of a new process begins with its parent's.
PEAK = """
    import sys
    from fastcache.errors import DecodeError
    from fastcache.fill.build import fill_arena
    from fastcache.fill.options import FillOptions
    from fastcache.sources import Files

    def kilobytes(what):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(what))

    def fill(paths):
        fill_arena(Files(paths), FillOptions(threads=1, on_error="skip"))

    warm, good, bomb = sys.argv[1:]
    for _ in range(2):
        fill([good, warm])  # everything loaded
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # forget the peak
    before = kilobytes("VmRSS")
    fill([good, bomb])
    print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="Linux counts the peak")
@pytest.mark.parametrize("name", [*hostile.REFUSED, *hostile.JUDGED])
def test_a_bomb_costs_less_than_16_mb(bombs, tmp_path, name):
    warm = tmp_path / f"warm{Path(name).suffix}"
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(warm.suffix[1:], warm.suffix[1:].upper())
    warm.write_bytes(images.encode(images.photo(30, 40), kind))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PEAK), warm, bombs / "good.jpg", bombs / name],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 16 * 1024


# ---- damage --------------------------------------------------------------------------------------


def assert_agrees_with_pillow(folder: Path, files: dict[str, bytes]) -> int:
    """Fill from damaged files; what is kept must be Pillow's. Returns how many are kept."""
    paths = [folder / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    good = folder / "good.jpg"
    good.write_bytes(images.encode(images.photo(20, 20)))
    arena = filled(listed(*paths, good), on_error="skip")
    kept = {path.name: pixels for path, pixels, _ in shown(arena)}
    for path in paths:
        want = by_pillow(path)
        assert (path.name in kept) == (want is not None), (path.name, reasons(arena))
        if want is not None:
            np.testing.assert_array_equal(kept[path.name], want, path.name)
    return len(kept) - 1


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_damaged_files_are_judged_as_pillow_judges_them(tmp_path, kind):
    sound = {
        "png": [hostile.png(), images.encode(images.photo(31, 47, "P"), "PNG")],
        "webp": [hostile.webp(), hostile.webp(lossless=True)],
    }[kind]
    files = {f"{k:03d}.{kind}": mutations.mutated(sound[k % 2], seed=k) for k in range(200)}
    assert 10 < assert_agrees_with_pillow(tmp_path, files) < 190


def test_inputs_that_once_broke_something_are_judged_as_pillow_judges_them(tmp_path):
    """tests/corpus keeps what fuzzing found; its fuzz targets run them under valgrind as well."""
    found = {path.name: path.read_bytes() for path in CORPUS.rglob("*") if path.is_file()}
    assert found
    assert_agrees_with_pillow(tmp_path, found)
