"""Where the source tree is, for tests that read or build it.

`make test` runs the suite beside the installed wheel and names the tree in FASTCACHE_SOURCE; run
by hand, the folder above this one is it.  Tests copied away from any tree skip themselves.
"""

import os
from pathlib import Path

import pytest

CACHES = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache", ".hypothesis"}


def source_root() -> Path:
    """Return the root of the git checkout or unpacked source archive, or skip the caller."""
    root = Path(os.environ.get("FASTCACHE_SOURCE") or Path(__file__).resolve().parent.parent)
    if not (root / "pyproject.toml").is_file() or not (root / "csrc").is_dir():
        pytest.skip(f"no source tree of fastcache at {root}", allow_module_level=True)
    return root


def source_files(*patterns: str) -> list[Path]:
    """Return the files below the root that match any of the glob patterns; never an empty list."""
    root = source_root()
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    assert found, f"nothing in {root} matches {patterns}"
    return sorted(path for path in found if not CACHES & set(path.parts))
