"""Compare the C decoders with Pillow on damaged files: equal pixels, or both refuse.

usage: differential.py [--count N] [--seed S] [--out FOLDER] [FILE-OR-FOLDER ...]

Every file given (by default: those that the tests make) is compared as it is, then N mutations of
files drawn from them; each as L, RGB, RGBA and I;16.  Classes are counted per format.  Inputs on
which the two disagree are written to FOLDER, and the exit status is then 1.

Run it with the fastcache installed that is to be checked.
"""

import argparse
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill.images.file_table import INFO_DTYPE
from fastcache.transforms import GEOMETRY

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import fuzz_seeds
import mutations

COLOURS = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 1}
FORMATS = ("jpeg", "png", "webp")
LARGEST = 1 << 22  # pixels; larger images only cost time
LIMITS = (core.E_PIXELS, core.E_SCANS, core.E_BYTES, core.E_TIME)

EQUAL = "equal pixels"
REFUSED = "both refuse"
TO_PILLOW = "left to Pillow"
LIMITED = "refused by a stated limit"
MANY_CODES = "WebP refused for its many prefix codes, which Pillow reads"
NO_END = "JPEG without its end: refused, though Pillow reads it"
DIFFER = "DISAGREE: pixels"
ONLY_WE = "DISAGREE: decoded, though Pillow refuses"
ONLY_PILLOW = "DISAGREE: refused, though Pillow decodes"
DISAGREE = (DIFFER, ONLY_WE, ONLY_PILLOW)

Pixels = npt.NDArray[Any]


class RefusedError(Exception):
    """A decoder did not give pixels; the arguments are C's status and its text."""


def by_c(decoder: core.Decoder, data: bytes, colour: str) -> Pixels:
    """Return the C core's pixels, or raise `RefusedError` with its status."""
    info = np.zeros(1, INFO_DTYPE)
    status, detail = core.probe_bytes(data, info.view(np.uint8))
    if status == core.OK and not info["flags"][0] & core.IN_C:
        status = core.NEEDS_PYTHON
    if status != core.OK:
        raise RefusedError(status, core.describe(status, detail))
    height, width = int(info["height"][0]), int(info["width"][0])
    if height * width > LARGEST:
        raise RefusedError(core.E_PIXELS, "too large to be compared")
    wide = colour == "I;16"
    geometry = np.zeros(1, GEOMETRY)
    for name in ("src", "crop", "size", "out"):
        geometry[f"{name}_h"], geometry[f"{name}_w"] = height, width
    shape = (height, width) if COLOURS[colour] == 1 else (height, width, COLOURS[colour])
    # What a decoder leaves unwritten shows as a difference.
    out = np.full(shape, 0xA5A5 if wide else 0xA5, np.uint16 if wide else np.uint8)
    spec = core.Spec(channels=COLOURS[colour], wide=wide)
    status, detail = decoder.decode(
        data, spec, geometry.view(np.uint8), out.reshape(-1).view(np.uint8)
    )
    if status != core.OK:
        raise RefusedError(status, core.describe(status, detail))
    return out


def compare(decoder: core.Decoder, data: bytes, colour: str) -> str:
    """Return the class of one file and one colour."""
    try:
        ours = by_c(decoder, data, colour)
    except RefusedError as refused:
        status, text = refused.args
        if status == core.NEEDS_PYTHON:
            return TO_PILLOW
        if status in LIMITS:
            return LIMITED
        if mutations.by_pillow(data, colour) is None:
            return REFUSED
        if "more prefix codes" in text:
            return MANY_CODES
        jpeg = fuzz_seeds.folder_of(data) == "jpeg"
        return NO_END if jpeg and status == core.E_TRUNCATED else ONLY_PILLOW
    theirs = mutations.by_pillow(data, colour)
    if theirs is None:
        return ONLY_WE
    return EQUAL if np.array_equal(ours, theirs) else DIFFER


def given(paths: list[str]) -> Iterator[bytes]:
    """Yield the contents of files, and of all files below folders; made ones without any."""
    if not paths:
        yield from (data for _, data in fuzz_seeds.makers())
    for path in map(Path, paths):
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file.read_bytes() for file in files if file.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE-OR-FOLDER")
    parser.add_argument("--count", type=int, default=1000, help="mutations per format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("disagreements"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged files

    decoder = core.Decoder()
    classes: dict[str, Counter[str]] = {name: Counter() for name in FORMATS}
    pools: dict[str, list[bytes]] = {name: [] for name in FORMATS}
    for data in given(options.files):
        if (name := fuzz_seeds.folder_of(data)) in pools:
            pools[name].append(data)

    def check(name: str, data: bytes, label: str) -> None:
        for colour in COLOURS:
            verdict = compare(decoder, data, colour)
            classes[name][verdict] += 1
            if verdict in DISAGREE:
                options.out.mkdir(parents=True, exist_ok=True)
                kind = verdict.split()[1].strip(",")
                (options.out / f"{label}-{colour.replace(';', '')}-{kind}.{name}").write_bytes(data)

    for name, pool in pools.items():
        for number, data in enumerate(pool):
            check(name, data, f"given-{number}")
        rng = random.Random(options.seed)
        for number in range(options.count if pool else 0):
            data = mutations.mutated(rng.choice(pool), rng.getrandbits(40))
            check(name, data, f"mutated-{number}")

    for name, counts in classes.items():
        files = len(pools[name]) + (options.count if pools[name] else 0)
        print(f"{name}: {files} files, {counts.total()} comparisons")
        for verdict, count in counts.most_common():
            print(f"  {count:8} {verdict}")
    return int(any(counts[verdict] for counts in classes.values() for verdict in DISAGREE))


if __name__ == "__main__":
    sys.exit(main())
