"""What whole commands cannot do without: reading the series, writing as much memory.

    python ours/memory_whole.py SERIES.npy THREADS

Zeros are written to fresh memory, of the size of both fields in float32.  Prints what gaf_whole.py
prints.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from resident import peak_growth, status_bytes


def main(path: str, threads: str) -> None:
    def work() -> tuple[Any, Any]:
        series = np.load(path)
        memory = np.empty((2 * series.size, series.shape[-1]), np.float32)
        parts = np.array_split(memory, 64)
        with ThreadPoolExecutor(int(threads)) as pool:
            for _ in pool.map(lambda part: np.copyto(part, 0), parts):
                pass
        return series, memory

    before = status_bytes("VmRSS")
    began = time.perf_counter()
    (series, memory), growth, _ = peak_growth(work)
    print(
        json.dumps(
            {
                "work_seconds": time.perf_counter() - began,
                "input": series.nbytes,
                "output": memory.nbytes,
                "baseline": before,
                "growth": growth,
                "peak": status_bytes("VmHWM"),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
