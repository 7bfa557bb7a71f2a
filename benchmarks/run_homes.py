"""Measure what arenas cost to plan, save, open, share and read where memory is short.

    python benchmarks/run_homes.py --data FOLDER [--folder DISK] [--out bench-out]

Writes homes.json, homes.md and homes.png.  Nothing else should run on the machine meanwhile; 6 GB
of memory and 5 GB on the disk must be free, 36 GB for the row of a large arena.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import machine
import session
from harness import Measured
from homes_plan import Plan
from homes_rows import ROWS, SHOWN
from homes_sets import file_system
from inputs import find_photos

HOW = """
files that are read are in page cache, read beforehand: nothing here is a disk's reading
opening: each round a new process, modules imported before; more pixels read than one sample fail it
PSS: all processes of a program at rest after an epoch; the same program on one batch subtracted
saving: both write names that are not there, fsync files and folder, and are removed off the clock
before memory is filled or loaded on the clock, as much is taken and let go
rows of one worker take turns from pass to pass; samples were compared before the clock started
"""
IN_MEMORY = ("tmpfs", "ramfs")


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = session.parser(__doc__, peers=False)
    parser.add_argument("--count", type=int, default=500, help="photographs (default: 500)")
    parser.add_argument(
        "--batch-rows", type=int, default=8192, help="rows of arenas at 224 px (1.2 GB)"
    )
    parser.add_argument(
        "--folder", type=Path, help="where arenas are written (default: that of temporary files)"
    )
    options = parser.parse_args()
    options.folder = options.folder or Path(tempfile.gettempdir())
    if not options.folder.is_dir():
        parser.error(f"--folder {options.folder}: no such folder")
    if file_system(options.folder) in IN_MEMORY:
        parser.error(
            f"--folder {options.folder} is a file system in memory, where nothing is ever "
            "written to a disk: name a folder on one"
        )
    return options


def notes(results: Mapping[str, Measured]) -> list[str]:
    """Return in which forms samples were kept at half of the need, and how many processes ran."""
    said = []
    for name, measured in results.items():
        last = measured.rounds[-1] if measured.rounds else {}
        if "kept" in last:
            kept = ", ".join(f"{count} {form}" for form, count in last["kept"].items() if count)
            said.append(f"{name}: kept at half of the need: {kept}")
        if "processes" in last:
            said.append(f"{name}: {last['processes']} processes")
    return said


def main() -> int:
    """Run the groups and write the results; 1 if a worker failed."""
    options = parse()
    cores = session.usable_cores(sys.executable)
    about = machine.describe()
    paths, _ = find_photos(options.data, options.count)
    with tempfile.TemporaryDirectory(prefix="fastcache-bench-", dir=options.folder) as folder:
        about["disk"] = file_system(Path(folder))
        plan = Plan(paths, Path(folder), cores, options.batch_rows, sys.executable)
        results = session.run_groups(plan.groups(), options.only, options.rounds)
    said = [
        *session.conditions(cores, options.rounds),
        *HOW.strip().splitlines(),
        *notes(results),
    ]
    return session.publish("homes", options.out, ROWS, results, about, said, SHOWN, SHOWN)


if __name__ == "__main__":
    sys.exit(main())
