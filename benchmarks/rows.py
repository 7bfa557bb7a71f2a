"""The table: what is measured, against what, and which target was set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness import Measured, Stat, Task
from serve import Settings

Results = Mapping[str, Measured]


@dataclass(frozen=True)
class Row:
    """One line: its value in every round comes from the rounds of the workers in `needs`."""

    what: str
    target: float | None  # None: for information
    at_least: bool
    unit: str  # "x", "%", "µs", "ms", "s", "MB", "GB/s", "files/s"
    needs: tuple[str, ...]
    values: Callable[..., list[float]]

    def series(self, results: Results) -> list[float]:
        """Return the value of every round."""
        return self.values(*(results[name] for name in self.needs))


@dataclass(frozen=True)
class Outcome:
    """A row with its value, or with the reason why it has none."""

    row: Row
    stat: Stat | None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """Say ``met``, ``missed by …`` or why nothing was measured."""
        if self.stat is None:
            return self.reason
        if self.row.target is None:
            return "for information"
        value, target = self.stat.median, self.row.target
        if value >= target if self.row.at_least else value <= target:
            return "met"
        return f"missed by {abs(value / target - 1):.2%}"

    def facts(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        row = {k: getattr(self.row, k) for k in ("what", "target", "at_least", "unit", "needs")}
        stat = None if self.stat is None else asdict(self.stat)
        return {**row, "stat": stat, "verdict": self.verdict}


def rate_ratio(ours: Measured, *theirs: Measured) -> list[float]:
    """Return how many times as fast as the fastest of the others, in every round."""
    fastest = [max(rates) for rates in zip(*(other.rates for other in theirs), strict=True)]
    return [a / b for a, b in zip(ours.rates, fastest, strict=True)]


def _limit_share(batches: Measured) -> list[float]:
    return batches.series(lambda one: 100 * one["limit_seconds"] / one["seconds"])


def _growth_share(memory: Measured) -> list[float]:
    return memory.series(lambda one: one["growth"] / (one["arena"] + one["scratch"]))


def _batch_microseconds(overhead: Measured) -> list[float]:
    return overhead.series(lambda one: one["seconds"] / one["items"] * 1e6)


def _view_growth(view: Measured) -> list[float]:
    """Price on eight times the samples; infinite if the address is not the arena's own."""
    return view.series(
        lambda one: (
            one["large_seconds"] / one["small_seconds"]
            if one["same_address"] and one["inside_arena"]
            else float("inf")
        )
    )


ROWS = (
    Row("C core, bytes in memory, resized and cropped, 1 thread / libjpeg-turbo full decode",
        1.08, True, "x", ("core", "libjpeg-turbo"), rate_ratio),
    Row("whole ArenaDataset from files, 1 thread / simplejpeg bare full decode of bytes in memory",
        1.0, True, "x", ("fill", "simplejpeg"), rate_ratio),
    Row("whole ArenaDataset from files, 1 thread / DALI on the CPU, same work",
        2.5, True, "x", ("fill", "DALI"), rate_ratio),
    Row("whole ArenaDataset from files, 1 thread / SPDL, same work",
        3.0, True, "x", ("fill", "SPDL"), rate_ratio),
    Row("whole ArenaDataset from files, 1 thread / Pillow in a loop, same work",
        2.7, True, "x", ("fill", "Pillow"), rate_ratio),
    Row("whole ArenaDataset, 2 threads / 1 thread",
        1.9, True, "x", ("fill, 2 threads", "fill, 1 thread"), rate_ratio),
    Row("reading headers, 1 thread",
        20_000, True, "files/s", ("headers",), lambda headers: headers.rates),
    Row("shuffled batches of 256, plain DataLoader, 0 workers / limit of gathering the same memory",
        75, True, "%", ("batches",), _limit_share),
    Row("shuffled batches of 256, plain DataLoader, 0 workers / index_select(out=reused) from RAM",
        1.3, True, "x", ("batches", "index_select"), rate_ratio),
    Row("whole epoch, arena / Pillow on every read in 2 DataLoader workers",
        100, True, "x", ("epoch", "Pillow loader"), rate_ratio),
    Row("peak memory growth while filling / arena and scratch as planned",
        1.0, False, "x", ("memory",), _growth_share),
    Row("Python's work for a batch of 256, executor included",
        150, False, "µs", ("overhead",), _batch_microseconds),
    Row('ds.arrays["image"], the arena itself: its price on 8 times the samples',
        1.5, False, "x", ("view",), _view_growth),
)  # fmt: skip


