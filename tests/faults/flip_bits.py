"""Single bits of an arena's files are turned over.

In the manifest, in headers and in the columns file each of them is refused at open; in data,
``verify`` finds it, and names the file, the MiB and the rows.
"""

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
from faulting import SHARD, Tally

from fastcache.errors import ArenaFormatError
from fastcache.memory.arena import Arena
from fastcache.memory.files import open_files, verify

MIB = 1 << 20


class Victim:
    """A small arena of several files.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path, tally: Tally) -> None:
        faulting.save_small(path, shard_bytes=2 * SHARD)
        self.path, self.tally = path, tally
        opened = open_files(path)
        self.looked_at = {"manifest.json": (path / "manifest.json").stat().st_size}
        self.data: dict[str, int] = {}
        for entry, shard in opened.manifest.files:
            header = entry.bytes - shard.data_bytes
            whole = entry.file.startswith("columns")
            self.looked_at[entry.file] = entry.bytes if whole else header
            if not whole:
                self.data[entry.file] = entry.bytes
        opened.block.close()

    def flip(self, name: str, bit: int, found: str) -> None:
        """Turn a bit over, look, and turn it back."""
        fd = os.open(self.path / name, os.O_RDWR)
        at = bit // 8
        try:
            (before,) = os.pread(fd, 1, at)
            os.pwrite(fd, bytes([before ^ 1 << bit % 8]), at)
            try:
                if found == "metadata":
                    self.refused(name, bit)
                else:
                    self.verified(name, bit)
            finally:
                os.pwrite(fd, bytes([before]), at)
        finally:
            os.close(fd)

    def refused(self, name: str, bit: int) -> None:
        try:
            with Arena.open(self.path):
                pass
        except ArenaFormatError:
            self.tally.count(f"{kind_of(name)}: refused at open")
        else:
            self.tally.check(False, f"bit {bit} of {name}: the arena was opened")

    def verified(self, name: str, bit: int) -> None:
        result = verify(self.path, threads=1)
        files = [check.file for check in result.damaged]
        right = files == [name] and result.damaged[0].damaged == (bit // 8 // MIB,)
        self.tally.check(right, f"bit {bit} of {name}: verify told {result}")
        self.tally.count("data: found by verify", int(right))
        self.tally.count("data: rows named", int(bool(result.rows)))


def kind_of(name: str) -> str:
    """Return what a file's metadata are called."""
    if name.startswith("shard"):
        return "headers of shards"
    return "manifest" if name == "manifest.json" else "columns file"


def main() -> int:
    options = faulting.arguments(__doc__, 10_000, "bits, half of them in metadata")
    rng = random.Random(options.seed)
    tally = Tally("bits turned over", options.seed)
    with faulting.scratch() as folder:
        victim = Victim(folder / "x.arena", tally)
        groups = [
            ["manifest.json"],
            [name for name in victim.looked_at if name.startswith("columns")],
            [*victim.data],
        ]
        for number in range(options.times):
            if number % 2:
                name = rng.choice([*victim.data])
                bits = range(8 * victim.looked_at[name], 8 * victim.data[name])
                victim.flip(name, rng.choice(bits), "data")
            else:
                name = rng.choice(groups[number // 2 % len(groups)])
                victim.flip(name, rng.randrange(8 * victim.looked_at[name]), "metadata")
        tally.check(verify(victim.path).ok, "the bits were not all turned back")
        Arena.open(victim.path).close()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
