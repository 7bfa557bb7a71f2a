"""One call of a kind is made to fail, the Nth for N = 1, 2, ... until none is left.

Each time the work ends with an error of ours, MemoryError or OSError, or with a right arena.
Nothing stays open, mapped or half-written, and the same work done again ends well. Memory and
mappings fail where our extension modules and the codec libraries ask for them; what the interpreter
allocates for itself is left alone.
"""

import ctypes
import errno
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
from faulting import SHARD, Tally, held, spread, temporary

from fastcache.errors import ArenaFormatError
from fastcache.fill.build import fill_arena
from fastcache.fill.disk.pack import pack_arena
from fastcache.fill.disk.temporary import temporary_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.memory.files.manifest import read_manifest

SHORT = 1
PHOTOS = 10
MORE = 100  # calls that threads may need besides those counted


Check: TypeAlias = Callable[[], bool]


class Fault(NamedTuple):
    """A kind of call that fails: bits of fail_nth.c, the reason, and whether it is only short."""

    kind: int
    reason: int
    short: bool = False


FAULTS = {
    "malloc": Fault(1, errno.ENOMEM),
    "open EMFILE": Fault(2, errno.EMFILE),
    "open EIO": Fault(2, errno.EIO),
    "pwrite EIO": Fault(4, errno.EIO),
    "pwrite ENOSPC": Fault(4, errno.ENOSPC),
    "pwrite short": Fault(4, 0, short=True),
    "write": Fault(8, errno.ENOSPC),
    "fsync": Fault(16, errno.EIO),
    "fallocate": Fault(32, errno.ENOSPC),
    "rename": Fault(64, errno.EACCES),
    "mmap": Fault(128, errno.ENOMEM),
    "ftruncate": Fault(256, errno.EIO),
    "pread": Fault(512, errno.EIO),
    "memfd_create": Fault(1024, errno.ENFILE),
}