def make_groups(
    paths: Sequence[str], cores: Sequence[int], rows: int, ours: str, peers: str
) -> dict[str, dict[str, Task]]:
    """Return the tasks by group; those of one group are interleaved.

    Parameters
    ----------
    paths : sequence of str
    cores : sequence of int
        What may be used; one-core work gets the last, the first has the system's interrupts.
    rows : int
        Rows of the arena that batches are drawn from.
    ours, peers : str
        The interpreters of fastcache and of the rivals.
    """
    one, two = [cores[-1]], list(cores[:2])

    def task(script: str, python: str, threads: int, fresh: bool = False) -> Task:
        used = one if threads == 1 else two
        return Task(script, python, Settings(list(paths), used, threads, rows), fresh)

    def fill_on_two(threads: int) -> Task:
        return Task("ours/fill.py", ours, Settings(list(paths), two, threads, rows))

    return {
        "decode": {
            "libjpeg-turbo": task("peers/libjpeg_turbo.py", peers, 1),
            "core": task("ours/decode.py", ours, 1),
            "simplejpeg": task("peers/simplejpeg_full.py", peers, 1),
            "fill": task("ours/fill.py", ours, 1),
            "DALI": task("peers/dali_cpu.py", peers, 1),
            "SPDL": task("peers/spdl_cpu.py", peers, 1),
            "Pillow": task("peers/pillow_loop.py", peers, 1),
        },
        "threads": {"fill, 1 thread": fill_on_two(1), "fill, 2 threads": fill_on_two(2)},
        "headers": {"headers": task("ours/probe.py", ours, 1)},
        "batches": {
            "batches": task("ours/batches.py", ours, 1),
            "index_select": task("peers/index_select.py", peers, 1),
        },
        "epoch": {
            "epoch": task("ours/epoch.py", ours, 2),
            "Pillow loader": task("peers/pillow_loader.py", peers, 2),
        },
        "memory": {"memory": task("ours/memory.py", ours, 2, fresh=True)},
        "overhead": {"overhead": task("ours/overhead.py", ours, 2)},
        "view": {"view": task("ours/view.py", ours, 1)},
    }


# Workers that must have made the same pictures: their mean level agrees within this.
SAME_WORK = ("core", "fill", "DALI", "SPDL", "Pillow", "mixed fill", "mixed Pillow loader")
MEAN_TOLERANCE = 1.0
# Of many random crops: whose numbers are drawn differently.
LEVEL_TOLERANCE = 2.0


def judge(row: Row, results: Results) -> Outcome:
    """Return the row's outcome."""
    if any(name not in results for name in row.needs):
        return Outcome(row, None, "not asked for")
    for name in row.needs:
        measured = results[name]
        if measured.missing:
            return Outcome(row, None, f"{name}: not installed")
        if measured.error:
            return Outcome(row, None, f"{name}: failed")
        last = measured.rounds[-1]
        if last.get("differing"):
            others = f"{last['differing']} of {last['items']} images, by up to {last['largest']}"
            return Outcome(row, None, f"failed: {name}: other pixels than Pillow's in {others}")
    means = [results[name].rounds[-1]["mean"] for name in row.needs if name in SAME_WORK]
    if means and max(means) - min(means) > MEAN_TOLERANCE:
        return Outcome(row, None, f"failed: not the same pictures, mean levels {means}")
    shown = [last for name in row.needs if "form" in (last := results[name].rounds[-1])]
    if len({one["form"] for one in shown}) > 1:
        forms = " and ".join(one["form"] for one in shown)
        return Outcome(row, None, f"failed: not the same batches: {forms}")
    levels = [one["level"] for one in shown]
    if levels and max(levels) - min(levels) > LEVEL_TOLERANCE:
        return Outcome(row, None, f"failed: not the same pictures, mean levels {levels}")
    return Outcome(row, Stat.of(row.series(results)))
