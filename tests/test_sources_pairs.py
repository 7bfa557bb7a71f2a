"""Pairs of image files, from lists and from folders."""

from pathlib import Path

import images
import pytest

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.sources import ImageFiles, Pairs

PATHS = ["a.jpg", "b.jpg", "c.jpg"]


@pytest.fixture
def pair_folders(tmp_path):
    for name in ("2", "10", "sub/1"):
        for folder, suffix in (("photos", "jpg"), ("masks", "png")):
            path = tmp_path / folder / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images.encode(images.photo(8, 8), "PNG"))
    (tmp_path / "photos" / "notes.txt").touch()
    return tmp_path / "photos", tmp_path / "masks"


def test_folders_are_matched_by_name(pair_folders):
    photos, masks = pair_folders
    source = Pairs(*pair_folders)
    assert source.paths == [str(photos / p) for p in ("10.jpg", "2.jpg", "sub/1.jpg")]
    assert source.target_paths == [str(masks / p) for p in ("10.png", "2.png", "sub/1.png")]


@pytest.mark.parametrize(("target", "name"), [("mask", "mask"), ("image", "target")])
def test_lists_are_matched_by_position(target, name):
    source = Pairs(PATHS, map(Path, reversed(PATHS)), target)
    layout = source.layout()
    assert len(source) == 3
    assert layout.structure == ("image", name)
    assert layout.feeds == {
        "image": ImageFiles(PATHS),
        name: ImageFiles(PATHS[::-1], mask=target == "mask"),
    }


def test_files_without_a_partner_are_named_on_both_sides(pair_folders):
    photos, masks = pair_folders
    (masks / "2.png").unlink()
    (photos / "10.jpg").unlink()
    with pytest.raises(ArgumentError, match=r"2 files have no partner.*2\.jpg.*10\.png"):
        Pairs(photos, masks)


def test_two_files_of_one_name_are_refused(pair_folders):
    (pair_folders[0] / "2.png").touch()
    with pytest.raises(ArgumentError, match=r"2\.jpg.*2\.png.*same name"):
        Pairs(*pair_folders)


def test_bad_pairs_are_refused(pair_folders, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ArgumentError, match="3 inputs but 2 targets"):
        Pairs(PATHS, PATHS[:2])
    with pytest.raises(ArgumentError, match="both be folders or both lists"):
        Pairs(pair_folders[0], PATHS)
    with pytest.raises(ArgumentError, match="'mask' or 'image'"):
        Pairs(PATHS, PATHS, "boxes")
    with pytest.raises(ArgumentError, match="inputs is empty"):
        Pairs([], [])
    with pytest.raises(SourceNotFoundError, match="gone"):
        Pairs(pair_folders[0], tmp_path / "gone")
    with pytest.raises(SourceNotFoundError, match="no images"):
        Pairs(pair_folders[0], tmp_path / "none")
