"""Measure recipes and ArenaLoader beside other loaders on your photographs.

    python benchmarks/run_loader.py --data FOLDER [--peers-python PATH] [--cuda] [--out bench-out]

Writes loader.json, loader.md and loader.png.  Nothing else should run on the machine meanwhile.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import machine
import session
from harness import Measured
from inputs import find_photos
from loader_plan import ENCODED_BATCH, Plan
from loader_rows import CUDA_ROWS, OURS, ROWS, SHOWN

HOW = f"""
batches of 256, of JPEG files {ENCODED_BATCH}; the first of an epoch pay for memory, not counted
all get the same pixels at short side 256, and the same bytes of JPEG files
centres are right to the level; another type or shape, or another mean level, fails the row
FFCV's best round counts; it resamples by OpenCV's area filter and decodes by the fast DCT
"""


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = session.parser(__doc__)
    parser.add_argument("--count", type=int, default=500, help="photographs (default: 500)")
    parser.add_argument(
        "--rows", type=int, default=8192, help="samples of an epoch of the fast rows"
    )
    parser.add_argument(
        "--cuda", action="store_true", help="also rows of the first CUDA device that torch sees"
    )
    return parser.parse_args()


def main() -> int:
    """Make the inputs, run the groups, write the results; 1 if a worker failed."""
    options = parse()
    cores = session.usable_cores(options.peers_python)
    about = machine.describe()
    paths, _ = find_photos(options.data, options.count)
    with tempfile.TemporaryDirectory(prefix="fastcache-bench-") as folder:
        plan = Plan(
            paths, Path(folder), cores, options.rows, sys.executable, options.peers_python,
            options.cuda,
        )  # fmt: skip
        results = session.run_groups(plan.groups(), options.only, options.rounds)
    forms = [
        f"{name}: {measured.rounds[-1]['form']}, mean level {measured.rounds[-1]['level']:.2f}"
        for name, measured in results.items()
        if measured.rounds and "form" in measured.rounds[-1]
    ]
    cuda = "not asked for (--cuda)"
    if options.cuda:
        cuda = "measured" if results.get("cuda copy", Measured()).rounds else "not measured"
    said = [
        f"{len(paths)} photographs, all in memory or page cache",
        *session.conditions(cores, options.rounds),
        *HOW.strip().splitlines(),
        *forms,
        f"rows of a CUDA device: {cuda}",
    ]
    rows = (*ROWS, *CUDA_ROWS) if options.cuda else ROWS
    return session.publish("loader", options.out, rows, results, about, said, SHOWN, OURS)


if __name__ == "__main__":
    sys.exit(main())
