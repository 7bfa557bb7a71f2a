"""Shuffled batches of windows' images from an ArenaDataset, and the kernel alone on the same ones.

paths: one series (t,).  options: ``window``, ``batch``, ``method``; ``rows`` windows are asked for
several times.  The dataset answers as for a DataLoader: ``__getitems__`` and collate.  The kernel
has the places of the same windows in the same series, and writes to one buffer that is there
already.  Both take turns, batch by batch.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from serve import Result, Round, Settings, seconds_of, serve, take_turns

PASSES = 9


def prepare(settings: Settings) -> Round:
    import torch

    import fastcache as fc
    from fastcache._core import fields
    from fastcache.gaf import GramianAngularField

    torch.set_num_threads(settings.threads)
    window, batch = settings.options["window"], settings.options["batch"]
    series = np.load(settings.paths[0])
    transform = GramianAngularField(
        image_size=window, method=settings.options["method"], n_jobs=settings.threads
    )
    dataset = fc.ArenaDataset(
        fc.sources.Series(series, window=window), transform=transform, threads=settings.threads
    )
    order = np.random.default_rng(1).integers(0, len(dataset), settings.rows)
    batches = [order[first : first + batch] for first in range(0, len(order), batch)]
    asked = [part.tolist() for part in batches]  # as samplers give them
    plan = transform.plan(window)
    (spec,) = plan.specs
    room = np.ones((batch, plan.planes, window, window), np.float32)

    def of_dataset(rows: list[int]) -> Any:
        return fc.collate(dataset.__getitems__(rows))

    def of_kernel(rows: Any) -> Any:
        out = room[: len(rows)]
        offsets = rows * series.itemsize
        job = fields.FieldJob.of_rows(
            spec, series.view(np.uint8), series.dtype.name, offsets, out,
            channels=1, channel_bytes=0, length=window, planes=plan.planes,
        )  # fmt: skip
        job.run()
        return out

    for rows in (batches[0], batches[-1]):
        if not np.array_equal(of_dataset(rows.tolist()).numpy(), of_kernel(rows)):
            raise ValueError("the dataset's images are not the kernel's")

    def one_by_one(make: Callable[[Any], Any], parts: list[Any]) -> Callable[[], float]:
        turn = cycle(parts)

        def one() -> float:
            part = next(turn)
            return seconds_of(lambda: make(part))

        return one

    actions = {
        "dataset": one_by_one(of_dataset, asked),
        "kernel": one_by_one(of_kernel, batches),
    }

    def one_round() -> Result:
        taken = take_turns(actions, PASSES * len(batches))
        return {"seconds": taken["dataset"], "items": batch, "kernel": taken["kernel"]}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
