"""Disks and memory that are too small: an error that names need and free space, and no signal.

A file system in memory of 20 sizes is mounted, and arenas are saved and packed there: with the
check of free space that comes first, and with that check blinded, so that the disk is full in the
middle. Afterwards the file system grows, and the work is done again. Mounting needs root, or a
system where users may have name spaces of their own.

Fills, loads and saves meet limits of their process: a budget, few addresses, small files; images of
a gigabyte are kept where there is room for a quarter of them.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
from faulting import SHARD, Tally

from fastcache.errors import ArenaFileError, ArenaFormatError, BudgetError, FastcacheError
from fastcache.fill.build import fill_arena
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.memory.files import folder as memory_files_folder
from fastcache.memory.files import verify
from fastcache.sources import Files

PLENTY = 64 << 20
_INSIDE = "FASTCACHE_FAULTS_MOUNTS"


def in_own_mounts() -> bool:
    """Begin this script anew where mounts are its own, and go with it; False if that cannot be."""
    if os.environ.get(_INSIDE):
        return True
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "-r"]
    try:
        possible = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], check=False)
    except FileNotFoundError:
        return False
    if possible.returncode:
        return False
    os.environ[_INSIDE] = "1"
    sys.exit(subprocess.run([*unshare, sys.executable, *sys.orig_argv[1:]], check=False).returncode)


class Disk:
    """A small file system in memory."""

    def __init__(self, place: Path, size: int) -> None:
        self.place = place
        self.mount(f"size={size}")

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.place)]
        subprocess.run(command, check=True)

    def grow(self) -> None:
        self.mount(f"remount,size={PLENTY}")

    def __enter__(self) -> "Disk":
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.place)], check=True)


class Writers:
    """Two ways to write an arena, and the bytes that each must end with."""

    def __init__(self, folder: Path) -> None:
        self.arena, _ = faulting.small_arena(30)
        self.source = faulting.write_photos(folder / "photos", 30)
        self.folder, self.whole = folder, {}
        for name in ("save", "pack"):
            path = folder / f"{name}.arena"
            self.write(name, path)
            self.whole[name] = faulting.tensors(path)
            shutil.rmtree(path)

    def write(self, name: str, path: Path) -> None:
        if name == "save":
            self.arena.save(path, shard_bytes=4 * SHARD, threads=2)
        else:
            options = FillOptions(threads=2)
            pack_arena(self.source, options, path, {}, shard_bytes=SHARD)

    def need(self, name: str) -> int:
        return sum(map(len, self.whole[name].values()))


def raised(work: Callable[[], Any]) -> FastcacheError | None:
    """Do some work, and return its error."""
    try:
        work()
    except FastcacheError as error:
        return error
    return None


def blinded(work: Callable[[], Any]) -> None:
    """Do some work that does not see how much is free."""
    seen = memory_files_folder.free_bytes
    memory_files_folder.free_bytes = lambda folder: 1 << 60
    try:
        work()
    finally:
        memory_files_folder.free_bytes = seen


def check_full(tally: Tally, where: str, error: FastcacheError | None) -> bool:
    """See that an error says what is needed, and what there is."""
    if not tally.check(isinstance(error, BudgetError), f"{where}: {error!r}"):
        return False
    assert isinstance(error, BudgetError)
    told = (
        error.need > error.have >= 0 and "free space" in str(error) and "may be used" in str(error)
    )
    return tally.check(told, f"{where}: {error}, need {error.need}, have {error.have}")


def full_disk(writers: Writers, name: str, size: int, blind: bool, tally: Tally) -> None:
    """Write to a disk of this size, let it grow, and write again."""
    what = f"{name}, {'met in the middle' if blind else 'foreseen'}"
    where = f"{what}, {size} bytes"
    place = writers.folder / "disk"
    place.mkdir(exist_ok=True)
    with Disk(place, size) as disk:
        path = place / "x.arena"

        def work() -> None:
            writers.write(name, path)

        error = raised(partial(blinded, work) if blind else work)
        if error is None:
            tally.count(f"{what}: it was large enough")
        else:
            if check_full(tally, where, error):
                tally.count(f"{what}: BudgetError")
            left = faulting.temporary(place)
            tally.check(not left, f"{where}: {left} are left")
            refused = raised(lambda: Arena.open(path).close())
            tally.check(isinstance(refused, ArenaFormatError), f"{where}: an arena was opened")
            kept = {file.name: file.stat().st_ino for file in path.glob("shard-*")}
            disk.grow()
            work()
            again = [
                file.name
                for file in path.glob("shard-*")
                if kept.get(file.name) == file.stat().st_ino
            ]
            tally.count(f"{what}: shards that need not be written again", len(again))
            if name == "pack":
                tally.check(
                    len(again) == len(kept), f"{where}: {len(kept)} shards, {len(again)} used"
                )
        right = verify(path).ok and faulting.tensors(path) == writers.whole[name]
        tally.check(right, f"{where}: not what was to be written")


# -- limits of a process -----------------------------------------------------------------------


def under(limit: int, value: int, work: Callable[[], Any], expected: tuple[type, ...]) -> int:
    """Do some work in a child that has a limit; return 0 where it met an expected error."""

    def limited() -> None:
        work()  # what is made once for a process is made now
        resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
        try:
            work()
        except expected as error:
            met = error
        else:
            raise AssertionError("the limit was not met")
        assert isinstance(met, FastcacheError), repr(met)
        resource.setrlimit(limit, (resource.getrlimit(limit)[1],) * 2)
        work()  # the process goes on

    return faulting.ended(faulting.in_child(limited))


def address_space() -> int:
    """Return the bytes of addresses that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def limits(writers: Writers, tally: Tally) -> None:
    """Meet a budget and limits of the system while filling, loading and saving."""
    whole = FillOptions(threads=2, keep="decoded")

    def fill(budget: int | None = None) -> None:
        options = whole if budget is None else FillOptions(threads=2, keep="decoded", budget=budget)
        fill_arena(writers.source, options).close()

    for budget in (0, 1, 4096, 65536, 200_000):
        error = raised(partial(fill, budget))
        told = isinstance(error, BudgetError) and error.need > error.have <= budget
        tally.check(told, f"budget {budget}: {error}")
        tally.count("fill with a budget: BudgetError", int(told))
    path = writers.folder / "ready.arena"
    writers.write("save", path)
    target = writers.folder / "limited.arena"

    def save() -> None:
        shutil.rmtree(target, ignore_errors=True)
        writers.write("save", target)

    for name, work in (
        ("fill", fill),
        ("load", lambda: Arena.load(path).close()),
        ("open", lambda: Arena.open(path).close()),
    ):
        for spare in (0, 1 << 16, 1 << 18):
            value = address_space() + spare
            status = under(resource.RLIMIT_AS, value, work, (MemoryError, OSError))
            tally.check(status == 0, f"{name}, {spare} addresses: status {status}")
            tally.count(f"{name} with few addresses: typed error", int(status == 0))
    for name, work, most in (("fill", fill, 4096), ("save", save, 4096), ("save", save, 70_000)):
        status = under(resource.RLIMIT_FSIZE, most, work, (ArenaFileError, BudgetError, OSError))
        tally.check(status == 0, f"{name}, files of {most} bytes: status {status}")
        tally.count(f"{name} with a limit of file sizes: typed error", int(status == 0))


