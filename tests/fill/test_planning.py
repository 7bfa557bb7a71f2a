"""``plan_for``: what it says before a fill is what the fill then takes."""

import random
import subprocess
import sys
from dataclasses import replace

import images
import numpy as np
import pytest
from filling import filled, save, values, write
from PIL import Image

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError, NoMemoryError, SourceNotFoundError
from fastcache.fill.estimate.plan import Plan
from fastcache.fill.images import file_table
from fastcache.memory import arena as arenas
from fastcache.sources import Arrays, ClassFolder, Files, Pairs, Series, Wrapped


class Boxes:
    """A map-style Dataset of images and arrays whose shapes differ."""

    def __len__(self):
        return 7

    def __getitem__(self, index):
        if index >= 7:
            raise IndexError
        boxes = np.full((index, 4), index, np.float32)
        return images.photo(20 + index, 30), boxes, f"name {index}"


class Plain:
    """A map-style Dataset of arrays of one shape."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index >= 5:
            raise IndexError
        return np.full((3, 4), index, np.int16), index


def pairs(tmp_path):
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    masks.mkdir()
    for k in range(6):
        images.photo(40 + k, 60).save(photos / f"{k}.jpg")
        images.photo(40 + k, 60, "P").save(masks / f"{k}.png")
    return Pairs(photos, masks)


def npy_files(tmp_path):
    paths = [save(tmp_path / f"{k}.npy", values("float32", seed=k)) for k in range(4)]
    return Files([str(path) for path in paths], [0, 1, 2, 3])


def folder(tmp_path):
    return ClassFolder(images.write_class_folder(tmp_path / "set"))


X = np.arange(3 * 500, dtype=np.float32).reshape(3, 500)
SOURCES = {
    "folder, its own sizes": (folder, {}),
    "folder, one size": (folder, {"store": T.LetterBox(32)}),
    "folder, two operations": (folder, {"store": [T.Resize(40), T.CenterCrop(32)]}),
    "folder, grey 16 bits": (folder, {"color": "I;16", "store": T.Resize(24)}),
    "folder, a share": (folder, {"limit": 0.5, "seed": 3}),
    "pairs": (pairs, {"store": T.LetterBox(48)}),
    "pairs, their own sizes": (pairs, {}),
    "npy": (npy_files, {}),
    "arrays": (lambda _: Arrays(np.zeros((9, 3, 5), np.float64), np.arange(9)), {}),
    "a Dataset, its first sample": (lambda _: Wrapped(Plain()), {}),
    "a Dataset, all of it": (lambda _: Wrapped(Boxes(), infer="scan"), {}),
    "a Dataset, with store": (lambda _: Wrapped(Boxes(), infer="scan"), {"store": T.LetterBox(16)}),
    "series": (lambda _: Series(X, window=32, stride=3), {}),
    "series of many windows": (lambda _: Series(X, np.arange(500), window=8), {}),
}


def without_the_moment(plan):
    """Return a plan without what depends on when it was made."""
    moment = {"have_bytes": 0, "available_bytes": 0, "limit": "", "fill_seconds": None}
    return replace(plan, **moment, unread=())


@pytest.mark.parametrize("name", SOURCES)
def test_the_plan_is_what_the_arena_takes(tmp_path, name):
    """A1, A7: exact bytes before anything is allocated; ``ds.plan`` is the same plan."""
    make, options = SOURCES[name]
    source = make(tmp_path)
    plan = fc.plan_for(source, **options)
    with filled(source, **options) as arena:
        layout = arena.layout
        assert plan.arena_bytes == plan.decoded_bytes == layout.total_bytes
        assert plan.samples == len(arena) == plan.kept["decoded"]
        for column in plan.columns:
            assert column.bytes == layout.bytes_of(column.name)
        kept = Plan.from_json(arena.catalog["plan"])
        assert without_the_moment(kept) == without_the_moment(plan)
        assert plan.fits


@pytest.mark.parametrize("name", SOURCES)
def test_a_plan_survives_json_and_prints(tmp_path, name):
    make, options = SOURCES[name]
    plan = fc.plan_for(make(tmp_path), **options)
    assert Plan.from_json(plan.to_json()) == plan
    text = str(plan)
    for part in (
        f"{plan.samples:,} samples",
        plan.basis,
        f"{plan.arena_bytes:,} bytes",
        plan.limit,
    ):
        assert part in text
    assert text.endswith("verdict             fits") or "fits" in text.splitlines()[-1]


@pytest.mark.parametrize("store", [None, T.LetterBox(8)])
def test_26_419_headers(tmp_path, store):
    """A7: the plan over so many headers agrees with the built arena, here to the byte."""
    paths = write(
        tmp_path,
        {f"{k}.jpg": images.encode(images.photo(8 + k, 11)) for k in range(7)},
    )
    source = Files([str(paths[k % 7]) for k in range(26_419)], list(range(26_419)))
    plan = fc.plan_for(source, store=store)
    with filled(source, store=store) as arena:
        assert plan.arena_bytes == arena.layout.total_bytes
    sizes = sum(3 * 11 * (8 + k % 7) for k in range(26_419))
    assert plan.columns[0].bytes == (sizes if store is None else 26_419 * 192)


def test_bytes_of_dense_rows_are_arithmetic(class_folder):
    """A1: 12 images of 32 x 40 x 3 are so many bytes, each and together."""
    plan = fc.plan_for(class_folder, store=T.Resize((32, 40)))
    image, label = plan.columns[:2]
    assert (image.bytes, image.smallest, image.largest) == (12 * 3840, 3840, 3840)
    assert (label.bytes, label.smallest, label.largest) == (12 * 8, 8, 8)
    assert plan.smallest == plan.largest == 3848


def test_bytes_of_ragged_rows_go_from_the_smallest_to_the_largest(tmp_path):
    for k, (height, width) in enumerate([(10, 20), (30, 20), (5, 4)]):
        write(tmp_path / "c", {f"{k}.png": images.encode(images.photo(height, width), "PNG")})
    plan = fc.plan_for(tmp_path)
    image = plan.columns[0]
    assert (image.smallest, image.largest, image.bytes) == (60, 1800, 60 + 600 + 1800)
    assert (plan.smallest, plan.largest) == (68, 1808)


def test_windows_share_their_series():
    """A1: no sample has bytes of its own there, so the mean is told."""
    plan = fc.plan_for(Series(X, window=100))
    assert (plan.columns[0].bytes, plan.columns[0].smallest) == (X.nbytes, None)
    mean = round(plan.arena_bytes / 401)
    assert f"{mean} bytes on average, windows share their series" in str(plan)


def test_files_that_are_kept_as_they_are_take_their_bytes(class_folder):
    """A1: decoded and encoded stand side by side."""
    plan = fc.plan_for(class_folder, store=T.LetterBox(64))
    files = sum(path.stat().st_size for path in class_folder.rglob("*") if path.is_file())
    assert plan.columns[0].files == files
    others = sum(column.bytes for column in plan.columns[1:])
    tables = 8 * 13 + 4 * 12
    assert files + others + tables <= plan.encoded_bytes <= files + others + tables + 64 * 8
    assert fc.plan_for(Arrays(np.zeros((3, 2)))).encoded_bytes is None


@pytest.mark.parametrize("on_error", ["skip", "raise", "fill"])
def test_unreadable_files_are_listed_and_not_fatal(bad_class_folder, on_error):
    """A1: the plan leaves them out, or counts their places, as the fill would."""
    plan = fc.plan_for(bad_class_folder, store=T.LetterBox(32), on_error=on_error)
    assert len(plan.unreadable) > 3
    assert f"unreadable: {len(plan.unreadable)}" in str(plan)
    path, why = plan.unreadable[0]
    assert f"  {path}: {why}" in str(plan)
    keeps = "fill" if on_error == "fill" else "skip"
    with filled(ClassFolder(bad_class_folder), store=T.LetterBox(32), on_error=keeps) as arena:
        assert plan.arena_bytes == arena.layout.total_bytes
        known = {path for path, _ in arena.catalog["report"]["failed"]}
        assert {path for path, _ in plan.unreadable} <= known


def test_a_source_of_which_nothing_can_be_read(tmp_path):
    """A1: not fatal either; there is nothing to keep."""
    write(tmp_path / "c", {f"{k}.jpg": b"no image" for k in range(8)})
    plan = fc.plan_for(tmp_path)
    assert (plan.samples, plan.arena_bytes, len(plan.unreadable)) == (0, 0, 8)
    assert "unreadable: 8" in str(plan) and "… and 3 more" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan
    plans = fc.plan_for(tmp_path, store={"a": None, "b": T.Resize(8)})
    assert "unreadable: 8" in str(plans)


def test_nothing_is_allocated_and_nothing_reserved(class_folder, monkeypatch):
    """A1: the plan comes before the memory."""

    def refuse(*args, **kwargs):
        raise AssertionError("memory was allocated")

    monkeypatch.setattr(arenas, "make_block", refuse)
    budget = fc.Budget("100MB")
    plan = fc.plan_for(class_folder, budget=budget)
    assert plan.have_bytes == 100_000_000 and plan.limit == "budget='100MB'"
    assert budget.used == 0


def test_global_random_states_are_untouched(class_folder):
    """A1: neither choosing files to measure nor a share of the samples draws from them."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    fc.plan_for(class_folder, limit=0.5, store={"a": T.Resize(32), "b": None})
    fc.plan_for(Wrapped(Boxes(), infer="scan"))
    after = random.getstate(), np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1], after[1]))


