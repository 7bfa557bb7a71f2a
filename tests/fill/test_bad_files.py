"""Files that cannot be decoded: refused with a reason, reported, and never fatal to the rest."""

import os
import resource
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import images
import numpy as np
import pytest
from filling import filled
from PIL import Image, ImageFile

from fastcache import transforms as T
from fastcache.errors import BlockError, DecodeError, SourceNotFoundError
from fastcache.sources import ClassFolder, Files

GOOD = {"000.jpg", "001.jpg", "002.jpg", "003.png", "png-inside.jpg"}


def names(arena):
    paths, index = arena.column("_path.image"), arena.column("_index").rows
    shown = index[: arena.catalog["visible"]].tolist()
    return [Path(bytes(paths[row]).decode()).name for row in shown], shown


@pytest.mark.parametrize("store", [None, T.Resize(32), [T.Resize(32), T.CenterCrop(32)]], ids=str)
def test_skip_leaves_exactly_the_bad_ones_out(bad_class_folder, store):
    """A5: with "skip" the dataset shows the good samples, in order, with their own labels."""
    arena = filled(ClassFolder(bad_class_folder), store=store, on_error="skip")
    shown, rows = names(arena)
    assert set(shown) - {"bad-flipped.jpg"} == GOOD
    assert len(shown) in (9, 10)
    labels = arena.column("label").rows[rows].tolist()
    assert labels == sorted(labels)
    failed = dict(arena.catalog["report"]["failed"])
    bad = {path.name for path in (bad_class_folder / "class_1").iterdir()} - set(shown)
    assert {Path(path).name for path in failed} == bad - {"folder.jpg"}  # no file: never listed
    assert all(reason.strip() for reason in failed.values())


@pytest.mark.parametrize("store", [None, [T.Resize(32), T.CenterCrop(32)]], ids=str)
def test_fill_keeps_them_as_zeros_with_their_label(bad_class_folder, store):
    """A5: with "fill" nothing moves: bad samples are zeros and keep their label."""
    arena = filled(ClassFolder(bad_class_folder), store=store, on_error="fill")
    source = ClassFolder(bad_class_folder)
    assert arena.catalog["visible"] == arena.catalog["count"] == len(source)
    failed = {path for path, _ in arena.catalog["report"]["failed"]}
    column = arena.column("image")
    shown, rows = names(arena)
    paths = [bytes(arena.column("_path.image")[row]).decode() for row in rows]
    for row, path in enumerate(paths):
        pixels = column.rows[row] if hasattr(column, "rows") else column[row]
        assert pixels.size > 0
        assert (not pixels.any()) == (path in failed), path
    assert len(failed) >= 15


def test_raise_names_path_reason_and_remedy(bad_class_folder):
    """A5: with "raise", the default, the error lists what is wrong and how to go on."""
    with pytest.raises(DecodeError) as caught:
        filled(ClassFolder(bad_class_folder))
    assert "on_error" in str(caught.value)
    assert any("fifo.jpg" in path for path, _ in caught.value.failed)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("on_error", ["skip", "fill", "raise"])
def test_nothing_readable_at_all_is_an_error(tmp_path, on_error):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(DecodeError, match="1 of 1"):
        filled(Files([str(path)]), on_error=on_error)


