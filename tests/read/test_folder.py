"""ImageFolder's attributes: torchvision's own class is the oracle."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from reading import make_arena, photos
from torch.utils.data import DataLoader, WeightedRandomSampler
from torchvision_oracle import torchvision

import fastcache as fc
from fastcache.errors import ArgumentError
from fastcache.read.view import ArenaView


@pytest.fixture
def folders(class_folder):
    """Return torchvision's ImageFolder and ours over the same folder."""
    oracle = torchvision().datasets.ImageFolder(class_folder)
    return oracle, fc.ArenaDataset(class_folder)


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def assert_same_samples(ours, oracle):
    assert len(ours) == len(oracle)
    for k, (image, label) in enumerate(oracle):
        assert torch.equal(ours[k][0], as_tensor(image))
        assert ours[k][1] == label


ATTRIBUTES = ["classes", "class_to_idx", "samples", "imgs", "targets", "root"]


def test_attributes_and_samples_are_imagefolders(folders):
    """F8, E2: a drop-in for ImageFolder: same classes, order, labels and pixels."""
    oracle, ours = folders
    for name in ATTRIBUTES:
        wanted = getattr(oracle, name)
        assert getattr(ours, name) == (str(wanted) if name == "root" else wanted)
    assert ours.imgs is ours.samples
    assert (ours.transform, ours.target_transform) == (None, None)
    assert_same_samples(ours, oracle)
    for path, _ in ours.samples:
        assert np.array_equal(np.asarray(ours.loader(path)), np.asarray(oracle.loader(path)))
    assert pickle.loads(pickle.dumps(ours.loader))(ours.samples[0][0]).mode == "RGB"


def test_a_torchvision_pipeline_runs_unchanged(class_folder):
    transforms = torchvision().transforms
    pipeline = transforms.Compose(
        [
            transforms.Resize(20),
            transforms.CenterCrop(16),
            transforms.RandomHorizontalFlip(1.0),
            transforms.PILToTensor(),
            transforms.ConvertImageDtype(torch.float32),
        ]
    )
    target = {0: 7, 1: 8, 2: 9}.__getitem__
    kwargs = {"transform": pipeline, "target_transform": target}
    oracle = torchvision().datasets.ImageFolder(class_folder, **kwargs)
    ours = fc.ArenaDataset(class_folder, **kwargs)
    order = torch.randperm(len(oracle)).tolist()
    batches = []
    for ds in (oracle, ours):
        torch.manual_seed(3)
        batches.append(list(DataLoader(ds, batch_size=5, sampler=order)))
    for (images, labels), (wanted_images, wanted_labels) in zip(*batches, strict=True):
        assert (images - wanted_images).abs().max() < 1 / 255 + 1e-6  # a level, where C resizes
        assert torch.equal(labels, wanted_labels)


@pytest.mark.parametrize("in_place", [False, True])
def test_changed_samples_are_what_is_read(folders, in_place):
    for ds in folders:
        chosen = [(path, label + 10) for path, label in ds.samples[::-2]] + ds.samples[:2]
        if in_place:
            ds.samples[:] = chosen
        else:
            ds.samples = chosen
    oracle, ours = folders
    for name in ("samples", "imgs", "targets"):
        assert getattr(ours, name) == getattr(oracle, name), name
    assert_same_samples(ours, oracle)
    images, labels = next(iter(DataLoader(Uniform(ours), batch_size=3)))
    assert labels.tolist() == [label for _, label in oracle.samples[:3]]


class Uniform(torch.utils.data.Dataset):
    """Hands batches on, with only one pixel of each image."""

    def __init__(self, ds):
        self.ds = ds

    def __len__(self):
        return len(self.ds)

    def __getitems__(self, indices):
        return [(image[:, :1, :1], label) for image, label in self.ds.__getitems__(indices)]


def test_relabelling_one_sample_in_place(folders):
    oracle, ours = folders
    for ds in folders:
        ds.samples[3] = (ds.samples[3][0], 42)
        del ds.samples[0]
        ds.samples.append(ds.samples[1])
    assert_same_samples(ours, oracle)
    assert ours[2][1] == 42


def test_labels_of_any_type(folders):
    oracle, ours = folders
    labels = ["a", 1.5, None, torch.ones(2), 3]
    for ds in folders:
        ds.samples = [(path, label) for (path, _), label in zip(ds.samples, labels, strict=False)]
    for k, label in enumerate(labels):
        assert ours[k][1] is label
    got = [label for _, label in ours.__getitems__(range(len(labels)))]
    assert all(a is b for a, b in zip(got, labels, strict=True))