def test_the_basis_is_said(class_folder):
    """A1: from headers; for wrapped Datasets after one pass or one item, said so."""
    assert fc.plan_for(class_folder).basis == "file headers"
    assert fc.plan_for(Arrays(np.zeros((3, 2)))).basis == "arrays"
    assert fc.plan_for(Series(X, window=8)).basis == "arrays"
    assert "first sample" in fc.plan_for(Plain()).basis
    assert "one pass" in fc.plan_for(Plain(), infer="scan").basis


def test_time_is_estimated_where_it_can_be(class_folder):
    assert fc.plan_for(class_folder).fill_seconds > 0
    assert "fill " in str(fc.plan_for(class_folder))
    assert fc.plan_for(class_folder, measure=False).fill_seconds is None
    assert fc.plan_for(Arrays(np.zeros((3, 2)))).fill_seconds > 0
    assert fc.plan_for(Plain()).fill_seconds is None  # only the Dataset knows
    with filled(ClassFolder(class_folder)) as arena:
        assert Plan.from_json(arena.catalog["plan"]).fill_seconds is None


def test_limits_that_could_not_be_read_are_named(class_folder, monkeypatch):
    limits = fc.memory.limits
    found = limits.SystemLimits((limits.Limit("available memory", 1 << 34),), ("/x/memory.max",))
    monkeypatch.setattr("fastcache.memory.reading.system_limits", lambda: found)
    plan = fc.plan_for(class_folder)
    assert plan.unread == ("/x/memory.max",)
    assert "not read" in str(plan) and "/x/memory.max" in str(plan)


