"""What the programs that compare share: options, running the groups, writing the results."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import show
from harness import Measured, Task, run_interleaved
from rows import Row, judge

Tasks = Mapping[str, Task]


def parser(about: str | None, photos: bool = True, peers: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the options that all have.

    Parameters
    ----------
    about : str or None
        What the program says of itself.
    photos, peers : bool
        Whether it takes a folder of photographs, and the rivals' interpreter.
    """
    made = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if photos:
        made.add_argument("--data", type=Path, required=True, help="folder with JPEG photographs")
    if peers:
        made.add_argument(
            "--peers-python",
            default=sys.executable,
            help="interpreter of the rivals' environment (peers/setup.sh makes it); "
            "default: this one",
        )
    made.add_argument("--out", type=Path, default=Path("bench-out"))
    made.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    made.add_argument("--only", nargs="+", metavar="GROUP", help="some groups of rows only")
    return made


def usable_cores(peers_python: str) -> list[int]:
    """Return the cores that may be used; stop if they or the rivals' interpreter do not suffice."""
    if shutil.which(peers_python) is None:
        raise SystemExit(f"--peers-python {peers_python}: no such program")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: some rows work with two threads")
    return cores


def run_groups(
    groups: Mapping[str, Callable[[], Tasks]], only: Sequence[str] | None, rounds: int
) -> dict[str, Measured]:
    """Run groups one after the other, each made when its turn comes; return all results."""
    unknown = set(only or ()) - set(groups)
    if unknown:
        raise SystemExit(f"--only {' '.join(sorted(unknown))}: groups are {', '.join(groups)}")
    results: dict[str, Measured] = {}
    for name in only or groups:
        began = time.perf_counter()
        print(f"{name}:", end=" ", flush=True)
        tasks = groups[name]()
        print(", ".join(task.removeprefix(f"{name}: ") for task in tasks), "…", end=" ", flush=True)
        results |= run_interleaved(tasks, rounds)
        print(f"{time.perf_counter() - began:.0f} s", flush=True)
    return results


def conditions(cores: Sequence[int], rounds: int) -> list[str]:
    """Return how it was measured, for the table."""
    bound = f"bound to cores {cores[:2]}, or to {cores[-1]} alone where it has 1 thread"
    return [
        f"medians of {rounds} interleaved rounds, and their range",
        f"each worker in its own process, {bound}",
    ]


def publish(
    name: str,
    folder: Path,
    rows: Sequence[Row],
    results: Mapping[str, Measured],
    about: Mapping[str, str],
    said: Sequence[str],
    shown: Collection[str],
    ours: Collection[str],
) -> int:
    """Judge and write everything as NAME.json, .md and .png; return 1 if a worker failed.

    Parameters
    ----------
    name : str
        Of the files.
    folder : Path
    rows : sequence of Row
    results : mapping of str to Measured
    about : mapping of str to str
        The machine.
    said : sequence of str
        The conditions.
    shown, ours : collections of str
        Workers whose rates the picture shows, and those of them that are fastcache.
    """
    outcomes = [judge(row, results) for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "machine": about,
        "conditions": said,
        "rows": [outcome.facts() for outcome in outcomes],
        "workers": {key: asdict(measured) for key, measured in results.items()},
    }
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    report = show.render(outcomes, results, about, said, markdown=True)
    (folder / f"{name}.md").write_text(report, encoding="utf-8")
    plotted = {key: results[key] for key in shown if key in results and results[key].rounds}
    show.plot(outcomes, plotted, ours, folder / f"{name}.png")
    print("\n" + show.render(outcomes, results, about, said, markdown=False))
    print(f"written: {folder}/{name}.json, {name}.md, {name}.png")
    return 1 if any(measured.error for measured in results.values()) else 0
