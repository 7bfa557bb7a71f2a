"""Ranks of a node, as processes of their own with the environment that torchrun gives them."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM = Path(__file__).with_name("rank_program.py")
TIDYING = 5.0  # seconds for a rank's processes to end by themselves
PATIENCE = 60.0  # seconds for anything to happen on a busy machine


class Rank:
    """A process that runs a program for one rank."""

    def __init__(self, node: "Node", rank: int, task: dict[str, Any], program: Path) -> None:
        environment = {
            **os.environ,
            "LOCAL_WORLD_SIZE": str(node.world),
            "LOCAL_RANK": str(rank),
            "TORCHELASTIC_RUN_ID": node.run,
            "PYTHONPATH": str(PROGRAM.parent),
            **node.environment,
        }
        self.process = subprocess.Popen(
            [sys.executable, str(program), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._text = b""

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self.process.pid

    def read(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Return the next line that the rank writes."""
        assert self.process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._text:
            left = until - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            assert ready, f"rank {self.pid} says nothing for {seconds} s"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"rank {self.pid} has ended: {self.process.wait(PATIENCE)}"
            self._text += data
        line, self._text = self._text.split(b"\n", 1)
        found: dict[str, Any] = json.loads(line)
        return found

    def wait_for(self, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Return the first line that tells of one of these states."""
        until = time.monotonic() + seconds
        while (found := self.read(until - time.monotonic()))["state"] not in states:
            pass
        return found

    def go_on(self) -> None:
        """Write the line that the rank waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def end(self) -> None:
        """Leave nothing of the process, nor of those that it has started.

        (Workers of a DataLoader that a server of forks has started do not notice by themselves.)
        Python's tracker of semaphores ignores SIGTERM: it removes those of the others, and ends.
        """
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
            os.killpg(self.pid, signal.SIGCONT)  # to whoever was stopped
            until = time.monotonic() + TIDYING
            while time.monotonic() < until:
                self.process.poll()
                os.killpg(self.pid, 0)
                time.sleep(0.01)
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Node:
    """A run of a program on a node of `world` ranks; a context manager that ends all of them."""

    def __init__(self, world: int = 2, **environment: str) -> None:
        self.world = world
        self.run = uuid.uuid4().hex
        self.environment = environment
        self.ranks: list[Rank] = []

    def start(self, task: dict[str, Any], program: Path = PROGRAM) -> Rank:
        """Start the next rank."""
        self.ranks.append(Rank(self, len(self.ranks), task, program))
        return self.ranks[-1]

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for rank in self.ranks:
            rank.end()
