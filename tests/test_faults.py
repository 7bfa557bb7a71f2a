"""The scripts in ``faults/``, each in a short form; and that each of them sees a fault.

``make faults`` runs them in full.
"""

import os
import subprocess
import sys
from pathlib import Path

import faulting
import pytest

FOLDER = Path(__file__).parent / "faults"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts read /proc")

# How often: seconds, where the full forms take minutes.
TIMES = {
    "fail_nth": 1,
    "flip_bits": 300,
    "full_disk": 3,
    "hostile": 200,
    "kill_packing": 4,
    "kill_ranks": 6,
    "kill_workers": 4,
    "small_cgroup": 1,
    "truncate": 80,
}

# What makes a script end with violations, run before it.
SABOTAGE = {
    "fail_nth": "lock.FolderLock.release = lambda self: None",
    "flip_bits": "verification._Check._is_whole = lambda *given: True",
    "full_disk": "disk.disk_full = lambda folder, need: ArenaFileError(28, 'full')",
    "hostile": "opening.check_values = lambda *given: None",
    "kill_packing": "packing.Packing._recall = lambda *given: None",
    "kill_ranks": 'import os; os.environ["RANK_SABOTAGE"] = "from fastcache.fill.ranks import lead;'
    " lead._lost = lambda peer, error: lead.ArgumentError('no word of the peer')\"",
    "small_cgroup": "paging.spare = lambda room: -(1 << 50)",  # as if all fitted
    "truncate": "verification._Check._is_whole = lambda *given: True",
}


def run(*arguments: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if "FAULTS" not in name}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, done.stdout + done.stderr


# They count the shared memory of the whole machine.
ALONE = {"kill_ranks", "kill_workers"}


@pytest.mark.parametrize(
    "script",
    [pytest.param(s, marks=[pytest.mark.alone] if s in ALONE else []) for s in SCRIPTS],
)
def test_short_forms(script):
    """A10, A11, B6, B7, E8, F6: kills, calls that fail, full disks, damage, hostile arenas."""
    status, told = run(str(FOLDER / f"{script}.py"), "--times", str(TIMES.get(script, 3)))
    print(told)
    assert status == 0, told


@pytest.mark.parametrize("script", [*SABOTAGE])
def test_the_scripts_see_faults(script, tmp_path):
    """F6: each ends with an error where the package does not do what it looks for."""
    broken = tmp_path / "broken.py"
    modules = "disk, lock, opening, verification"
    broken.write_text(
        f"import runpy\nfrom fastcache.errors import ArenaFileError\n"
        f"from fastcache.fill.disk import packing\nfrom fastcache.memory import paging\n"
        f"from fastcache.memory.files import {modules}\n"
        f"{SABOTAGE[script]}\n"
        f"runpy.run_path({str(FOLDER / script)!r} + '.py', run_name='__main__')\n"
    )
    status, told = run(str(broken), "--times", str(TIMES[script]))
    if "left out" in told:
        pytest.skip("what the script needs is not here")
    assert status == 1, told
    assert "WRONG" in told


def test_arguments_and_counts(capsys):
    """F6: what is spread over many cases keeps the first and the last; violations are told."""
    assert faulting.spread(3, 5) == [1, 2, 3]
    assert faulting.spread(0, 5) == []
    assert faulting.spread(1000, 1) == [500]
    spread = faulting.spread(1000, 7)
    assert (spread[0], spread[-1], len(spread)) == (1, 1000, 7)
    tally = faulting.Tally("nothing", 1)
    tally.count("things", 2000)
    assert tally.check(True, "not told")
    assert tally.end() == 0
    assert not tally.check(False, "it broke")
    assert tally.end() == 1
    told = capsys.readouterr().out
    assert "2,000  things" in told
    assert "WRONG: it broke" in told
    assert "not told" not in told
