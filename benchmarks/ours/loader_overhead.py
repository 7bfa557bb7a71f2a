"""Python's work per batch of 256 in ArenaLoader, its thread included, and in plain DataLoader.

Rows are so small that copying them takes no time, and the loop does nothing, so that it waits for
each batch: what is measured is all that happens from one batch to the next.  `function` "recipe":
images are mirrored, so that what a recipe needs around its work in C is there too, and that work.
"""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, serve, timed

BATCH = 256
BATCHES = 200
ROW = (4, 4, 3)  # 12 KB a batch


def prepare(settings: Settings) -> Round:
    from torch.utils.data import DataLoader

    import fastcache as fc

    count = BATCH * BATCHES
    pixels = np.random.default_rng(0).integers(0, 256, (count, *ROW), np.uint8)
    is_recipe = settings.function == "recipe"
    dataset = fc.ArenaDataset(
        fc.sources.Arrays(pixels, np.arange(count), layout="HWC"),
        threads=settings.threads,
        transform=[fc.transforms.RandomHorizontalFlip()] if is_recipe else None,
    )
    order = np.random.default_rng(1).permutation(count).tolist()
    ahead = fc.ArenaLoader(dataset, BATCH, sampler=order)
    plain = DataLoader(dataset, BATCH, sampler=order)

    def epoch(loader: Any) -> Any:
        batch = None
        for batch in loader:  # noqa: B007 - the last one is looked at
            pass
        return batch

    def one_round() -> Result:
        (images, labels), seconds = timed(lambda: epoch(ahead))
        if labels.tolist() != order[-BATCH:] or len(images) != BATCH:
            raise RuntimeError("the last batch is not the one that was asked for")
        _, plain_seconds = timed(lambda: epoch(plain))
        return {"seconds": seconds, "items": BATCHES, "limit_seconds": plain_seconds}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
