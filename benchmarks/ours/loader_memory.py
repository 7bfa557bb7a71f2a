"""Peak memory of ArenaLoader before a slow consumer, in batches; needs a process of its own.

The loop holds one batch and works for a while, so that the loader makes ahead all that it may.
"""

import time
from typing import Any

from handing import order_of
from recipes import loader_of, open_recipe, steps
from resident import peak_growth
from serve import Result, Round, Settings, serve

PAUSE = 0.15  # seconds with each batch


def prepare(settings: Settings) -> Round:
    import torch

    torch.set_num_threads(1)
    dataset = open_recipe(settings, steps(settings.options["output"]))
    loader = loader_of(dataset, settings, order_of(len(dataset), settings.rows))
    # One small batch: what is made on first use, code and threads among it, is no batch.
    small = loader_of(dataset, settings, range(8), drop_last=False)
    for _ in small:
        pass

    def epoch() -> tuple[int, int]:
        size = count = 0
        for batch in loader:
            size = max(size, sum(part.nbytes for part in batch))
            count += 1
            time.sleep(PAUSE)
        return size, count

    def one_round() -> Result:
        (size, count), growth, code = peak_growth(epoch)
        ahead: Any = loader.ahead
        if count <= ahead + 2:
            raise RuntimeError(f"{count} batches are not enough to fill {ahead} made ahead")
        scratch = loader.stats().scratch_bytes
        told = {"scratch": scratch, "allowed": ahead + 2}
        return {"growth": growth, "code": code, "batch": size, **told}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
