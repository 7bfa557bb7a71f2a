"""The whole of a command: series from a file to both fields in memory, float32.

    python ours/gaf_whole.py SERIES.npy THREADS

Prints what it took as a line of JSON; gaf_memory.py measures the process around it.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from resident import peak_growth, status_bytes

from fastcache.gaf import GramianAngularField


def main(path: str, threads: str) -> None:
    def work() -> tuple[Any, Any]:
        series = np.load(path)
        return series, GramianAngularField(method="both", n_jobs=int(threads)).transform(series)

    before = status_bytes("VmRSS")
    began = time.perf_counter()
    (series, images), growth, _ = peak_growth(work)
    print(
        json.dumps(
            {
                "work_seconds": time.perf_counter() - began,
                "input": series.nbytes,
                "output": images.nbytes,
                "baseline": before,
                "growth": growth,
                "peak": status_bytes("VmHWM"),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
