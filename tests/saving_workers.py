"""What the tests of writing run in other processes, which are killed meanwhile."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fastcache.memory.files import ArenaWriter, FilePlan, plan_files
from fastcache.schema import Array, Image, Ragged, Scalar

COUNT = 120


def shapes() -> dict[str, Any]:
    """Return the shapes of ragged rows."""
    return {"photo": np.random.default_rng(1).integers(0, 60, (COUNT, 2))}


def plan(shard_bytes: int = 2 * 65536) -> FilePlan:
    """Return the plan that all writers here have."""
    fields = {
        "image": Image(size=(31, 17)),
        "photo": Ragged("uint16", 2),
        "wide": Array("uint8", (4096,)),
        "label": Scalar("int64"),
    }
    return plan_files(fields, COUNT, shapes(), shard_bytes=shard_bytes)


def part_bytes(name: str, family: int, shard: int, size: int) -> bytes:
    """Return bytes that depend on nothing else."""
    return np.random.default_rng([len(name), family, shard]).bytes(size)


def shard_parts(whole: FilePlan, family: int, shard: int) -> dict[str, bytes]:
    """Return what a shard holds."""
    parts = whole.families[family].shards[shard].parts
    return {name: part_bytes(name, family, shard, part.size) for name, part in parts.items()}


def table_parts(whole: FilePlan) -> dict[str, Any]:
    """Return what the columns file holds."""
    return {"label": np.arange(COUNT), **whole.tables_of_rows("photo", shapes()["photo"])}


def write(
    path: Path,
    source: dict[str, Any] | None = None,
    pause: float = 0.0,
    shard_bytes: int = 2 * 65536,
    **options: Any,
) -> int:
    """Write the arena, or what is left of it; return how many shards were there already."""
    whole = plan(shard_bytes)
    with ArenaWriter(path, whole, {"of": 1} if source is None else source, **options) as writer:
        done = writer.done
        for family, each in enumerate(whole.families):
            for shard in range(len(each.shards)):
                if (family, shard) in done:
                    assert writer.notes(family, shard) == {"shard": shard}
                    continue
                writer.write_shard(
                    family, shard, shard_parts(whole, family, shard), {"shard": shard}
                )
                time.sleep(pause)
        writer.write_tables(table_parts(whole))
        writer.commit({"classes": ["a"]})
    return len(done)


if __name__ == "__main__":
    print("begin", flush=True)
    write(Path(sys.argv[1]), pause=float(sys.argv[2]), overwrite=sys.argv[3:] == ["overwrite"])
    print("end", flush=True)
