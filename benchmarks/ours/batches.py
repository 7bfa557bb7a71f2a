"""Shuffled batches of 256 at 224 px through plain DataLoader with 0 workers, and their limit."""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

BATCH = 256


def prepare(settings: Settings) -> Round:
    import torch
    from common import open_photos
    from gather_limit import GatherLimit
    from torch.utils.data import DataLoader

    torch.set_num_threads(settings.threads)
    read_all(settings.paths)
    dataset = open_photos(settings, repeat=-(-settings.rows // len(settings.paths)))
    pixels = dataset.arrays["image"]
    limit = GatherLimit(pixels, BATCH)
    loader = DataLoader(dataset, BATCH, shuffle=True, drop_last=True)
    verify(dataset, pixels)

    def epoch() -> int:
        return sum(len(labels) for _, labels in loader)

    def one_round() -> Result:
        items, seconds = timed(epoch)
        order = np.random.default_rng().permutation(len(pixels))
        _, limit_seconds = timed(lambda: limit.epoch(order))
        return {"seconds": seconds, "items": items, "limit_seconds": limit_seconds}

    return one_round


def verify(dataset: Any, pixels: Any) -> None:
    """Read every byte of an epoch, outside the clock: each row must come out once, unchanged."""
    from torch.utils.data import DataLoader

    expected = np.sort([touch(row) for row in pixels])
    seen = [
        touch(image.permute(1, 2, 0).contiguous().numpy())
        for images, _ in DataLoader(dataset, BATCH, shuffle=True)
        for image in images
    ]
    if not np.array_equal(np.sort(seen), expected):
        raise RuntimeError("the batches are not the arena's rows")


if __name__ == "__main__":
    serve(prepare, package="fastcache")
