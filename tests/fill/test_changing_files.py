"""A5: paths that lead to no file, and files that change while they are read."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile
import images
import numpy as np
import pytest
from filling import by_pillow, filled, listed, reasons, shown

from fastcache import Limits
from fastcache.fill import build

# ---- what is no file ----------------------------------------------------------------------------


@pytest.fixture
def odd_files(tmp_path: Path) -> Path:
    for name in ("a.jpg", "z.png"):
        kind = "JPEG" if name.endswith("jpg") else "PNG"
        (tmp_path / name).write_bytes(images.encode(images.photo(30, 40), kind))
    (tmp_path / "directory.png").mkdir()
    (tmp_path / "empty.webp").touch()
    os.mkfifo(tmp_path / "fifo.webp")
    os.symlink("loop.png", tmp_path / "loop.png")
    os.symlink("nowhere", tmp_path / "dangling.jpg")
    os.symlink("/dev/zero", tmp_path / "device.png")
    return tmp_path


def test_what_is_no_file_is_refused_without_waiting_for_it(odd_files):
    paths = sorted(odd_files.iterdir())
    arena = filled(listed(*paths), on_error="skip")
    assert [path.name for path, _, _ in shown(arena)] == ["a.jpg", "z.png"]
    assert [label for _, _, label in shown(arena)] == [0, len(paths) - 1]
    told = reasons(arena)
    for name in ("directory.png", "fifo.webp", "device.png"):
        assert told[name] == "not a regular file"
    assert told["empty.webp"] == "the file is empty"
    assert "symbolic links" in told["loop.png"]
    assert "No such file" in told["dangling.jpg"]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up the right to read everything, which the superuser has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_file_is_reported_with_the_systems_words(tmp_path, monkeypatch):
    for name in ("good.png", "secret.png"):
        (tmp_path / name).write_bytes(images.encode(images.photo(30, 40), "PNG"))
    (tmp_path / "secret.png").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above are not for others
    with unprivileged():
        arena = filled(listed(Path("good.png"), Path("secret.png")), on_error="skip")
    assert [path.name for path, _, _ in shown(arena)] == ["good.png"]
    assert "Permission denied" in reasons(arena)["secret.png"]


# ---- files that change between probe and decode --------------------------------------------------

Change = Callable[[Path], None]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by(make: Callable[[], bytes]) -> Change:
    return lambda path: path.write_bytes(make())  # type: ignore[func-returns-value]


CHANGED = "the file changed after it was probed"
NO_IMAGE = (
    "no image of a format that is decoded here (fastcache.codecs() lists them), or its header is "
    "damaged"
)
# What is done, and what is said of a file that C was to decode, and of one for Pillow.
CHANGES: dict[str, tuple[Change, str, str]] = {
    "removed": (
        Path.unlink,
        "the file could not be read: No such file or directory",
        "FileNotFoundError: [Errno 2] No such file or directory: '{path}'",
    ),
    "emptied": (lambda path: path.write_bytes(b""), "the file is empty", NO_IMAGE),
    "cut": (
        cut,
        "the file ends before the image does",
        "OSError: image file is truncated (N bytes not processed)",
    ),
    "text": (lambda path: path.write_bytes(b"no image any more"), NO_IMAGE, NO_IMAGE),
    "other-size": (
        replaced_by(lambda: images.encode(images.photo(31, 40), "PNG")),
        CHANGED,
        (
            "SchemaError: {path} has shape (31, 40, 3), its place in the arena (30, 40, 3): the "
            "file or the Dataset changed meanwhile, or its images differ in size (pass "
            'infer="scan")'
        ),
    ),
    "bomb": (
        replaced_by(hostile.png_enormous),
        f"{CHANGED}, and now exceeds Limits(pixels=178956970)",
        (
            "Image size (10000000000 pixels) exceeds limit of 178956970 pixels, and Pillow, which "
            "decodes this file, takes no more than 178,956,970 pixels: if it is meant to be that "
            "large, raise PIL.Image.MAX_IMAGE_PIXELS as well as limits="
        ),
    ),
    "grown": (
        lambda path: path.write_bytes(path.read_bytes() + bytes(1 << 20)),
        f"{CHANGED}, and now exceeds Limits(bytes=1000000)",
        (
            "{size:,} bytes, the limit is 1,000,000: if the file is meant to be that large, raise "
            "limits=Limits(bytes={size})"
        ),
    ),
    "fifo": (swap, "not a regular file", "not a regular file"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_after_the_probe_fails_alone(tmp_path, monkeypatch, kind, change):
    paths = [tmp_path / f"{k}.img" for k in range(5)]
    for k, path in enumerate(paths):
        path.write_bytes(images.encode(images.photo(30, 40, seed=k), kind))
    want = {path.name: by_pillow(path) for path in paths}
    read_budget = build.read_budget

    def read_budget_and_change(*args):
        CHANGES[change][0](paths[2])
        return read_budget(*args)

    # The budget is read when all headers are known and nothing is decoded yet.
    monkeypatch.setattr(build, "read_budget", read_budget_and_change)
    arena = filled(listed(*paths), on_error="skip", limits=Limits(bytes=1_000_000))
    assert [label for _, _, label in shown(arena)] == [0, 1, 3, 4]
    for path, pixels, _ in shown(arena):
        np.testing.assert_array_equal(pixels, want[path.name])
    (reason,) = reasons(arena).values()
    size = paths[2].stat().st_size if paths[2].exists() else 0
    reason = re.sub(r"\(\d+ bytes not", "(N bytes not", reason)  # of the encoder's version
    assert reason == CHANGES[change][1 + (kind == "GIF")].format(path=paths[2], size=size)


def test_a_file_replaced_by_another_of_its_size_is_read_as_what_it_is(tmp_path, monkeypatch):
    paths = [tmp_path / f"{k}.jpg" for k in range(3)]
    for path in paths:
        path.write_bytes(images.encode(images.photo(30, 40)))
    read_budget = build.read_budget

    def read_budget_and_change(*args):
        paths[1].write_bytes(images.encode(images.photo(30, 40, seed=7), "PNG"))
        return read_budget(*args)

    monkeypatch.setattr(build, "read_budget", read_budget_and_change)
    for path, pixels, _ in shown(filled(listed(*paths))):
        np.testing.assert_array_equal(pixels, by_pillow(path))
