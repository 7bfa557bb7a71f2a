"""ClassFolder: torchvision's ImageFolder is the oracle."""

import os
import pickle

import images
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision_oracle import torchvision

from fastcache.errors import ArgumentError, SourceNotFoundError
from fastcache.schema import Scalar
from fastcache.sources import IMG_EXTENSIONS, ClassFolder, ImageFiles, as_source

NAMES = st.text("abAB-._ é7", min_size=1, max_size=4).filter(lambda name: name.strip(". ") != "")
SUFFIXES = st.sampled_from([".jpg", ".JPG", ".Jpeg", ".png", ".webp", ".gif", ".txt", ""])


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def check_against_torchvision(root, **options):
    expected = torchvision().datasets.ImageFolder(str(root), **options)
    source = ClassFolder(root, **options)
    assert source.samples == expected.samples
    assert source.classes == expected.classes
    assert source.class_to_idx == expected.class_to_idx
    assert source.labels.tolist() == expected.targets
    assert len(source) == len(expected)
    return source


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(
        st.tuples(st.lists(NAMES, min_size=1, max_size=3), NAMES, SUFFIXES), min_size=1, max_size=12
    )
)
def test_trees_are_read_as_by_torchvision(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("tree")
    for folders, stem, suffix in files:
        path = root.joinpath(*folders, stem + suffix)
        if not path.exists() and not any(parent.is_file() for parent in path.parents):
            touch(path)
    if not any(path.suffix.lower() in IMG_EXTENSIONS for path in root.rglob("*")):
        touch(root / "z" / "last.jpg")
    check_against_torchvision(root, allow_empty=True)


def test_folders_sort_as_in_os_walk(tmp_path):
    for path in ("a/b/2.jpg", "a/b-c/1.jpg", "a/b.d/0.jpg", "a/9.jpg", "a/B/3.jpg", "b/1.PNG"):
        touch(tmp_path / path)
    check_against_torchvision(tmp_path)


def test_is_valid_file_decides_alone(class_folder):
    source = check_against_torchvision(
        class_folder, is_valid_file=lambda path: os.path.basename(path) > "001.jpg"
    )
    assert len(source) == 6


def test_linked_folders_and_files_are_followed(class_folder):
    os.symlink(class_folder / "class_0", class_folder / "class_9")
    os.symlink(class_folder / "class_1", class_folder / "class_0" / "more")
    os.symlink("000.jpg", class_folder / "class_0" / "again.jpg")
    os.symlink("nowhere", class_folder / "class_0" / "dangling.jpg")
    check_against_torchvision(class_folder)
    without = ClassFolder(class_folder, follow_links=False)
    assert without.classes[-1] == "class_9"
    assert not any(f"{os.sep}more{os.sep}" in path for path in without.paths)


@pytest.mark.parametrize("target", ["..", "../..", "."])
def test_links_in_a_circle_are_refused_at_once(class_folder, target):
    os.symlink(target, class_folder / "class_0" / "circle")
    with pytest.raises(SourceNotFoundError, match=r"circle.*follow_links=False"):
        ClassFolder(class_folder)
    assert len(ClassFolder(class_folder, follow_links=False)) == 12


def test_links_in_a_circle_over_two_folders_are_refused(class_folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(class_folder / "class_0", outside / "back")
    os.symlink(outside, class_folder / "class_0" / "out")
    with pytest.raises(SourceNotFoundError, match="back"):
        ClassFolder(class_folder)


def test_layout_and_attributes(class_folder):
    source = ClassFolder(class_folder)
    layout = source.layout()
    assert layout.structure == ("image", "label")
    assert layout.feeds["image"] == ImageFiles(source.paths)
    assert layout.feeds["label"].field == Scalar("int64")
    assert layout.feeds["label"].rows.dtype == np.int64
    assert layout.attributes == {"root": str(class_folder), "classes": source.classes}
    assert pickle.loads(pickle.dumps(source)).samples == source.samples


def test_home_is_expanded(class_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(class_folder.parent))
    assert ClassFolder("~/photos").samples == ClassFolder(class_folder).samples


def test_no_file_is_touched(class_folder, monkeypatch):
    real, seen = os.stat, []
    monkeypatch.setattr(
        os, "stat", lambda path, *a, **k: (seen.append(str(path)), real(path, *a, **k))[1]
    )
    monkeypatch.setattr("builtins.open", None)
    ClassFolder(class_folder)
    assert not [path for path in seen if path.endswith((".jpg", ".png"))]


def test_as_source_takes_paths(class_folder):
    for path in (class_folder, str(class_folder)):
        assert as_source(path).samples == ClassFolder(class_folder).samples


# ---- errors -------------------------------------------------------------------------------------


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"gone.*does not exist"):
        ClassFolder(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        ClassFolder(tmp_path / "gone")


def test_a_file_as_root_is_refused(class_folder):
    with pytest.raises(SourceNotFoundError, match="is not a folder"):
        ClassFolder(class_folder / "class_0" / "000.jpg")


def test_a_folder_of_images_alone_is_told_what_to_use(class_folder):
    with pytest.raises(SourceNotFoundError, match=r"4 images itself: use sources\.Files"):
        ClassFolder(class_folder / "class_0")


def test_an_empty_root_is_refused(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no class folder"):
        ClassFolder(tmp_path)


def test_empty_classes_are_named_and_may_be_allowed(class_folder):
    for k in range(12):
        (class_folder / f"empty_{k:02d}").mkdir()
    with pytest.raises(SourceNotFoundError, match=r"12 of 15.*empty_00.*2 more.*allow_empty"):
        ClassFolder(class_folder)
    check_against_torchvision(class_folder, allow_empty=True)


def test_no_image_at_all_is_an_error_even_if_empty_classes_are_allowed(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(SourceNotFoundError, match="no valid file"):
        ClassFolder(tmp_path, allow_empty=True)


def test_a_folder_that_cannot_be_listed_is_an_error_not_a_gap(class_folder, monkeypatch):
    locked, real = str(class_folder / "class_1"), os.scandir

    def scandir(path):
        if path == locked:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceNotFoundError, match=r"class_1.*Permission denied"):
        ClassFolder(class_folder)


@pytest.mark.parametrize("root", [None, 3, b"photos", "", "a\0b"])
def test_roots_that_are_no_paths_are_refused(root):
    with pytest.raises(ArgumentError, match="root"):
        ClassFolder(root)


def test_extensions_may_be_chosen(class_folder):
    assert len(ClassFolder(class_folder, extensions=".PNG")) == 3
    assert len(ClassFolder(class_folder, extensions=("png", "jpg"))) == 12
    with pytest.raises(SourceNotFoundError, match=r"\.tga"):
        ClassFolder(class_folder, extensions=(".tga",))


@pytest.mark.parametrize(
    "options",
    [
        {"extensions": ()},
        {"extensions": (3,)},
        {"extensions": ""},
        {"extensions": (".jpg",), "is_valid_file": bool},
    ],
)
def test_bad_filters_are_refused(class_folder, options):
    with pytest.raises(ArgumentError, match="extensions"):
        ClassFolder(class_folder, **options)


def test_broken_files_are_left_to_the_fill(bad_class_folder):
    names = {os.path.basename(path) for path in ClassFolder(bad_class_folder).paths}
    assert {f"bad-{kind}.jpg" for kind in images.broken_kinds()} <= names
    assert {"fifo.jpg", "loop.jpg", "dangling.jpg"} <= names
    assert "folder.jpg" not in names
