"""What the scripts in ``faults/`` share: arguments, counts, arenas to hurt, and what may be left.

A script prints how often it did what, and ends with status 1 if anything was not as it must be.
"""

import argparse
import gc
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import images
import saved_arenas as saved

from fastcache.errors import FastcacheError
from fastcache.fill.disk import cached
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.schema import Field, WindowLabels, Windows
from fastcache.sources import Files

# How a call may fail: with an error of ours, of the system's memory, or of the system.
TYPED = (FastcacheError, MemoryError, OSError)

SHARD = 65536  # bytes of data in a file of small arenas
WINDOWS = 2000  # rows of the columns of windows
KILLED = -9  # status of a process that SIGKILL has ended
MEMORY = 256 << 20  # bytes that scripts never need
SHOWN, WIDTH = 20, 500  # violations that are printed, and characters of each


class Tally:
    """Counts of one script.

    Parameters
    ----------
    title : str
        What was done.
    seed : int
        With which it can be done again.
    """

    def __init__(self, title: str, seed: int) -> None:
        self.title, self.seed = title, seed
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] += by

    def check(self, good: bool, otherwise: str) -> bool:
        """Note a violation unless something is as it must be."""
        if not good:
            self.violations.append(otherwise)
        return good

    def end(self) -> int:
        """Print the table; return the status that the script ends with."""
        print(f"{self.title} (seed {self.seed})")
        for what, number in {**self.counts, "violations": len(self.violations)}.items():
            print(f"  {number:8,}  {what}")
        for violation in self.violations[:SHOWN]:
            print(f"  WRONG: {violation[:WIDTH]}")
        return 1 if self.violations else 0


def arguments(text: str | None, times: int, full: str) -> argparse.Namespace:
    """Return the command line's ``times`` and ``seed``; `times` is the full form's."""
    logging.getLogger("fastcache").setLevel(logging.ERROR)  # arenas are built a thousand times
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--times", type=int, default=times, help=f"{full} (default {times})")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def spread(count: int, most: int) -> list[int]:
    """Return up to `most` numbers from 1 to `count`: first, last and between, or one amid them."""
    if count <= most:
        return [*range(1, count + 1)]
    if most < 2:
        return [(count + 1) // 2]
    return sorted({1 + round(k * (count - 1) / (most - 1)) for k in range(most)})


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that goes in the end: in memory, where processes die and machines do not.

    It is not named after us, as tests look there for names that the package leaves.
    """
    memory = "/dev/shm"
    quick = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY
    base = memory if quick else None
    with tempfile.TemporaryDirectory(prefix="faults-", dir=base) as folder:
        yield Path(folder)


# -- what there is to hurt -----------------------------------------------------------------------


def every_kind() -> dict[str, Field]:
    """Return fields of every kind that files hold."""
    return {
        **saved.FIELDS,
        "series": Windows("float32", (3, 5000), 50, 1),
        "steps": WindowLabels("int64", (5000,), 50, 1),
    }


def small_arena(count: int = 60, seed: int = 0) -> tuple[Arena, dict[str, list[Any]]]:
    """Return an arena in memory with columns of every kind, and its rows."""
    counts = {"series": WINDOWS, "steps": WINDOWS}
    return saved.make_arena(every_kind(), count, counts, seed)


def save_small(path: Path, count: int = 60, shard_bytes: int = 4 * SHARD) -> None:
    """Write :func:`small_arena` as several files."""
    arena, _ = small_arena(count)
    with arena:
        arena.save(path, shard_bytes=shard_bytes, threads=1)


def write_photos(folder: Path, count: int = 60, seed: int = 0, broken: int = 0) -> Files:
    """Write small JPEGs of many sizes, and return them as a source.

    With ``broken``, one of so many ends in its middle, which shows when it is decoded.
    """
    folder.mkdir()
    rng = random.Random(seed)
    paths = []
    for k in range(count):
        size = rng.randrange(30, 90), rng.randrange(30, 90)
        path = folder / f"{k:03d}.jpg"
        data = images.encode(images.photo(*size, seed=k), quality=85)
        path.write_bytes(data[: len(data) // 2] if broken and k % broken == 1 else data)
        paths.append(str(path))
    return Files(paths, list(range(count)))


def pack_cached(source: Files, cache_dir: Path, threads: int = 2, shard_bytes: int = SHARD) -> None:
    """Build an arena in a ``cache_dir`` as a dataset does, cut into small shards."""
    options = FillOptions(cache_dir=cache_dir, threads=threads, on_error="skip")
    whole = cached.pack_arena
    cached.pack_arena = partial(pack_arena, shard_bytes=shard_bytes)
    try:
        cached.cached_arena(source, options).close()
    finally:
        cached.pack_arena = whole


def tensors(folder: Path) -> dict[str, bytes]:
    """Return all files with data of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


# -- what is left --------------------------------------------------------------------------------


def held(folder: Path) -> Counter[str]:
    """Return what this process has open, and what it maps of a folder and of memory files."""
    gc.collect()
    listed = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    descriptors = [os.readlink(fd) for fd in listed if os.path.lexists(fd)]
    with open("/proc/self/maps") as maps:
        mapped = [line.split(maxsplit=5)[-1].strip() for line in maps]
    ours = [f"mapped {name}" for name in mapped if str(folder) in name or "memfd:" in name]
    return Counter(name.split(" (deleted)")[0] for name in [*descriptors, *ours])


def temporary(folder: Path) -> list[str]:
    """Return the names of half-written files below a folder."""
    return [path.name for path in folder.rglob(".tmp-*")]


# -- processes -----------------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> int:
    """Start a process by fork that does some work, and return its number.

    It ends with status 0, or 1 where the work raised an error, which it prints.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the child must not return to the caller
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    """Wait for a child; return its status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def reports(work: Callable[[Callable[[str, object], None]], None]) -> Iterator[tuple[str, Any]]:
    """Do some work in a child, and yield what it tells: pairs of a word and what JSON can say.

    The last pair is "status" and how the child ended: a crash ends nobody else.
    """
    read, write = os.pipe()

    def tell(what: str, value: object) -> None:
        os.write(write, (json.dumps([what, value]) + "\n").encode())

    def child() -> None:
        os.close(read)
        work(tell)

    pid = in_child(child)
    os.close(write)
    with open(read) as lines:
        for line in lines:
            what, value = json.loads(line)
            yield what, value
    yield "status", ended(pid)


# -- system calls that fail -----------------------------------------------------------------------

SHIM = Path(__file__).with_name("faults") / "fail_nth.c"
_LOADED = "FASTCACHE_FAULTS_SHIM"


def with_shim() -> bool:
    """Begin this script anew with the shim loaded before all libraries; False if that cannot be.

    Returns True in the process that has it.
    """
    if os.environ.get(_LOADED):
        return True
    library = Path(tempfile.mkdtemp(prefix="fastcache-shim-")) / "shim.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", str(SHIM), "-o", str(library)]
    try:
        done = subprocess.run([*command, "-ldl"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return False
    before = os.environ.get("LD_PRELOAD", "")
    os.environ.update({"LD_PRELOAD": f"{library} {before}".strip(), _LOADED: str(library)})
    status = subprocess.run([sys.executable, *sys.orig_argv[1:]], check=False).returncode
    library.unlink()
    library.parent.rmdir()
    sys.exit(status)
