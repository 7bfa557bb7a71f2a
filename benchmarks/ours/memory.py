"""Peak memory growth while filling, against what the plan said; needs a process of its own.

Growth is that of the peak resident size, less the pages of program files (codecs and the like) that
were touched for the first time: they belong to the page cache and are there once for all processes.
"""

import gc
from pathlib import Path

from serve import Result, Round, Settings, read_all, serve

_RESET_PEAK = "5"


def status_bytes(field: str) -> int:
    """Return a memory field of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def prepare(settings: Settings) -> Round:
    import torch  # noqa: F401  (its memory is no growth)
    from common import open_photos

    import fastcache as fc

    read_all(settings.paths)
    _ = fc.ArenaDataset

    def one_round() -> Result:
        gc.collect()
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        before, files_before = status_bytes("VmRSS"), status_bytes("RssFile")
        dataset = open_photos(settings)
        code = status_bytes("RssFile") - files_before
        growth = status_bytes("VmHWM") - before - code
        plan = dataset.plan
        return {
            "growth": growth,
            "code": code,
            "arena": plan.arena_bytes,
            "scratch": plan.scratch_bytes,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
