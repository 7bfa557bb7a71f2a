"""A control group with less memory than the arena has bytes: it is packed, opened and read there.

    python tests/faults/small_cgroup.py [--times 2] [--seed 0] [--arena 2048] [--limit 512]

Prints what each step took, and how often the kernel killed.  Needs leave to make a control group:
root, as a rule, or a systemd that makes one for the user; says why it did nothing otherwise.
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROW = (224, 224, 3)
ROW_BYTES = 224 * 224 * 3
BATCH = 256


@dataclass(frozen=True)
class Group:
    """A control group of our own, and what its files are called."""

    folder: Path
    limit: str
    peak: str
    kills: str

    def number(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def killed(self) -> int:
        found = re.search(r"^oom_kill ([0-9]+)$", (self.folder / self.kills).read_text(), re.M)
        return int(found[1]) if found else 0


class UnableError(Exception):
    """This machine does not let us."""


def own_group() -> Group:
    """Make a group below our own, of the version that governs memory."""
    places = Path("/proc/self/cgroup").read_text()
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    name = f"fastcache-{os.getpid()}"
    v1 = re.search(r"^[0-9]+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$", places, re.M)
    v2 = re.search(r"^0::(.*)$", places, re.M)
    for _, point, kind, options, *_ in mounts:
        if v1 and kind == "cgroup" and "memory" in options.split(","):
            folder = Path(point + v1[1]) / name
            files = "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"
        elif not v1 and v2 and kind == "cgroup2":
            folder = Path(point + v2[1]) / name
            files = "memory.max", "memory.peak", "memory.events"
        else:
            continue
        try:
            folder.mkdir()
        except OSError as error:
            raise UnableError(f"no control group can be made: {error}") from error
        if not (folder / files[0]).exists():
            folder.rmdir()
            raise UnableError(f"groups below {folder.parent} do not limit memory")
        return Group(folder, *files)
    raise UnableError("no hierarchy of control groups that limits memory is mounted")


@contextlib.contextmanager
def limited(limit: int) -> Iterator[Group]:
    """Make a group with a limit, and remove it."""
    group = own_group()
    try:
        (group.folder / group.limit).write_text(str(limit))
        yield group
    finally:
        group.folder.rmdir()


def run_in(group: Group, arguments: list[str]) -> tuple[int, dict[str, float]]:
    """Run this script in a group; return its exit status, and what it printed."""

    def enter() -> None:
        (group.folder / "cgroup.procs").write_text(str(os.getpid()))
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # it does not outlive us

    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=enter, check=False)
    found: dict[str, float] = {}
    for line in done.stdout.decode().splitlines():
        found.update(json.loads(line))
    return done.returncode, found


def disk_speed(folder: Path, seconds: float = 1.0) -> tuple[float, float]:
    """Return MB/s of a file system past its cache: in order, and of rows in no order."""
    import mmap
    import random

    path = folder / "speed"
    size = 512 << 20
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    step = -(-ROW_BYTES // 4096) * 4096
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return float("nan"), float("nan")
    whole, row = mmap.mmap(-1, 4 << 20), mmap.mmap(-1, step)
    speeds = []
    places = {
        "in order": (whole, list(range(0, size, 4 << 20))),
        "rows": (row, random.Random(0).sample(range(0, size - step, step), size // step - 1)),
    }
    for buffer, starts in places.values():
        begin, done = time.perf_counter(), 0
        for start in starts:
            done += os.preadv(descriptor, [buffer], start)
            if time.perf_counter() - begin > seconds:
                break
        speeds.append(done / 1e6 / (time.perf_counter() - begin))
    os.close(descriptor)
    path.unlink()
    return speeds[0], speeds[1]


# -- what runs inside of the group ----------------------------------------------------------------


class Made:
    """A map-style dataset: pixels that tell which sample they are of."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int):
        import numpy as np

        if not 0 <= index < self.count:
            raise IndexError(index)
        return np.full(ROW, index % 251, np.uint8), index


def bytes_read() -> int:
    return int(re.search(r"^read_bytes: ([0-9]+)$", Path("/proc/self/io").read_text(), re.M)[1])


