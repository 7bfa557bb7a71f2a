"""Python's work per batch of 256: batches of rows so small that copying them takes no time."""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, serve, timed

BATCH = 256
BATCHES = 200
ROW = (4, 4, 3)  # 12 KB a batch


def prepare(settings: Settings) -> Round:
    from torch.utils.data import default_collate

    import fastcache as fc

    count = BATCH * BATCHES
    pixels = np.random.default_rng(0).integers(0, 256, (count, *ROW), np.uint8)
    dataset = fc.ArenaDataset(
        fc.sources.Arrays(pixels, np.arange(count), layout="HWC"), threads=settings.threads
    )
    order = np.random.default_rng(1).permutation(count).tolist()

    def fetch_all() -> Any:
        # What DataLoader's fetcher does with a list of indices.
        batch = None
        for first in range(0, count, BATCH):
            batch = default_collate(dataset.__getitems__(order[first : first + BATCH]))
        return batch

    def one_round() -> Result:
        (images, labels), seconds = timed(fetch_all)
        if labels.tolist() != order[-BATCH:] or len(images) != BATCH:
            raise RuntimeError("the last batch is not the one that was asked for")
        return {"seconds": seconds, "items": BATCHES}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
