"""Train a small CNN from files and from the arena, show that both see the same, compare speeds.

    python examples/demo/run.py [--data CLASS_FOLDER] [--out demo-out]

Without --data it makes 2,000 photographs first.  Ends with an error when the two differ.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import photos
import show
import torch
from checks import check_batches, check_pixels
from disk import DiskFolder, ResizeCenterCrop

import fastcache


def measured(side: str, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run measure.py for one side and return its numbers."""
    result = options.out / f"{side}.json"
    command = [sys.executable, str(Path(__file__).with_name("measure.py")), side]
    command += [str(root), str(result), "--batch", str(options.batch)]
    command += ["--epochs", str(options.epochs), "--seed", str(options.seed)]
    subprocess.run(command, check=True)
    numbers: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return numbers


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="your own folder of class folders")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where results go")
    parser.add_argument("--count", type=int, default=2000, help="photographs to make")
    parser.add_argument("--check", type=int, default=2500, help="compare at most so many images")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Run the demo from one end to the other."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    print(f"fastcache {fastcache.__version__}, torch {torch.__version__}", flush=True)
    root = options.data or photos.make(options.out, options.count, options.seed)
    print(f"photographs: {root}", flush=True)

    disk_side = DiskFolder(root, ResizeCenterCrop())
    for path, reason in disk_side.failed:
        print(f"  Pillow refuses {path}: {reason}")
    batches = check_batches(root, disk_side, options.batch, options.seed, options.check)
    print(
        f"same bytes: {batches['equal']} of {batches['batches']} shuffled batches have the same "
        "digest (store=None, one callable transform for both)",
        flush=True,
    )
    pixels = check_pixels(root, disk_side, options.seed, options.check)
    print(
        f"same pixels: store=[Resize(256), CenterCrop(224)] differs from Pillow's by "
        f"{pixels['mean']:.5f} levels of 255 on average, {pixels['maximum']} at most; "
        f"{pixels['above_one']} of {pixels['values']:,} values by more than 1",
        flush=True,
    )

    disk, arena = (measured(side, root, options) for side in ("disk", "arena"))
    print(show.losses(disk, arena, options.epochs), end="\n\n")
    print(show.table(disk, arena), end="\n\n")
    plot, numbers = options.out / "demo.png", options.out / "demo.json"
    show.plot(disk, arena, plot)
    everything = {"same_bytes": batches, "same_pixels": pixels, "disk": disk, "arena": arena}
    numbers.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    print(f"written: {plot}, {numbers}; {time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
