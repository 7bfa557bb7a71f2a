"""Saving an arena from memory, until all of it is on the disk, and ``cp`` of as many bytes.

options: ``folder``, on the disk that is meant.  Both write to names that are not there, and both
end when the bytes and the names are on the disk.  What was written is removed off the clock, and
the system's own writing has ended before the next begins.
"""

import os
import shutil
import subprocess
from pathlib import Path

from homes_sets import arena_files
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns

PASSES = 2


def prepare(settings: Settings) -> Round:
    from common import open_photos, own_folder

    read_all(settings.paths)
    dataset = open_photos(settings, repeat=-(-settings.rows // len(settings.paths)))
    folder = own_folder(settings)
    arena, original, copy = folder / "made.arena", folder / "original", folder / "copy"
    dataset.save(arena)
    size = write_as_one(arena, original)
    forget(arena)

    def save() -> float:
        try:
            return seconds_of(lambda: dataset.save(arena))
        finally:
            forget(arena)

    def cp() -> float:
        read_through(original)
        try:
            return seconds_of(lambda: copy_and_sync(original, copy))
        finally:
            forget(copy)

    def one_round() -> Result:
        seconds = take_turns({"save": save, "cp": cp}, PASSES)
        return {"seconds": seconds["save"], "cp": seconds["cp"], "bytes": size}

    return one_round


def write_as_one(arena: Path, target: Path) -> int:
    """Write the files of an arena one after the other into one file; return its bytes."""
    with target.open("wb") as file:
        for path in arena_files(arena):
            with path.open("rb") as part:
                shutil.copyfileobj(part, file, 8 << 20)
    return target.stat().st_size


def read_through(path: Path) -> None:
    """Read a file, so that it is in page cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(8 << 20):
            pass


def copy_and_sync(original: Path, copy: Path) -> None:
    """Copy the bytes, not a reference to them, and have the disk confirm file and name."""
    subprocess.run(["cp", "--reflink=never", "--sparse=never", original, copy], check=True)
    for path in (copy, copy.parent):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def forget(path: Path) -> None:
    """Remove what was written, and wait until nothing is left to be written."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    os.sync()


if __name__ == "__main__":
    serve(prepare, package="fastcache")
