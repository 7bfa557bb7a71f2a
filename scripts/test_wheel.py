"""Run the test suite against the installed wheel, never against the source folder.

Call it with the Python that has the wheel; arguments go to pytest.  Tests run in an empty folder,
so that neither the working folder nor `sys.path` leads back to the sources.

Where pytest-xdist is installed, several processes share the tests, unless single files are named:
`-n 0` has one process run them all, `-n 4` four.
"""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST = 8  # processes: each takes half a gigabyte, and those of its tests come on top


def sharing(arguments: list[str]) -> list[str]:
    """Return the options that spread the tests over the processors."""
    files = [a for a in arguments if a.startswith("tests/") and ".py" in a]
    able = hasattr(os, "sched_getaffinity")
    count = min(MOST, len(os.sched_getaffinity(0)) if able else os.cpu_count() or 1)
    if files or count == 1 or importlib.util.find_spec("xdist") is None:
        return []
    return ["-n", str(count), "--dist", "worksteal"]


def main() -> int:
    environment = {**os.environ, "FASTCACHE_SOURCE": str(ROOT)}
    environment.pop("PYTHONPATH", None)
    options = sharing(sys.argv[1:])
    # Paths are given from the project's root, as pytest prints them.
    arguments = [str(ROOT / a) if a.startswith("tests/") else a for a in sys.argv[1:]]
    if arguments == sys.argv[1:]:
        arguments.append(str(ROOT / "tests"))
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    pytest += [f"--config-file={ROOT / 'pyproject.toml'}", *options, *arguments]

    with tempfile.TemporaryDirectory(prefix="fastcache-test-") as folder:
        locate = [sys.executable, "-c", "import fastcache; print(fastcache.__file__)"]
        found = subprocess.check_output(locate, cwd=folder, env=environment, text=True).strip()
        installed = sysconfig.get_path("platlib")
        if not Path(found).is_relative_to(installed):
            sys.exit(f"fastcache was imported from {found}, not from the wheel in {installed}.")
        print(f"testing {found}", flush=True)
        with subprocess.Popen(pytest, cwd=folder, env=environment) as running:
            try:
                return running.wait()
            except KeyboardInterrupt:  # pytest has it too, and says where it was
                return running.wait()


if __name__ == "__main__":
    sys.exit(main())
