"""PSS of two ranks with two DataLoader workers each, after an epoch; see `sharing`.

The ranks are processes with the environment that torchrun gives them: they find each other, and
fill one arena together.  options: ``data``, as for share_workers.  Needs a process of its own.
"""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import asdict
from typing import Any

from proportional import family, pss
from serve import NotInstalled, Result, Round, Settings, read_all, serve
from sharing import read_epoch, settled, shared_photos

RANKS, WORKERS = 2, 2


def start(settings: Settings, rank: int, run: str) -> Any:
    """Start a rank: it tells what it has once its epoch is over, and ends with its input."""
    return subprocess.Popen(
        [sys.executable, __file__, "rank", json.dumps(asdict(settings))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "LOCAL_WORLD_SIZE": str(RANKS),
            "LOCAL_RANK": str(rank),
            "TORCHELASTIC_RUN_ID": run,
        },
    )


def told(process: Any) -> dict[str, Any]:
    """Return what a rank has to say; it was never started in vain."""
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a rank ended with code {process.wait()}")
    found: dict[str, Any] = json.loads(line)
    return found


def prepare(settings: Settings) -> Round:
    read_all(settings.paths)

    def one_round() -> Result:
        run = uuid.uuid4().hex
        ranks = [start(settings, rank, run) for rank in range(RANKS)]
        try:
            facts = [told(rank) for rank in ranks]
            if len({each["inode"] for each in facts}) > 1:
                raise NotInstalled("this version gives every rank an arena of its own")
            members = [pid for rank in ranks for pid in family(rank.pid)]
            return {
                "pss": settled(lambda: pss(members)),
                "processes": len(members),
                "arena": facts[0]["arena"],
            }
        finally:
            for rank in ranks:
                rank.communicate()

    return one_round


def arena_inode() -> str:
    """Return which memory this process reads: a rank may come when the fill is over."""
    with open("/proc/self/maps") as maps:
        (found,) = [line.split()[4] for line in maps if "/memfd:fastcache " in line]
    return found


def be_rank(settings: Settings) -> None:
    """Fill or find the arena, read an epoch, say so, and stay until the input ends."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    dataset = shared_photos(settings)
    kept = read_epoch(dataset, settings.rows, WORKERS, None)
    facts = {"arena": dataset.report["arena_bytes"], "inode": arena_inode()}
    channel.write(json.dumps(facts) + "\n")
    channel.flush()
    sys.stdin.read()
    del kept


if __name__ == "__main__":
    if sys.argv[1] == "rank":
        be_rank(Settings(**json.loads(sys.argv[2])))
    else:
        serve(prepare, package="fastcache")
