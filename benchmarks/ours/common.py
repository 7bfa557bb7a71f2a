"""What the workers that measure fastcache share."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from serve import Settings

ROW = (224, 224, 3)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def own_folder(settings: Settings) -> Path:
    """Return a new folder below ``options["folder"]`` that goes when this process ends."""
    _FOLDERS.append(tempfile.TemporaryDirectory(dir=settings.options["folder"]))
    return Path(_FOLDERS[-1].name)


def file_source(paths: Sequence[str]) -> Any:
    """Return a source of image files, all with the label 0: they need not lie in class folders."""
    import fastcache as fc

    return fc.sources.Files(list(paths), np.zeros(len(paths), np.int64))


def store_224() -> list[Any]:
    """Return operations for short side 256, centre 224."""
    from fastcache import transforms as T

    return [T.Resize(256), T.CenterCrop(224)]


def open_files(paths: Sequence[str], threads: int, **options: Any) -> Any:
    """Return an ArenaDataset of image files, short side 256, centre 224 unless told otherwise."""
    import fastcache as fc

    options.setdefault("store", store_224())
    return fc.ArenaDataset(file_source(paths), threads=threads, **options)


def open_photos(settings: Settings, repeat: int = 1) -> Any:
    """Return an ArenaDataset of the photographs, `repeat` times over."""
    return open_files(settings.paths * repeat, settings.threads)


def codec_spec(color: str) -> Any:
    """Return what the core is asked for: mode RGB, RGBA or I;16, pixels as they are stored."""
    from decoding import CHANNELS

    from fastcache._core import image

    return image.Spec(channels=CHANNELS[color], wide=color == "I;16")


def cut_geometry(size: tuple[int, int], window: tuple[int, int, int, int] | None = None) -> Any:
    """Return the core's geometry record for a window of an image, with nothing resampled.

    Parameters
    ----------
    size : (height, width)
    window : (top, left, height, width), optional
        None: all of it.
    """
    top, left, height, width = window or (0, 0, *size)
    crop = (top, left, height, width)
    record = (*size, *crop, height, width, 0, 0, height, width)
    return np.array(record, np.int32).view(np.uint8)
