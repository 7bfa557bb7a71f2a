"""The whole of a command with pyts: series from a file to one field after the other, float64.

    python peers/pyts_whole.py SERIES.npy

The first field is let go before the second is made, so that both need not fit into memory.  Prints
what it took as a line of JSON; gaf_memory.py measures the process around it.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from pyts.image import GramianAngularField
from resident import peak_growth, status_bytes


def main(path: str) -> None:
    def work() -> tuple[Any, int]:
        stored = np.load(path)
        series = stored.reshape(-1, stored.shape[-1])
        size = 0
        for method in ("summation", "difference"):
            size = GramianAngularField(method=method).transform(series).nbytes
        return series, size

    before = status_bytes("VmRSS")
    began = time.perf_counter()
    (series, size), growth, _ = peak_growth(work)
    print(
        json.dumps(
            {
                "work_seconds": time.perf_counter() - began,
                "input": series.nbytes,
                "output": size,
                "baseline": before,
                "growth": growth,
                "peak": status_bytes("VmHWM"),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
