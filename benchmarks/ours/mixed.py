"""Epochs with half of the memory that is needed, with all of it, and with none.

Shuffled batches at 224 px, plain DataLoader with 0 workers.  ``half`` is a budget of half of what
the plan with everything decoded needs, scratch and tables included; ``cold`` is one with which no
sample is kept, so that each is read from its file, which is in page cache, and decoded.
"""

from typing import Any

import numpy as np
from common import file_source, open_files, store_224
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns

BATCH = 256
PASSES = 2
NEAR = 512  # bytes between the least budget and one that is too little: no photograph is as small


def prepare(settings: Settings) -> Round:
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(settings.threads)
    read_all(settings.paths)
    paths = settings.paths * max(1, settings.rows // 4 // len(settings.paths))
    need = plan(paths, settings.threads).need_bytes
    budgets = {"all": None, "half": need // 2, "cold": least_budget(paths, settings.threads)}
    datasets = {
        name: open_files(paths, settings.threads, budget=budget) for name, budget in budgets.items()
    }
    kept = {name: kept_of(dataset) for name, dataset in datasets.items()}
    if kept["all"] is not None or kept["cold"]["absent"] < 0.99 * len(paths):
        raise RuntimeError(f"kept are {kept}")
    verify(datasets)
    loaders = {name: DataLoader(d, BATCH, shuffle=True) for name, d in datasets.items()}

    def epoch(name: str) -> float:
        def run() -> None:
            for _ in loaders[name]:
                pass

        return seconds_of(run)

    def one_round() -> Result:
        seconds = take_turns({n: lambda n=n: epoch(n) for n in datasets}, PASSES)  # type: ignore[misc]
        return {**seconds, "seconds": seconds["half"], "items": len(paths), "kept": kept["half"]}

    return one_round


def plan(paths: list[str], threads: int, budget: int | None = None) -> Any:
    """Return the plan of the dataset that `open_files` makes."""
    import fastcache as fc

    return fc.plan_for(
        file_source(paths),
        store=store_224(),
        threads=threads,
        budget=budget,
        on_error="raise",
        measure=False,
    )


def least_budget(paths: list[str], threads: int) -> int:
    """Return the least budget that a dataset fits into: nothing but tables and scratch."""
    whole = plan(paths, threads)
    low, high = 0, whole.need_bytes  # `low` does not fit, `high` does
    while high - low > NEAR:
        middle = (low + high) // 2
        if plan(paths, threads, middle).fits:
            high = middle
        else:
            low = middle
    return high


def kept_of(dataset: Any) -> Any:
    """Return how many samples are kept how; None if all are decoded."""
    return dataset.report["columns"]["image"].get("kept")


def verify(datasets: dict[str, Any]) -> None:
    """Refuse samples that depend on the budget."""
    first = datasets["all"]
    for name, dataset in datasets.items():
        for k in range(0, len(first), 7):
            if not np.array_equal(first[k][0], dataset[k][0]):
                raise RuntimeError(f"sample {k} has other pixels with the budget {name!r}")


if __name__ == "__main__":
    serve(prepare, package="fastcache")
