"""Arenas that were made to hurt, with every checksum right, are opened.

All that is known to be wrong is refused with ArenaFormatError, or with BlockError where nothing is
wrong but that no machine has so many addresses. Then manifests, headers and tables are changed at
random: each is refused, or every row can be read. Opening neither waits nor takes memory, and runs
nothing: an audit hook sees what is imported, unpickled, executed, or opened elsewhere.
"""

import copy
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import faulting
import forged_arenas as forged
from faulting import SHARD, Tally, saved

from fastcache.errors import ArenaFormatError, BlockError
from fastcache.memory.arena import Arena

MOST_SECONDS = 20  # a hang, on any machine
MOST_MEMORY = 128 << 20  # bytes that opening may take
BIG = (
    -1,
    0,
    1,
    7,
    1 << 31,
    1 << 32,
    (1 << 62) - 1,
    1 << 62,
    1 << 63,
    1 << 64,
    1 << 200,
    -(1 << 63),
)
ODD = (*BIG, 1.5, "", "1", "../x", "/etc/passwd", None, True, [], {}, [[]], {"": 0})
EXTREMES = (-1, 0, 1, 2, 1 << 16, (1 << 31) - 1, -(1 << 31), (1 << 62), -(1 << 63), (1 << 63) - 1)
WATCHED = {
    *("import", "exec", "compile", "marshal.loads", "pickle.find_class", "ctypes.dlopen"),
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.__new__"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"),
}

Change = Callable[[Path], Any]


