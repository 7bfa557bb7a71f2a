"""An arena larger than the memory of its control group: the short form of a script."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_nothing_is_killed(tmp_path):
    """E8: packed, opened and read in a group with less memory than the arena has bytes."""
    script = Path(__file__).parent / "faults" / "small_cgroup.py"
    options = ["--arena", "640", "--limit", "512", "--times", "1", "--short"]
    options += ["--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, script, *options], capture_output=True, text=True, check=False
    )
    if done.stdout.startswith("skipped:"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed for memory: 0; exit status 0" in done.stdout
