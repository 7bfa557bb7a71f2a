"""The table of homes of arenas: which workers a value comes from, which target was set."""

from collections.abc import Callable
from typing import Any

from harness import Measured
from homes_plan import HEADERS, LARGE, METHODS, REOPENED, SMALL, WITHOUT
from rows import Row

SHOWN = ("disk", "encoded, 1 thread", "mixed, 1 thread")
SHARED = ("ranks", *METHODS)


def each(number: Callable[[dict[str, Any]], float]) -> Callable[[Measured], list[float]]:
    """Return what takes a number from every round of one worker."""
    return lambda one: one.series(number)


def excess(shared: Measured, bare: Measured) -> list[float]:
    """Return the PSS beyond that of the same processes without data, in arenas.

    The processes "without data" have a small arena too, which counts as data.
    """
    return [
        (a["pss"] - (b["pss"] - b["arena"])) / a["arena"]
        for a, b in zip(shared.rounds, bare.rounds, strict=True)
    ]


def mixed_share(one: dict[str, Any]) -> float:
    """Return the time of an epoch with half the memory over half of each extreme."""
    return float(one["half"] / (0.5 * one["all"] + 0.5 * one["cold"]))


def _plan_rows() -> tuple[Row, ...]:
    what = f"plan_for over {HEADERS:,} image files, headers in page cache"
    one, two = "plan, 1 thread", "plan, 2 threads"
    return (
        Row(f"{what}, 1 thread", 20_000, True, "files/s", (one,), lambda m: m.rates),
        Row(f"{what}, 2 threads", None, True, "files/s", (two,), lambda m: m.rates),
        Row("the same, from the folder: listing it too, 1 thread", None, True, "files/s", (one,),
            each(lambda r: r["items"] / r["folder"])),
    )  # fmt: skip


def _reopen_rows() -> tuple[Row, ...]:
    rows: list[Row] = []
    for name, side in (("reopen", SMALL), ("large", LARGE)):
        what = f"arena of {REOPENED:,} images of {side} px, new process"
        rows += (
            Row(f"{what}: fc.open to the first sample", 50, False, "ms", (name,),
                each(lambda r: 1e3 * r["seconds"])),
            Row(f"{what}: fc.open alone", None, False, "ms", (name,),
                each(lambda r: 1e3 * r["opening"])),
            Row(f"{what}: pixels mapped beside the first sample", None, False, "KB", (name,),
                each(lambda r: r["beyond"] / 1e3)),
        )  # fmt: skip
    return tuple(rows)


def _sharing_rows() -> tuple[Row, ...]:
    by = {
        "ranks": "2 ranks with 2 workers each",
        **{name: f"4 workers by {name}" for name in METHODS},
    }
    return tuple(
        Row(f"{by[name]}: PSS of all processes beyond the same without data / arena",
            1.05, False, "x", (name, name + WITHOUT), excess)
        for name in SHARED
    )  # fmt: skip


def _save_rows() -> tuple[Row, ...]:
    return (
        Row("saving from memory until it is on the disk / cp and fsync of as many bytes",
            80, True, "%", ("save",), each(lambda r: 100 * r["cp"] / r["seconds"])),
        Row("saving from memory until it is on the disk", None, True, "GB/s", ("save",),
            each(lambda r: r["bytes"] / r["seconds"] / 1e9)),
        Row("cp and fsync of as many bytes", None, True, "GB/s", ("save",),
            each(lambda r: r["bytes"] / r["cp"] / 1e9)),
    )  # fmt: skip


def _read_rows() -> tuple[Row, ...]:
    what = "shuffled batches of 256, plain DataLoader, 1 thread"
    return (
        Row(f"{what}: files in page cache / memory", 0.9, True, "x", ("disk",),
            each(lambda r: r["ram"] / r["warm"])),
        Row(f"{what}: the first epoch after opening / memory", None, True, "x", ("disk",),
            each(lambda r: r["ram"] / r["first"])),
        *(Row(f"whole images kept encoded, batches of 64, {n} / the fill's decode rate",
              0.95, True, "x", (f"encoded, {n}",), each(lambda r: r["fill"] / r["seconds"]))
          for n in ("1 thread", "2 threads")),
        *(Row(f"half the memory, {n}: epoch / (half of all decoded + half of nothing kept), time",
              target, False, "x", (f"mixed, {n}",), each(mixed_share))
          for n, target in (("1 thread", 1.1), ("2 threads", None))),
    )  # fmt: skip


def _rate_rows() -> tuple[Row, ...]:
    return (
        Row("verify: every byte of files in page cache, 2 threads", None, True, "GB/s", ("rates",),
            each(lambda r: r["bytes"] / r["verify"] / 1e9)),
        Row("files in page cache into memory, 2 threads", None, True, "GB/s", ("rates",),
            each(lambda r: r["bytes"] / r["load"] / 1e9)),
        Row("packing into files until they are on the disk, 2 threads / filling memory", None, True,
            "x", ("rates",), each(lambda r: r["fill"] / r["pack"])),
        Row("filling memory, 2 threads", None, True, "images/s", ("rates",),
            each(lambda r: r["items"] / r["fill"])),
    )  # fmt: skip


ROWS: tuple[Row, ...] = (
    *_plan_rows(),
    *_reopen_rows(),
    *_sharing_rows(),
    *_save_rows(),
    *_read_rows(),
    *_rate_rows(),
)
