"""Workers in processes of their own, and rounds that are interleaved between them.

Only one worker works at a time: the others wait on their input, so all may use the same cores.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from serve import Settings

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Task:
    """A worker to be measured: its script, its interpreter, what it is told."""

    script: str  # below benchmarks/
    python: str
    settings: Settings
    fresh: bool = False  # a new process for every round, and none to warm up


@dataclass
class Measured:
    """What a worker gave: its rounds in order, or why there are none."""

    version: str = ""
    rounds: list[dict[str, Any]] = field(default_factory=list)
    missing: str | None = None
    error: str | None = None

    def series(self, number: Callable[[dict[str, Any]], float]) -> list[float]:
        """Return a number of every round."""
        return [number(one) for one in self.rounds]

    @property
    def rates(self) -> list[float]:
        """Items per second of every round."""
        return self.series(lambda one: one["items"] / one["seconds"])


@dataclass(frozen=True)
class Stat:
    """A median and the range that it was taken from."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Stat":
        """Summarise the values of the rounds."""
        return cls(statistics.median(values), min(values), max(values))


class WorkerError(Exception):
    """A worker could not do its work; the message is its own."""


class MissingError(Exception):
    """What the worker measures is not installed; the message says what is missing."""


class _Worker:
    """A running worker script; its `version` is known once it is ready."""

    def __init__(self, task: Task) -> None:
        # A file, not a pipe: nobody reads while the worker works, and libraries can be talkative.
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [task.python, str(HERE / task.script), json.dumps(asdict(task.settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(HERE),
                "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": str(task.settings.threads),
            },
        )
        try:
            self.version = str(self._answer()["ready"])
        except BaseException:
            self.close()
            raise

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        message: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in message:
            raise WorkerError(message["error"])
        if "missing" in message:
            raise MissingError(message["missing"])
        return message

    def _last_words(self) -> str:
        code = self._process.wait()
        self._words.seek(0)
        words = self._words.read().strip().splitlines() or ["it said nothing"]
        return f"ended with code {code}: {words[-1]}"

    def run_round(self) -> dict[str, Any]:
        """Return the numbers of one round."""
        assert self._process.stdin is not None
        self._process.stdin.write("round\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let the worker end and wait for it."""
        self._process.communicate()
        self._words.close()

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        self.close()


def run_interleaved(tasks: Mapping[str, Task], rounds: int) -> dict[str, Measured]:
    """Run one round of every task in turn, `rounds` times over.

    Each worker first runs a round that does not count. The task that begins changes from round
    to round, so that none always follows the same other one.
    """
    results = {name: Measured() for name in tasks}
    workers: dict[str, _Worker] = {}

    def guarded(name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except MissingError as error:
            results[name].missing = str(error)
        except (WorkerError, BrokenPipeError) as error:
            results[name].error = str(error)
            print(f"  {name}: {error}", file=sys.stderr)
        if (results[name].missing or results[name].error) and name in workers:
            workers.pop(name).close()

    def start(name: str) -> None:
        if not tasks[name].fresh:
            workers[name] = _Worker(tasks[name])
            results[name].version = workers[name].version
            workers[name].run_round()

    def measure(name: str) -> None:
        if tasks[name].fresh:
            with _Worker(tasks[name]) as worker:
                results[name].version = worker.version
                results[name].rounds.append(worker.run_round())
        else:
            results[name].rounds.append(workers[name].run_round())

    try:
        for name in tasks:
            guarded(name, lambda name=name: start(name))  # type: ignore[misc]
        for number in range(rounds):
            order = [*tasks][number % len(tasks) :] + [*tasks][: number % len(tasks)]
            for name in order:
                if not (results[name].missing or results[name].error):
                    guarded(name, lambda name=name: measure(name))  # type: ignore[misc]
    finally:
        for worker in workers.values():
            worker.close()
    return results
