"""``store=ToDtype``: half the bytes, and the numbers of astype, whatever the source (row D6)."""

import images
import numpy as np
import pytest
from filling import filled, listed, row, save, values
from map_style import Dataset
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.fill.estimate.planning import plan_for
from fastcache.fill.report import Report
from fastcache.memory.arena import RaggedColumn
from fastcache.memory.windows import WindowColumn
from fastcache.sources import Arrays, Pairs, Series, as_source

HALF = T.ToDtype("float16")
RNG = np.random.default_rng(0)


def held(source, **options):
    """Return copies of an arena's columns, and its catalogue."""
    with filled(source, **options) as arena:
        return {name: copied(arena.column(name)) for name in arena.layout.columns}, arena.catalog


def copied(column):
    if isinstance(column, RaggedColumn):
        return [np.array(column[k]) for k in range(len(column))]
    return np.array(column.values if isinstance(column, WindowColumn) else column.rows)


def bytes_of(source, **options):
    return {c.name: c.bytes for c in plan_for(source, measure=False, **options).columns}


@pytest.mark.parametrize(("before", "after"), [("float32", "float16"), ("float64", "float32")])
def test_arrays(before, after):
    """D6: exactly half in plan and arena; labels stay."""
    x = RNG.normal(size=(1000, 3, 7)).astype(before)
    source = Arrays(x, RNG.normal(size=1000))
    whole, half = bytes_of(source), bytes_of(source, store=T.ToDtype(after))
    assert whole["array"] == 2 * half["array"] == x.nbytes
    assert whole["label"] == half["label"]
    found, catalog = held(source, store=T.ToDtype(after))
    assert found["array"].dtype == after
    assert np.array_equal(found["array"], x.astype(after))
    assert found["label"].dtype == np.float64
    assert catalog["columns"]["array"]["dtype"] == after
    assert f"array {after} 3x7" in str(Report(catalog["report"]))


def test_arrays_in_many_chunks_and_in_parts():
    """D6: several threads, rows that are drawn."""
    x = RNG.normal(size=(3000, 1000))
    found, _ = held(Arrays(x), store=HALF, threads=3)
    assert np.array_equal(found["array"], x.astype(np.float16))
    found, _ = held(Arrays(x, np.arange(3000)), store=HALF, shard=(1, 3))
    assert np.array_equal(found["array"], x[found["label"]].astype(np.float16))


def test_arrays_of_pixels():
    """D6: uint8 images in either layout, scaled or not."""
    x = RNG.integers(0, 256, (20, 3, 6, 5), np.uint8)
    found, _ = held(Arrays(x), store=T.ToDtype("float16", scale=True))
    wanted = (x.transpose(0, 2, 3, 1) / 255).astype(np.float16)
    assert np.array_equal(found["image"], wanted)
    found, _ = held(Arrays(x, layout="CHW"), store=T.ToDtype("float32"))
    assert np.array_equal(found["image"], x.transpose(0, 2, 3, 1).astype(np.float32))


def test_labels_that_are_arrays_stay():
    """D6: and arrays of integers."""
    x, y = RNG.normal(size=(9, 4)), RNG.normal(size=(9, 2))
    found, _ = held(Arrays(x, y), store=HALF)
    assert (found["array"].dtype, found["label"].dtype) == (np.float16, np.float64)
    assert np.array_equal(found["label"], y)


def test_values_beyond_the_range_end_the_fill():
    """D6: the sample is named by its number in the source, with any on_error."""
    x = np.ones((50, 2))
    x[37, 1] = 1e6
    x[40, 0] = np.inf
    with pytest.raises(ArgumentError, match="sample 37 holds 1000000.0, .* range of float16"):
        filled(Arrays(x), store=HALF)
    found, _ = held(Arrays(x), store=HALF, limit=37)
    assert len(found["array"]) == 37
    for on_error in ("raise", "skip", "fill"):
        with pytest.raises(ArgumentError, match="sample 37, column '0' holds 1000000.0"):
            filled(as_source(Dataset(lambda k: (x[k], 1), 50)), store=HALF, on_error=on_error)


