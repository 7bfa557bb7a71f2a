"""uint8 batches by ArenaLoader to a CUDA device, and a plain pinned copy of as many bytes.

Rows are finished, so that copying is nearly all there is to do.  The plain copy is one page-locked
batch to one place on the device, over and over, on the stream at hand.
"""

from typing import Any

import numpy as np
from cuda_device import cuda_device
from handing import BATCH, SIDE, order_of
from serve import Result, Round, Settings, seconds_of, serve, take_turns

PASSES = 4
KEPT = 4096


def prepare(settings: Settings) -> Round:
    device = cuda_device()
    import torch

    import fastcache as fc

    pixels = np.random.default_rng(0).integers(0, 256, (KEPT, 3, SIDE, SIDE), np.uint8)
    source = fc.sources.Arrays(pixels, np.arange(KEPT), layout="CHW")
    dataset = fc.ArenaDataset(source, threads=settings.threads)
    order = order_of(KEPT, settings.rows)
    loader = fc.ArenaLoader(
        dataset, BATCH, sampler=order, drop_last=True, device=device, prefetch_factor=4
    )
    locked = torch.empty((BATCH, 3, SIDE, SIDE), dtype=torch.uint8).pin_memory()
    there = torch.empty_like(locked, device=device)

    def epoch() -> None:
        for _ in loader:
            pass
        torch.cuda.synchronize(device)

    def plain() -> None:
        for _ in range(len(loader)):
            there.copy_(locked, non_blocking=True)
        torch.cuda.synchronize(device)

    for images, labels in loader:
        if not torch.equal(images.cpu(), torch.from_numpy(pixels[labels.cpu().numpy()])):
            raise RuntimeError("the device's batch is not the arena's rows")

    def one_round() -> Result:
        actions: dict[str, Any] = {
            "ours": lambda: seconds_of(epoch),
            "limit": lambda: seconds_of(plain),
        }
        seconds = take_turns(actions, PASSES)
        items = len(loader) * BATCH
        return {"seconds": seconds["ours"], "limit": seconds["limit"], "items": items}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
