"""``plan_for`` over many image files: the whole plan, and what it says against an arena's bytes.

options: ``root``, the class folder of the files.  Before the clock starts the plan of some of them
is held against the arena that they make, byte for byte: a dense column, and one whose rows differ.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from homes_sets import linked
from serve import Result, Round, Settings, read_all, seconds_of, serve, take_turns
from view import mappings_around

CHECKED = 300  # files of which an arena is made
PASSES = 3


def prepare(settings: Settings) -> Round:
    import fastcache as fc
    from fastcache import transforms as T

    store = [T.Resize(256), T.CenterCrop(224)]
    root = Path(settings.options["root"])
    paths = linked(root)
    read_all(paths[:CHECKED])
    source = fc.sources.Files(paths, np.zeros(len(paths), np.int64))
    for choice in (store, None):
        check_bytes(paths[:CHECKED], choice)

    def plan(what: Any) -> Any:
        return fc.plan_for(what, store=store, threads=settings.threads, measure=False)

    (column,) = (c for c in plan(source).columns if c.name == "image")
    if column.bytes != len(paths) * 224 * 224 * 3:
        raise RuntimeError(f"planned are {column.bytes} bytes of images")

    def one_round() -> Result:
        seconds = take_turns(
            {
                "files": lambda: seconds_of(lambda: plan(source)),
                "folder": lambda: seconds_of(lambda: plan(root)),
            },
            PASSES,
        )
        return {"seconds": seconds["files"], "folder": seconds["folder"], "items": len(paths)}

    return one_round


def check_bytes(paths: list[str], store: Any) -> None:
    """Fill an arena and refuse a plan that did not say its bytes exactly: each column, and all.

    All of it is what the system has mapped, in whole pages.
    """
    import fastcache as fc

    source = fc.sources.Files(paths, np.arange(len(paths)))
    plan = fc.plan_for(source, store=store, measure=False)
    assert isinstance(plan, fc.Plan)
    planned = {column.name: column.bytes for column in plan.columns}
    with fc.ArenaDataset(source, store=store) as dataset:
        made = {n: a.nbytes for n, a in dataset.arrays.items() if isinstance(a, np.ndarray)}
        mapped = mappings_around(dataset.arrays["label"].ctypes.data)
        whole = 0 if mapped is None else mapped[1] - mapped[0]
    page = os.sysconf("SC_PAGE_SIZE")
    if (
        made != {name: planned[name] for name in made}
        or whole != -(-plan.arena_bytes // page) * page
    ):
        raise RuntimeError(
            f"planned are {planned}, {plan.arena_bytes} in all; made were {made}, {whole} in all"
        )


if __name__ == "__main__":
    serve(prepare, package="fastcache")