class Bench:
    """What is done while calls fail, and what must come of it.

    Methods that do some work return a function that says whether what came of it is right.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.target = folder, folder / "target.arena"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        tempfile.tempdir = str(self.temporary)
        self.source = faulting.write_photos(folder / "photos", PHOTOS)
        self.arena, self.rows = faulting.small_arena(20)
        self.ready, self.old = folder / "ready.arena", folder / "old.arena"
        faulting.save_small(self.ready, 20)
        faulting.save_small(self.old, 9)
        self.whole = {"save": self._bytes(self.ready), "old": self._bytes(self.old)}
        self.on_error = "raise"
        self.pack()
        self.whole["pack"] = self._bytes(self.target)
        self.pixels = self._pixels(fill_arena(self.source, FillOptions(threads=1)))

    def _bytes(self, path: Path) -> list[bytes]:
        return [*faulting.tensors(path).values()]

    def _pixels(self, arena: Arena) -> list[bytes]:
        with arena:
            return [bytes(arena.column("image")[k]) for k in range(arena.catalog["visible"])]

    def prepare(self, work: str, fault: Fault) -> None:
        """Put everything where the work begins."""
        shutil.rmtree(self.target, ignore_errors=True)
        for left in self.temporary.iterdir():
            shutil.rmtree(left)
        if work == "replace":
            shutil.copytree(self.old, self.target)
        # Damaged files may be passed over, but a shortage must not be taken for damage.
        self.on_error = "raise" if fault.reason == errno.EIO else "skip"

    def save(self) -> Check:
        there = (self.target / "manifest.json").exists()
        self.arena.save(self.target, shard_bytes=4 * SHARD, threads=2, overwrite=there)
        return lambda: self._bytes(self.target) == self.whole["save"]

    replace = save

    def pack(self) -> Check:
        options = FillOptions(threads=2, on_error=self.on_error)
        pack_arena(self.source, options, self.target, {"of": "photos"}, shard_bytes=SHARD)
        return lambda: self._bytes(self.target) == self.whole["pack"]

    def open(self) -> Check:
        return partial(self._has_rows, Arena.open(self.ready))

    def load(self) -> Check:
        return partial(self._has_rows, Arena.load(self.ready, threads=2))

    def _has_rows(self, arena: Arena) -> bool:
        with arena:
            faulting.saved.check_rows(arena, self.rows)
        return True

    def verify(self) -> Check:
        found = verify(self.ready, threads=2)
        # What cannot be read is told as damaged, with the system's reason.
        return lambda: found.ok or all("Errno" in check.problem for check in found.damaged)

    def fill(self) -> Check:
        arena = fill_arena(self.source, FillOptions(threads=2, on_error=self.on_error))
        return lambda: self._pixels(arena) == self.pixels

    def disk(self) -> Check:
        options = FillOptions(threads=2, on_error=self.on_error, home="disk")
        arena = temporary_arena(self.source, options)
        return lambda: self._pixels(arena) == self.pixels

    def refused_or_whole(self, work: str) -> bool:
        """Whether what lies at the target after an error is no arena, or a right one."""
        try:
            with Arena.open(self.target):
                pass
        except ArenaFormatError:
            return work != "replace"  # whose old arena stays until the new one is whole
        right = [self.whole["pack" if work == "pack" else "save"]]
        right += [self.whole["old"]] if work == "replace" else []
        # Files of the other one may be there until the next writer comes.
        named = [entry.file for entry, _ in read_manifest(self.target).files]
        return [(self.target / name).read_bytes() for name in sorted(named)] in right


WORKS = ("save", "replace", "pack", "open", "verify", "load", "fill", "disk")


class Trials:
    """All calls in one work, in a process of its own.

    Parameters
    ----------
    bench : Bench
    work : str
    most : int
        Calls of a kind that fail.
    tell : callable
        Gets what happened, while nothing is made to fail.
    """

    def __init__(
        self, bench: Bench, work: str, most: int, tell: Callable[[str, object], None]
    ) -> None:
        self.bench, self.work, self.most, self.tell = bench, work, most, tell
        self.shim = ctypes.CDLL(None)
        self.shim.fault_disarm.restype = self.shim.fault_calls.restype = ctypes.c_long

    def run(self, after: tuple[str, int] | None) -> None:
        """Make call by call fail; those behind the one that ended another process, if it did."""
        nothing = Fault(sum({fault.kind for fault in FAULTS.values()}), 0)
        for _ in range(2):  # what is made once for a process is made now
            self.once(nothing, 0)
        totals = {name: self.shim.fault_calls(fault.kind) for name, fault in FAULTS.items()}
        names = [*FAULTS]
        for name in names[names.index(after[0]) :] if after else names:
            first = after[1] + 1 if after and after[0] == name else 1
            for number in spread(totals[name], self.most):
                if number >= first:
                    self.trial(name, number)
            if 0 < totals[name] <= self.most:  # threads may need some calls more
                number = max(first, totals[name] + 1)
                while self.trial(name, number):
                    number += 1
                    if number > totals[name] + MORE:
                        self.tell("wrong", "there are more calls each time")
                        break

    def once(self, fault: Fault, number: int) -> tuple[int, BaseException | None]:
        """Do the work with a fault; return the calls made (minus that if one failed), and why."""
        self.bench.prepare(self.work, fault)
        work, check, failed = getattr(self.bench, self.work), None, None
        mode = SHORT if fault.short else 0
        self.shim.fault_arm(fault.kind, ctypes.c_long(number), fault.reason, mode)
        try:
            check = work()
        except BaseException as error:  # noqa: BLE001 - whatever comes is judged
            failed = error
        finally:
            made = self.shim.fault_disarm()
        if check is not None and not check():
            self.tell("wrong", "another result")
        return made, failed

    def trial(self, name: str, number: int) -> bool:
        """Make the Nth call fail; False if there was none."""
        self.tell("begin", (name, number))
        before = held(self.bench.folder)
        made, error = self.once(FAULTS[name], number)
        if error is not None:
            kind = type(error).__name__
            self.tell("error", kind)
            if not isinstance(error, faulting.TYPED):
                self.tell("wrong", f"{kind}: {error}")
            if made >= 0:
                self.tell("wrong", f"an error where no call had failed: {kind}: {error}")
            error = None
        elif made < 0:
            self.tell("error", "none: the work went on")
        self._look(before, made < 0)
        return made < 0

    def _look(self, before: Counter[str], failed: bool) -> None:
        bench = self.bench
        after = held(bench.folder)
        if after != before:
            self.tell("wrong", f"left: {after - before}; gone: {before - after}")
        if [*bench.temporary.iterdir()]:
            self.tell("wrong", f"left: {[*bench.temporary.iterdir()]}")
        if self.work not in ("save", "replace", "pack"):
            if failed and not getattr(bench, self.work)()():
                self.tell("wrong", "another result when done again")
            return
        if temporary(bench.folder):
            self.tell("wrong", f"left: {temporary(bench.folder)}")
        if not bench.refused_or_whole(self.work):
            self.tell("wrong", "neither refused nor whole")
        if failed and not getattr(bench, self.work)()():
            self.tell("wrong", "another result when done again")


def in_process(
    bench: Bench, work: str, most: int, after: tuple[str, int] | None, tally: Tally
) -> tuple[str, int] | None:
    """Run trials; return the one that a crash ended, if one did."""
    name, number = after or ("", 0)
    for what, value in faulting.reports(lambda tell: Trials(bench, work, most, tell).run(after)):
        where = f"{work}, {name}"
        if what == "begin":
            name, number = value
        elif what == "wrong":
            tally.check(False, f"{where} {number}: {value}")
        elif what == "error":
            tally.count(f"{where}: {value}")
        elif what == "status" and value:
            tally.check(False, f"{where} {number}: the process ended with status {value}")
            return (name, number) if name else None
    return None


def main() -> int:
    options = faulting.arguments(__doc__, 100_000, "most calls of a kind that fail, of each work")
    tally = Tally("the Nth call fails: how the work ended", options.seed)
    if not faulting.with_shim():
        print("left out: there is no cc here that makes a library for this Python")
        return 0
    with faulting.scratch() as folder:
        bench = Bench(folder)
        for work in WORKS:
            crashed = in_process(bench, work, options.times, None, tally)
            while crashed:
                crashed = in_process(bench, work, options.times, crashed, tally)
        bench.arena.close()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
