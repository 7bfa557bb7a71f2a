"""Packing is killed at random moments, and before each of its system calls in turn.

After each kill the arena is refused, or whole; what is taken up again ends with the same bytes. One
that is replaced because a photograph has changed is the old one, whole, until it is the new one.
"""

import ctypes
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from os import kill
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
from faulting import KILLED, Tally

from fastcache.errors import ArenaFormatError
from fastcache.memory.arena import Arena
from fastcache.memory.files import verify
from fastcache.memory.files.manifest import read_manifest

# Files are made, written, given room, made durable and named: 2 | 4 | 8 | 16 | 32 | 64 | 256.
CALLS = 0b1_0111_1110
KILL = 2
REPLACED = "while an arena is replaced"
PHOTOS = 60


class Victim:
    """A build in a ``cache_dir``, in processes of their own.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path, tally: Tally) -> None:
        self.tally, self.folder = tally, folder
        self.source = faulting.write_photos(folder / "photos", PHOTOS, broken=7)
        self.run(folder / "old")
        self.old = self.content(folder / "old")
        photo = folder / "photos" / "007.jpg"
        photo.write_bytes(faulting.images.encode(faulting.images.photo(77, 66, seed=99)))
        started = time.perf_counter()
        self.run(folder / "whole")
        self.seconds = time.perf_counter() - started
        self.whole = self.content(folder / "whole")
        assert len(self.whole) > 8
        assert self.old != self.whole

    def content(self, cache_dir: Path) -> list[bytes]:
        """Return the bytes of the files that the manifest names."""
        path = self.arena(cache_dir)
        return [(path / entry.file).read_bytes() for entry, _ in read_manifest(path).files]

    def arena(self, cache_dir: Path) -> Path:
        """Return the folder that the build makes."""
        found = [*cache_dir.glob("*.arena")]
        return found[0] if found else cache_dir / "none.arena"

    def start(self, cache_dir: Path, before: Callable[[], Any] = lambda: None) -> int:
        def work() -> None:
            before()
            faulting.pack_cached(self.source, cache_dir)

        return faulting.in_child(work)

    def run(self, cache_dir: Path) -> None:
        """Build to the end."""
        status = faulting.ended(self.start(cache_dir))
        self.tally.check(status == 0, f"{cache_dir.name}: an undisturbed build ended with {status}")

    def kill_after(self, cache_dir: Path, seconds: float) -> bool:
        """Build, and kill that; False if it had ended before."""
        child = self.start(cache_dir)
        time.sleep(seconds)
        kill(child, signal.SIGKILL)
        return faulting.ended(child) == KILLED

    def shards(self, cache_dir: Path) -> int:
        return len([*self.arena(cache_dir).glob("shard-*")])

    def look(self, cache_dir: Path, when: str) -> bool:
        """See that the arena is refused or whole, or still the old one; whether it is whole."""
        path = self.arena(cache_dir)
        try:
            with Arena.open(path):
                pass
        except ArenaFormatError:
            self.tally.check(when != REPLACED, f"{cache_dir.name}: the old arena has gone")
            self.tally.count(f"refused after a kill {when}")
            return False
        content = self.content(cache_dir)
        old = when == REPLACED and content == self.old
        whole = verify(path, threads=1).ok and (old or content == self.whole)
        self.tally.check(whole, f"{cache_dir.name}: a corrupt arena was opened")
        self.tally.count(f"{'the old one' if old else 'whole'} after a kill {when}")
        return not old

    def finish(self, cache_dir: Path, was_whole: bool) -> None:
        """Build what is missing; see that nothing tells it from a run that was not disturbed."""
        if self.shards(cache_dir) and not was_whole:
            self.tally.count("taken up with shards that were whole")
        self.run(cache_dir)
        path = self.arena(cache_dir)
        same = self.content(cache_dir) == self.whole
        self.tally.check(same, f"{cache_dir.name}: the bytes are not those of an undisturbed run")
        more = len(faulting.tensors(path)) - len(self.whole)
        self.tally.check(was_whole or not more, f"{cache_dir.name}: {more} files more")
        self.tally.check(verify(path, threads=1).ok, f"{cache_dir.name}: damaged in the end")
        left = faulting.temporary(cache_dir)
        self.tally.check(was_whole or not left, f"{cache_dir.name}: {left} are left")
        shutil.rmtree(cache_dir)


def random_moments(victim: Victim, times: int, rng: random.Random) -> None:
    """Kill packing so many times, and resuming a quarter as often."""
    tally, killed, resumed = victim.tally, 0, 0
    trial = 0
    while killed < times:
        trial += 1
        cache_dir = victim.folder / f"moment-{trial}"
        if not victim.kill_after(cache_dir, rng.random() * victim.seconds):
            tally.count("ended before they were killed")
            shutil.rmtree(cache_dir)
            continue
        killed += 1
        tally.count("kills while packing")
        whole = victim.look(cache_dir, "while packing")
        if not whole and resumed < times // 4 and victim.shards(cache_dir):
            left = victim.seconds * (1 - victim.shards(cache_dir) / len(victim.whole))
            if victim.kill_after(cache_dir, rng.random() * left):
                resumed += 1
                tally.count("kills while resuming")
                whole = victim.look(cache_dir, "while resuming")
        victim.finish(cache_dir, whole)
        if trial > 20 * times:
            tally.check(False, f"only {killed} of {trial} builds could be killed")
            break
    tally.check(resumed >= times // 4 or killed < 20, f"only {resumed} kills while resuming")


def each_call(victim: Victim, when: str, most: int) -> None:
    """Kill packing before its first system call on files, before its second, and so on."""
    shim = ctypes.CDLL(None)
    shim.fault_disarm.restype = ctypes.c_long
    made = victim.folder / "calls.txt"

    def prepared(name: str) -> Path:
        cache_dir = victim.folder / name
        if when == REPLACED:
            shutil.copytree(victim.folder / "old", cache_dir)
        return cache_dir

    def counted() -> None:
        cache_dir = prepared("counted")
        shim.fault_arm(CALLS, ctypes.c_long(0), 0, KILL)
        faulting.pack_cached(victim.source, cache_dir)
        made.write_text(str(shim.fault_disarm()))
        shutil.rmtree(cache_dir)

    faulting.ended(faulting.in_child(counted))
    for number in faulting.spread(int(made.read_text()), most):
        cache_dir = prepared(f"call-{number}")
        nth = ctypes.c_long(number)
        status = faulting.ended(
            victim.start(cache_dir, lambda nth=nth: shim.fault_arm(CALLS, nth, 0, KILL))
        )
        if status == KILLED:
            victim.tally.count(f"kills {when}")
        victim.finish(cache_dir, victim.look(cache_dir, when))


def main() -> int:
    options = faulting.arguments(__doc__, 200, "kills while packing; a quarter while resuming")
    shim = faulting.with_shim()
    tally = Tally("SIGKILL while an arena is packed", options.seed)
    with faulting.scratch() as folder:
        victim = Victim(folder, tally)
        random_moments(victim, options.times, random.Random(options.seed))
        if shim:
            each_call(victim, "before a system call", 5 * options.times)
            each_call(victim, REPLACED, 2 * options.times)
        else:
            tally.count("system calls left out: there is no cc here", 0)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
