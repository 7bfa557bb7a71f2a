"""home="cuda": batches that a device gathers, with a stand-in for it and with the real one."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from images import write_class_folder
from late_device import LateDevice, pretend
from reading import assert_equal, every_field, make_arena, photo_set, photos, rows_of_sizes
from torch.utils.data import DataLoader, Subset

import fastcache as fc
from fastcache import transforms as T
from fastcache.errors import (
    ArgumentError,
    BlockError,
    BudgetError,
    ClosedError,
    ForkedError,
    NotKeptError,
)
from fastcache.read.device import cuda
from fastcache.read.device.cuda import DeviceMemoryError
from fastcache.read.device.device_arena import to_device
from fastcache.read.device.device_columns import Place
from fastcache.read.device.device_finish import DeviceFinish
from fastcache.read.device.moving import tensors_in
from fastcache.read.loading.loader_device import check_device
from fastcache.read.view import ArenaView
from fastcache.schema import Image, Mask, Text
from fastcache.transforms.compiling import compile_recipe

SQUARE = [T.Resize(24), T.CenterCrop(20)]


@pytest.fixture
def device(monkeypatch):
    return pretend(monkeypatch)


def on_device(arena, late, **options):
    return ArenaView(to_device(arena, Place(late, late.buffers)), **options)


def pair(late, count=23, size=(12, 10), **options):
    """Return the same samples on the device and in memory."""
    return on_device(make_arena(*photos(count, size)), late, **options), photo_set(count, size)


def all_there(late, batch):
    return all(late.has(tensor) for tensor in tensors_in(batch))


# -- batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(12, 10), (7, 5), (8, 8)])  # rows of 4, 1 and 8 bytes at a time
def test_batches_are_those_of_memory_and_all_on_the_device(device, size):
    ds, wanted = pair(device, size=size)
    for got, expected in zip(DataLoader(ds, 5), DataLoader(wanted, 5), strict=True):
        assert all_there(device, got)
        assert_equal(got, expected)
        assert got[0].is_contiguous(memory_format=torch.channels_last)


def test_every_order_and_repetition(device):
    ds, wanted = pair(device)
    for indices in ([4, 4, 0], [-1], list(range(22, -1, -1)), []):
        got, expected = ds.__getitems__(indices), wanted.__getitems__(indices)
        assert len(got) == len(expected)
        assert_equal(list(got), list(expected))


def test_a_sample_is_a_batch_of_one(device):
    ds, wanted = pair(device)
    for k in (0, 7, -1):
        assert type(ds[k]) is tuple
        assert_equal(ds[k], wanted[k])
        assert all_there(device, ds[k][0])
    with pytest.raises(IndexError):
        ds[23]


def test_every_kind_of_column_of_one_shape(device):
    structure, columns = every_field(9)
    ragged = {name for name, (field, _) in columns.items() if field.row_shape is None}
    ragged -= {name for name, (field, _) in columns.items() if isinstance(field, Text)}
    kept = {name: column for name, column in columns.items() if name not in ragged}
    structure = {name: name for name in kept}
    ds = on_device(make_arena(structure, kept), device)
    wanted = ArenaView(make_arena(structure, kept))
    got = [ds.__getitems__([2, 8, 2]), wanted.__getitems__([2, 8, 2])]
    batches = [fc.collate(part) for part in got]
    assert_equal(*batches)
    assert all_there(device, batches[0])


def test_windows_lie_there_once(device):
    series = np.arange(3 * 2 * 50, dtype=np.float32).reshape(3, 2, 50)
    source = fc.sources.Series(series, window=8, stride=3, labels=np.array([4, 5, 6]))
    wanted = fc.ArenaDataset(source)
    ds = fc.ArenaDataset(source, home="cuda")
    assert_equal(list(DataLoader(ds, 7)), list(DataLoader(wanted, 7)))
    assert ds.plan.device_bytes == series.nbytes


def test_the_loader_hands_them_on_as_they_are(device):
    ds, wanted = pair(device)
    loader = fc.ArenaLoader(ds, 5, prefetch_factor=3)
    got = list(loader)
    assert all_there(device, got)
    assert_equal(got, list(DataLoader(wanted, 5)))
    # Only row numbers and labels were moved.
    assert max(size for size, _ in device.copies[1:]) <= 5 * 8


# -- from files to the device --------------------------------------------------------------


def test_a_folder_is_filled_copied_and_given_back(device, tmp_path):
    root = write_class_folder(tmp_path / "photos")
    wanted = fc.ArenaDataset(root, store=SQUARE)
    ds = fc.ArenaDataset(root, store=SQUARE, home="cuda")
    assert_equal(list(DataLoader(ds, 4)), list(DataLoader(wanted, 4)))
    assert ds.report["home"] == "late:0"
    assert "late:0" in repr(ds)
    assert "late:0, not pinned" in str(ds.report)
    assert ds.plan.device_bytes == len(wanted) * 20 * 20 * 3
    assert "free memory of late:0" in str(ds.plan)
    assert (ds.targets, ds.classes, ds.samples) == (wanted.targets, wanted.classes, wanted.samples)
    # The pixels are not in the host's memory any more.
    assert ds._reader.arena.layout.total_bytes < 12 * 20 * 20
    assert "image" not in ds._reader.arena.layout.columns


def test_labels_that_are_assigned_arrive_there_too(device, tmp_path):
    ds = fc.ArenaDataset(write_class_folder(tmp_path / "photos"), store=SQUARE, home="cuda")
    ds.samples = [(path, label + 10) for path, label in reversed(ds.samples)]
    batch = next(iter(DataLoader(ds, 4)))
    assert batch[1].tolist() == [label for _, label in ds.samples[:4]]
    assert all_there(device, batch)


def test_a_saved_arena_is_opened_there(device, tmp_path):
    wanted = fc.ArenaDataset(write_class_folder(tmp_path / "photos"), store=SQUARE)
    wanted.save(tmp_path / "a.arena")
    ds = fc.open(tmp_path / "a.arena", home="cuda")
    assert_equal(list(DataLoader(ds, 4)), list(DataLoader(wanted, 4)))
    cached = [
        fc.ArenaDataset(tmp_path / "photos", store=SQUARE, home="cuda", cache_dir=tmp_path / "c")
        for _ in range(2)
    ]
    for again in cached:
        assert_equal(list(DataLoader(again, 4)), list(DataLoader(wanted, 4)))


def test_columns_are_copied_in_pieces(device, monkeypatch):
    monkeypatch.setattr("fastcache.read.device.device_columns._PIECE", 1000)
    ds, wanted = pair(device)
    assert [size for size, _ in device.copies] == [2 * 360] * 11 + [360]
    assert device.buffers.locked_bytes == 0
    assert_equal(list(DataLoader(ds, 23)), list(DataLoader(wanted, 23)))


# -- transforms ----------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["channels_last", "NCHW", "NHWC"])
def test_pixels_become_the_numbers_of_the_core(device, layout):
    recipe = [T.Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]), T.ToDtype("float16"), T.Layout(layout)]
    ds, wanted = pair(device, transform=recipe)
    finish = DeviceFinish.of(compile_recipe(recipe, 3, size=(12, 10)))
    got = next(iter(DataLoader(ds, 23)))[0]
    assert torch.equal(got, finish(next(iter(DataLoader(wanted, 23)))[0]))
    assert ds.transform is recipe
    assert ds.with_transform(None)[0][0].dtype == torch.uint8
    assert torch.equal(ds[3][0], got[3])


def test_flips_are_drawn_per_sample_and_masks_follow(device):
    rng = np.random.default_rng(3)
    columns = {
        "image": (Image("uint8", 3, (6, 5)), rng.integers(0, 256, (40, 6, 5, 3), np.uint8)),
        "mask": (Mask("uint8", (6, 5)), rng.integers(0, 9, (40, 6, 5), np.uint8)),
    }
    structure = {"image": "image", "mask": "mask"}
    plain = ArenaView(make_arena(structure, columns))
    recipe = [T.RandomHorizontalFlip(), T.RandomVerticalFlip(0.3)]
    ds = on_device(make_arena(structure, columns), device, transform=recipe)
    batch = fc.collate(ds.__getitems__(range(40)))
    seen = set()
    for k in range(40):
        image, mask = plain[k]["image"], plain[k]["mask"]
        ways = [(), (-1,), (-2,), (-1, -2)]
        found = [w for w in ways if torch.equal(batch["image"][k], image.flip(w))]
        assert len(found) == 1
        assert torch.equal(batch["mask"][k], mask.flip(found[0]))
        seen.add(found[0])
    assert len(seen) == 4
    again = fc.collate(ds.__getitems__(range(40)))
    assert not torch.equal(batch["image"], again["image"])  # the next visit draws anew
    sure = on_device(make_arena(structure, columns), device, transform=[T.RandomHorizontalFlip(1)])
    assert torch.equal(sure[0]["image"], plain[0]["image"].flip(-1))
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"transform": T.RandomResizedCrop(8)}, "RandomResizedCrop.* does not run on a device"),
        ({"transform": [T.ToDtype("float32"), np.asarray]}, "asarray.* runs on the processor"),
        ({"transform": fc.GramianAngularField()}, "images of series are made on the processor"),
        ({"target_transform": float}, "target_transform=.* runs on the processor"),
    ],
)
def test_what_a_device_does_not_do_is_refused_with_what_does(device, given, told):
    with pytest.raises(ArgumentError, match=rf"{told}.*ArenaLoader\(ds, device="):
        pair(device, **given)
    ds, _ = pair(device)
    for name, value in given.items():
        with pytest.raises(ArgumentError, match=told):
            setattr(ds, name, value)


# -- what cannot be ------------------------------------------------------------------------


def test_samples_of_different_sizes_are_refused_before_they_are_decoded(device, tmp_path):
    root = write_class_folder(tmp_path / "photos")
    with pytest.raises(ArgumentError, match=r"'image' differ in shape.*CenterCrop.*home=\"ram\""):
        fc.ArenaDataset(root, home="cuda", progress=lambda _: pytest.fail("it was decoded"))
    columns = {"image": (Image("uint8", 3), rows_of_sizes([(3, 4, 3), (5, 2, 3)], "uint8"))}
    arena = make_arena("image", columns)
    with pytest.raises(ArgumentError, match="differ in shape"):
        on_device(arena, device)
    assert arena.closed
    with pytest.raises(ArgumentError, match='keep="encoded"'):
        fc.ArenaDataset(root, home="cuda", keep="encoded")


def test_samples_that_are_not_all_decoded_are_refused(device, tmp_path):
    root = write_class_folder(tmp_path / "photos")
    arena = fc.ArenaDataset(root, store=SQUARE, keep="encoded")._reader.arena
    with pytest.raises(ArgumentError, match="not all samples of column 'image' are kept"):
        on_device(arena, device)


def test_a_device_that_is_too_small_is_said_before_anything_is_decoded(monkeypatch, tmp_path):
    """A2: need, have, the limit by name, and what to change."""
    late = pretend(monkeypatch, LateDevice(room=20_000))
    root = write_class_folder(tmp_path / "photos")
    with pytest.raises(
        BudgetError, match=r"limit: free memory of late:0, .* in reserve.*store="
    ) as told:
        fc.ArenaDataset(
            root, store=SQUARE, home="cuda", progress=lambda _: pytest.fail("it was decoded")
        )
    assert (told.value.need, told.value.have) == (12 * 20 * 20 * 3, 10_000)
    assert not late.copies


def test_memory_that_cannot_be_locked_leaves_nothing(monkeypatch):
    late = pretend(monkeypatch, LateDevice(most_locked=100))
    arena = make_arena(*photos())
    with pytest.raises(BlockError, match="copying a column to late:0.* cannot be page-locked"):
        on_device(arena, late)
    gc.collect()
    assert not late.locked
    arena.close()  # nobody looks at it


def test_memory_of_the_device_that_is_gone_is_a_budget_error(monkeypatch):
    """A10: torch's error becomes ours while the arena is copied, and nothing stays locked."""
    late = pretend(monkeypatch)

    def empty(size):
        raise DeviceMemoryError("CUDA out of memory. Tried to allocate much\nand more lines")

    monkeypatch.setattr(late, "empty", empty)
    arena = make_arena(*photos())
    with pytest.raises(BudgetError, match="CUDA said: CUDA out of memory. Tried to allocate much;"):
        on_device(arena, late)
    assert not late.locked


