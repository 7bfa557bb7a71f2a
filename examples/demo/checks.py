"""Does a model see the same from the arena as from the files?  Both answers, or a loud failure."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from disk import DiskFolder
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset

import fastcache as fc
from fastcache import transforms as T

# How far the C resampler may be from Pillow's.
MEAN_LIMIT = 0.05
ABOVE_ONE_LIMIT = 1e-6
MAX_LIMIT = 2


class DifferentError(SystemExit):
    """The arena and the files disagree: the demo ends here."""


@dataclass(frozen=True)
class PixelDifference:
    """Absolute differences between the arena's pixels and Pillow's, in levels of 0..255."""

    values: int
    mean: float
    maximum: int
    above_one: int

    def check(self) -> None:
        """Raise unless the differences are within the limits."""
        if self.mean > MEAN_LIMIT:
            raise DifferentError(f"mean pixel difference {self.mean:.4f}, allowed {MEAN_LIMIT}")
        if self.above_one > ABOVE_ONE_LIMIT * self.values:
            raise DifferentError(
                f"{self.above_one} of {self.values} values differ by more than 1, "
                f"allowed {ABOVE_ONE_LIMIT * self.values:.0f}"
            )
        if self.maximum > MAX_LIMIT:
            raise DifferentError(f"a value differs by {self.maximum}, allowed {MAX_LIMIT}")


def batch_digests(dataset: Dataset[tuple[torch.Tensor, int]], batch: int, seed: int) -> list[str]:
    """Return a digest of images and labels of every batch of one shuffled epoch."""
    sampler = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    digests = []
    for images, labels in DataLoader(dataset, batch_size=batch, sampler=sampler):
        pixels = images.contiguous().numpy()
        digest = hashlib.sha256(f"{pixels.dtype}{pixels.shape}".encode())
        digest.update(pixels)
        digest.update(labels.to(torch.int64).numpy())
        digests.append(digest.hexdigest())
    return digests


def counterpart(arena: fc.ArenaDataset, disk: DiskFolder, whole: bool) -> Subset[Any]:
    """Return the disk side's samples in the arena's order; raise if the two found different ones.

    Parameters
    ----------
    arena, disk : ArenaDataset, DiskFolder
    whole : bool
        Whether the arena holds all files of the folder, and not only some.
    """
    position = {sample: k for k, sample in enumerate(disk.samples)}
    strangers = [sample for sample in arena.samples if sample not in position]
    missing = len(disk.samples) - len(arena.samples) if whole else 0
    order = [position[sample] for sample in arena.samples if sample in position]
    if arena.classes != disk.classes or strangers or missing or order != sorted(order):
        raise DifferentError(
            f"the arena holds {len(arena.samples)} samples of {arena.classes}, Pillow reads "
            f"{len(disk.samples)} of {disk.classes}; only in the arena: {strangers[:3]}"
        )
    return Subset(disk, order)


def share_of(disk: DiskFolder, most: int) -> float | None:
    """Return ``limit=`` for checking about `most` samples; None for all."""
    found = len(disk.samples) + len(disk.failed)
    return None if found <= most else most / found


def check_batches(root: Path, disk: DiskFolder, batch: int, seed: int, most: int) -> dict[str, int]:
    """Compare batches with the original pixels kept and one callable transform for both.

    The arena gives the transform a PIL image of each sample; every batch must be byte for byte
    what decoding the file gives.
    """
    limit = share_of(disk, most)
    with fc.ArenaDataset(
        root, store=None, transform=disk.transform, on_error="skip", limit=limit, seed=seed
    ) as arena:
        same = counterpart(arena, disk, whole=limit is None)
        from_arena = batch_digests(arena, batch, seed)
    from_disk = batch_digests(same, batch, seed)
    equal = sum(a == b for a, b in zip(from_arena, from_disk, strict=True))
    if equal != len(from_disk):
        raise DifferentError(f"only {equal} of {len(from_disk)} batch digests are equal")
    return {"equal": equal, "batches": len(from_disk)}


def check_pixels(root: Path, disk: DiskFolder, seed: int, most: int) -> dict[str, float]:
    """Compare what ``store`` resampled in C with what Pillow makes of the same files."""
    limit = share_of(disk, most)
    store = [T.Resize(256), T.CenterCrop(224)]
    total = above = maximum = values = 0
    with fc.ArenaDataset(root, store=store, on_error="skip", limit=limit, seed=seed) as arena:
        same = counterpart(arena, disk, whole=limit is None)
        for index in range(len(same)):
            expected = same[index][0].numpy().astype(np.int16)
            difference = np.abs(arena[index][0].numpy().astype(np.int16) - expected)
            total += int(difference.sum())
            above += int((difference > 1).sum())
            maximum = max(maximum, int(difference.max()))
            values += difference.size
    result = PixelDifference(values, total / values, maximum, above)
    result.check()
    return asdict(result)
