"""One side of the comparison, alone in its process so that its memory is its own.

Called by run.py: ``python measure.py disk|arena ROOT RESULT.json --epochs 3 …``
"""

import argparse
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cold
import numpy as np
import psutil
import torch
from disk import DiskFolder, ResizeCenterCrop, list_class_folder
from torch.utils.data import DataLoader, RandomSampler
from training import Timing, load_only, train


class PeakMemory:
    """Watches the memory of this process and its workers from a thread, ten times a second."""

    def __init__(self) -> None:
        self.peak_pss = self.peak_rss = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @staticmethod
    def now() -> tuple[int, int]:
        """Return (PSS, RSS) in bytes, summed over the process tree."""
        pss = rss = 0
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            try:
                memory = process.memory_full_info()
            except psutil.NoSuchProcess:  # a worker that has just ended
                continue
            pss, rss = pss + memory.pss, rss + memory.rss
        return pss, rss

    def _watch(self) -> None:
        while True:
            pss, rss = self.now()
            self.peak_pss, self.peak_rss = max(self.peak_pss, pss), max(self.peak_rss, rss)
            if self._stop.wait(0.1):
                return

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()


def timed_build(build: Any, paths: Sequence[str], forget: bool) -> tuple[Any, float, float]:
    """Return what `build` makes, its seconds, and the share of the files cached beforehand."""
    if forget:
        cold.drop(paths)
    cached = cold.resident_share(paths)
    began = time.perf_counter()
    made = build()
    return made, time.perf_counter() - began, cached


def milliseconds(timing: Timing) -> dict[str, float]:
    """Return the median and the 99th percentile of the waits for a batch."""
    p50, p99 = np.percentile(timing.waits, [50, 99]) * 1e3
    return {"batch_p50_ms": float(p50), "batch_p99_ms": float(p99)}


def run_disk(root: Path, paths: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Decode in every epoch, in as many workers as there are cores."""
    dataset, scan_seconds, _ = timed_build(
        lambda: DiskFolder(root, ResizeCenterCrop()), paths, forget=False
    )
    workers = len(os.sched_getaffinity(0))
    loader = DataLoader(
        dataset,
        options.batch,
        sampler=RandomSampler(dataset, generator=torch.Generator().manual_seed(options.seed)),
        num_workers=workers,
        persistent_workers=True,
    )
    warm_up(loader)
    _, _, cached = timed_build(lambda: None, paths, forget=True)
    first, warm = load_only(loader), load_only(loader)
    losses, training = train(loader, len(dataset.classes), options.epochs, options.seed)
    return {
        "how": f"Pillow on every read, {workers} DataLoader workers",
        "samples": len(dataset),
        "failed": len(dataset.failed),
        "build_s": None,
        "scan_s": scan_seconds,
        "cold_cached_share": cached,
        "cold_images_s": first.rate,
        "warm_images_s": warm.rate,
        **milliseconds(warm),
        **training_numbers(losses, training),
    }


def warm_up(loader: DataLoader[Any]) -> None:
    """Read one epoch that nobody times: it starts the workers.  Then back to the first shuffle."""
    load_only(loader)
    loader.sampler.generator.manual_seed(loader.sampler.generator.initial_seed())  # type: ignore[attr-defined]


def run_arena(root: Path, paths: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Decode once into the arena, then read that."""
    import fastcache as fc
    from fastcache import transforms as T

    size = ResizeCenterCrop()

    def build() -> fc.ArenaDataset:
        store = [T.Resize(size.resize), T.CenterCrop(size.crop)]
        return fc.ArenaDataset(root, store=store, on_error="skip")

    dataset, cold_seconds, cached = timed_build(build, paths, forget=True)
    dataset.close()
    dataset, warm_seconds, _ = timed_build(build, paths, forget=False)
    print(dataset.report)
    loader = DataLoader(
        dataset,
        options.batch,
        sampler=RandomSampler(dataset, generator=torch.Generator().manual_seed(options.seed)),
    )
    warm_up(loader)
    first, warm = load_only(loader), load_only(loader)
    losses, training = train(loader, len(dataset.classes), options.epochs, options.seed)
    return {
        "how": "fastcache arena, plain DataLoader, 0 workers",
        "samples": len(dataset),
        "failed": len(dataset.report.failed),
        "build_s": cold_seconds,
        "build_warm_s": warm_seconds,
        "scan_s": None,
        "cold_cached_share": cached,
        "cold_images_s": len(dataset) / (cold_seconds + first.seconds),
        "warm_images_s": warm.rate,
        **milliseconds(warm),
        **training_numbers(losses, training),
    }


def training_numbers(losses: list[float], timing: Timing) -> dict[str, Any]:
    """Return what is told of the training run."""
    return {
        "losses": losses,
        "train_images_s": timing.rate,
        "train_wait_share": timing.wait_share,
        "train_s": timing.seconds,
    }


def main() -> None:
    """Measure one side and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["disk", "arena"])
    parser.add_argument("root", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    found = [path for path, _ in list_class_folder(options.root)[1]]
    paths = [path for path in found if os.path.isfile(path) and os.access(path, os.R_OK)]
    torch.set_num_threads(1)  # more would fight the disk side's workers for the same cores
    before_pss, before_rss = PeakMemory.now()
    with PeakMemory() as memory:
        run = run_disk if options.side == "disk" else run_arena
        numbers = run(options.root, paths, options)
    numbers |= {
        "start_pss": before_pss,
        "start_rss": before_rss,
        "peak_pss": memory.peak_pss,
        "peak_rss": memory.peak_rss,
    }
    options.result.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
