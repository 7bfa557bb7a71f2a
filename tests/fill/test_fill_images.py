"""Filling an arena from image files: whatever the way, the pixels are Pillow's."""

import gc
import io
import os
import random
import shutil
from itertools import pairwise
from pathlib import Path

import images
import numpy as np
import PIL
import pytest
from filling import filled, oracle, row
from PIL import Image, ImageOps

from fastcache import transforms as T
from fastcache.errors import ArgumentError, BudgetError, DecodeError
from fastcache.fill.progress import Progress
from fastcache.sources import ClassFolder, Files, Pairs


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def write_all(folder: Path, kinds: dict[str, bytes]) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in kinds.items():
        path = folder / f"{name.replace(':', '').replace('/', '-')}.bin"
        path.write_bytes(data)
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("color", ["RGB", "L", "RGBA"])
def test_every_kind_of_jpeg_is_pillows_to_the_bit(tmp_path, jpeg_kinds, color, exif):
    """F8: JPEG decode equals Pillow's for every kind of file that the tests make."""
    paths = write_all(tmp_path, jpeg_kinds)
    arena = filled(Files(paths), color=color, exif=exif)
    told = arena.catalog["report"]["columns"]["image"]
    assert told["decoded_in_c"] == {"JPEG": len(paths)}
    for index, (name, data) in enumerate(jpeg_kinds.items()):
        np.testing.assert_array_equal(row(arena, index), oracle(data, color, exif=exif), name)


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("color", ["RGB", "L", "RGBA", "I;16"])
def test_other_formats_are_pillows_too(tmp_path, color, exif):
    """F8, E3: whoever decodes the other usual formats, the pixels are Pillow's."""
    kinds = images.other_kinds()
    kinds["jpeg"] = images.with_orientation(images.photo(31, 40), 6)
    if color == "I;16":
        kinds = {name: kinds[name] for name in ("png-L", "png-I;16")}
    paths = write_all(tmp_path, kinds)
    arena = filled(Files(paths), color=color, exif=exif)
    told = arena.catalog["report"]["columns"]["image"]
    ways = (told["decoded_in_c"], told["through_pillow"])
    assert sum(sum(way.values()) for way in ways) == len(paths)
    assert "GIF" not in ways[0] and ways[1].get("JPEG") is None
    for index, (name, data) in enumerate(kinds.items()):
        np.testing.assert_array_equal(row(arena, index), oracle(data, color, exif=exif), name)


@pytest.mark.parametrize(
    "store",
    [
        T.Resize(40),
        T.Resize((33, 47), interpolation="bicubic"),
        [T.Resize(48, interpolation="lanczos"), T.CenterCrop(40)],
        [T.CenterCrop(90), T.Resize(20, interpolation="box")],
        T.CenterCrop(64),
        T.LetterBox(80),
        [T.Resize(30), T.Resize(50)],
    ],
    ids=str,
)
@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13,
    reason="Pillow before 13 never shrinks the height first; see tests/core/test_resample.py",
)
def test_stored_pixels_are_pillows_within_rounding(tmp_path, store, exif):
    """F8: what `store` keeps differs from Pillow by rounding alone."""
    kinds = {
        f"{h}x{w}-{o}": images.with_orientation(images.photo(h, w), o)
        for h, w in [(101, 97), (60, 130), (62, 94)]
        for o in (1, 3, 6)
    }
    kinds["png"] = images.encode(images.photo(70, 50), "PNG")
    arena = filled(Files(write_all(tmp_path, kinds)), store=store, exif=exif)
    steps = T.normalize_store(store)
    errors = []
    for index, data in enumerate(kinds.values()):
        with Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image) if exif == "apply" else image
            want = np.asarray(T.apply_store(steps, upright.convert("RGB")))
        got = row(arena, index)
        assert got.shape == want.shape
        errors.append(np.abs(got.astype(int) - want).ravel())
    difference = np.concatenate(errors)
    assert difference.mean() <= 0.05
    assert difference.max() <= 1


def test_threads_and_processor_paths_do_not_show(class_folder):
    """B3 in spirit: the bytes are the same for any number of threads."""
    one, four = (filled(ClassFolder(class_folder), store=T.Resize(32), threads=n) for n in (1, 4))
    for index in range(one.catalog["count"]):
        np.testing.assert_array_equal(row(one, index), row(four, index))


def test_files_are_not_needed_after_the_fill(class_folder):
    """C6: after the fill no image file is opened, for there is none any more."""
    arena = filled(ClassFolder(class_folder), store=[T.Resize(32), T.CenterCrop(32)])
    before = row(arena, 3).copy()
    shutil.rmtree(class_folder)
    np.testing.assert_array_equal(row(arena, 3), before)


def test_plan_is_exact_and_dense_rows_are_counted_from_headers(class_folder):
    """A1, E1: the plan's bytes are those of the arena; a dense column is N rows and no more."""
    arena = filled(ClassFolder(class_folder), store=[T.Resize(32), T.CenterCrop(24)])
    plan = arena.catalog["plan"]
    by_name = {column["name"]: column["bytes"] for column in plan["columns"]}
    assert by_name["image"] == 12 * 24 * 24 * 3
    assert arena.column("image").rows.shape == (12, 24, 24, 3)
    assert plan["arena_bytes"] == arena.layout.total_bytes == arena.buffer.nbytes