def test_a_missing_folder_is_an_error(tmp_path):
    """E2: a missing folder, and one without images, are errors that name it."""
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        filled(ClassFolder(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceNotFoundError):
        filled(ClassFolder(tmp_path / "empty"))


def pillow_takes(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        return None


def assert_agrees_with_pillow(folder: Path, datas: list[bytes]) -> int:
    """Fill from damaged files; what is kept must be Pillow's, what is not Pillow refuses too."""
    paths = []
    for k, data in enumerate(datas):
        paths.append(folder / f"{k:05d}.jpg")
        paths[-1].write_bytes(data)
    good = folder / "good.jpg"
    good.write_bytes(images.encode(images.photo(20, 20)))
    arena = filled(Files([str(p) for p in [*paths, good]]), on_error="skip")
    shown, rows = names(arena)
    kept = dict(zip(shown, rows))
    column = arena.column("image")
    for path in paths:
        want = pillow_takes(path)
        assert (path.name in kept) == (want is not None), path.name
        if want is not None:
            row = kept[path.name]
            got = column.rows[row] if hasattr(column, "rows") else column[row]
            np.testing.assert_array_equal(got, want, path.name)
    return len(kept) - 1


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}], ids=str)
def test_cut_off_files_are_refused_as_pillow_refuses_them(tmp_path, options):
    """A5: truncated at every 1/50th: refused, as by Pillow."""
    data = images.encode(images.photo(101, 97), **options)
    assert assert_agrees_with_pillow(tmp_path, images.truncated(data, 50)) == 0


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
def test_truncated_files_are_mended_if_pillow_is_told_to(tmp_path, monkeypatch, options):
    """A5: `ImageFile.LOAD_TRUNCATED_IMAGES` holds here as well."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = images.encode(images.photo(101, 97), **options)
    assert assert_agrees_with_pillow(tmp_path, images.truncated(data, 20)) > 10


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}], ids=str)
def test_flipped_bits_are_judged_as_pillow_judges_them(tmp_path, options):
    """A5, F8: damaged data are decoded to Pillow's pixels, or refused by both."""
    data = images.encode(images.photo(67, 83), restart_marker_blocks=7, **options)
    flipped = [images.bit_flipped(data, 1 + k % 5, seed=k) for k in range(150)]
    assert assert_agrees_with_pillow(tmp_path, flipped) > 20


BOMB = """
    import resource, sys
    from fastcache.errors import DecodeError
    from fastcache.fill.build import fill_arena
    from fastcache.fill.options import FillOptions
    from fastcache.sources import Files

    files = sys.argv[1:]
    fill_arena(Files(files[:1]), FillOptions(threads=1))     # everything loaded and warm
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        fill_arena(Files(files[1:]), FillOptions(threads=1))
    except DecodeError as error:
        after = resource.getrusage(resource.RUSAGE_SELF)
        print(error.failed[0][1], after.ru_maxrss - before.ru_maxrss, sep="\\n")
"""


@pytest.mark.parametrize(("kind", "reason"), [("claims-65535", "pixels"), ("1000-scans", "scans")])
def test_a_bomb_is_refused_within_16_mb(tmp_path, kind, reason):
    """A5: an image that claims to be enormous costs next to nothing."""
    good, bomb = tmp_path / "good.jpg", tmp_path / "bomb.jpg"
    good.write_bytes(images.encode(images.photo(101, 97)))
    bomb.write_bytes(images.broken_kinds()[kind])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOMB), str(good), str(bomb)],
        capture_output=True,
        text=True,
        check=True,
    )
    told, growth = done.stdout.splitlines()
    assert reason in told
    assert int(growth) < 16 * 1024  # kilobytes


def test_an_unreadable_file_is_reported(tmp_path):
    """A5: what the system refuses is reported with the system's words."""
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(images.encode(images.photo(20, 30)))
    paths = [str(good), str(bad / "below.jpg"), str(tmp_path / ("n" * 300))]
    arena = filled(Files(paths), on_error="skip")
    reasons = dict(arena.catalog["report"]["failed"])
    assert "No such file" in reasons[paths[1]]
    assert "too long" in reasons[paths[2]]


def test_too_few_descriptors_are_an_error_and_not_a_crash(class_folder):
    """A10: a shortage is an error of its own whatever `on_error` says: the files are sound."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    source = ClassFolder(class_folder)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for on_error in ("raise", "skip", "fill"):
            with pytest.raises(BlockError, match="Too many open files"):
                filled(source, on_error=on_error)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
    assert filled(source).catalog["visible"] == 12