def test_float_labels_batch_as_floats(folders):
    _, ours = folders
    ours.samples = [(path, label / 4) for path, label in ours.samples]
    batch = fc.collate(ours.__getitems__([0, 5, -1]))
    assert batch[1].dtype == torch.float64
    assert batch[1].tolist() == [ours[0][1], ours[5][1], ours[-1][1]]


@pytest.mark.parametrize("name", ["targets", "imgs"])
def test_other_lists_can_be_assigned_and_change_nothing(folders, name):
    for ds in folders:
        setattr(ds, name, [1, 2])
        assert getattr(ds, name) == [1, 2]
    assert_same_samples(folders[1], folders[0])
    assert getattr(pickle.loads(pickle.dumps(folders[1])), name) == [1, 2]


def test_targets_keep_what_is_written_into_them(folders):
    _, ours = folders
    label = ours[0][1]
    ours.targets[0] = 99
    assert ours.targets[0] == 99
    assert ours[0][1] == label
    assert pickle.loads(pickle.dumps(ours)).targets[0] == 99
    sampler = WeightedRandomSampler([1.0] * len(ours.targets), 4)
    assert len(list(sampler)) == 4


def test_unknown_paths_are_refused_and_change_nothing(folders):
    _, ours = folders
    before, count = ours.samples, len(ours)
    with pytest.raises(ArgumentError, match=r"1 of 2 samples.*nowhere.jpg"):
        ours.samples = [ours.samples[0], ("nowhere.jpg", 0)]
    assert ours.samples is before
    assert len(ours) == count


def test_selected_samples_survive_pickling_and_copies(folders):
    _, ours = folders
    ours.samples = [(path, -label) for path, label in ours.samples[:3]]
    wanted = [label for _, label in ours.samples]
    again, twin = pickle.loads(pickle.dumps(ours)), ours.with_transform(None)
    twin.samples.pop()
    assert [len(ds) for ds in (ours, again, twin)] == [3, 3, 2]
    for ds in (ours, again, twin):
        assert [ds[k][1] for k in range(len(ds))] == wanted[: len(ds)]
        assert ds.samples == ours.samples[: len(ds)]


def test_looking_at_the_lists_leaves_the_pickle_small(class_folder):
    ours = fc.ArenaDataset(class_folder)
    size = len(pickle.dumps(ours))
    assert len(ours.samples) == len(ours.targets) == len(ours.imgs)
    assert len(pickle.dumps(ours)) == size < 4096


def test_skipped_files_are_left_out_everywhere(bad_class_folder):
    """A5: labels stay aligned when files are left out."""
    ours = fc.ArenaDataset(bad_class_folder, on_error="skip")
    failed = {path for path, _ in ours.report.failed}
    assert failed
    assert len(ours) == len(ours.samples) == len(ours.targets)
    assert not failed & {path for path, _ in ours.samples}
    for k, (path, label) in enumerate(ours.samples):
        assert ours.classes[label] == Path(path).relative_to(bad_class_folder).parts[0]
        with Pillow.open(path) as image:
            assert torch.equal(ours[k][0], as_tensor(image.convert("RGB")))
        assert ours[k][1] == label


def test_sources_without_folders_lack_the_attributes():
    ds = ArenaView(make_arena(*photos(4)))
    for name in ("classes", "class_to_idx", "samples", "imgs", "root"):
        assert not hasattr(ds, name)
    assert ds.targets == photos(4)[1]["label"][1].tolist()
    with pytest.raises(AttributeError, match="class folders"):
        _ = ds.classes


def test_masks_are_no_labels():
    from reading import every_field

    ds = ArenaView(make_arena(*every_field(3)))
    assert not hasattr(ds, "targets")
    assert not hasattr(ds, "samples")


def test_files_that_are_selected_by_hand_have_samples_too():
    structure, columns = photos(4)
    ds = ArenaView(make_arena(structure, columns, paths=list("abcd"), shown=[0, 2, 3]))
    labels = columns["label"][1].tolist()
    assert ds.samples == [("a", labels[0]), ("c", labels[2]), ("d", labels[3])]
    ds.samples = [("d", 0.5)]
    assert (len(ds), ds[0][1]) == (1, 0.5)
    with pytest.raises(ArgumentError):
        ds.samples = [("b", 1)]  # it failed in the fill