def test_global_random_state_is_untouched(class_folder):
    """A1: planning and filling draw nothing from the global generators."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global one is the point
    state, numpy_state = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    filled(ClassFolder(class_folder), limit=0.5)
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_progress_tells_the_truth(class_folder):
    """A4: the callback ends at total, counts failures, and its bytes are the pixels written."""
    (class_folder / "class_0" / "broken.jpg").write_bytes(images.encode(images.photo(50, 60))[:-2])
    seen: list[Progress] = []
    arena = filled(
        ClassFolder(class_folder), store=T.Resize((32, 32)), on_error="skip", progress=seen.append
    )
    last = seen[-1]
    assert (last.done, last.total, last.failed) == (13, 13, 1)
    assert all(a.done <= b.done and a.seconds <= b.seconds for a, b in pairwise(seen))
    pixels = 12 * 32 * 32 * 3
    assert pixels <= last.bytes <= arena.layout.total_bytes
    assert abs(last.bytes - pixels) <= 0.01 * arena.layout.total_bytes + 13 * 200  # labels, paths


def test_a_callback_that_raises_ends_the_fill_and_leaks_nothing(class_folder):
    """B7: an exception in the middle leaves no memory and no descriptor behind."""

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    before = descriptors()
    with pytest.raises(KeyboardInterrupt):
        filled(ClassFolder(class_folder), progress=stop)
    assert descriptors() == before


def test_limit_takes_the_first_or_a_seeded_share(class_folder):
    """A8: `limit` takes a subset on purpose, the same for the same seed."""
    source = ClassFolder(class_folder)
    labels = filled(source).column("label").rows.tolist()
    first = filled(source, limit=5)
    assert first.column("label").rows.tolist() == labels[:5]
    shares = [filled(source, limit=0.5, seed=s).column("_path.image") for s in (1, 1, 2)]
    paths = [[bytes(share[i]) for i in range(len(share))] for share in shares]
    assert len(paths[0]) == 6
    assert paths[0] == paths[1] != paths[2]
    assert paths[0] == sorted(paths[0])


@pytest.mark.parametrize("limit", [0, -1, 0.0, 1.5, True, "3"])
def test_a_limit_without_meaning_is_refused(class_folder, limit):
    with pytest.raises(ArgumentError, match="limit"):
        filled(ClassFolder(class_folder), limit=limit)


@pytest.mark.parametrize(
    "options",
    [
        {"color": "CMYK"}, {"exif": "maybe"}, {"home": "disk"}, {"home": "cuda"},
        {"keep": "cached"}, {"on_error": "ignore"}, {"threads": 0}, {"seed": -1},
        {"progress": 3}, {"store": str.upper}, {"budget": "much"}, {"budget": -5},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_name_what_would_do(class_folder, options):
    """A request that cannot be met says what can."""
    (name,) = options
    with pytest.raises(ArgumentError, match=f"{name}|amount of memory"):
        filled(ClassFolder(class_folder), **options)


def test_budget_is_checked_before_anything_is_allocated(class_folder):
    """A2, A10: too large is an error with need, have and remedy; the next fill works."""
    before = descriptors()
    with pytest.raises(BudgetError) as caught:
        filled(ClassFolder(class_folder), budget=1000)
    assert caught.value.need > caught.value.have == 1000
    assert "store=" in str(caught.value) and "limit=" in str(caught.value)
    assert isinstance(caught.value, MemoryError)
    assert descriptors() == before
    assert filled(ClassFolder(class_folder)).catalog["visible"] == 12


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_tiffs_are_turned_as_pillow_turns_them(tmp_path, orientation, exif):
    """F8: Pillow turns TIFFs by itself; sizes planned from their headers agree with it."""
    info = Image.Exif()
    info[0x0112] = orientation
    data = images.encode(images.photo(31, 47), "TIFF", exif=info)
    arena = filled(Files(write_all(tmp_path, {"a": data})), exif=exif)
    np.testing.assert_array_equal(row(arena, 0), oracle(data, exif=exif))


def test_masks_are_indices_and_follow_the_geometry(tmp_path):
    """E3: a palette mask keeps its indices; resizing takes nearest and invents no class."""
    inputs, targets = tmp_path / "in", tmp_path / "out"
    want = []
    for folder in (inputs, targets):
        folder.mkdir()
    for k in range(3):
        image, mask = images.photo(60, 80, seed=k), images.photo(60, 80, "P", seed=k)
        image.save(inputs / f"{k}.jpg")
        mask.save(targets / f"{k}.png")
        want.append(np.asarray(mask.resize((32, 24), Image.Resampling.NEAREST)))
    source = Pairs(str(inputs), str(targets), target="mask")
    arena = filled(source, store=T.Resize((24, 32)))
    name = next(n for n, f in arena.catalog["columns"].items() if f["kind"] == "mask")
    np.testing.assert_array_equal(arena.column(name).rows, np.stack(want))


def test_a_file_that_changes_between_probe_and_decode_is_an_error(tmp_path, monkeypatch):
    """A5: the header is read again when the file is decoded, and must say the same."""
    from fastcache.fill import build

    path = tmp_path / "photo.jpg"
    path.write_bytes(images.encode(images.photo(50, 60)))
    allocate = build.Arena.allocate

    def swap(*args, **kwargs):
        path.write_bytes(images.encode(images.photo(60, 50)))
        return allocate(*args, **kwargs)

    monkeypatch.setattr(build.Arena, "allocate", swap)
    with pytest.raises(DecodeError, match="changed"):
        filled(Files([str(path)]))
