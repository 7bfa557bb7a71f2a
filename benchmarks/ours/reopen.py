"""``fc.open`` of a saved arena in a new process, to its first sample: milliseconds, and pages.

options: ``arena``, its folder; all its pixels are 1.  Manifest, tables and the first MiB of each
file are in page cache; modules are imported before the clock starts.  Needs a process of its own.
"""

from pathlib import Path

from homes_sets import arena_files
from proportional import mapped_bytes, read_by_calls
from serve import NotInstalled, Result, Round, Settings, serve, timed

HEAD = 1 << 20  # bytes of each file that are read beforehand
# On a fault the system maps pages around it that are in its cache, 64 KiB in all: at either end of
# the sample. Of a file's header as much may be read.
AROUND = 64 << 10


def prepare(settings: Settings) -> Round:
    import fastcache as fc

    if "missing" in settings.options:
        raise NotInstalled(settings.options["missing"])
    arena, allowed = Path(settings.options["arena"]), 0
    for path in arena_files(arena):
        is_shard = path.name.startswith("shard")
        with path.open("rb") as file:
            size = len(file.read(HEAD if is_shard else -1))
        allowed += AROUND + (0 if is_shard else size)
    opened = fc.open  # imports what it needs

    def one_round() -> Result:
        before = read_by_calls()
        dataset, opening = timed(lambda: opened(arena))
        (image, label), reading = timed(lambda: dataset[0])
        read = read_by_calls() - before
        if not (image == 1).all() or label != 0:
            raise RuntimeError("the first sample is not what was saved")
        beyond = mapped_bytes(str(arena), "shard") - image.numel()
        if read > allowed or beyond > 2 * AROUND:
            raise RuntimeError(
                f"pixels beside the first sample were read: {read} bytes by calls, of which "
                f"{allowed} are no pixels; {beyond} beside the sample by looking at its mapping"
            )
        count = len(dataset)
        dataset.close()
        return {
            "seconds": opening + reading,
            "opening": opening,
            "items": 1,
            "samples": count,
            "read": read,
            "beyond": beyond,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
