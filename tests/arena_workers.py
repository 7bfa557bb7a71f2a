"""What the tests of shared arenas run in other processes.

A module of its own, because spawned processes find their function by importing its module.
"""

import hashlib
import os
import pickle
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from fastcache.memory.arena import Arena, plan_layout
from fastcache.memory.columns import DenseColumn
from fastcache.schema import Image, Scalar, Text


def make_arena(rows: int = 50, *, commit: bool = True) -> Arena:
    """Return an arena of images, labels and texts with contents that depend on nothing else."""
    rng = np.random.default_rng(5)
    texts = [("é" * int(n)).encode() for n in rng.integers(0, 9, rows)]
    columns = {
        "image": Image(size=(24, 17)),
        "label": Scalar("int64"),
        "name": Text(),
    }
    layout = plan_layout(columns, rows, {"name": np.array([[len(text)] for text in texts])})
    arena = Arena.allocate(layout)
    arena.column("image").rows[...] = rng.integers(0, 256, (rows, 24, 17, 3), dtype=np.uint8)
    arena.column("label").rows[...] = np.arange(rows) - 7
    for i, text in enumerate(texts):
        arena.column("name")[i][...] = np.frombuffer(text, np.uint8)
    if commit:
        arena.commit({"classes": ["a", "b"], "rows": rows})
    return arena


def digest(arena: Arena) -> str:
    """Return a digest of the catalogue and of every column, read through the arrays."""
    whole = hashlib.sha256(repr(sorted(arena.catalog.items())).encode())
    for name in arena.layout.columns:
        column = arena.column(name)
        if isinstance(column, DenseColumn):
            whole.update(column.rows.tobytes())
        else:
            for i in range(len(column)):
                whole.update(column[i].tobytes())
    return whole.hexdigest()


def mappings(pid: int | str = "self") -> int:
    """Return how often memory of ours is mapped in a process."""
    return Path(f"/proc/{pid}/maps").read_text().count("memfd:fastcache")


def send_digest(arena: Arena, connection: Connection) -> None:
    """Send what a process sees of an arena, and whether it may write there."""
    writeable = arena.column("image").rows.flags.writeable
    connection.send((digest(arena), writeable, pickle.dumps(arena), mappings()))


def unpickle_often(pickled: bytes, connection: Connection) -> None:
    """Send the digests, addresses and mappings after unpickling a hundred times."""
    arenas = [pickle.loads(pickled) for _ in range(100)]
    connection.send(
        ({digest(arena) for arena in arenas}, {a.base_address for a in arenas}, mappings())
    )


def read_and_wait(arena: Arena, connection: Connection) -> None:
    """Read every byte, say so, and stay until told to go."""
    connection.send(int(arena.buffer.sum(dtype=np.int64)))
    connection.recv()


def close_and_leave(arena: Arena, connection: Connection) -> None:
    """Close an arena that came by fork."""
    arena.close()
    connection.send(arena.closed)


def own_and_end(connection: Connection, ending: str) -> None:
    """Own an arena, send its pickle, wait for a word, and end in one of several ways."""
    with make_arena() as arena:
        connection.send((pickle.dumps(arena), digest(arena)))
        connection.recv()
        if ending == "exception":
            raise RuntimeError("on purpose")
        if ending == "close":
            arena.close()
            connection.send("closed")
            connection.recv()
        if ending in {"SIGKILL", "SIGTERM"}:
            os.kill(os.getpid(), getattr(signal, ending))
            time.sleep(60)
