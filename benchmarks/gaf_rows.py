"""The table of images made of series: which workers make them, and which target was set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gaf_inputs import walks
from harness import Measured, Task
from rows import Row, rate_ratio
from serve import Settings

SIZES = (64, 96, 128, 224, 256, 512)
BYTE_SIZES = (64, 96, 128, 224, 256)
# Of images of 96 x 96, float32; in between, what is best depends on who else uses the cache.
BATCHES = {32: "fits the cache", 256: "may fit", 1024: "does not fit"}
_SIZE, _SERIES, _SMALL = 128, 2048, 128
MANY = (4000, 26, 96)
WINDOWS, _WINDOW, _BATCH = 10_000_000, 96, 256
# What MTF and recurrence plots are made with, ours and pyts's: the class, parameters, tolerance.
NEIGHBOURS: dict[str, tuple[str, dict[str, Any], float]] = {
    "MTF": ("MarkovTransitionField", {}, 1e-6),
    "MTF to half the size": ("MarkovTransitionField", {"image_size": 0.5}, 1e-6),
    "recurrence plot": ("RecurrencePlot", {}, 1e-6),
    "recurrence plot, dimension 3": ("RecurrencePlot", {"dimension": 3}, 1e-6),
    "recurrence plot, threshold='distance'": ("RecurrencePlot", {"threshold": "distance"}, 0.0),
}
_TARGETED = ("MTF", "recurrence plot")
SHOWN = ("pyts", "pyts, batches", "float32", "float64", "float32, batches", "float64, batches")
PEERS = ("pyts", "pyts, batches")


def limit_share(one: Measured) -> list[float]:
    """Return how much of the limit was reached, in percent."""
    return one.series(lambda r: 100 * r["limit_seconds"] / r["seconds"])


def type_ratio(dtype: str) -> Callable[[Measured], list[float]]:
    """Return what tells how many times as many images of a type as of float32 are made."""
    return lambda one: one.series(lambda r: r["by"]["float32"] / r["by"][dtype])


def both_ratio(one: Measured) -> list[float]:
    """Return the time of both fields over that of one after the other."""
    return one.series(lambda r: r["seconds"] / r["singles"])


def store_ratio(part: str) -> Callable[[Measured], list[float]]:
    """Return what tells how the faster of the forced stores compares with the one chosen."""
    return lambda one: one.series(
        lambda r: min(r[part]["cached"], r[part]["streaming"]) / r[part]["auto"]
    )


def _thread_rows() -> tuple[Row, ...]:
    def row(what: str, unit: str, value: Callable[[dict[str, Any]], float]) -> Row:
        return Row(what, None, True, unit, ("threads",), lambda one: one.series(value))

    return (
        row("limit of streaming stores, 1 thread", "GB/s",
            lambda r: r["bytes"] / r["limit_one"] / 1e9),
        row("limit of streaming stores, 2 threads", "GB/s",
            lambda r: r["bytes"] / r["limit_two"] / 1e9),
        row("summation fields, 2 threads / 1 thread", "x", lambda r: r["one"] / r["seconds"]),
        row("limit of streaming stores, 2 threads / 1 thread", "x",
            lambda r: r["limit_one"] / r["limit_two"]),
        row("summation fields, 2 threads / limit of streaming stores, 2 threads", "%",
            lambda r: 100 * r["limit_two"] / r["seconds"]),
    )  # fmt: skip


def _pyts_rows() -> tuple[Row, ...]:
    what = f"{_SIZE} x {_SIZE} fields"
    return (
        Row(f"float32 {what} into warm memory, 1 thread / pyts", 25, True, "x",
            ("float32", "pyts"), rate_ratio),
        Row(f"float64 {what} into warm memory, 1 thread / pyts", 13, True, "x",
            ("float64", "pyts"), rate_ratio),
        *(Row(f"the same, {dtype}, both in batches of {_SMALL}, memory of both warm", None, True,
              "x", (f"{dtype}, batches", "pyts, batches"), rate_ratio)
          for dtype in ("float32", "float64")),
    )  # fmt: skip


def _many_rows() -> tuple[Row, ...]:
    shape = " x ".join(map(str, MANY))
    ours, theirs = "command: fastcache", "command: pyts"

    def seconds(one: Measured) -> list[float]:
        return one.series(lambda r: r["seconds"])

    def gigabytes(one: Measured) -> list[float]:
        return one.series(lambda r: r["peak"] / 1e9)

    return (
        Row(f"{shape}, both fields, 2 threads, warm memory / pyts, one field after the other",
            25, True, "x", ("many: fastcache", "many: pyts"), rate_ratio),
        Row(f"the same / pyts in batches of {_SMALL}, whose memory is warm",
            None, True, "x", ("many: fastcache", "many: pyts, batches"), rate_ratio),
        Row(f"{shape}, the whole command / pyts's", 8, True, "x", (ours, theirs), rate_ratio),
        Row("growth of its peak memory / input and output", 1.01, False, "x", (ours,),
            lambda one: one.series(lambda r: r["growth"] / (r["input"] + r["output"]))),
        *(Row(f"{name}: {what}", None, False, unit, (name,), values)
          for name in (ours, theirs)
          for what, unit, values in (("time", "s", seconds), ("peak memory", "GB", gigabytes))),
    )  # fmt: skip


def _window_rows() -> tuple[Row, ...]:
    count = f"{WINDOWS // 10**6} million windows of {_WINDOW}"
    return (
        Row(f"{count} of one series: opening the dataset", 1, False, "s", ("opening",),
            lambda one: one.series(lambda r: r["seconds"])),
        Row(f"{count}: growth of peak memory / the series", 1.01, False, "x", ("opening",),
            lambda one: one.series(lambda r: r["growth"] / r["series"])),
        Row(f"{count}: shuffled batches of {_BATCH}, 1 thread / kernel alone", 90, True, "%",
            ("windows",), lambda one: one.series(lambda r: 100 * r["kernel"] / r["seconds"])),
    )  # fmt: skip


def _neighbour_rows() -> tuple[Row, ...]:
    return tuple(
        Row(f"{name}, {_SIZE} points, float32, 1 thread / pyts",
            10 if name in _TARGETED else None, True, "x",
            (f"{name}: fastcache", f"{name}: pyts"), rate_ratio)
        for name in NEIGHBOURS
    )  # fmt: skip


ROWS: tuple[Row, ...] = (
    *(Row(f"float32, {m} x {m}, 1 thread / limit of streaming stores", 92, True, "%",
          (f"limit {m}",), limit_share) for m in SIZES),
    *_pyts_rows(),
    *(Row(f"uint8, {m} x {m}, images/s / float32", 2.5 if m == _SIZE else None, True, "x",
          (f"types {m}",), type_ratio("uint8")) for m in BYTE_SIZES),
    *(Row(f"{dtype}, {_SIZE} x {_SIZE}, images/s / float32", None, True, "x",
          (f"types {_SIZE}",), type_ratio(dtype)) for dtype in ("uint16", "float16", "float64")),
    Row("both fields of one preparation / one after the other, time", 1.05, False, "x",
        ("both",), both_ratio),
    *(Row(f"batch of {batch} that {fits}: time of the best forced store / of the one chosen",
          None if fits == "may fit" else 0.97, True, "x", (f"stores {batch}",),
          store_ratio("writing")) for batch, fits in BATCHES.items()),
    *(Row(f"batch of {batch} that {fits}, read once after it is made: the same", None, True, "x",
          (f"stores {batch}",), store_ratio("reading")) for batch, fits in BATCHES.items()),
    *_many_rows(),
    *_thread_rows(),
    *_window_rows(),
    *_neighbour_rows(),
)  # fmt: skip


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
            "both": lambda: {"both": self._own("field_both", {"size": _SIZE})},
            "stores": lambda: {
                f"stores {batch}": self._own("field_stores", {"size": 96, "batch": batch})
                for batch in BATCHES
            },
            "many": self._many,
            "command": self._command,
            "threads": lambda: {"threads": self._own("field_threads", {"size": _SIZE}, threads=2)},
            "windows": self._windows,
            "neighbours": self._neighbours,
        }

    def _settings(self, path: str | None, threads: int, options: Mapping[str, Any]) -> Settings:
        cores = [self.cores[-1]] if threads == 1 else list(self.cores[:2])
        paths = [] if path is None else [path]
        return Settings(paths, cores, threads, _BATCH * 32, options=dict(options))

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
        path, gaf = self._series("series", _SERIES, _SIZE), "GramianAngularField"
        tasks = {
            "pyts": self._rival(path, gaf, [{}], "fields"),
            "pyts, batches": self._rival(path, gaf, [{}], "fields", _SMALL),
        }
        for dtype, tolerance in (("float32", 5e-7), ("float64", 1e-12)):
            for name, batch in ((dtype, None), (f"{dtype}, batches", _SMALL)):
                tasks[name] = self._beside(
                    path, gaf, {"dtype": dtype}, "fields", tolerance, batch=batch
                )
        return tasks

    def _many(self) -> dict[str, Task]:
        path, gaf = self._series("many", *MANY), "GramianAngularField"
        calls = [{"method": "summation"}, {"method": "difference"}]
        return {
            "many: pyts": self._rival(path, gaf, calls, "both", fresh=True),
            "many: pyts, batches": self._rival(path, gaf, calls, "both", _SMALL, fresh=True),
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
        path = self._series("long", WINDOWS + _WINDOW - 1, dtype="float32")
        return {
            "opening": self._own("field_open", {"window": _WINDOW}, path, threads=2, fresh=True),
            "windows": self._own("field_windows", {"window": _WINDOW, "batch": _BATCH}, path),
        }

    def _neighbours(self) -> dict[str, Task]:
        path = self._series("series", _SERIES, _SIZE)
        tasks = {}
        for name, (estimator, params, tolerance) in NEIGHBOURS.items():
            tasks[f"{name}: pyts"] = self._rival(path, estimator, [params], name)
            tasks[f"{name}: fastcache"] = self._beside(path, estimator, params, name, tolerance)
        return tasks
