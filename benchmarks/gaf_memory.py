"""Time and peak memory of both Gramian angular fields of many series, ours and pyts's.

    python benchmarks/gaf_memory.py [--peers-python PATH] [--samples 4000 --channels 26 --length 96]

Each is a command of its own: the interpreter starts, imports, reads the series from a file, makes
the images in fresh memory, and ends.  Ours holds both fields at once, in float32; pyts makes one
after the other, in float64, and lets each go: both together would take twice as much.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from gaf_inputs import walks

HERE = Path(__file__).resolve().parent


def run_whole(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script as a command of its own; return what it printed, and its ``seconds``."""
    command = [python, str(HERE / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{script} ended with code {done.returncode}: {words[-1]}")
    return {"seconds": seconds, **json.loads(done.stdout)}


def excess(one: dict[str, Any]) -> float:
    """Return the growth of the peak over that of the input and the output."""
    return float(one["growth"] / (one["input"] + one["output"]))


def line(name: str, one: dict[str, Any]) -> str:
    """Return a line of the table."""
    gigabytes = [f"{one[key] / 1e9:9.2f}" for key in ("peak", "baseline", "input", "output")]
    return (
        f"{name:<16}{one['seconds']:>8.2f} s{one['work_seconds']:>9.2f} s"
        f"{''.join(gigabytes)}{excess(one):>10.3f}"
    )


def row(name: str, *command: str) -> tuple[str, bool]:
    """Return the line of a command, or why it has none, and whether it ended well."""
    try:
        return line(name, run_whole(*command)), True
    except RuntimeError as error:
        return f"{name:<16}{error}", False


def main() -> int:
    """Measure and print; 1 if either command failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter with pyts")
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--channels", type=int, default=26)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    shape = (options.samples, options.channels, options.length)
    commands = {
        "fastcache": (sys.executable, "ours/gaf_whole.py", str(options.threads)),
        "pyts": (options.peers_python, "peers/pyts_whole.py"),
        "memory alone": (sys.executable, "ours/memory_whole.py", str(options.threads)),
    }
    print(f"{' x '.join(map(str, shape))}, both fields; fastcache on {options.threads} threads")
    print(
        "             command      work     peak RSS  before   input   output  growth / (in + out)"
    )
    failed = False
    with tempfile.TemporaryDirectory(prefix="fastcache-bench-") as folder:
        path = Path(folder) / "series.npy"
        np.save(path, walks(*shape))
        for name, (python, script, *more) in commands.items():
            printed, ended_well = row(name, python, script, str(path), *more)
            print(printed, flush=True)
            failed = failed or not ended_well
    print("GB of 10^9 bytes; before: interpreter and imports")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
