"""The last part of a recipe on a device: the bits of the C core's emitter, on torch's side."""

import numpy as np
import pytest
import torch
from late_device import LateDevice
from making import emit_of, make_one, plain_drawn

from fastcache import transforms as T
from fastcache.read import buffers
from fastcache.read.device.device_finish import DeviceFinish
from fastcache.read.device.locked import LockedBuffers
from fastcache.read.device.moving import Mover
from fastcache.transforms.compiling import compile_recipe

EVERY_LEVEL = np.arange(16 * 48, dtype=np.int64).reshape(16, 16, 3).astype(np.uint8)
SCALINGS = ("plain", "unit", "normalised", "normalised_plain")


def emitted(pixels, emit, layout):
    """Return what C makes of one image, as a batch shows it."""
    made = make_one(pixels, plain_drawn(*pixels.shape[:2]), emit.reshape(1))
    tensor = torch.from_numpy(made)
    if made.dtype == np.uint16:  # which stands for bfloat16
        tensor = tensor.view(torch.bfloat16)
    return tensor.permute(2, 0, 1) if layout == "channels_last" else tensor


def bits(tensor):
    kinds = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
    return tensor.contiguous().view(kinds[tensor.element_size()])


@pytest.mark.parametrize("layout", ["channels_last", "NCHW", "NHWC"])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_bits_are_those_of_the_emitter(dtype, scaling, layout):
    """E4: every level of every channel, in every type and order."""
    emit = emit_of(dtype, planar=layout == "NCHW", scaling=scaling)[0]
    emit["mean"][:3], emit["std"][:3] = (0.485, 118.3, -3.7), (0.229, 57.1, -1.9)
    finish = DeviceFinish(emit, layout)
    raw = emitted(EVERY_LEVEL, finish.raw, "channels_last")
    assert raw.dtype == torch.uint8
    batch = torch.stack([raw, raw.flip(2)]).contiguous(memory_format=torch.channels_last)
    got, wanted = finish(batch), emitted(EVERY_LEVEL, emit, layout)
    assert got.dtype == wanted.dtype
    assert torch.equal(bits(got[0]), bits(wanted))
    if layout != "NHWC":
        order = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        assert got.is_contiguous(memory_format=order)
    else:
        assert got.is_contiguous()
    assert torch.equal(batch[0], raw)  # it is somebody's


def test_numbers_are_divided_by_tensors():
    """A scalar would become its reciprocal on CUDA, and E4's last bit another."""
    finish = DeviceFinish(emit_of("float32", scaling="normalised")[0], "NCHW")
    tables = finish._tables_on(torch.device("cpu"))
    assert all(type(table) is torch.Tensor for table in tables)
    unit = (np.arange(256, dtype=np.float32) / np.float32(255)).view(np.int32)
    by_reciprocal = (np.arange(256, dtype=np.float32) * (np.float32(1) / np.float32(255))).view(
        np.int32
    )
    assert (unit != by_reciprocal).any()


@pytest.mark.parametrize(
    ("recipe", "can"),
    [
        ([T.Normalize([0.5], [0.25])], True),
        ([T.RandomHorizontalFlip(), T.ToDtype("float16", scale=True)], True),
        ([T.ToDtype("float32", scale=True), T.MixUp()], True),  # mixed afterwards
        ([T.RandomHorizontalFlip()], False),  # bytes as they are
        ([T.ToDtype("float32", scale=True), T.RandomErasing()], False),
        ([T.RandomErasing(), T.Normalize([0.5], [0.25])], False),
    ],
)
def test_recipes_are_split_where_that_gives_the_same(recipe, can):
    finish = DeviceFinish.of(compile_recipe(recipe, 3, size=(8, 8)))
    assert (finish is not None) == can


def test_sixteen_bits_stay_with_the_processor():
    plan = compile_recipe([T.ToDtype("float32", scale=True)], 1, "uint16", size=(8, 8))
    assert DeviceFinish.of(plan) is None


# -- on the way to a device ----------------------------------------------------------------


class Unfinished(torch.utils.data.Dataset):
    """Images that are left raw where that is wanted; masks and labels are not."""

    plan = compile_recipe([T.Normalize([0.5], [0.25])], 3, size=(40, 40))

    def __len__(self):
        return 8

    def __getitem__(self, k):
        return self.__getitems__([k])[0]

    def __getitems__(self, rows):
        finish, later = DeviceFinish.of(self.plan), buffers.finishes()
        memory = buffers.new_bytes(len(rows) * 40 * 40 * 3)
        values = torch.arange(memory.numel()) % 251
        images = memory.copy_(values).view(len(rows), 40, 40, 3).permute(0, 3, 1, 2)
        made = finish(images) if later is None else later.later(images, finish)
        return {"image": made, "mask": torch.full((len(rows), 9), 3), "label": list(rows)}


def moved(finishing):
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2, finishing=finishing)
    with mover.making(None):
        batch = Unfinished().__getitems__([3, 4])
    return late, mover.hand_over(mover.move(batch))


def test_bytes_are_moved_and_finished_there():
    plain, wanted = moved(finishing=False)
    late, got = moved(finishing=True)
    assert plain.copies[0][0] == 4 * 2 * 40 * 40 * 3
    assert late.copies[0][0] == 2 * 40 * 40 * 3
    assert torch.equal(got["image"], wanted["image"])
    assert got["image"].dtype == torch.float32
    assert torch.equal(got["mask"], wanted["mask"])
    assert got["label"] == [3, 4]


def test_nothing_is_left_for_the_next_batch():
    late = LateDevice()
    mover = Mover(late, LockedBuffers(late), 2, finishing=True)
    with mover.making(None):
        images = buffers.finishes().later(buffers.new_bytes(90_000), lambda batch: batch + 1)
    assert mover.hand_over(mover.move([images, images]))[1].eq(images + 1).all()
    assert mover.hand_over(mover.move(images)).eq(images).all()


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_bits_are_the_same_on_the_device(dtype):
    emit = emit_of(dtype, scaling="normalised")[0]
    batch = torch.arange(256, dtype=torch.uint8).repeat(3, 1).view(1, 3, 16, 16)
    finish = DeviceFinish(emit, "channels_last")
    assert torch.equal(bits(finish(batch.cuda()).cpu()), bits(finish(batch)))
