"""An arena that several processes read: what the workers that measure its memory have in common.

"Without data" is the same program on an arena of one batch: as many batches of the same shape go
the same way, so that what is left between the two is the arena, and whatever was copied of it.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import open_files
from serve import Settings

BATCH = 64


def shared_photos(settings: Settings) -> Any:
    """Return a dataset of all rows, or of one batch if there is to be no data."""
    rows = settings.rows if settings.options["data"] else BATCH
    times = -(-rows // len(settings.paths))
    return open_files((settings.paths * times)[:rows], settings.threads)


def read_epoch(dataset: Any, rows: int, workers: int, method: str | None) -> Any:
    """Read as many rows as an epoch has through workers; return what keeps these alive."""
    from torch.utils.data import DataLoader

    order = np.random.default_rng(0).permutation(rows) % len(dataset)
    loader = DataLoader(
        dataset,
        BATCH,
        sampler=order.tolist(),
        num_workers=workers,
        persistent_workers=True,
        multiprocessing_context=method,
    )
    seen = 0
    for images, _ in loader:
        images.sum()  # as a model would look at them
        seen += len(images)
    if seen != rows:
        raise RuntimeError(f"{seen} of {rows} rows came")
    return loader


def settled(measure: Callable[[], int]) -> int:
    """Return the median of some measurements, when the processes have come to rest."""
    time.sleep(0.5)
    return int(statistics.median(measure() for _ in range(3)))
