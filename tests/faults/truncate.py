"""Files of an arena end early, or hold zeros from some byte on, as after a crash of a machine.

A file that ends early is refused at open. Zeros are refused where they touch metadata, and found
by ``verify`` wherever they are.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
from faulting import SHARD, Tally

from fastcache.errors import ArenaFormatError
from fastcache.memory.arena import Arena
from fastcache.memory.files import open_files, verify
from fastcache.memory.files.naming import PAGE


@contextmanager
def holding(path: Path, data: bytes) -> Iterator[None]:
    """Let a file hold something else for a while."""
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


def refused(path: Path) -> ArenaFormatError | None:
    """Open an arena, and return the error."""
    try:
        Arena.open(path).close()
    except ArenaFormatError as error:
        return error
    return None


def ends(rng: random.Random, files: dict[str, bytes], times: int) -> list[tuple[str, int]]:
    """Return names and lengths: the edges of all files first, then any."""
    found = []
    for name, data in files.items():
        edges = {0, 1, 7, 8, 9, len(data) // 2, len(data) - 1, PAGE - 1, PAGE, PAGE + 1}
        found += [(name, end) for end in sorted(edges) if end < len(data)]
    rng.shuffle(found)
    names = [*files]
    while len(found) < times:
        name = rng.choice(names)
        found.append((name, rng.randrange(len(files[name]))))
    return found[:times]


def main() -> int:
    options = faulting.arguments(__doc__, 500, "places where files end")
    rng = random.Random(options.seed)
    tally = Tally("files that end early", options.seed)
    with faulting.scratch() as folder:
        path = folder / "x.arena"
        faulting.save_small(path, shard_bytes=2 * SHARD)
        opened = open_files(path)
        headers = {
            entry.file: entry.bytes - shard.data_bytes for entry, shard in opened.manifest.files
        }
        opened.block.close()
        files = {name: data for name, data in faulting.saved.files_in(path).items() if data}
        for name, end in ends(rng, files, options.times):
            where = f"{name} to {end} of {len(files[name])} bytes"
            with holding(path / name, files[name][:end]):
                error = refused(path)
                told = error is not None and name in str(error)
                tally.check(told, f"{where}: {error or 'it was opened'}")
                tally.count("short: refused at open", int(error is not None))
            zeros = files[name][:end] + bytes(len(files[name]) - end)
            if zeros == files[name]:
                tally.count("zeros: there were nothing but zeros before")
                continue
            with holding(path / name, zeros):
                # Manifest and columns file are looked at to their last byte.
                metadata = files[name][end : headers[name] if name.startswith("shard") else None]
                if any(metadata):
                    tally.check(refused(path) is not None, f"zeros, {where}: it was opened")
                    tally.count("zeros: refused at open")
                if name != "manifest.json":
                    damaged = [check.file for check in verify(path, threads=1).damaged]
                    tally.check(damaged == [name], f"zeros, {where}: verify named {damaged}")
                    tally.count("zeros: found by verify")
        tally.check(verify(path).ok, "the files were not put back")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
