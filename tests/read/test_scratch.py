"""What threads hold beside a batch: stated, and not exceeded."""

import images
import numpy as np
import pytest

import fastcache as fc
from fastcache import transforms as T
from fastcache._core import recipe as core
from fastcache.sources import Arrays

CROP = [T.RandomResizedCrop(24), T.ColorJitter(0.2), T.RandomHorizontalFlip()]


@pytest.fixture
def paths(tmp_path):
    return images.write_class_folder(tmp_path / "photos")


def test_rows_that_are_copied_take_none():
    with fc.ArenaDataset(Arrays(np.zeros((4, 3, 8, 8), np.uint8), np.arange(4))) as ds:
        assert ds.scratch_bytes() == 0


def test_it_is_that_of_the_largest_image_times_the_threads(paths):
    """F4: as the C core bounds it, for the largest height and width of all."""
    with fc.ArenaDataset(paths, transform=CROP, threads=3) as ds:
        sides = ds.arrays["image"].shapes[:, :2].max(axis=0)
        column = ds._reader.readers_over(ds._pipeline)["image"]
        output, spec = column.outputs[0], column.rows.spec
        one = core.scratch_bytes(output.raw_steps, *sides.tolist(), spec, output.emit(0))
        assert one > 0 and ds.scratch_bytes() == 3 * one and ds.scratch_bytes(2) == 2 * one
        assert ds.with_transform(None).scratch_bytes() == 0
        views = ds.with_transform(T.MultiCrop([CROP, T.Resize((8, 8))]))
        assert views.scratch_bytes(1) >= one  # a thread makes one after the other
        del column, output, spec, views


def test_files_are_decoded_as_the_plan_says(paths):
    with fc.ArenaDataset(paths, keep="encoded", threads=2) as ds:
        plan = ds.plan
        assert ds.scratch_bytes(plan.threads) == plan.scratch_bytes // plan.threads * plan.threads
        assert ds.with_transform(CROP).scratch_bytes() > ds.scratch_bytes() > 0


def test_files_of_several_views_are_decoded_as_a_whole(paths):
    """What such a file takes as pixels comes on top of what one view needs."""
    with fc.ArenaDataset(paths, keep="encoded", transform=CROP) as ds:
        views = ds.with_transform(T.MultiCrop([CROP, CROP]))
        one = ds.with_transform(T.MultiCrop([CROP]))
        geometry = ds._reader.readers["image"].kept.geometry
        largest = int(geometry["out_h"].max()) * int(geometry["out_w"].max()) * 3
        assert one.scratch_bytes(1) == ds.scratch_bytes(1)
        assert largest < views.scratch_bytes(1) - one.scratch_bytes(1) < largest + (1 << 20)
        del geometry


def test_loaders_state_it(paths):
    with fc.ArenaDataset(paths, transform=CROP, threads=2) as ds:
        loader = fc.ArenaLoader(ds, 4, threads=1)
        assert len(list(loader)) == -(-len(ds) // 4)
        assert loader.stats().scratch_bytes == ds.scratch_bytes(1) > 0
        assert "scratch" in str(loader.stats())
    assert fc.ArenaLoader([1, 2, 3]).stats().scratch_bytes == 0
