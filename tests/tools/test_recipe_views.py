"""Pictures of what recipes make of images: what is drawn, not how it looks."""

import images
import numpy as np
import pytest

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.sources import Arrays

pytest.importorskip("torch")
pytest.importorskip("matplotlib")


@pytest.fixture
def ds(tmp_path):
    folder = images.write_class_folder(tmp_path / "photos")
    with fc.ArenaDataset(folder, store=T.Resize((40, 50))) as opened:
        yield opened


def drawn(figure):
    """Return the pixels of each row of a figure."""
    rows = {}
    for axes in figure.axes:
        if axes.images:
            shown = np.asarray(axes.images[0].get_array())
            rows.setdefault(axes.get_subplotspec().rowspan.start, []).append(shown)
    return rows


def test_the_image_and_its_epochs(ds):
    crop = [T.RandomResizedCrop(16)]
    rows = drawn(fc.plots.recipe_views(ds, {"crop": crop, "flip": T.RandomHorizontalFlip(1.0)}))
    kept = ds[0][0].numpy().transpose(1, 2, 0)
    assert [len(row) for row in rows.values()] == [6, 6]
    for row in rows.values():
        np.testing.assert_array_equal(row[0], kept)
    twin = ds.with_transform(crop)
    for epoch, shown in enumerate(rows[0][1:]):
        twin.set_epoch(epoch)
        np.testing.assert_array_equal(shown, twin[0][0].numpy().transpose(1, 2, 0))
    assert len({shown.tobytes() for shown in rows[0]}) == 6
    for shown in rows[1][1:]:
        np.testing.assert_array_equal(shown, kept[:, ::-1])


def test_views_batches_and_numbers(ds):
    views = T.MultiCrop([T.RandomResizedCrop(8), [T.Resize((4, 4))]])
    recipes = {
        "views": views,
        "mixed": [T.ToDtype("float32", scale=True), T.MixUp(num_classes=3)],
        "grey": [T.Grayscale(1), T.ToDtype("float16", scale=True)],
    }
    rows = drawn(fc.plots.recipe_views(ds, recipes, index=1, views=3))
    assert [shown.shape[:2] for shown in rows[0]] == [(40, 50), (8, 8), (4, 4)]
    assert len(rows[1]) == 4 and len({shown.tobytes() for shown in rows[1]}) == 4
    grey = rows[2][1]
    assert grey.shape == (40, 50) and (grey.min(), grey.max()) == (0, 255)


@pytest.mark.parametrize("given", [{"recipes": {}}, {"recipes": {"a": None}, "views": 0}])
def test_nothing_to_draw(ds, given):
    with pytest.raises(ArgumentError, match="at least 1 view"):
        fc.plots.recipe_views(ds, **given)


def test_samples_without_images():
    with (
        fc.ArenaDataset(Arrays(np.zeros((3, 5), np.float32), np.arange(3))) as ds,
        pytest.raises(ArgumentError, match="no image"),
    ):
        fc.plots.recipe_views(ds, {"a": None})
