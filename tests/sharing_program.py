"""A rank, or a program without ranks, whose DataLoader has worker processes: how much they take.

Its argument is JSON: ``rows``, ``row`` (its bytes), ``workers``, ``method``. It writes JSON lines,
and ends when told.
"""

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from torch.utils.data import DataLoader

import fastcache as fc


def sizes(pid: int) -> tuple[int, int]:
    """Return bytes of the arena and of all memory, each page divided by its number of users.

    Pages of files (libraries) are left out: they are shared with whoever else runs on the machine.
    """
    arena = everything = 0
    ours = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            ours = "memfd:fastcache " in f"{line} "
        elif line.startswith("Pss:") and ours:
            arena += int(line.split()[1]) * 1024
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
            everything += int(line.split()[1]) * 1024
    return arena, everything


def dataset(rows: int, row: int) -> Any:
    """Return a dataset of so many rows of so many bytes, whose source is not kept."""
    values = np.repeat(np.arange(rows, dtype=np.int64)[:, None], row // 8, 1)
    return fc.ArenaDataset(fc.sources.Arrays(values, np.arange(rows)))


def say(**facts: Any) -> None:
    """Write a line."""
    print(json.dumps({"pid": os.getpid(), **facts}), flush=True)


def main() -> None:
    """Read an epoch in the workers, tell what all processes take, wait for a line."""
    task = json.loads(sys.argv[1])
    ds = dataset(task["rows"], task["row"])
    loader = DataLoader(
        ds,
        batch_size=2,
        num_workers=task["workers"],
        multiprocessing_context=task["method"],
        persistent_workers=True,
    )
    total = rows = 0
    for values, labels in loader:
        assert (values[:, 0] == labels).all()
        total += int(values[:, -1].sum())
        rows += len(labels)
    ready = task["rows"] == rows and total == sum(range(rows))
    pids = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
    say(
        state="read", right=ready, pids=pids, ranks=ds.report["ranks"], pickle=len(pickle.dumps(ds))
    )
    sys.stdin.readline()  # nobody ends while others are looked at
    measured = [sizes(pid) for pid in pids]
    say(state="measured", arena=sum(a for a, _ in measured), all=sum(b for _, b in measured))
    sys.stdin.readline()
    for worker in loader._iterator._workers:
        worker.kill()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
