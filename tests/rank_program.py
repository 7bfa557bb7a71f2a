"""One rank of a node: fills an arena as its first argument says (JSON), and tells what came of it.

Each line that it writes is JSON. It goes on, and ends, when a line arrives.
"""

import gc
import hashlib
import json
import logging
import os
import pickle
import sys
import time
from typing import Any

import arena_workers
import numpy as np

from fastcache import transforms as T
from fastcache.errors import FastcacheError
from fastcache.fill.make import make_arena
from fastcache.fill.options import FillOptions
from fastcache.memory import rendezvous
from fastcache.memory.arena import Arena
from fastcache.memory.budget import Budget
from fastcache.sources import Arrays, Files, Wrapped
from fastcache.sources.base import Source


class Slow:
    """A Dataset whose samples take their time."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        if 0 < index < self.count - 1:
            time.sleep(self.seconds)
        return np.full(1000, index % 251, np.uint8), index


def source_of(task: dict[str, Any]) -> Source:
    """Return what is to be filled in."""
    if "files" in task:
        return Files(task["files"], list(range(len(task["files"]))))
    if "slow" in task:
        return Wrapped(Slow(*task["slow"]), frozen=True)
    values = np.arange(task["arrays"] * 100, dtype=np.int32).reshape(-1, 100)
    return Arrays(values + task.get("plus", 0), np.arange(len(values)))


class Heard(logging.Handler):
    """Keeps the warnings that fastcache logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


heard = Heard()
logging.getLogger("fastcache").addHandler(heard)


def say(**facts: Any) -> None:
    """Write a line."""
    print(json.dumps({"pid": os.getpid(), **facts}), flush=True)


def told(arena: Arena) -> dict[str, Any]:
    """Return what a test wants to know of an arena."""
    handle = arena.claim.handle
    assert handle is not None
    return {
        "digest": arena_workers.digest(arena),
        "content": hashlib.sha256(arena.buffer).hexdigest(),  # without times and the like
        "inode": handle.data.inode,
        "pickled": pickle.dumps(arena).hex(),
        "arena_bytes": arena.layout.total_bytes,
        "ranks": arena.catalog["report"]["ranks"],
        "writeable": bool(arena.buffer.flags.writeable),
        "mappings": arena_workers.mappings(),
        "warnings": heard.texts,
    }


def main() -> None:
    """Fill, tell, wait for a line, close; as often as the task says."""
    task = json.loads(sys.argv[1])
    if sabotage := os.environ.get("RANK_SABOTAGE"):  # tests see that what it breaks is noticed
        exec(sabotage, {})
    if "silence" in task:
        rendezvous.SILENCE_SECONDS = task["silence"]
    options = dict(task.get("options", {}))
    if "resize" in task:
        options["store"] = T.Resize(task["resize"])
    budget = None
    if "shared_budget" in task:
        options["budget"] = budget = Budget(task["shared_budget"])
    if task.get("hold"):  # until a line arrives; what C does goes on meanwhile
        held = False

        def hold(_: object) -> None:
            nonlocal held
            if not held:
                held = True
                say(state="filling")
                sys.stdin.readline()

        options["progress"] = hold
    elif task.get("tell"):
        options["progress"] = lambda seen: say(state="filling", done=seen.done)
    for _ in range(task.get("times", 1)):
        say(state="begins")
        begun = time.monotonic()
        try:
            arena = make_arena(source_of(task), FillOptions(**options))
        except (FastcacheError, KeyboardInterrupt) as error:
            facts = {"failed": [list(pair) for pair in getattr(error, "failed", [])]}
            say(
                state="failed",
                type=type(error).__name__,
                text=str(error),
                peer=getattr(error, "pid", None),
                seconds=time.monotonic() - begun,
                **facts,
            )
        else:
            used = budget.used if budget else 0
            say(state="filled", budget_used=used, **told(arena))
            sys.stdin.readline()
            arena.close()
            say(state="closed", mappings=arena_workers.mappings())
            continue
        gc.collect()
        say(state="clear", mappings=arena_workers.mappings())
        sys.stdin.readline()


if __name__ == "__main__":
    main()