def large_set(folder: Path, count: int, tally: Tally) -> None:
    """Keep images of 3 MiB each where a limit leaves room for a quarter of them."""
    photo = folder / "large.jpg"
    photo.write_bytes(faulting.images.encode(faulting.images.photo(1024, 1024), quality=70))
    source = Files([str(photo)] * count, list(range(count)))
    expected = faulting.images.decoded(photo.read_bytes())

    def work(tell: Callable[[str, object], None]) -> None:
        room = address_space() + (count * 3 << 20) // 4
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        error = raised(lambda: fill_arena(source, FillOptions(keep="decoded", threads=2)).close())
        tell("decoded", isinstance(error, BudgetError) and "ulimit -v" in str(error))
        with fill_arena(source, FillOptions(threads=2)) as arena:
            tell("auto", arena.catalog["visible"] == count)
        path = folder / "large.arena"
        pack_arena(source, FillOptions(threads=2), path, {}, shard_bytes=16 << 20)
        tell("packed", len([*path.glob("shard-*")]) > 1)

    for what, value in faulting.reports(work):
        if what == "status":
            tally.check(value == 0, f"{count} images of 3 MiB: status {value}")
        else:
            tally.check(value, f"{count} images of 3 MiB, {what}: {value}")
            tally.count(f"images of {count * 3} MiB in a quarter of that: {what}")
    with Arena.open(folder / "large.arena") as arena:
        right = all((arena.column("image").rows[k] == expected).all() for k in (0, count - 1))
        tally.check(right, f"{count} images of 3 MiB: other pixels")


def main() -> int:
    options = faulting.arguments(__doc__, 20, "sizes of disks, for each way to write")
    mounts = in_own_mounts()
    tally = Tally("full disks and memory", options.seed)
    with faulting.scratch() as folder:
        writers = Writers(folder)
        if mounts:
            for name in ("save", "pack"):
                for blind in (False, True):
                    most = int(1.15 * writers.need(name)) + (1 << 20) * (name == "pack")
                    for k in range(1, options.times + 1):
                        full_disk(writers, name, most * k // options.times, blind, tally)
        else:
            tally.count("disks left out: nothing can be mounted here", 0)
        limits(writers, tally)
        writers.arena.close()
    with tempfile.TemporaryDirectory(prefix="fastcache-faults-") as folder:
        large_set(Path(folder), 16 * options.times + 64, tally)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
