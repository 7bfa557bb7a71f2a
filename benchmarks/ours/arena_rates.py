"""Filling in memory, packing to files, comparing all bytes with their checksums, reading to memory.

options: ``folder``, on the disk that is meant.  Files that are read are in page cache; packing ends
when everything is on the disk, and is removed off the clock.
"""

from collections.abc import Callable
from typing import Any

from common import open_files, own_folder
from resident import wake
from save_arena import forget
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns


def prepare(settings: Settings) -> Round:
    import fastcache as fc

    read_all(settings.paths)
    paths = settings.paths * -(-settings.rows // len(settings.paths))
    folder, threads = own_folder(settings), settings.threads
    with open_files(paths, threads) as dataset:
        dataset.save(folder / "saved.arena")
        size = dataset.report["arena_bytes"]

    def fill() -> float:
        wake(size)
        return seconds_to_make(lambda: open_files(paths, threads))

    def pack() -> float:
        packed = folder / "packed"
        try:
            return seconds_to_make(lambda: open_files(paths, threads, cache_dir=packed))
        finally:
            forget(packed)

    def verify() -> None:
        if not fc.verify(folder / "saved.arena", threads).ok:
            raise RuntimeError("the arena that was saved is damaged")

    def load() -> float:
        wake(size)
        return seconds_to_make(lambda: fc.open(folder / "saved.arena", home="ram", threads=threads))

    def one_round() -> Result:
        verify()  # everything is in page cache then
        actions = {"fill": fill, "pack": pack, "verify": lambda: seconds_of(verify), "load": load}
        seconds = take_turns(actions, 1)
        return {**seconds, "seconds": seconds["pack"], "items": len(paths), "bytes": size}

    return one_round


def seconds_to_make(make: Callable[[], Any]) -> float:
    """Return the seconds until a dataset is there; it is closed off the clock."""
    made: list[Any] = []
    seconds = seconds_of(lambda: made.append(make()))
    made.pop().close()
    return seconds


if __name__ == "__main__":
    serve(prepare, package="fastcache")