def test_it_stays_in_its_process(device):
    ds, _ = pair(device)
    with pytest.raises(ArgumentError, match="num_workers=0"):
        pickle.dumps(ds)
    with pytest.raises(ForkedError, match="num_workers=0"):
        list(DataLoader(ds, 4, num_workers=1))
    with pytest.raises(ArgumentError, match="num_workers"):
        fc.ArenaLoader(ds, 4, num_workers=1)
    assert_equal(copy.copy(ds)[2], ds[2])
    assert_equal(copy.deepcopy(ds)[2], ds[2])


def test_a_loader_for_another_device_is_refused(device):
    ds, _ = pair(device)
    device.torch_device = torch.device("cuda", 0)
    for other in ("cpu", "cuda:1"):
        with pytest.raises(ArgumentError, match=rf"device='{other}': .*memory of late:0"):
            check_device(ds, torch.device(other), None, 0)
    for same in (None, torch.device("cuda"), torch.device("cuda:0")):
        check_device(Subset(ds, [1, 2]), same, None, 0)
    with pytest.raises(ArgumentError, match="already; leave pin= out"):
        check_device(ds, torch.device("cuda"), "arena", 0)


def test_its_pixels_are_no_arrays_and_no_file(device, tmp_path):
    ds, _ = pair(device)
    with pytest.raises(NotKeptError, match="lies in the memory of late:0"):
        ds.arrays["image"]
    assert list(ds.arrays) == ["label"]
    with pytest.raises(ArgumentError, match='home="ram"'):
        ds.save(tmp_path / "a.arena")


