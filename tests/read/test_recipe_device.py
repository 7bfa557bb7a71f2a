"""Recipes on their way to a device: bytes are moved, and become numbers there."""

import numpy as np
import pytest
import torch
from late_device import LateDevice

import fastcache as fc
from fastcache import transforms as T
from fastcache.read.device.locked import LockedBuffers
from fastcache.read.device.moving import Mover
from fastcache.sources import Arrays

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
NUMBERS = [T.Normalize(MEAN, STD), T.ToDtype("float16")]
SIDE, COUNT = 200, 6
PIXELS = np.random.default_rng(5).integers(0, 256, (COUNT, 3, SIDE, SIDE), np.uint8)


def moved(transform, finishing, layout=(), pixels=PIXELS, **options):
    """Return what the device was sent, and the batch that it has in the end."""
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2, finishing=finishing)
    source = Arrays(pixels, np.arange(len(pixels)))
    with fc.ArenaDataset(source, transform=[*transform, *layout], seed=2, **options) as ds:
        ds.set_epoch(1)
        with mover.making(None):
            batch = fc.collate(ds.__getitems__([4, 0, 5]))
        made = mover.hand_over(mover.move(batch))
        return sum(size for size, *_ in late.copies), made


@pytest.mark.parametrize("layout", [[], [T.Layout("NCHW")], [T.Layout("NHWC")]], ids=str)
@pytest.mark.parametrize(
    "transform",
    [
        NUMBERS,
        [T.RandomResizedCrop(160), T.RandomHorizontalFlip(), T.ColorJitter(0.3), *NUMBERS],
        [T.RandomCrop(150), T.ToDtype("float32", scale=True)],
        [T.ToDtype("bfloat16")],
    ],
    ids=["numbers", "crop", "scaled", "plain"],
)
def test_bytes_are_moved_and_the_numbers_are_the_same(transform, layout):
    """C5, E4: to the last bit, in the same order in memory."""
    whole, wanted = moved(transform, False, layout)
    raw, got = moved(transform, True, layout)
    assert torch.equal(got[0], wanted[0]) and torch.equal(got[1], wanted[1])
    assert got[0].dtype == wanted[0].dtype and got[0].stride() == wanted[0].stride()
    labels = 3 * 8
    assert (whole - labels) == (raw - labels) * got[0].element_size()


@pytest.mark.parametrize(
    "transform",
    [
        [T.RandomHorizontalFlip()],
        [*NUMBERS, T.RandomErasing(1.0)],
        [T.ToDtype("float32", scale=True), T.MixUp(1.0, num_classes=COUNT)],
    ],
    ids=["bytes", "erased", "mixed"],
)
def test_what_the_processor_has_to_finish(transform):
    whole, wanted = moved(transform, False)
    raw, got = moved(transform, True)
    assert raw == whole
    assert torch.equal(got[0], wanted[0]) and torch.equal(got[1], wanted[1])


def test_callables_get_finished_numbers():
    seen = []

    def look(image):
        seen.append(image.dtype)
        return image.mean()

    options = {"transform_input": "tensor"}
    assert torch.equal(
        moved([*NUMBERS, look], True, **options)[1][0],
        moved([*NUMBERS, look], False, **options)[1][0],
    )
    assert set(seen) == {torch.float16}


def test_views_are_finished_each():
    views = T.MultiCrop([T.RandomResizedCrop(160), [T.CenterCrop(180), T.RandomHorizontalFlip()]])
    whole, wanted = moved([views, *NUMBERS], False)
    raw, got = moved([views, *NUMBERS], True)
    assert raw < whole
    for one, other in zip(got[0], wanted[0], strict=True):
        assert one.dtype == torch.float16 and torch.equal(one, other)
