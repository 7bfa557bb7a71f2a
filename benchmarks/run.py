"""Measure fastcache beside its rivals on your photographs, against the targets that were set.

    python benchmarks/run.py --data FOLDER [--peers-python PATH] [--out bench-out]

Writes bench.json, bench.md and bench.png.  Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

import machine
import show
from harness import Measured, run_interleaved
from inputs import find_photos
from rows import ROWS, judge, make_groups


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with JPEG photographs")
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        help="interpreter of the rivals' environment (peers/setup.sh makes it); default: this one",
    )
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument("--count", type=int, default=500, help="photographs (default: 500)")
    parser.add_argument(
        "--batch-rows", type=int, default=8192, help="rows of the arena for batches (1.2 GB)"
    )
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="some groups of rows only")
    return parser.parse_args()


def main() -> int:
    """Run the groups one after the other and write the results; 1 if a worker failed."""
    options = parse()
    if shutil.which(options.peers_python) is None:
        raise SystemExit(f"--peers-python {options.peers_python}: no such program")
    about = machine.describe()
    paths, left_out = find_photos(options.data, options.count)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: some rows compare two threads with one")
    groups = make_groups(paths, cores, options.batch_rows, sys.executable, options.peers_python)
    unknown = set(options.only or ()) - set(groups)
    if unknown:
        raise SystemExit(f"--only {' '.join(sorted(unknown))}: groups are {', '.join(groups)}")
    results: dict[str, Measured] = {}
    for name in options.only or groups:
        began = time.perf_counter()
        print(f"{name}: {', '.join(groups[name])} …", end=" ", flush=True)
        results |= run_interleaved(groups[name], options.rounds)
        print(f"{time.perf_counter() - began:.0f} s", flush=True)

    size = sum(os.path.getsize(path) for path in paths) / len(paths)
    why = f"{left_out} that are broken, or neither grey nor RGB" if left_out else "none"
    photos = f"{len(paths)} photographs, {size / 1000:.0f} KB on average, all in page cache"
    bound = f"bound to cores {cores[:2]}, or to {cores[-1]} alone where it has 1 thread"
    conditions = [
        f"{photos}; left out: {why}",
        f"medians of {options.rounds} interleaved rounds, and their range",
        f"each worker in its own process, {bound}",
        "items: headers for headers, batches for overhead, images for all others",
    ]
    outcomes = [judge(row, results) for row in ROWS]
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {
        "machine": about,
        "conditions": conditions,
        "rows": [outcome.facts() for outcome in outcomes],
        "workers": {name: asdict(measured) for name, measured in results.items()},
    }
    (options.out / "bench.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    report = show.render(outcomes, results, about, conditions, markdown=True)
    (options.out / "bench.md").write_text(report, encoding="utf-8")
    show.plot(outcomes, results, options.out / "bench.png")
    print("\n" + show.render(outcomes, results, about, conditions, markdown=False))
    print(f"written: {options.out}/bench.json, bench.md, bench.png")
    return 1 if any(measured.error for measured in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
