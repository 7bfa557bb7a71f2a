"""Run the test suite against the installed wheel, never against the source folder.

Call it with the Python that has the wheel; arguments go to pytest.  Tests run in an empty folder,
so that neither the working folder nor `sys.path` leads back to the sources.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    environment = {**os.environ, "FASTCACHE_SOURCE": str(ROOT)}
    environment.pop("PYTHONPATH", None)
    # Paths are given from the project's root, as pytest prints them.
    arguments = [str(ROOT / a) if a.startswith("tests/") else a for a in sys.argv[1:]]
    if arguments == sys.argv[1:]:
        arguments.append(str(ROOT / "tests"))
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    pytest += [f"--config-file={ROOT / 'pyproject.toml'}", *arguments]

    with tempfile.TemporaryDirectory(prefix="fastcache-test-") as folder:
        locate = [sys.executable, "-c", "import fastcache; print(fastcache.__file__)"]
        found = subprocess.check_output(locate, cwd=folder, env=environment, text=True).strip()
        installed = sysconfig.get_path("platlib")
        if not Path(found).is_relative_to(installed):
            sys.exit(f"fastcache was imported from {found}, not from the wheel in {installed}.")
        print(f"testing {found}", flush=True)
        return subprocess.run(pytest, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