def tables() -> ModuleType:
    """Return the tests of hostile arenas, for what they know to be wrong."""
    path = Path(__file__).parent.parent / "memory" / "files" / "test_hostile.py"
    spec = importlib.util.spec_from_file_location("known_hostile", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_victim(path: Path, known: ModuleType) -> None:
    """Write the arena that those tests begin with."""
    counts = {"series": known.WINDOW_COUNT, "steps": known.WINDOW_COUNT, "_index": known.COUNT}
    arena, _ = saved.make_arena(known.FIELDS, known.COUNT, counts)
    with arena:
        arena.save(path, shard_bytes=4 * SHARD)
    grids = np.array([[0, 2000, 0, 15000, 1], [3000, 1000, 15000, 0, 4]]).T
    forged.change_tensor(path, "_grids/series", "<i8", lambda v: v.__setitem__(..., grids))
    index = np.arange(known.COUNT)
    forged.change_tensor(path, "_index", "<i8", lambda v: v.__setitem__(..., index))


# -- what is known to be wrong --------------------------------------------------------------------


def manifests(path: Path) -> Iterator[tuple[str, Change]]:
    """Yield manifests that are no JSON, or too much of it."""
    text = json.dumps(forged.manifest_of(path))
    deep = "[" * 300_000 + "]" * 300_000
    objects = '{"x":' * 100_000 + "1" + "}" * 100_000
    bad = {
        "nested lists": text.replace('"catalog": {', f'"catalog": {{"x": {deep}, ', 1),
        "nested objects": text.replace('"catalog": {', f'"catalog": {{"x": {objects}, ', 1),
        "a name twice": text.replace('"count": 90', '"count": 90, "count": 91', 1),
        "NaN": text.replace('"count": 90', '"count": NaN', 1),
        "infinity": text.replace('"count": 90', '"count": 1e999', 1),
        "many digits": text.replace('"count": 90', f'"count": {"9" * 100_000}', 1),
        "a comma more": text.replace('"count": 90', '"count": 90,', 1),
        "half a character": text[:-1] + ', "x": "\ud800"}',
        "a zero": text.replace('"count": 90', '"count": 90\0', 1),
        "a list": f"[{text}]",
    }
    for what, each in bad.items():
        body = each.encode("utf-8", "surrogatepass")[:-1]
        digest = forged.digest_of(body).encode()
        yield what, written("manifest.json", body + b', "digest": "' + digest + b'"}\n')
    for what, raw in {"nothing": b"", "zeros": bytes(5000), "pickle": b"\x80\x04N."}.items():
        yield f"manifest of {what}", written("manifest.json", raw)
    yield "a manifest of holes", lambda path: os.truncate(path / "manifest.json", (1 << 30) + 1)


def written(name: str, data: bytes) -> Change:
    return lambda path: (path / name).write_bytes(data)


def places(path: Path) -> Iterator[tuple[str, Change]]:
    """Yield what is no regular file, in the place of each file."""

    def replaced(name: str, make: Callable[[Path], Any]) -> Change:
        def change(path: Path) -> None:
            (path / name).unlink()
            make(path / name)

        return change

    outside = path.parent / "outside"
    for name in ("manifest.json", "columns.safetensors", "shard-00001.safetensors"):
        copy = outside / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((path / name).read_bytes())
        for what, make in {
            "missing": lambda at: None,
            "link to the same bytes": lambda at, copy=copy: at.symlink_to(copy),
            "link to itself": lambda at: at.symlink_to(at.name),
            "link to zeros": lambda at: at.symlink_to("/dev/zero"),
            "link to nothing": lambda at: at.symlink_to("/nowhere"),
            "FIFO": os.mkfifo,
            "folder": lambda at: at.mkdir(),
        }.items():
            yield f"{name} is a {what}", replaced(name, make)


def known_cases(path: Path, known: ModuleType) -> Iterator[tuple[str, Change]]:
    """Yield name and change of everything that must be refused."""
    document = forged.manifest_of(path)

    def stated(change: Callable[[Any], Any]) -> Change:
        return lambda path: forged.change_manifest(path, change)

    for keys in known.NUMBERS:
        for value in known.BIG:
            free = keys in [("count",), ("generation",), ("columns", "series", "count")]
            if not (free and value == 1 << 62):
                yield f"{keys} is {value!r}"[:80], stated(known.put(*keys, value=value))
    for name in known.NAMES:
        keys = ("families", 0, "shards", 0, "file")
        yield f"shard {name!r}", stated(known.put(*keys, value=name))
        if name != "columns.safetensors":
            yield f"columns file {name!r}", stated(known.put("columns_file", "file", value=name))
    for what, change in known.STATED.items():
        yield f"manifest: {what}", stated(change)
    for what, change in known.HEADERS.items():
        yield (
            f"header: {what}",
            lambda path, change=change: forged.change_header(path, known.SHARD, change),
        )
    for what, change in known.TABLES.items():
        yield f"tables: {what}", change
    assert document == forged.manifest_of(path)
    yield from manifests(path)
    yield from places(path)


# -- changes at random ---------------------------------------------------------------------------


def nodes(document: Any) -> list[tuple[Any, Any]]:
    """Return every container of a document with each of its keys."""
    keys = document if isinstance(document, dict) else range(len(document))
    found = [(document, key) for key in keys]
    for _, key in [*found]:
        if isinstance(document[key], dict | list):
            found += nodes(document[key])
    return found


def mutate(document: Any, rng: random.Random) -> None:
    """Change one to three things somewhere in a document."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        every = nodes(document)
        if not every:
            return
        holder, key = rng.choice(every)
        value = holder[key]
        how = rng.randrange(6)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(value, int):
            holder[key] = rng.choice(
                (value + 1, value - 1, 2 * value, -value, value + 65536, value ^ 64)
            )
        elif how == 2:
            other, at = rng.choice(every)
            there = other if isinstance(other, dict) else range(len(other))
            holder[key] = copy.deepcopy(other[at]) if at in there else None
        elif how == 3 and isinstance(value, list) and value:
            holder[key] = rng.choice((value[::-1], value[1:], [], [*value, value[0]]))
        elif how == 4 and isinstance(value, str) and value:
            holder[key] = rng.choice(
                (value[:-1], value + "0", value.upper(), "../" + value, value + "\0")
            )
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))


def at_random(path: Path, rng: random.Random) -> str:
    """Change an arena somewhere; return where."""
    where = rng.choice(("manifest", "manifest", "header", "tables"))
    if where == "manifest":
        forged.change_manifest(path, lambda document: mutate(document, rng))
        return where
    shards = [*forged.entries_of(forged.manifest_of(path))]
    name = rng.choice(shards)
    if where == "header":
        forged.change_header(path, name, lambda header: mutate(header, rng))
        return where
    columns = next(name for name in shards if name.startswith("columns"))
    header, _ = forged.split(path, columns)
    trusted = [
        name for name in header if name.startswith(("_offsets", "_shapes", "_grids", "_index"))
    ]
    tensor = rng.choice(trusted)
    dtype = {"I64": "<i8", "I32": "<i4"}[header[tensor]["dtype"]]

    def change(values: Any) -> None:
        flat = values.reshape(-1)
        low, high = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(flat))
            near = int(flat[at]) + rng.choice((-1, 1, -100, 100, 4096))
            flat[at] = min(max(rng.choice((near, near, *EXTREMES)), low), high)

    forged.change_tensor(path, tensor, dtype, change)
    return where


# -- looking -------------------------------------------------------------------------------------


class Watch:
    """What happens while an arena is opened, as the audit hook sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.on = str(folder), False
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in WATCHED:
            self.seen.append(f"{event} {given[:1]}")
        if event == "open":
            name, _, flags = given
            # Of a version that is too new, the package says which one it is itself.
            own = "METADATA", ".zip"
            inside = isinstance(name, str) and (name.startswith(self.folder) or name.endswith(own))
            if not inside or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.seen.append(f"open {name}, {flags}")


def read_all(arena: Arena) -> None:
    """Read every row of every column."""
    for name in arena.layout.columns:
        column = arena.column(name)
        step = max(1, len(column) // 500)
        for row in range(0, len(column), step):
            np.array(column[row]).sum() if column.field.dtype != "U" else None
        del column


class Looking:
    """Opens arenas one after the other, in a process that limits guard."""

    def __init__(self, path: Path, tell: Callable[[str, object], None]) -> None:
        self.path, self.tell = path, tell
        self.files = saved.files_in(path)
        self.watch = Watch(path)

    def guard(self) -> None:
        """Set limits: beyond them memory is refused, and waiting ends the process."""
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + MOST_MEMORY, resource.RLIM_INFINITY))
        warnings.simplefilter("error")

    def restore(self) -> None:
        for path in self.path.iterdir():
            if path.name not in self.files or not path.is_file() or path.is_symlink():
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, data in self.files.items():
            path = self.path / name
            there = path.exists() and path.stat().st_size == len(data)
            if not there or path.read_bytes() != data:
                path.write_bytes(data)

    def look(self, must: bool) -> None:
        """Open the arena as it is; tell what came of it."""
        self.watch.seen.clear()
        signal.alarm(MOST_SECONDS)
        self.watch.on = True
        arena = None
        try:
            arena = Arena.open(self.path)
        except ArenaFormatError:
            self.tell("count", "refused with ArenaFormatError")
        except BlockError:
            self.tell("count", "refused: no machine has so many addresses")
        except BaseException as error:  # noqa: BLE001 - whatever comes is judged
            self.tell("wrong", f"{type(error).__name__}: {str(error)[:200]}")
        finally:
            self.watch.on = False
            signal.alarm(0)
        if self.watch.seen:
            self.tell("wrong", f"while it was opened: {self.watch.seen[:5]}")
        if arena is None:
            return
        if must:
            self.tell("wrong", "it was opened")
        try:
            read_all(arena)
            self.tell("count", "harmless: opened, and all rows read")
        except BaseException as error:  # noqa: BLE001 - whatever comes is judged
            self.tell("wrong", f"reading: {type(error).__name__}: {str(error)[:200]}")
        finally:
            arena.close()

    def run(self, known: ModuleType, times: int, rng: random.Random) -> None:
        for _ in range(2):  # what is imported once is imported now
            self.tell("begin", "an arena as it was written")
            with Arena.open(self.path) as arena:
                read_all(arena)
            (self.path / "manifest.json").write_bytes(b"{}")
            self.restore()
        cases = [*known_cases(self.path, known)]
        self.guard()
        for what, change in cases:
            self.tell("begin", what)
            change(self.path)
            self.look(must=True)
            self.restore()
        for number in range(times):
            before = json.dumps(forged.manifest_of(self.path))
            state = rng.random()
            where = at_random(self.path, random.Random(state))
            self.tell("begin", f"{where} changed at random, {number}: {state}")
            if before != (self.path / "manifest.json").read_text():
                self.look(must=False)
            self.restore()


def main() -> int:
    options = faulting.arguments(__doc__, 5000, "changes at random, after all that are known")
    tally = Tally("hostile arenas", options.seed)
    with faulting.scratch() as folder:
        path, known = folder / "x.arena", tables()
        make_victim(path, known)
        rng, case = random.Random(options.seed), ""

        def work(tell: Callable[[str, object], None]) -> None:
            Looking(path, tell).run(known, options.times, rng)

        for what, value in faulting.reports(work):
            if what == "begin":
                case = value
                tally.count("arenas")
            elif what == "count":
                tally.count(value)
            elif what == "wrong":
                tally.check(False, f"{case}: {value}")
            elif what == "status":
                tally.check(value == 0, f"{case}: the process ended with status {value}")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
