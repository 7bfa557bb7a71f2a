"""MixUp and CutMix at the end of a recipe: batches are mixed, samples are not."""

import numpy as np
import pytest
import torch
from reading import make_arena, photo_set, photos
from recipe_sets import MEAN, STD, Fixed, batch_of, darker, free_set, same, settled
from torch.utils.data import DataLoader

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.read.recipes.mixing import Mixer
from fastcache.read.view import ArenaView

NUMBERS = [T.RandomCrop(8), T.Normalize(MEAN, STD)]


@pytest.mark.parametrize("order", ["channels_last", "NHWC", "NCHW"])
@pytest.mark.parametrize("operation", [T.MixUp(num_classes=5), T.CutMix(num_classes=5)])
def test_batches_are_mixed_and_samples_are_not(operation, order):
    """What the mixer makes of the same batch; ds[i] is the sample as it came, with its label."""
    ds = settled(photo_set(7, (12, 10), transform=[*NUMBERS, T.Layout(order)]))
    mixing = settled(ds.with_transform([*NUMBERS, operation, T.Layout(order)]))
    images, labels = batch_of(ds, range(7))
    mixer = Mixer(operation, nhwc=order == "NHWC")
    wanted = mixer.mix(images.clone(), labels, Fixed().take(np.arange(7)))
    for threads in (1, 4):
        mixing._threads = threads
        assert all(same(*pair) for pair in zip(batch_of(mixing, range(7)), wanted, strict=True))
    assert wanted[1].shape == (7, 5)
    assert not torch.equal(wanted[0], images)
    image, label = mixing[3]
    assert same(image, images[3])
    assert label == int(labels[3])
    looked_at = mixing.__getitems__(range(7))
    assert same(looked_at[2][1], wanted[1][2])
    assert f"per batch: {operation!r}" in repr(mixing)


def test_folders_know_their_classes():
    structure, columns = photos(6)
    arena = make_arena(structure, columns, attributes={"classes": list("abcdef")})
    ds = ArenaView(arena, transform=[T.CutMix()])
    images, labels = next(iter(DataLoader(ds, batch_size=6)))
    assert images.dtype == torch.uint8
    assert labels.shape == (6, 6)
    assert torch.allclose(labels.sum(1), torch.ones(6))
    assert batch_of(ds.with_transform([T.CutMix(num_classes=9)]), [0, 1])[1].shape == (2, 9)


def test_loaders_mix():
    """E5: so does ArenaLoader, a short last batch within itself."""
    ds = settled(photo_set(7, transform=[*NUMBERS, T.MixUp(num_classes=5)]))
    plain = list(DataLoader(ds, batch_size=4))
    ours = list(fc.ArenaLoader(ds, batch_size=4))
    assert [len(labels) for _, labels in ours] == [4, 3]
    for one, other in zip(ours, plain, strict=True):
        assert all(same(*pair) for pair in zip(one, other, strict=True))


def test_what_cannot_be_mixed():
    with pytest.raises(ArgumentError, match="mixes images of one size"):
        free_set([T.CutMix(num_classes=5)])
    with pytest.raises(ArgumentError, match="no target_transform"):
        photo_set(3, transform=[T.CutMix(num_classes=5)], target_transform=darker)
    structure, columns = photos(3)
    arena = make_arena("image", {"image": columns["image"]})
    with pytest.raises(ArgumentError, match="an image and one label"):
        ArenaView(arena, transform=[T.CutMix(num_classes=5)])
    with pytest.raises(ArgumentError, match="blends floats"):
        photo_set(3, transform=[T.MixUp(num_classes=5)])
    ds = photo_set(3, transform=[T.CutMix()])
    with pytest.raises(ArgumentError, match="how many classes"):
        ds.__getitems__([0, 1])

    class Mine(ArenaView):
        def __getitem__(self, index):
            return super().__getitem__(index)

    mine = Mine(make_arena(structure, columns), transform=[T.CutMix(num_classes=5)])
    with pytest.raises(ArgumentError, match="made one by one"):
        mine.__getitems__([0, 1])
