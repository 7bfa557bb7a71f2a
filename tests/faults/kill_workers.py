"""Kill workers of DataLoaders, and programs with workers, and count what is left.

Goes through all start methods, and two ranks. Prints a line of
counts; its status is 1 if anything was wrong: a program that lost its arena, memory that stayed
behind. It needs torch, and a quiet machine: shared memory is counted over all of it.
"""

import argparse
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from kill_ranks import SLACK, memfds, shared_memory
from node import Node

PROGRAM = Path(__file__).resolve().parent.parent / "sharing_program.py"
WAYS = [(1, 4, "fork"), (1, 4, "spawn"), (1, 4, "forkserver"), (2, 2, "fork")]


def kill_some(draw: random.Random, ranks: int, workers: int, method: str) -> Counter[str]:
    """Run a program with workers, kill one of its processes, see that the rest have the arena."""
    counts: Counter[str] = Counter(kills=1)
    with Node(ranks) as node:
        task = {"rows": 64, "row": 64 << 10, "workers": workers, "method": method}
        programs = [node.start(task, PROGRAM) for _ in range(ranks)]
        read = [program.wait_for("read", seconds=300) for program in programs]
        counts["wrong"] += sum(not each["right"] for each in read)
        main, *others = draw.choice(read)["pids"]
        whole = draw.random() < 0.3  # the program itself, and not one of its workers
        victim = main if whole else draw.choice(others)
        os.kill(victim, signal.SIGKILL)
        counts["programs" if whole else "workers"] += 1
        for program in programs:
            if program.pid == victim:
                program.process.wait(60)
            else:
                mapped = "memfd:fastcache " in Path(f"/proc/{program.pid}/maps").read_text()
                counts["held on" if mapped else "wrong"] += 1
    return counts


def main() -> int:
    """Kill so many, print the counts, return the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="kills (100)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    kills, draw = options.times, random.Random(options.seed)
    before, listed, held = shared_memory(), set(os.listdir("/dev/shm")), memfds()
    counts: Counter[str] = Counter()
    for number in range(kills):
        counts += kill_some(draw, *WAYS[number % len(WAYS)])
    left = memfds() - held
    # What torch's own batches leave there when they are killed on their way is not of arenas.
    names = [name for name in set(os.listdir("/dev/shm")) - listed if "fastcache" in name]
    grown = shared_memory() - before
    facts = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    print(
        f"kill_workers: {facts}; left: {left} memfds, {len(names)} names in /dev/shm, "
        f"{grown:+d} bytes of shared memory"
    )
    return int(counts["wrong"] > 0 or left > 0 or bool(names) or grown > SLACK)


if __name__ == "__main__":
    sys.exit(main())