def test_closing_gives_the_memory_back(device):
    """C1: on the host and on the device."""
    ds, _ = pair(device)
    batch = next(iter(DataLoader(ds, 4)))[0].clone()
    there = list(ds._reader._there.values())
    ds.close()
    assert not ds._reader._there
    with pytest.raises(ClosedError):
        ds[0]
    assert batch.shape == (4, 3, 12, 10)
    assert there
    ds.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_without_a_device_it_is_said_what_torch_sees():
    with pytest.raises(ArgumentError, match=r"home='cuda': torch sees no CUDA device.*version 2"):
        fc.ArenaDataset(fc.sources.Arrays(np.zeros((2, 9))), home="cuda")
    with pytest.raises(ArgumentError, match="home='cuda:1': torch sees no"):
        fc.open("nothing.arena", home="cuda:1")


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.mark.gpu
@needs_cuda
def test_the_real_device_gathers_the_same(tmp_path):
    root = write_class_folder(tmp_path / "photos")
    recipe = [T.Normalize([0.5], [0.25]), T.ToDtype("float16")]
    wanted = next(iter(DataLoader(fc.ArenaDataset(root, store=SQUARE), 12)))
    ds = fc.ArenaDataset(root, store=SQUARE, home="cuda", transform=recipe)
    finish = DeviceFinish.of(compile_recipe(recipe, 3, size=(20, 20)))
    for loader in (DataLoader(ds, 12), fc.ArenaLoader(ds, 12)):
        images, labels = next(iter(loader))
        assert images.device.type == labels.device.type == "cuda"
        assert torch.equal(images.cpu(), finish(wanted[0]))
        assert labels.tolist() == wanted[1].tolist()
    assert ds.report["home"] == "cuda:0"


@pytest.mark.gpu
@needs_cuda
def test_a_hostile_stream_never_sees_another_batch_of_the_device():
    """F1: 10,000 batches that the device gathers, used behind long kernels on another stream."""
    there = Place(*cuda.opened(torch.device("cuda")))
    ds = ArenaView(to_device(make_arena(*photos(512, (32, 32))), there))
    wanted = [images.sum().item() for images, _ in DataLoader(photo_set(512, (32, 32)), 32)]
    stream, heat = torch.cuda.Stream(), torch.rand(1024, 1024, device="cuda")
    wrong = torch.zeros((), device="cuda", dtype=torch.int64)
    for _ in range(10_000 // 16):
        with torch.cuda.stream(stream):
            for k, (images, _) in enumerate(fc.ArenaLoader(ds, 32, prefetch_factor=3)):
                heat = heat @ heat
                heat /= heat.norm()
                wrong += images.sum() != wanted[k]
                del images
    torch.cuda.synchronize()
    assert wrong.item() == 0
