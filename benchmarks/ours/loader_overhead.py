"""Python's work per batch of 256 in ArenaLoader, its thread included, and in plain DataLoader.

Rows are so small that copying them takes no time, and the loop does nothing, so that it waits for
each batch: what is measured is all that happens from one batch to the next.  `function` "recipe":
images are mirrored, so that what a recipe needs around its work in C is there too; the time in C
itself is taken off.
"""

from time import perf_counter
from typing import Any

import numpy as np
from serve import Result, Round, Settings, serve, timed

BATCH = 256
BATCHES = 200
ROW = (4, 4, 3)  # 12 KB a batch


class InC:
    """Seconds that recipes work in C, on the one thread that there is."""

    def __init__(self) -> None:
        from fastcache._core.recipe import MakeJob
        from fastcache.read.recipes import recipe_batch

        clock = self
        self.seconds = 0.0

        class Timed(MakeJob):  # type: ignore[misc]  # a class of Cython's
            def run(self) -> None:
                began = perf_counter()
                super().run()
                clock.seconds += perf_counter() - began

        recipe_batch.MakeJob = Timed  # type: ignore[misc]


def prepare(settings: Settings) -> Round:
    from torch.utils.data import DataLoader

    import fastcache as fc

    clock = InC()
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
        before = clock.seconds
        (images, labels), seconds = timed(lambda: epoch(ahead))
        in_c = clock.seconds - before
        if is_recipe != (in_c > 0):
            raise RuntimeError(f"{in_c} s in C")
        if labels.tolist() != order[-BATCH:] or len(images) != BATCH:
            raise RuntimeError("the last batch is not the one that was asked for")
        _, plain_seconds = timed(lambda: epoch(plain))
        return {"seconds": seconds - in_c, "items": BATCHES, "limit_seconds": plain_seconds}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