def test_headers_are_read_once_for_all_choices(class_folder, monkeypatch):
    probes = []
    job = file_table.ProbeJob

    def counted(*args, **kwargs):
        probes.append(1)
        return job(*args, **kwargs)

    monkeypatch.setattr(file_table, "ProbeJob", counted)
    (class_folder / "class_0" / "bad.jpg").write_bytes(b"no image")
    store = {"c": [T.Resize(30), T.Resize(20)], "a": T.Resize(16), "b": None}
    plans = fc.plan_for(class_folder, store=store)  # the first one goes through Python
    assert len(probes) == 1
    for name, choice in store.items():
        alone = fc.plan_for(class_folder, store=choice)
        assert len(alone.unreadable) == 1
        assert without_the_moment(plans[name]) == without_the_moment(alone)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"store": {}}, ArgumentError),
        ({"store": {1: None}}, ArgumentError),
        ({"store": {"a": {"b": None}}}, ArgumentError),
        ({"store": str.upper}, ArgumentError),
        ({"budget": "much"}, ArgumentError),
        ({"limit": 0}, ArgumentError),
        ({"color": "HSV"}, ArgumentError),
        ({"keep": "warm"}, ArgumentError),
        ({"home": "nowhere"}, ArgumentError),
        ({"on_error": "hope"}, ArgumentError),
        ({"frozen": True}, ArgumentError),
        ({"threads": 0}, ArgumentError),
    ],
)
def test_arguments_that_mean_nothing(class_folder, arguments, error):
    with pytest.raises(error):
        fc.plan_for(class_folder, **arguments)


def test_sources_that_are_none(tmp_path):
    with pytest.raises(SourceNotFoundError):
        fc.plan_for(tmp_path / "nothing")
    with pytest.raises(ArgumentError, match="Arrays"):
        fc.plan_for(np.zeros(3))


def test_a_path_that_is_no_text_prints(tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    write(tmp_path / "c", {"good.png": images.encode(Image.new("RGB", (4, 4)), "PNG")})
    (tmp_path / "c" / name).write_bytes(b"no image")
    assert r"caf\udce9.jpg" in str(fc.plan_for(tmp_path)).encode().decode()


# -- little memory ---------------------------------------------------------------------------------

_TIGHT = """
import resource, sys
import fastcache as fc
from fastcache import transforms as T
fc.ArenaDataset(sys.argv[1], store=T.Resize(16)).close()
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for left in (1, 4, 8, 12, 20, 30, 200):
    resource.setrlimit(resource.RLIMIT_AS, (size + (left << 20), -1))
    for make in (fc.plan_for, fc.ArenaDataset):
        try:
            made = make(sys.argv[1], store=T.Resize(256), threads=1)
        except fc.errors.FastcacheError as error:
            print(left, make.__name__, type(error).__name__, str(error)[:60])
        else:
            print(left, make.__name__, "made")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space as Linux has them")
def test_a_tight_address_space_is_met_by_typed_errors(class_folder):
    """A2, A10: whatever does not fit says so, and what fits is made."""
    pytest.importorskip("torch")
    command = [sys.executable, "-c", _TIGHT, str(class_folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = run.stdout.splitlines()
    assert len(told) == 14, told
    assert told[-2:] == ["200 plan_for made", "200 ArenaDataset made"]


def test_memory_that_planning_lacks_is_told(class_folder, monkeypatch):
    def short(*_):
        raise MemoryError("Unable to allocate 3 GiB")

    monkeypatch.setattr("fastcache.fill.estimate.planning.Preparation", short)
    with pytest.raises(NoMemoryError, match=r"planning: .*3 GiB.*leaves .*limit: .*limit="):
        fc.plan_for(class_folder)


@pytest.mark.parametrize(
    ("home", "told"),
    [("cuda", 'plan that with home="ram"'), ("cuda:1", "ArenaDataset and open"), ("gpu", "'disk'")],
)
def test_homes_that_a_plan_does_not_know(class_folder, home, told):
    with pytest.raises(ArgumentError, match=told):
        fc.plan_for(class_folder, home=home)
