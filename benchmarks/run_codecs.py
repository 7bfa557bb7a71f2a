"""Measure fastcache's codecs beside the rivals', on files made of your photographs.

    python benchmarks/run_codecs.py --data FOLDER [--peers-python PATH] [--out bench-out]

Writes codecs.json, codecs.md and codecs.png.  Nothing else should run on the machine meanwhile.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import machine
import session
from codec_rows import DECODERS, OURS, ROWS, Plan
from codec_sets import SETS
from harness import Measured
from inputs import find_photos


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = session.parser(__doc__)
    parser.add_argument("--count", type=int, default=120, help="files of a kind (default: 120)")
    parser.add_argument("--mixed", type=int, default=500, help="files mixed (default: 500)")
    return parser.parse_args()


def kept_inputs(folder: Path) -> list[str]:
    """Return what lies in each folder of inputs, and how it was made."""
    said = []
    for group in sorted(folder.iterdir()):
        sizes = [path.stat().st_size for path in group.rglob("*") if path.is_file()]
        made = f": {SETS[group.name].about}" if group.name in SETS else ""
        mean = sum(sizes) / len(sizes) / 1000
        said.append(f"{group.name}: {len(sizes)} files, {mean:.0f} KB on average{made}")
    return said


def notes(results: Mapping[str, Measured]) -> list[str]:
    """Return how each bomb was refused, and what of the mixed folder went through Pillow."""
    said = [
        f"{name}: {measured.rounds[-1]['reason']}"
        for name, measured in results.items()
        if measured.rounds and "reason" in measured.rounds[-1]
    ]
    mixed = results.get("mixed fill")
    if mixed and mixed.rounds:
        for way, formats in mixed.rounds[-1]["made"].items():
            counted = ", ".join(f"{count} {name}" for name, count in formats.items())
            said.append(f"mixed fill, {way}: {counted or 'none'}")
    return said


def main() -> int:
    """Make the inputs, run the groups, write the results; 1 if a worker failed."""
    options = parse()
    cores = session.usable_cores(options.peers_python)
    about = machine.describe()
    photos, _ = find_photos(options.data, max(options.count, options.mixed))
    with tempfile.TemporaryDirectory(prefix="fastcache-bench-") as scratch:
        folder = Path(scratch)
        plan = Plan(
            photos, options.count, options.mixed, folder, cores,
            sys.executable, options.peers_python,
        )  # fmt: skip
        results = session.run_groups(plan.groups(), options.only, options.rounds)
        inputs = kept_inputs(folder)
    said = [
        f"made of {len(photos)} photographs for this run, always the same, all in page cache",
        *inputs,
        *session.conditions(cores, options.rounds),
        "every image's pixels are Pillow's, checked before the clock starts",
        *notes(results),
    ]
    ours = [name for name in DECODERS if name.endswith(OURS)]
    return session.publish("codecs", options.out, ROWS, results, about, said, DECODERS, ours)


if __name__ == "__main__":
    sys.exit(main())
