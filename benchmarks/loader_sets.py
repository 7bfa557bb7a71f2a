"""Inputs of the comparison of loaders: the photographs decoded once, the same for everybody."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from handing import SHORT


def save_pixels(paths: Sequence[str], target: Path) -> Path:
    """Save photographs at short side 256 for `handing.read_pixels`; return the file.

    Parameters
    ----------
    paths : sequence of str
    target : Path
        Ends in ``.npz``.
    """
    import fastcache as fc
    from fastcache import transforms as T

    source = fc.sources.Files(list(paths), np.zeros(len(paths), np.int64))
    with fc.ArenaDataset(source, store=[T.Resize(SHORT)]) as dataset:
        images = [dataset[k][0].permute(1, 2, 0).numpy() for k in range(len(dataset))]
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    np.savez(target, pixels=np.concatenate([i.reshape(-1) for i in images]), sizes=sizes)
    return target
