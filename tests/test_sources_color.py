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


def test_palettes_stay_masks_where_they_come_first():
    """E3: mode P is a mask of indices, unless other images stand in its column."""
    arena = fill_arena(as_source(mixed(["P", "P"]), color="RGB"), FillOptions(color="RGB"))
    assert arena.catalog["columns"]["0"]["kind"] == "mask"


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
