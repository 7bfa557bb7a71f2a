"""The table of images made of series: which workers a value comes from, which target was set."""

from collections.abc import Callable
from typing import Any

from gaf_plan import (
    BATCH,
    BATCHES,
    BYTE_SIZES,
    MANY,
    NEIGHBOURS,
    SIZE,
    SIZES,
    SMALL,
    WINDOW,
    WINDOWS,
)
from harness import Measured
from rows import Row, rate_ratio

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
    what = f"{SIZE} x {SIZE} fields"
    return (
        Row(f"float32 {what} into warm memory, 1 thread / pyts", 25, True, "x",
            ("float32", "pyts"), rate_ratio),
        Row(f"float64 {what} into warm memory, 1 thread / pyts", 13, True, "x",
            ("float64", "pyts"), rate_ratio),
        *(Row(f"the same, {dtype}, both in batches of {SMALL}, memory of both warm", None, True,
              "x", (f"{dtype}, batches", "pyts, batches"), rate_ratio)
          for dtype in ("float32", "float64")),
    )  # fmt: skip


def _many_rows() -> tuple[Row, ...]:
    shape = " x ".join(map(str, MANY))
    ours, theirs, memory = (f"command: {name}" for name in ("fastcache", "pyts", "memory alone"))

    def seconds(one: Measured) -> list[float]:
        return one.series(lambda r: r["seconds"])

    def gigabytes(one: Measured) -> list[float]:
        return one.series(lambda r: r["peak"] / 1e9)

    return (
        Row(f"{shape}, both fields, 2 threads, warm memory / pyts, one field after the other",
            25, True, "x", ("many: fastcache", "many: pyts"), rate_ratio),
        Row(f"the same / pyts in batches of {SMALL}, whose memory is warm",
            None, True, "x", ("many: fastcache", "many: pyts, batches"), rate_ratio),
        Row(f"{shape}, the whole command / pyts's", 8, True, "x", (ours, theirs), rate_ratio),
        Row("the whole command / writing zeros to as much fresh memory, time", None, False, "x",
            (ours, memory), lambda a, b: rate_ratio(b, a)),
        Row("growth of its peak memory / input and output", 1.01, False, "x", (ours,),
            lambda one: one.series(lambda r: r["growth"] / (r["input"] + r["output"]))),
        *(Row(f"{name}: {what}", None, False, unit, (name,), values)
          for name in (ours, theirs, memory)
          for what, unit, values in (("time", "s", seconds), ("peak memory", "GB", gigabytes))),
    )  # fmt: skip


def _window_rows() -> tuple[Row, ...]:
    count = f"{WINDOWS // 10**6} million windows of {WINDOW}"
    return (
        Row(f"{count} of one series: opening the dataset", 1, False, "s", ("opening",),
            lambda one: one.series(lambda r: r["seconds"])),
        Row(f"{count}: growth of peak memory / the series", 1.01, False, "x", ("opening",),
            lambda one: one.series(lambda r: r["growth"] / r["series"])),
        *(Row(f"{count}: shuffled batches of {BATCH}, {fields}, 1 thread / kernel alone", target,
              True, "%", (f"windows, {method}",),
              lambda one: one.series(lambda r: 100 * r["kernel"] / r["seconds"]))
          for method, fields, target in
          (("both", "both fields", 90), ("summation", "summation fields", None))),
    )  # fmt: skip


def _neighbour_rows() -> tuple[Row, ...]:
    return tuple(
        Row(f"{name}, {SIZE} points, float32, 1 thread / pyts",
            10 if name in _TARGETED else None, True, "x",
            (f"{name}: fastcache", f"{name}: pyts"), rate_ratio)
        for name in NEIGHBOURS
    )  # fmt: skip


ROWS: tuple[Row, ...] = (
    *(Row(f"float32, {m} x {m}, 1 thread / limit of streaming stores", 92, True, "%",
          (f"limit {m}",), limit_share) for m in SIZES),
    *_pyts_rows(),
    *(Row(f"uint8, {m} x {m}, images/s / float32", 2.5 if m == SIZE else None, True, "x",
          (f"types {m}",), type_ratio("uint8")) for m in BYTE_SIZES),
    *(Row(f"{dtype}, {SIZE} x {SIZE}, images/s / float32", None, True, "x",
          (f"types {SIZE}",), type_ratio(dtype)) for dtype in ("uint16", "float16", "float64")),
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
