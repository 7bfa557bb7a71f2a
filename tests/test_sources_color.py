"""A wrapped Dataset whose PIL images differ in mode, and samples without values."""

import images
import numpy as np
import pytest
from map_style import Dataset

from fastcache.errors import ArgumentError, SchemaError
from fastcache.fill.build import fill_arena
from fastcache.fill.options import FillOptions
from fastcache.sources import Wrapped, as_source

MODES = ["RGB", "L", "RGBA", "CMYK", "P", "LA", "1"]


def mixed(modes=MODES):
    return Dataset(lambda k: (images.photo(20, 30, modes[k], seed=k), k), len(modes))


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("color", ["RGB", "L", "RGBA"])
def test_images_of_mixed_modes_are_converted(color, infer):
    """E3: color= makes one column of what a Dataset returns in several modes."""
    dataset = mixed()
    arena = fill_arena(as_source(dataset, infer=infer, color=color), FillOptions(color=color))
    for k in range(len(dataset)):
        want = np.asarray(dataset[k][0].convert(color)).reshape(20, 30, -1)
        np.testing.assert_array_equal(arena.column("0").rows[k], want, MODES[k])


def test_the_dataset_of_the_facade_converts(tmp_path):
    """E3: the same through ArenaDataset, where color= is given once."""
    pytest.importorskip("torch")
    from fastcache.read.dataset import ArenaDataset

    with ArenaDataset(mixed(["L", "RGB"]), color="RGB") as ds:
        assert [tuple(image.shape) for image, _ in ds] == [(3, 20, 30)] * 2


@pytest.mark.parametrize("infer", ["first", "scan"])
def test_columns_of_palettes_stay_masks(infer):
    """E3: mode P is a mask of indices, unless other images stand in its column."""
    source = as_source(mixed(["P", "P"]), infer=infer, color="RGB")
    arena = fill_arena(source, FillOptions(color="RGB"))
    assert arena.catalog["columns"]["0"]["kind"] == "mask"
    np.testing.assert_array_equal(arena.column("0").rows[1], np.asarray(mixed(["P", "P"])[1][0]))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("others", [1, 40])
def test_a_scan_finds_images_behind_palettes(others, frozen):
    """E3: what the column is depends on all samples, not on which of them is read first.

    Of 42 samples the check for steadiness reads 16, the last but one not among them.
    """
    modes = [*["P"] * others, "RGB", "P"]
    dataset = mixed(modes)
    source = as_source(dataset, infer="scan", color="RGB", frozen=frozen)
    rows = fill_arena(source, FillOptions(color="RGB")).column("0").rows
    for k in range(len(modes)):
        np.testing.assert_array_equal(rows[k], np.asarray(dataset[k][0].convert("RGB")))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_first_palette_makes_masks_of_a_column_and_the_error_says_so(frozen):
    """E3: without a scan the first sample decides, and the remedy holds."""
    source = Wrapped(mixed(["P", "RGB", "P"]), color="RGB", frozen=frozen)
    with pytest.raises(SchemaError) as caught:
        fill_arena(source, FillOptions(color="RGB"))
    assert str(caught.value) == (
        "sample 1, column '0' is an image of 3 channels, uint8, but the column is a mask of uint8: "
        "the first sample has a palette (mode P), which alone is kept as a mask: pass "
        'infer="scan", and color="RGB" converts all images of the column'
    )


@pytest.mark.parametrize("infer", ["first", "scan"])
def test_what_pillow_does_not_convert_is_refused_by_sample_and_mode(infer):
    """E3: a palette among 16-bit images."""
    modes = ["L", "P"]
    with pytest.raises(SchemaError, match=r"sample 1, column '0' has mode P, .* no I;16: pass"):
        fill_arena(Wrapped(mixed(modes), infer, color="I;16"), FillOptions(color="I;16"))


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("modes", [["RGB", "L"], ["RGB", "P"], ["P", "RGB"]], ids=str)
def test_without_color_the_error_says_what_would_help(modes, infer):
    source = Wrapped(mixed(modes), infer=infer)
    with pytest.raises(SchemaError, match='pass color="RGB"'):
        fill_arena(source, FillOptions())


def test_an_unknown_color_is_refused():
    with pytest.raises(ArgumentError, match="color='CMYK'"):
        Wrapped(mixed(), color="CMYK")


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("sample", [{}, (), [], {"a": ()}], ids=str)
def test_samples_without_values_are_refused(sample, infer):
    """E3: an empty sample is an error that says so, however it is found."""
    source = Wrapped(Dataset(lambda k: sample), infer=infer)
    with pytest.raises(SchemaError, match="at least one value"):
        fill_arena(source, FillOptions())
