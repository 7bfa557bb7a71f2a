"""Measure fastcache beside its rivals on your photographs, against the targets that were set.

    python benchmarks/run.py --data FOLDER [--peers-python PATH] [--out bench-out]

Writes bench.json, bench.md and bench.png.  Nothing else should run on the machine meanwhile.
"""

import argparse
import os
import sys

import machine
import session
from inputs import find_photos
from rows import ROWS, make_groups

SHOWN = ("core", "fill", "libjpeg-turbo", "simplejpeg", "DALI", "SPDL", "Pillow")


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = session.parser(__doc__)
    parser.add_argument("--count", type=int, default=500, help="photographs (default: 500)")
    parser.add_argument(
        "--batch-rows", type=int, default=8192, help="rows of the arena for batches (1.2 GB)"
    )
    return parser.parse_args()


def main() -> int:
    """Run the groups one after the other and write the results; 1 if a worker failed."""
    options = parse()
    cores = session.usable_cores(options.peers_python)
    about = machine.describe()
    paths, left_out = find_photos(options.data, options.count)
    groups = make_groups(paths, cores, options.batch_rows, sys.executable, options.peers_python)
    results = session.run_groups(
        {name: lambda tasks=tasks: tasks for name, tasks in groups.items()},  # type: ignore[misc]
        options.only,
        options.rounds,
    )
    size = sum(os.path.getsize(path) for path in paths) / len(paths)
    why = f"{left_out} that are broken, or neither grey nor RGB" if left_out else "none"
    photos = f"{len(paths)} photographs, {size / 1000:.0f} KB on average, all in page cache"
    said = [
        f"{photos}; left out: {why}",
        *session.conditions(cores, options.rounds),
        "items: headers for headers, batches for overhead, images for all others",
    ]
    return session.publish("bench", options.out, ROWS, results, about, said, SHOWN, SHOWN[:2])


if __name__ == "__main__":
    sys.exit(main())
