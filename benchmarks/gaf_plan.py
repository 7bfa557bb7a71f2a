"""What is made of series, and of which ones: the inputs and the workers of every group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gaf_inputs import walks
from harness import Task
from serve import Settings

SIZES = (64, 96, 128, 224, 256, 512)
BYTE_SIZES = (64, 96, 128, 224, 256)
# Of images of 96 x 96, float32; in between, what is best depends on who else uses the cache.
BATCHES = {32: "fits the cache", 256: "may fit", 1024: "does not fit"}
SIZE, SERIES, SMALL = 128, 2048, 128
MANY = (4000, 26, 96)
WINDOWS, WINDOW, BATCH = 10_000_000, 96, 256
# What MTF and recurrence plots are made with, ours and pyts's: the class, parameters, tolerance.
NEIGHBOURS: dict[str, tuple[str, dict[str, Any], float]] = {
    "MTF": ("MarkovTransitionField", {}, 1e-6),
    "MTF to half the size": ("MarkovTransitionField", {"image_size": 0.5}, 1e-6),
    "recurrence plot": ("RecurrencePlot", {}, 1e-6),
    "recurrence plot, dimension 3": ("RecurrencePlot", {"dimension": 3}, 1e-6),
    "recurrence plot, threshold='distance'": ("RecurrencePlot", {"threshold": "distance"}, 0.0),
}


@dataclass(frozen=True)
class Plan:
    """What the groups are made from.

    Attributes
    ----------
    folder : Path
        Where inputs are written.
    cores : sequence of int
    ours, peers : str
        The interpreters.
    """

    folder: Path
    cores: Sequence[int]
    ours: str
    peers: str

    def groups(self) -> dict[str, Callable[[], dict[str, Task]]]:
        """Return what makes each group's inputs and tasks."""
        return {
            "limit": lambda: self._sizes("limit", "field_limit", SIZES, {"dtype": "float32"}),
            "pyts": self._pyts,
            "types": lambda: self._sizes("types", "field_types", BYTE_SIZES, {}),
            "both": lambda: {"both": self._own("field_both", {"size": SIZE})},
            "stores": lambda: {
                f"stores {batch}": self._own("field_stores", {"size": 96, "batch": batch})
                for batch in BATCHES
            },
            "many": self._many,
            "command": self._command,
            "threads": lambda: {"threads": self._own("field_threads", {"size": SIZE}, threads=2)},
            "windows": self._windows,
            "neighbours": self._neighbours,
        }

    def _settings(self, path: str | None, threads: int, options: Mapping[str, Any]) -> Settings:
        cores = [self.cores[-1]] if threads == 1 else list(self.cores[:2])
        paths = [] if path is None else [path]
        return Settings(paths, cores, threads, BATCH * 32, options=dict(options))

    def _own(
        self,
        script: str,
        options: Mapping[str, Any],
        path: str | None = None,
        threads: int = 1,
        fresh: bool = False,
    ) -> Task:
        settings = self._settings(path, threads, options)
        return Task(f"ours/{script}.py", self.ours, settings, fresh)

    def _series(self, name: str, *shape: int, dtype: str = "float64") -> str:
        path = self.folder / f"{name}.npy"
        if not path.exists():
            np.save(path, walks(*shape, dtype=dtype))
        return str(path)

    def _sizes(
        self, name: str, script: str, sizes: Sequence[int], more: Mapping[str, Any]
    ) -> dict[str, Task]:
        return {f"{name} {m}": self._own(script, {"size": m, **more}) for m in sizes}

    def _rival(
        self,
        path: str,
        estimator: str,
        calls: Sequence[Mapping[str, Any]],
        expected: str,
        batch: int | None = None,
        fresh: bool = False,
    ) -> Task:
        options = {
            "estimator": estimator,
            "calls": list(calls),
            "batch": batch,
            "expected": str(self.folder / f"{expected}.npy"),
            "few": 64,
        }
        settings = self._settings(path, 1, options)
        return Task("peers/pyts_images.py", self.peers, settings, fresh)

    def _beside(
        self,
        path: str,
        estimator: str,
        params: Mapping[str, Any],
        expected: str,
        tolerance: float,
        **more: Any,
    ) -> Task:
        options = {
            "estimator": estimator,
            "params": params,
            "batch": more.pop("batch", None),
            "expected": str(self.folder / f"{expected}.npy"),
            "tolerance": tolerance,
            "passes": 5,
        }
        return self._own("field_images", options, path, **more)

    def _pyts(self) -> dict[str, Task]:
        """Tasks in the order of their start: pyts leaves what ours is compared with."""
        path, gaf = self._series("series", SERIES, SIZE), "GramianAngularField"
        tasks = {
            "pyts": self._rival(path, gaf, [{}], "fields"),
            "pyts, batches": self._rival(path, gaf, [{}], "fields", SMALL),
        }
        for dtype, tolerance in (("float32", 5e-7), ("float64", 1e-12)):
            for name, batch in ((dtype, None), (f"{dtype}, batches", SMALL)):
                tasks[name] = self._beside(
                    path, gaf, {"dtype": dtype}, "fields", tolerance, batch=batch
                )
        return tasks

    def _many(self) -> dict[str, Task]:
        path, gaf = self._series("many", *MANY), "GramianAngularField"
        calls = [{"method": "summation"}, {"method": "difference"}]
        return {
            "many: pyts": self._rival(path, gaf, calls, "both", fresh=True),
            "many: pyts, batches": self._rival(path, gaf, calls, "both", SMALL, fresh=True),
            "many: fastcache": self._beside(
                path, gaf, {"method": "both"}, "both", 5e-7, threads=2, fresh=True
            ),
        }

    def _command(self) -> dict[str, Task]:
        path, items = self._series("many", *MANY), 2 * MANY[0] * MANY[1]
        tasks = {}
        for name, script, python, package, arguments in (
            ("fastcache", "ours/gaf_whole.py", self.ours, "fastcache", ["2"]),
            ("pyts", "peers/pyts_whole.py", self.peers, "pyts", []),
            ("memory alone", "ours/memory_whole.py", self.ours, "numpy", ["2"]),
        ):
            options = {
                "script": script,
                "python": python,
                "package": package,
                "arguments": arguments,
                "items": items,
            }
            tasks[f"command: {name}"] = self._own("whole", options, path, threads=2)
        return tasks

    def _windows(self) -> dict[str, Task]:
        path = self._series("long", WINDOWS + WINDOW - 1, dtype="float32")
        return {
            "opening": self._own("field_open", {"window": WINDOW}, path, threads=2, fresh=True),
            **{
                f"windows, {method}": self._own(
                    "field_windows", {"window": WINDOW, "batch": BATCH, "method": method}, path
                )
                for method in ("both", "summation")
            },
        }

    def _neighbours(self) -> dict[str, Task]:
        path = self._series("series", SERIES, SIZE)
        tasks = {}
        for name, (estimator, params, tolerance) in NEIGHBOURS.items():
            tasks[f"{name}: pyts"] = self._rival(path, estimator, [params], name)
            tasks[f"{name}: fastcache"] = self._beside(path, estimator, params, name, tolerance)
        return tasks
