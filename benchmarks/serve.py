"""The inside of a measured process: prepare once, then one round for each line on its input.

A worker script ends with ``serve(prepare)``.  `prepare` imports what it measures, reads its input
and returns a function that runs one round; a package that is not there makes it raise
ModuleNotFoundError or NotInstalled, which reaches the table as "not installed".
"""

import gc
import json
import os
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

Result = dict[str, Any]
Round = Callable[[], Result]


class NotInstalled(Exception):  # noqa: N818  (it is no error: a row of the table says it)
    """What is to be measured is not there, or not usable; the message says what is missing."""


@dataclass(frozen=True)
class Settings:
    """What the harness tells a worker.

    Attributes
    ----------
    paths : list of str
        The files: photographs (JPEG, RGB or L), or what was made of them.
    cores : list of int
        The process is bound to these.
    threads : int
        For the worker's own ``threads=``.
    rows : int
        Rows of the arena, or of the RAM tensor, that batches are drawn from.
    color : str
        What whole images are decoded to: RGB, RGBA or I;16.
    function : str
        Which of a package's functions is measured, where a script knows several.
    options : dict
        Whatever else a script asks for.
    """

    paths: list[str]
    cores: list[int]
    threads: int
    rows: int = 0
    color: str = "RGB"
    function: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `function` returns and its seconds, the garbage collector kept out of them."""
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        value = function()
        return value, time.perf_counter() - began
    finally:
        gc.enable()


def seconds_of(function: Callable[[], Any]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def take_turns(actions: Mapping[str, Callable[[], float]], passes: int) -> dict[str, float]:
    """Return the median of the seconds that each action returns, when they take turns.

    Another one begins in each pass, and the order is turned round from one to the next, so that
    none always finds what the same other one leaves. The garbage collector is kept out.
    """
    names = [*actions]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.disable()
    try:
        for number in range(passes):
            first = number // 2 % len(names)
            order = names[first:] + names[:first]
            for name in order if number % 2 == 0 else order[::-1]:
                seconds[name].append(actions[name]())
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in seconds.items()}


def touch(pixels: Any) -> int:
    """Read every byte of a C-contiguous uint8 array, eight at a time."""
    flat = pixels.reshape(-1)
    whole = flat[: flat.size // 8 * 8].view("u8")
    return int(whole.sum()) + int(flat[whole.nbytes :].sum())


def peak_rss() -> int:
    """Return the most memory, in bytes, that this process has had resident (children apart)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read_all(paths: Sequence[str]) -> list[bytes]:
    """Return the files' bytes; they are in the page cache afterwards."""
    return [Path(path).read_bytes() for path in paths]


def serve(prepare: Callable[[Settings], Round], package: str) -> None:
    """Answer the harness until it closes the pipe.

    Parameters
    ----------
    prepare : callable
        From settings to a function that runs one round and returns numbers; ``seconds`` and
        ``items`` among them.
    package : str
        Distribution whose version goes into the table; "" for none.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print must not reach the channel

    def send(message: Result) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    settings = Settings(**json.loads(sys.argv[1]))
    os.sched_setaffinity(0, settings.cores)
    try:
        one_round = prepare(settings)
        send({"ready": version(package) if package else ""})
        for _ in sys.stdin:
            send({"peak_rss": peak_rss(), **one_round()})
    except (ModuleNotFoundError, NotInstalled) as error:
        send({"missing": str(error)})
    except Exception as error:  # noqa: BLE001  (the harness reports it and fails the row)
        traceback.print_exc()
        send({"error": f"{type(error).__name__}: {error}"})
