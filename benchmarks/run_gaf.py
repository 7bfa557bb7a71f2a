"""Measure images made of time series beside pyts's and beside the limits of memory.

    python benchmarks/run_gaf.py [--peers-python PATH] [--out bench-out]

Writes gaf.json, gaf.md and gaf.png.  Nothing else should run on the machine meanwhile; 10 GB of
memory must be free.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import machine
import session
from gaf_plan import Plan
from gaf_rows import PEERS, ROWS, SHOWN
from harness import Measured

HOW = """
series are random walks in float64, windows in float32
ours writes to memory that was written before, but for whole commands; pyts makes its own, float64
a round's seconds are the median of several passes; what one worker compares takes turns in them
whole commands: start, imports, reading, fresh memory, end; pyts compiles when it is imported
growth of memory does not count interpreter and imports; pyts makes one field after the other
"""


def notes(results: Mapping[str, Measured]) -> list[str]:
    """Return which stores were chosen, and how far images were from the rival's."""
    said = []
    for name, measured in results.items():
        last = measured.rounds[-1] if measured.rounds else {}
        if "chosen" in last:
            said.append(f"{name}: the store chosen is {last['chosen']}")
        if "difference" in last:
            distance = last["difference"]
            agree = "not compared" if distance is None else f"differ by {distance:.2g} at most"
            said.append(f"{name}: images and pyts's: {agree}")
    return said


def main() -> int:
    """Run the groups and write the results; 1 if a worker failed."""
    options = session.parser(__doc__, photos=False).parse_args()
    cores = session.usable_cores(options.peers_python)
    about = machine.describe()
    with tempfile.TemporaryDirectory(prefix="fastcache-bench-") as folder:
        plan = Plan(Path(folder), cores, sys.executable, options.peers_python)
        results = session.run_groups(plan.groups(), options.only, options.rounds)
    said = [
        *session.conditions(cores, options.rounds),
        *HOW.strip().splitlines(),
        *notes(results),
    ]
    ours = [name for name in SHOWN if name not in PEERS]
    return session.publish("gaf", options.out, ROWS, results, about, said, SHOWN, ours)


if __name__ == "__main__":
    sys.exit(main())
