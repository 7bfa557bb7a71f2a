"""Build a small C file that a limit is made of, for the processor at hand."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from serve import NotInstalled


def build(name: str, what: str) -> ctypes.CDLL:
    """Return the library made of ``NAME.c`` beside this file.

    Parameters
    ----------
    name : str
    what : str
        What it is needed for, if it cannot be built.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NotInstalled(f"a C compiler, for {what} (Debian: gcc)")
    source = Path(__file__).with_name(f"{name}.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC"]
        command += ["-o", str(library), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotInstalled(f"{what} does not compile here: {done.stderr.strip()}")
        return ctypes.CDLL(str(library))
