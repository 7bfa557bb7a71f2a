"""Batches of whole images that are kept encoded, and the rate at which a fill decodes them.

Plain DataLoader with 0 workers, shuffled batches of 64, on as many threads as the fill.  The fill's
seconds are those of its report: files are read and decoded into memory that is there already;
headers, plan and memory are not in them.
"""

from typing import Any

import numpy as np
from common import open_files
from resident import wake
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns

BATCH = 64
PASSES = 2


def prepare(settings: Settings) -> Round:
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(settings.threads)
    read_all(settings.paths)

    def opened(keep: str) -> Any:
        return open_files(settings.paths, settings.threads, store=None, keep=keep)

    encoded = opened("encoded")
    loader = DataLoader(encoded, BATCH, shuffle=True)
    with opened("decoded") as decoded:
        verify(encoded, decoded)
        size = decoded.report["arena_bytes"]

    def epoch() -> None:
        for _ in loader:
            pass

    def fill() -> float:
        wake(size)
        with opened("decoded") as dataset:
            return float(dataset.report["fill_seconds"])

    def one_round() -> Result:
        seconds = take_turns({"batches": lambda: seconds_of(epoch), "fill": fill}, PASSES)
        return {"seconds": seconds["batches"], "fill": seconds["fill"], "items": len(encoded)}

    return one_round


def verify(encoded: Any, decoded: Any) -> None:
    """Refuse other pixels than those of the fill, and samples that are not kept encoded."""
    kept = encoded.report["columns"]["image"]["kept"]
    if kept["encoded"] != len(encoded):
        raise RuntimeError(f"kept are {kept}")
    for k in range(len(decoded)):
        if not np.array_equal(encoded[k][0], decoded[k][0]):
            raise RuntimeError(f"sample {k} has other pixels than when it is decoded in the fill")


if __name__ == "__main__":
    serve(prepare, package="fastcache")
