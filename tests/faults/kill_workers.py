"""Workers of DataLoaders are killed, by every start method, and programs together with theirs.

Who is not killed keeps the arena; of the rest nothing is left. (Workers that a server of forks has
started do not notice that their program was killed: PyTorch watches the server. The script counts
them, and ends them itself.) It needs torch. Shared memory is counted over the whole machine,
which should be quiet.
"""

import os
import random
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import faulting
from faulting import Tally
from kill_ranks import check_shared_memory, names, shared_memory
from node import Node, Rank

PROGRAM = Path(__file__).resolve().parent.parent / "sharing_program.py"
WAYS = [(1, 4, "fork"), (1, 4, "spawn"), (1, 4, "forkserver"), (2, 2, "fork")]
ROWS, ROW = 64, 64 << 10
PATIENCE = 30.0  # seconds for workers to notice that their program is gone; PyTorch looks every 5


def has_arena(pid: int) -> bool:
    """Whether a process has an arena mapped."""
    try:
        return "memfd:fastcache " in Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it has ended
        return False


def check_others(tally: Tally, programs: list[Rank], victim: int) -> None:
    """See that programs that were not killed have the arena, whole."""
    for program in programs:
        if program.pid != victim:
            tally.count("programs that keep the arena")
            tally.check(has_arena(program.pid), f"program {program.pid} lost its arena")


def check_workers(tally: Tally, workers: list[int], method: str) -> None:
    """See that the workers of a program that was killed let go of the arena."""
    until = time.monotonic() + PATIENCE
    while method != "forkserver" and any(map(has_arena, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    left = sum(map(has_arena, workers))
    tally.count("workers that a server of forks has left", left * (method == "forkserver"))
    tally.check(not left or method == "forkserver", f"{left} workers have the arena ({method})")


def kill_some(tally: Tally, draw: random.Random, ranks: int, workers: int, method: str) -> None:
    """Run a program with workers, kill one of its processes, look at the rest."""
    with Node(ranks) as node:
        task = {"rows": ROWS, "row": ROW, "workers": workers, "method": method}
        programs = [node.start(task, PROGRAM) for _ in range(ranks)]
        read = [program.wait_for("read", seconds=300) for program in programs]
        tally.check(all(each["right"] for each in read), f"samples are wrong ({method})")
        main, *others = draw.choice(read)["pids"]
        victim = main if draw.random() < 0.3 else draw.choice(others)
        os.kill(victim, signal.SIGKILL)
        tally.count("programs killed" if victim == main else "workers killed")
        if victim == main:
            check_workers(tally, others, method)
        check_others(tally, programs, victim)


def main() -> int:
    """Run the script."""
    given = faulting.arguments(__doc__, 100, "processes that are killed")
    tally = Tally("workers and programs killed", given.seed)
    if find_spec("torch") is None:
        print("left out: torch is not installed")
        return tally.end()
    draw = random.Random(given.seed)
    before, listed = shared_memory(), names()
    for number in range(given.times):
        kill_some(tally, draw, *WAYS[number % len(WAYS)])
    check_shared_memory(tally, before, listed)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