def test_what_a_dataset_returns():
    """D6: arrays of one size and of many, PIL images, in any nesting; other leaves stay."""
    samples = [
        {
            "image": images.photo(10 + k, 12, seed=k),
            "points": RNG.normal(size=(k, 2)),
            "deep": (RNG.normal(size=3).astype(np.float32), 0.1, [k, "text", None]),
            "target": RNG.normal(size=2),
            "whole": np.arange(3),
        }
        for k in range(5)
    ]
    source = as_source(Dataset(samples.__getitem__, 5), infer="scan")
    found, _ = held(source, store=[T.CenterCrop(8), T.ToDtype("float16", scale=True)])
    for k, sample in enumerate(samples):
        pixels = np.asarray(T.CenterCrop(8)(sample["image"]))
        assert np.array_equal(found["image"][k], (pixels / 255).astype(np.float16))
        assert np.array_equal(found["points"][k], sample["points"].astype(np.float16))
        assert np.array_equal(found["deep.0"][k], sample["deep"][0].astype(np.float16))
        assert np.array_equal(found["target"][k], sample["target"])
        assert np.array_equal(found["whole"][k], sample["whole"])
    kinds = {name: getattr(rows, "dtype", None) for name, rows in found.items()}
    assert kinds["deep.0"] == np.float16
    assert kinds["target"] == kinds["deep.1"] == np.float64
    assert found["points"][3].dtype == np.float16


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("on_nan", ["raise", "interpolate"])
def test_series(many, on_nan):
    """D6: joined series and stacks of them; copies of windows have the type, labels do not."""
    series = RNG.normal(size=(3, 2, 500)) if many else [RNG.normal(size=(2, n)) for n in (90, 77)]
    labels = np.arange(len(series), dtype=np.float64)
    parts = {"window": 8, "extra": ("window", "statistics"), "on_nan": on_nan}
    if on_nan == "interpolate":
        series[0][1, 5] = np.nan
    source = Series(series, labels, **parts)
    whole, half = bytes_of(source), bytes_of(source, store=HALF)
    values = sum(np.asarray(part).size for part in series)
    assert whole["series"] - half["series"] == 6 * values
    columns, catalog = held(source, store=HALF)
    found = columns["series"]
    wanted = np.asarray(series) if many else np.concatenate(series, axis=1)
    wanted = wanted.astype(np.float16)
    if on_nan == "interpolate":
        where = (0, 1) if many else (1,)
        around = wanted[where][[4, 6]].astype(np.float64)
        wanted[(*where, 5)] = around.mean()
    assert np.array_equal(found, wanted)
    assert catalog["columns"]["window"]["dtype"] == "float16"
    assert catalog["columns"]["statistics"]["dtype"] == "float32"
    assert catalog["columns"]["label"]["dtype"] == "float64"


@pytest.mark.parametrize("many", [False, True])
def test_series_beyond_the_range(many):
    """D6: the series is named."""
    series = np.ones((4, 1, 30)) if many else [np.ones(30) for _ in range(4)]
    series[2][..., 11] = -7e4
    with pytest.raises(ArgumentError, match=r"series 2 holds -70000.0"):
        filled(Series(series, window=5), store=HALF)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_npy_images_of_floats(tmp_path, dtype):
    """D6: kept as they are otherwise; cut and resampled before."""
    x = values(dtype)
    paths = [save(tmp_path / f"{k}.npy", x + k) for k in range(2)]
    arena = filled(paths, store=HALF)
    assert arena.column("image").rows.dtype == np.float16
    assert np.array_equal(row(arena, 1), (x + 1).astype(np.float16))
    wide = row(filled(paths, store=T.Resize((9, 11))), 1)
    assert np.array_equal(
        row(filled(paths, store=[T.Resize((9, 11)), HALF]), 1), wide.astype(np.float16)
    )
    x[3, 4, 0] = 1e5
    save(tmp_path / "1.npy", x)
    for on_error in ("raise", "skip"):
        with pytest.raises(ArgumentError, match=r"1\.npy holds 100000.0"):
            filled(paths, store=HALF, on_error=on_error)


