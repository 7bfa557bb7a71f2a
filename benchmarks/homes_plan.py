"""Homes of arenas: the inputs and the workers of every group."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Task
from homes_sets import arena_bytes, link_photos, save_rows
from serve import Settings

HEADERS = 26_000
REOPENED = 100_000
SMALL, LARGE = 32, 224  # sides of the images of arenas that are opened
METHODS = ("fork", "spawn", "forkserver")
WITHOUT = ", no data"


@dataclass(frozen=True)
class Plan:
    """What the groups are made from.

    Attributes
    ----------
    paths : sequence of str
        Photographs.
    folder : Path
        Where arenas are written.
    cores : sequence of int
    rows : int
        Rows of arenas that are made of the photographs, each of them repeated.
    ours : str
        The interpreter.
    """

    paths: Sequence[str]
    folder: Path
    cores: Sequence[int]
    rows: int
    ours: str

    def groups(self) -> dict[str, Callable[[], dict[str, Task]]]:
        """Return what makes each group's inputs and tasks."""
        return {
            "plan": self._plan,
            "reopen": lambda: self._reopen("reopen", SMALL),
            "sharing": self._sharing,
            "save": lambda: {"save": self._task("save_arena", self._folder("save"), threads=2)},
            "disk": lambda: {"disk": self._task("disk_batches", self._folder("disk"))},
            "encoded": self._encoded,
            "mixed": self._mixed,
            "rates": lambda: {"rates": self._task("arena_rates", self._folder("rates"), threads=2)},
            "large": lambda: self._reopen("large", LARGE),  # leaves nothing else in page cache
        }

    def _task(
        self,
        script: str,
        options: dict[str, Any],
        threads: int = 1,
        fresh: bool = False,
        photos: bool = True,
    ) -> Task:
        cores = [self.cores[-1]] if threads == 1 else list(self.cores[:2])
        paths = list(self.paths) if photos else []
        settings = Settings(paths, cores, threads, self.rows, options=options)
        return Task(f"ours/{script}.py", self.ours, settings, fresh)

    def _folder(self, group: str) -> dict[str, Any]:
        folder = self.folder / group
        folder.mkdir()
        return {"folder": str(folder)}

    def _plan(self) -> dict[str, Task]:
        root = {"root": str(link_photos(self.paths, self.folder / "files", HEADERS))}
        return {
            f"plan, {n} thread{'s' * (n > 1)}": self._task(
                "plan_headers", root, threads=n, photos=False
            )
            for n in (1, 2)
        }

    def _reopen(self, name: str, side: int) -> dict[str, Task]:
        need, have = 2 * arena_bytes(REOPENED, side), shutil.disk_usage(self.folder).free
        options: dict[str, Any]
        if have < need:
            options = {"missing": f"{have / 1e9:.0f} GB are free of {need / 1e9:.0f} in --folder"}
        else:
            options = {"arena": str(save_rows(self.folder / name, REOPENED, side))}
        return {name: self._task("reopen", options, threads=2, fresh=True, photos=False)}

    def _sharing(self) -> dict[str, Task]:
        tasks = {}
        for data, suffix in ((True, ""), (False, WITHOUT)):
            for method in METHODS:
                options = {"method": method, "data": data}
                tasks[method + suffix] = self._task("share_workers", options, 2, fresh=True)
            tasks["ranks" + suffix] = self._task("share_ranks", {"data": data}, 2, fresh=True)
        return tasks

    def _encoded(self) -> dict[str, Task]:
        return {
            "encoded, 1 thread": self._task("encoded", {}),
            "encoded, 2 threads": self._task("encoded", {}, threads=2),
        }

    def _mixed(self) -> dict[str, Task]:
        return {
            "mixed, 1 thread": self._task("mixed", {}),
            "mixed, 2 threads": self._task("mixed", {}, threads=2),
        }
