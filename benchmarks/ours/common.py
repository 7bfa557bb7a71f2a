"""What the workers that measure fastcache share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from serve import Settings

ROW = (224, 224, 3)


def open_files(paths: Sequence[str], threads: int, **options: Any) -> Any:
    """Return an ArenaDataset of image files, short side 256, centre 224.

    All have the label 0: they need not lie in class folders.
    """
    import fastcache as fc
    from fastcache import transforms as T

    return fc.ArenaDataset(
        fc.sources.Files(list(paths), np.zeros(len(paths), np.int64)),
        store=[T.Resize(256), T.CenterCrop(224)],
        threads=threads,
        **options,
    )


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