@pytest.mark.parametrize("size", [None, 24])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_files_of_pixels(tmp_path, dtype, scale, size):
    """D6: what C decodes, what Pillow does, and ragged rows: the integers, then astype."""
    paths = []
    for k, (h, w) in enumerate([(40, 31), (33, 52), (64, 64), (30, 30)]):
        name = ["a.jpg", "b.png", "c.bmp", "d.npy"][k]
        paths.append(tmp_path / name)
        if name == "d.npy":
            np.save(paths[-1], images.pixels(h, w))
        else:
            images.photo(h, w, seed=k).save(paths[-1])
    geometry = [] if size is None else [T.Resize(size), T.CenterCrop(size)]
    plain, _ = held(listed(*paths), store=geometry)
    found, catalog = held(listed(*paths), store=[*geometry, T.ToDtype(dtype, scale)])
    for mine, levels in zip(found["image"], plain["image"], strict=True):
        assert mine.dtype == dtype
        wanted = levels / 255 if scale else levels
        assert np.array_equal(mine, wanted.astype(dtype))
    told = catalog["report"]["columns"]["image"]
    assert told["store_in_python"] == f"pixels become {dtype} after decoding"
    assert told["decoded_in_c"] == {"JPEG": 1, "PNG": 1}


def test_deep_pixels(tmp_path):
    """D6: 16 bits, which C decodes where it need not blend."""
    levels = RNG.integers(0, 2**16, (12, 9)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    store = T.ToDtype("float32", scale=True)
    found = row(filled([tmp_path / "a.png"], store=store, color="I;16"), 0)
    assert np.array_equal(found[:, :, 0], (levels / 65535).astype(np.float32))
    levels[0, 0] = 65535
    Image.fromarray(levels).save(tmp_path / "a.png")
    with pytest.raises(ArgumentError, match=r"a\.png holds 65535"):
        filled([tmp_path / "a.png"], store=HALF, color="I;16", on_error="skip")


def test_masks_and_rows_that_fail(tmp_path):
    """D6: indices stay; zeros stand for samples that cannot be read."""
    for k in range(3):
        images.photo(16, 16, seed=k).save(tmp_path / f"{k}.png")
        Image.fromarray(np.full((16, 16), k, np.uint8)).save(tmp_path / f"m{k}.png")
    inputs = [tmp_path / f"{k}.png" for k in range(3)]
    masks = [tmp_path / f"m{k}.png" for k in range(3)]
    data = inputs[1].read_bytes()
    inputs[1].write_bytes(data[: len(data) // 2])
    source = Pairs(list(map(str, inputs)), list(map(str, masks)), target="mask")
    found, catalog = held(source, store=[T.CenterCrop(8), HALF], on_error="fill")
    image = next(n for n in found if catalog["columns"][n]["kind"] == "image")
    mask = next(n for n in found if catalog["columns"][n]["kind"] == "mask")
    assert found[image].dtype == np.float16
    assert found[image].any(axis=(1, 2, 3)).tolist() == [True, False, True]
    assert found[mask].dtype == np.uint8
    assert found[mask][:, 0, 0].tolist() == [0, 0, 2]


def test_sources_with_nothing_to_convert():
    """D6: refused, with what there is; geometry without images as before."""
    numbers = Arrays(np.arange(12).reshape(4, 3), np.arange(4.0))
    with pytest.raises(ArgumentError, match=r"neither images .* but array \(array int64\), label"):
        filled(numbers, store=HALF)
    with pytest.raises(ArgumentError, match="no images to apply it to"):
        filled(Arrays(np.ones((4, 3))), store=[T.CenterCrop(3), HALF])
    found, _ = held(Arrays(np.ones((4, 3), np.float16)), store=HALF)
    assert found["array"].dtype == np.float16