def tell(**found: float) -> None:
    print(json.dumps(found), flush=True)


def timed(name: str, step: Callable[[], object]) -> object:
    before, begin = bytes_read(), time.perf_counter()
    made = step()
    tell(**{f"{name}_seconds": time.perf_counter() - begin, f"{name}_read": bytes_read() - before})
    return made


def inside(folder: Path, count: int, times: int, seed: int, short: bool) -> None:
    """Pack, open and read."""
    import numpy as np
    import torch
    from torch.utils.data import DataLoader

    import fastcache as fc

    def pack() -> None:
        fc.ArenaDataset(Made(count), cache_dir=folder, home="disk").close()

    def check(batch) -> None:
        pixels, indices = batch
        first, last = pixels.flatten(1)[:, 0], pixels.flatten(1)[:, -1]
        assert torch.equal(first.long(), indices % 251)
        assert torch.equal(last.long(), indices % 251)
        seen[indices.numpy()] += 1

    def epoch(batch_size: int = BATCH, **options) -> None:
        seen[:] = 0
        for batch in DataLoader(ds, batch_size=batch_size, **options):
            check(batch)
        assert (seen == 1).all()

    seen = np.zeros(count, np.int64)
    timed("pack", pack)
    (path,) = folder.glob("*.arena")
    ds = timed("open", lambda: fc.open(path))
    generator = torch.Generator().manual_seed(seed)
    for k in range(times):
        timed(f"plain{k}", lambda: epoch(shuffle=True, generator=generator))
    for k in range(times):
        sampler = fc.ArenaSampler(ds, seed=seed + k)
        timed(f"sampler{k}", lambda sampler=sampler: epoch(sampler=sampler))
    for k in range(0 if short else times):
        sampler = fc.ArenaSampler(ds, seed=seed + k)
        options = {"sampler": sampler, "num_workers": 2, "batch_size": BATCH // 4}
        timed(f"workers{k}", lambda options=options: epoch(**options))  # they hold several batches
    ds.close()


# -- the table ------------------------------------------------------------------------------------


def show(found: dict[str, float], arena: int) -> None:
    for name in [key.removesuffix("_seconds") for key in found if key.endswith("_seconds")]:
        seconds, read = found[f"{name}_seconds"], found[f"{name}_read"]
        speed = "" if name == "open" else f"{arena / 1e6 / seconds:8.0f} MB/s"
        print(f"{name:10} {seconds:8.3f} s {read / arena:8.2f} x read {speed}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2, help="epochs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arena", type=int, default=2048, help="MiB")
    parser.add_argument("--limit", type=int, default=512, help="MiB")
    parser.add_argument("--folder", type=Path, help="where the arena is made")
    parser.add_argument("--short", action="store_true", help="no workers, no look at the disk")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.folder, given.inside, given.times, given.seed, given.short)
        return 0
    count = (given.arena << 20) // ROW_BYTES
    folder = Path(tempfile.mkdtemp(prefix="fastcache-", dir=given.folder))
    try:
        with limited(given.limit << 20) as group:
            arguments = ["--inside", str(count), "--folder", str(folder)]
            arguments += ["--times", str(given.times), "--seed", str(given.seed)]
            arguments += ["--short"] if given.short else []
            status, found = run_in(group, arguments)
            killed, peak = group.killed(), group.number(group.peak)
        speeds = None if given.short else disk_speed(folder)
    except UnableError as why:
        print(f"skipped: {why}")
        return 0
    finally:
        shutil.rmtree(folder)
    print(f"{given.arena} MiB arena, {given.limit} MiB of memory; at most {peak >> 20} MiB used")
    show(found, count * ROW_BYTES)
    if speeds is not None:
        in_order, by_rows = speeds
        print(f"the disk itself: {in_order:.0f} MB/s in order, {by_rows:.0f} by rows, one by one")
    print(f"killed for memory: {killed}; exit status {status}")
    return 1 if killed or status else 0


if __name__ == "__main__":
    raise SystemExit(main())
