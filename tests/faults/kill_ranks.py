"""Kill ranks of a node while they fill an arena together, and count what is left.

Prints a line of counts; its status is 1 if anything was
wrong: a survivor that was not told within 10 s, memory that stayed behind. It needs a quiet
machine: shared memory is counted over all of it.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import images
from node import Node

SOON = 10.0  # seconds within which every other rank must know
SLACK = 1 << 20  # bytes of shared memory that the rest of the machine may add meanwhile


def shared_memory() -> int:
    """Return the bytes of shared memory on the machine."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Shmem:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo has no line Shmem")


def memfds() -> int:
    """Return how many descriptors of arenas all processes have."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = [os.readlink(link) for link in folder.iterdir()]
        except OSError:
            continue  # it has ended, or is another user's
        found += sum(link.startswith("/memfd:fastcache") for link in links)
    return found


def files(folder: str) -> list[str]:
    """Write what takes C a few seconds to decode."""
    first = Path(folder, "0.jpg")
    first.write_bytes(images.encode(images.photo(1000, 1500), quality=95))
    for number in range(1, 250):
        os.link(first, Path(folder, f"{number}.jpg"))
    return [str(path) for path in sorted(Path(folder).iterdir())]


def kill_one(draw: random.Random, world: int, paths: list[str]) -> Counter[str]:
    """Run a node, kill one of its ranks at some moment, and return what became of the others."""
    counts: Counter[str] = Counter(kills=1)
    with Node(world) as node:
        ranks = [node.start({"files": paths, "resize": 256}) for _ in range(world)]
        for rank in ranks:
            rank.wait_for("begins")
        time.sleep(draw.uniform(0.05, 1.5))  # before they meet, at any stage, or when it is done
        victim = draw.choice(ranks)
        victim.kill()
        killed = time.monotonic()
        for rank in ranks:
            if rank is victim:
                continue
            told = rank.wait_for("failed", "filled")
            late = time.monotonic() - killed > SOON and told["state"] == "failed"
            counts["told too late"] += late
            counts[told["type"] if told["state"] == "failed" else "filled"] += 1
    return counts


def main() -> int:
    """Kill so many, print the counts, return the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="kills (100)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=3)
    options = parser.parse_args()
    kills, world, draw = options.times, options.ranks, random.Random(options.seed)
    before, listed, held = shared_memory(), set(os.listdir("/dev/shm")), memfds()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        paths = files(folder)
        for _ in range(kills):
            counts += kill_one(draw, world, paths)
    left = memfds() - held
    names = len(set(os.listdir("/dev/shm")) - listed)
    grown = shared_memory() - before
    facts = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
    print(
        f"kill_ranks: {facts}; left: {left} memfds, {names} names in /dev/shm, "
        f"{grown:+d} bytes of shared memory"
    )
    odd = set(counts) - {"kills", "filled", "PeerError"}
    return int(bool(odd) or left > 0 or names > 0 or grown > SLACK)


if __name__ == "__main__":
    sys.exit(main())
