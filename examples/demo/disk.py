"""The way it is done without fastcache: a class folder, decoded by Pillow on every read.

The order of classes and files, the decoding and the geometry are those of torchvision's
ImageFolder, Resize and CenterCrop; written out here because torchvision need not be installed.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ResizeCenterCrop:
    """The validation transform: short side to `resize`, centre `crop`; a uint8 tensor (C, H, W)."""

    resize: int = 256
    crop: int = 224

    def __call__(self, image: Image.Image) -> torch.Tensor:
        width, height = image.size
        if width <= height:
            size = (self.resize, int(self.resize * height / width))
        else:
            size = (int(self.resize * width / height), self.resize)
        image = image.resize(size, Image.Resampling.BILINEAR)
        left = round((size[0] - self.crop) / 2.0)
        top = round((size[1] - self.crop) / 2.0)
        image = image.crop((left, top, left + self.crop, top + self.crop))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def read_rgb(path: str) -> Image.Image:
    """Return the file's pixels as ImageFolder's loader does."""
    with Image.open(path) as image:
        return image.convert("RGB")


def reason_broken(path: str) -> str | None:
    """Return why Pillow refuses a file, or None if it does not."""
    try:
        read_rgb(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def list_class_folder(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the class names and (path, label) of every image file, in ImageFolder's order."""
    if not root.is_dir():
        raise SystemExit(f"{root}: no such folder; expected one folder of images per class in it")
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    if not classes:
        raise SystemExit(f"{root}: no class folders; expected one folder of images per class")
    samples = []
    for label, name in enumerate(classes):
        for folder, _, names in sorted(os.walk(root / name, followlinks=True)):
            samples += [
                (os.path.join(folder, file), label)
                for file in sorted(names)
                if file.lower().endswith(SUFFIXES)
            ]
    if not samples:
        raise SystemExit(f"{root}: no images in its {len(classes)} class folders")
    return classes, samples


class DiskFolder(Dataset[tuple[Any, int]]):
    """A class folder read from its files each time; files that Pillow refuses are left out.

    Finding those takes one pass over all files, the price of not failing in mid-epoch.
    """

    def __init__(
        self, root: Path, transform: Callable[[Image.Image], Any], threads: int | None = None
    ) -> None:
        self.transform = transform
        self.classes, found = list_class_folder(root)
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            reasons = list(pool.map(reason_broken, (path for path, _ in found)))
        self.samples = [s for s, reason in zip(found, reasons, strict=True) if reason is None]
        self.failed = [
            (path, reason)
            for (path, _), reason in zip(found, reasons, strict=True)
            if reason is not None
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return self.transform(read_rgb(path)), label
