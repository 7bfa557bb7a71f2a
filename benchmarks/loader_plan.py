"""Loaders beside each other: the inputs and the workers of every group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Task
from loader_sets import save_pixels
from serve import Settings

ENCODED_BATCH = 64
OUTPUTS = ("uint8", "float32", "float16")


@dataclass(frozen=True)
class Plan:
    """What the groups are made from.

    Attributes
    ----------
    paths : sequence of str
        Photographs.
    folder : Path
        Where decoded photographs and FFCV's files are written.
    cores : sequence of int
    rows : int
        Samples of an epoch of the fast rows; slow ones have a part of them.
    ours, peers : str
        The interpreters.
    cuda : bool
        Whether there are rows of a CUDA device.
    """

    paths: Sequence[str]
    folder: Path
    cores: Sequence[int]
    rows: int
    ours: str
    peers: str
    cuda: bool

    def groups(self) -> dict[str, Callable[[], dict[str, Task]]]:
        """Return what makes each group's inputs and tasks."""
        groups: dict[str, Callable[[], dict[str, Task]]] = {
            **{name: lambda name=name: self._against_ffcv(name) for name in OUTPUTS},  # type: ignore[misc]
            "threads": self._threads,
            "crop": self._crop,
            "jitter": self._jitter,
            "encoded": self._encoded,
            "overhead": self._overhead,
            "epoch": self._epoch,
            "memory": self._memory,
        }
        if self.cuda:
            groups["cuda"] = self._cuda
        return groups

    def _pixels(self) -> str:
        target = self.folder / "photographs.npz"
        if not target.exists():
            save_pixels(self.paths, target)
        return str(target)

    def _task(self, script: str, options: dict[str, Any], **more: Any) -> Task:
        """Return a task of ours, or of a rival whose script is below peers/."""
        threads = more.get("threads", 1)
        both = threads > 1 or more.get("both_cores", False)
        cores = list(self.cores[:2]) if both else [self.cores[-1]]
        settings = Settings(
            list(self.paths),
            cores,
            threads,
            more.get("rows", self.rows),
            function=more.get("function", ""),
            options={"folder": str(self.folder), **options},
        )
        python = self.peers if script.startswith("peers/") else self.ours
        return Task(f"{script}.py", python, settings, more.get("fresh", False))

    def _against_ffcv(self, output: str) -> dict[str, Task]:
        options = {"pixels": self._pixels(), "output": output}
        return {
            output: self._task("ours/recipe_batches", options),
            f"FFCV raw, {output}": self._task(
                "peers/ffcv_loader", options, function=output
            ),
        }  # fmt: skip

    def _threads(self) -> dict[str, Task]:
        options = {"pixels": self._pixels(), "output": "uint8"}
        return {
            f"uint8, {n} thread{'s' * (n > 1)}": self._task(
                "ours/recipe_batches", options, threads=n, both_cores=True
            )
            for n in (1, 2)
        }

    def _crop(self) -> dict[str, Task]:
        return {
            output: self._task("ours/recipe_limit", {"pixels": self._pixels(), "output": output})
            for output in ("crop", "crop, channels last")
        }

    def _jitter(self) -> dict[str, Task]:
        options = {"pixels": self._pixels(), "output": "jitter"}
        return {
            "jitter": self._task("ours/recipe_batches", options),
            "torchvision, jitter": self._task(
                "peers/torchvision_steps", {**options, "skipped": 1}, rows=self._part(4),
                function="loop",
            ),
        }  # fmt: skip

    def _part(self, parts: int) -> int:
        """Return a part of the rows, for who is slow, but enough batches of 256."""
        return max(self.rows // parts, 3 * 256)

    def _encoded(self) -> dict[str, Task]:
        options = {"output": "uint8", "batch": ENCODED_BATCH, "skipped": 2}
        rows = max(self._part(8), 6 * ENCODED_BATCH)
        return {
            "encoded": self._task("ours/recipe_batches", options, rows=rows),
            "whole, then crop": self._task("ours/full_crop", options, rows=rows),
            "FFCV jpg": self._task("peers/ffcv_loader", options, rows=rows, function="jpg"),
            "DALI crop": self._task("peers/dali_crop", options, rows=rows),
        }

    def _overhead(self) -> dict[str, Task]:
        return {
            "overhead": self._task("ours/loader_overhead", {}, both_cores=True),
            "overhead, recipe": self._task(
                "ours/loader_overhead", {}, both_cores=True, function="recipe"
            ),
        }

    def _epoch(self) -> dict[str, Task]:
        options = {"pixels": self._pixels(), "output": "float32"}
        return {
            "epoch": self._task("ours/recipe_batches", options, threads=2),
            "DataLoader, torchvision": self._task(
                "peers/torchvision_steps", {**options, "skipped": 2}, threads=2,
                rows=self._part(2), function="workers",
            ),
        }  # fmt: skip

    def _memory(self) -> dict[str, Task]:
        options = {"pixels": self._pixels(), "output": "float32"}
        return {
            "memory": self._task(
                "ours/loader_memory", options, threads=2, rows=12 * 256, fresh=True
            )
        }

    def _cuda(self) -> dict[str, Task]:
        options = {"pixels": self._pixels()}
        return {
            "cuda copy": self._task("ours/cuda_copy", {**options, "output": "uint8"}, threads=2),
            "cuda epoch": self._task(
                "ours/cuda_epoch", {**options, "output": "float16"}, threads=2
            ),
        }
