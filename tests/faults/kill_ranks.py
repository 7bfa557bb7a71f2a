"""Ranks of a node are killed while they fill an arena together: before, while and after they meet.

The others have the arena, byte for byte as one rank makes it, or a PeerError within ten seconds; of
who was killed nothing is left. Shared memory is counted over the whole machine, which should be
quiet.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
import images
from faulting import Tally
from node import Node

WORLDS = (2, 3, 3)
FILES = 250  # enough to keep C busy for a second or two
SOON = 10.0  # seconds within which every other rank must know
SLACK = 1 << 20  # bytes of shared memory that the rest of the machine may take meanwhile
SETTLED = 10.0  # seconds that the kernel has for giving memory back


def shared_memory() -> int:
    """Return the bytes of shared memory on the machine."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Shmem:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo has no line Shmem")


def names() -> set[str]:
    """Return what of ours has a name in shared memory."""
    return {name for name in os.listdir("/dev/shm") if "fastcache" in name}


def check_shared_memory(tally: Tally, before: int, listed: set[str]) -> None:
    """See that shared memory is back where it was."""
    until = time.monotonic() + SETTLED
    while (grown := shared_memory() - before) > SLACK and time.monotonic() < until:
        time.sleep(0.1)
    tally.count("KiB of shared memory more than before", max(0, grown) >> 10)
    tally.check(grown <= SLACK, f"{grown} bytes of shared memory are left")
    left = names() - listed
    tally.check(not left, f"names are left in /dev/shm: {sorted(left)}")


def write_files(folder: str) -> list[str]:
    """Write what the ranks decode."""
    first = Path(folder, "0.jpg")
    first.write_bytes(images.encode(images.photo(1000, 1500), quality=95))
    for number in range(1, FILES):
        os.link(first, Path(folder, f"{number}.jpg"))
    return [str(path) for path in sorted(Path(folder).iterdir())]


def undisturbed(task: dict[str, object]) -> str:
    """Return the digest of the arena that one rank makes."""
    with Node(1) as node:
        return str(node.start(task).wait_for("filled")["content"])


def kill_one(
    tally: Tally, draw: random.Random, world: int, task: dict[str, object], whole: str
) -> None:
    """Run a node, kill one of its ranks at some moment, look at what becomes of the others."""
    with Node(world) as node:
        ranks = [node.start(task) for _ in range(world)]
        for rank in ranks:
            rank.wait_for("begins")
        time.sleep(draw.uniform(0.05, 1.5))
        victim = draw.choice(ranks)
        victim.kill()
        killed = time.monotonic()
        tally.count("ranks killed")
        for rank in ranks:
            if rank is victim:
                continue
            told = rank.wait_for("failed", "filled")
            if told["state"] == "filled":
                tally.count("others that have the arena")
                tally.check(told["content"] == whole, f"rank {rank.pid}: other bytes")
                continue
            tally.count("others that have an error")
            seconds = time.monotonic() - killed
            tally.check(seconds < SOON, f"rank {rank.pid} was told after {seconds:.1f} s")
            text = f"{told['type']}: {told['text']}"
            tally.check(told["type"] == "PeerError", f"rank {rank.pid} failed with {text}")
            tally.check(str(victim.pid) in told["text"], f"the victim is not named: {text}")
            tally.check(rank.wait_for("clear")["mappings"] == 0, f"rank {rank.pid} keeps memory")


def main() -> int:
    """Run the script."""
    given = faulting.arguments(__doc__, 100, "ranks that are killed")
    tally = Tally("ranks killed while they fill an arena together", given.seed)
    draw = random.Random(given.seed)
    before, listed = shared_memory(), names()
    with tempfile.TemporaryDirectory() as folder:
        task: dict[str, object] = {"files": write_files(folder), "resize": 256}
        whole = undisturbed(task)
        for number in range(given.times):
            kill_one(tally, draw, WORLDS[number % len(WORLDS)], task, whole)
    check_shared_memory(tally, before, listed)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
