"""Batches without resampling on one thread, and the limit of streaming stores, in turns.

options: ``output`` and ``pixels``, see recipes.py.  The dataset is asked in this thread, so that
nothing else is on the core; the limit writes as many bytes into memory of its own.
"""

from typing import Any

import numpy as np
from fill_limit import FillLimit, best
from handing import BATCH, check_centres, order_of, read_pixels, show
from recipes import centre, images_of, loader_of, open_recipe, steps
from serve import Result, Round, Settings, seconds_of, serve, take_turns

PASSES = 5


def prepare(settings: Settings) -> Round:
    import torch

    torch.set_num_threads(settings.threads)
    output = settings.options["output"]
    photos = read_pixels(settings.options["pixels"])
    whole = open_recipe(settings, centre(output))
    check_centres(
        images_of(loader_of(whole, settings, range(len(photos)), drop_last=False)), photos
    )
    dataset = open_recipe(settings, steps(output))
    order = order_of(len(dataset), settings.rows)
    batches = [order[at : at + BATCH] for at in range(0, len(order) - BATCH + 1, BATCH)]

    def epoch() -> None:
        for rows in batches:
            dataset.__getitems__(rows)

    shown = show([first(dataset.__getitems__(rows)) for rows in batches[:2]])
    size = first(dataset.__getitems__(batches[0])).nbytes
    limit, memory = FillLimit(settings.threads), np.ones(size, np.uint8)

    def written(width: int) -> float:
        return seconds_of(lambda: [limit.write(memory, width) for _ in batches])

    def one_round() -> Result:
        actions: dict[str, Any] = {"ours": lambda: seconds_of(epoch)}
        for width in limit.widths:
            actions[f"limit {width}"] = lambda width=width: written(width)
        seconds = take_turns(actions, PASSES)
        items = len(batches) * BATCH
        return {"seconds": seconds["ours"], "limit": best(seconds), "items": items, **shown}

    return one_round


def first(batch: Any) -> Any:
    """Return the images of what a dataset gives for a list of indices."""
    from fastcache import collate

    return collate(batch)[0]


if __name__ == "__main__":
    serve(prepare, package="fastcache")
