"""A control group with less memory than an arena has bytes: it is packed, opened and read there.

Prints what each step took and read, beside what the disk itself gives, and how often the kernel
killed.  Making a control group needs root, as a rule.  Once (--times 1) is the short form: fewer
bytes, and no workers.
"""

import contextlib
import mmap
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
import numpy as np
from faulting import Tally

LIMIT = 512 << 20
ARENA, SHORT = 2 << 30, 640 << 20
SHAPE = (224, 224, 3)
ROW = 224 * 224 * 3
BATCH, IN_WORKERS = 256, 64  # workers hold several batches each, which are memory of the group
MOST = 1.5  # times the arena's bytes that an epoch may read


@dataclass(frozen=True)
class Group:
    """A control group of our own, and what its files are called."""

    folder: Path
    limit: str
    peak: str
    kills: str

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def used(self) -> int:
        return int((self.folder / self.peak).read_text())

    def killed(self) -> int:
        text = (self.folder / self.kills).read_text()
        found = re.search(r"^oom_kill ([0-9]+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0


class UnableError(Exception):
    """This machine does not let us."""


def make_group() -> Group:
    """Make a group below our own, of the version that governs memory."""
    places = Path("/proc/self/cgroup").read_text()
    v1 = re.search(r"^[0-9]+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$", places, re.MULTILINE)
    v2 = re.search(r"^0::(.*)$", places, re.MULTILINE)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if v1 and kind == "cgroup" and "memory" in options.split(","):
            above = Path(point + v1[1])
            names = "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"
        elif not v1 and v2 and kind == "cgroup2":
            above, names = Path(point + v2[1]), ("memory.max", "memory.peak", "memory.events")
        else:
            continue
        group = Group(above / f"fastcache-{os.getpid()}", *names)
        try:
            group.folder.mkdir()
        except OSError as error:
            raise UnableError(f"no control group can be made ({error.strerror})") from error
        if all((group.folder / name).exists() for name in names):
            return group
        group.folder.rmdir()
        raise UnableError(f"groups below {above} do not limit memory")
    raise UnableError("no control groups that limit memory are mounted")


@contextlib.contextmanager
def limited() -> Iterator[Group]:
    """Make a group with the limit, and remove it."""
    group = make_group()
    try:
        (group.folder / group.limit).write_text(str(LIMIT))
        yield group
    finally:
        group.folder.rmdir()


def on_a_disk(folder: Path) -> None:
    """Refuse a folder in memory: what lies there cannot make way."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [(len(m[1]), m[2]) for m in mounts if folder.is_relative_to(m[1])]
    if max(inside)[1] in ("tmpfs", "ramfs"):
        raise UnableError(f"{folder} lies in memory: set TMPDIR to a folder on a disk")


def disk_speeds(folder: Path) -> tuple[float, float]:
    """Return MB/s of a disk past the system's cache: in order, and rows in no order."""
    path, size, step = folder / "speed", 512 << 20, -(-ROW // 4096) * 4096
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    places = list(range(0, size - step, step))
    random.Random(0).shuffle(places)
    runs = [(4 << 20, list(range(0, size, 4 << 20))), (step, places)]
    speeds = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
        for length, starts in runs:
            buffer = mmap.mmap(-1, length)
            begin = time.perf_counter()
            done = sum(os.preadv(descriptor, [buffer], start) for start in starts)
            speeds.append(done / 1e6 / (time.perf_counter() - begin))
        os.close(descriptor)
    except OSError as error:
        raise UnableError(f"the disk cannot be read directly ({error.strerror})") from error
    finally:
        path.unlink()
    return speeds[0], speeds[1]


class Made:
    """A map-style dataset: pixels that tell which sample they are of."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return np.full(SHAPE, index % 251, np.uint8), index


def bytes_read() -> int:
    text = Path("/proc/self/io").read_text()
    return int(re.findall(r"^read_bytes: ([0-9]+)$", text, re.MULTILINE)[0])


def inside(
    group: Group, folder: Path, count: int, options: Any, tell: Callable[[str, object], None]
) -> None:
    """Pack, open and read, as a member of the group."""
    import torch
    from torch.utils.data import DataLoader

    import fastcache as fc

    group.enter()
    seen = np.zeros(count, np.int64)

    def timed(name: str, step: Callable[[], Any]) -> Any:
        before, begin = bytes_read(), time.perf_counter()
        made = step()
        tell("step", (name, time.perf_counter() - begin, bytes_read() - before))
        return made

    def epoch(ds: Any, batch_size: int = BATCH, **loading: Any) -> None:
        seen[:] = 0
        for pixels, indices in DataLoader(ds, batch_size=batch_size, **loading):
            for at in (0, ROW // 2, ROW - 1):
                assert torch.equal(pixels.flatten(1)[:, at].long(), indices % 251)
            seen[indices.numpy()] += 1
        assert (seen == 1).all()

    timed("packed", lambda: fc.ArenaDataset(Made(count), cache_dir=folder, home="disk").close())
    (path,) = folder.glob("*.arena")
    ds = timed("opened", lambda: fc.open(path))
    for k in range(options.times):
        timed("shuffled by torch", lambda: epoch(ds, shuffle=True))
        sampler = fc.ArenaSampler(ds, seed=options.seed + k)
        timed("read ahead", lambda sampler=sampler: epoch(ds, sampler=sampler))
    for _ in range(options.times if options.times > 1 else 0):
        loading = {"sampler": fc.ArenaSampler(ds), "num_workers": 2, "batch_size": IN_WORKERS}
        timed("two workers", lambda loading=loading: epoch(ds, **loading))
    ds.close()


def run(options: Any, folder: Path, tally: Tally) -> None:
    """Do it all, and print a line for each step."""
    on_a_disk(folder)
    short = options.times == 1
    count = (SHORT if short else ARENA) // ROW
    arena = count * ROW
    with limited() as group:
        for what, told in faulting.reports(
            lambda tell: inside(group, folder, count, options, tell)
        ):
            if what == "status":
                tally.check(told == 0, f"the process in the group ended with {told}")
                continue
            name, seconds, read = told
            speed = "" if name == "opened" else f"{arena / 1e6 / seconds:6.0f} MB/s,"
            print(f"  {name:18} {seconds:7.3f} s, {speed} read {read / arena:.2f} x the arena")
            tally.check(read <= MOST * arena, f"{name}: {read} bytes of {arena} were read")
            tally.count(f"times {name}")
        tally.count("MiB of memory used at most", group.used() >> 20)
        tally.count("killed for memory", group.killed())
        tally.check(group.killed() == 0, "the kernel killed for memory")
    if not short:
        in_order, rows = disk_speeds(folder)
        print(f"  the disk itself: {in_order:.0f} MB/s in order, {rows:.0f} MB/s row by row")


def main() -> int:
    options = faulting.arguments(__doc__, 2, "epochs of each kind; 1 is the short form")
    tally = Tally(f"an arena in {LIMIT >> 20} MiB of memory", options.seed)
    with tempfile.TemporaryDirectory(prefix="fastcache-faults-") as folder:
        try:
            if find_spec("torch") is None:
                raise UnableError("torch is not installed")
            run(options, Path(folder), tally)
        except UnableError as why:
            print(f"left out: {why}")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
