"""What is installed: the wheel is whole, brings its codecs along and says what it contains."""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from project import source_root

ROOT = source_root()
CODECS = ("libjpeg", "libdeflate", "libwebp")


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def installed_files():
    try:
        distribution = importlib.metadata.distribution("fastcache")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("fastcache is not installed")
    return distribution, [str(path) for path in distribution.files or []]


def test_tests_see_the_installed_package_and_not_the_sources():
    if "FASTCACHE_SOURCE" not in os.environ:
        pytest.skip("only `make test` promises it")
    found = importlib.util.find_spec("fastcache")
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).is_relative_to(sysconfig.get_path("platlib"))


def test_version_has_one_source():
    distribution, _ = installed_files()
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert distribution.version == version
    shown = run([sys.executable, "-c", "import fastcache; print(fastcache.__version__)"])
    assert shown.stdout.strip() == version, shown.stderr


def test_wheel_holds_types_and_extensions_and_no_sources():
    _, files = installed_files()
    assert "fastcache/py.typed" in files
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for path in (ROOT / "fastcache" / "_core").glob("*.pyx"):
        assert f"fastcache/_core/{path.stem}{suffix}" in files
        assert f"fastcache/_core/{path.stem}.pyi" in files
    assert not [name for name in files if name.endswith((".pyx", ".pxd", ".c", ".h"))]


def test_every_extension_loads():
    """G2: also on every Python of `make test-pythons`; a function that nobody wrote shows here."""
    installed_files()
    for path in (ROOT / "fastcache" / "_core").glob("*.pyx"):
        importlib.import_module(f"fastcache._core.{path.stem}")


def repaired_wheel():
    """Return the distribution, its files, and whether its codecs are "static" or "shared"."""
    distribution, files = installed_files()
    if "manylinux" not in (distribution.read_text("WHEEL") or ""):
        pytest.skip("not a repaired Linux wheel")
    static = [name for name in files if name.endswith("/sboms/codecs.cdx.json")]
    return distribution, files, "static" if static else "shared"


@pytest.mark.parametrize("codec", CODECS)
def test_wheel_brings_its_own_codecs(codec):
    """G1: nothing but the system's own libraries is needed beside it."""
    _, files, kind = repaired_wheel()
    copies = [name for name in files if re.match(rf"fastcache\.libs/{codec}", name)]
    assert bool(copies) == (kind == "shared")
    program = "import fastcache._core.image; print(open('/proc/self/maps').read())"
    maps = run([sys.executable, "-c", program])
    assert maps.returncode == 0, maps.stderr
    mapped = set(re.findall(rf"\S*/{codec}\S*", maps.stdout))
    assert bool([path for path in mapped if "/fastcache.libs/" in path]) == (kind == "shared")
    # Pillow's copy may be there too, the system's must not.
    assert not [path for path in mapped if "/site-packages/" not in path]


def test_static_codecs_are_hidden():
    """What no other library can see, none can replace, and nothing of ours replaces theirs."""
    distribution, files, kind = repaired_wheel()
    if kind == "shared":
        pytest.skip("this wheel's codecs are shared libraries with names of their own")
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    for name in (name for name in files if name.endswith(".so")):
        listing = run(["nm", "-D", str(distribution.locate_file(name))])
        assert listing.returncode == 0, listing.stderr
        symbols = [line.split()[-2:] for line in listing.stdout.splitlines()]
        exported = [symbol for letter, symbol in symbols if letter not in "Uw"]
        assert exported == [f"PyInit_{Path(name).name.partition('.')[0]}"]
        foreign = r"j(peg|init|simd|pack)_?\w*|libdeflate_\w+|WebP\w+|VP8\w*"
        assert not [symbol for _, symbol in symbols if re.fullmatch(foreign, symbol)]


def test_wheel_says_what_is_inside():
    """A licence text and a line of an SBOM for every library that the wheel contains."""
    distribution, files, _ = repaired_wheel()
    for codec in CODECS:
        assert [name for name in files if re.search(rf"/licenses/licenses/{codec}\S*\.txt$", name)]
    named = set()
    for name in files:
        if re.search(r"\.dist-info/sboms/\w+\.cdx\.json$", name):
            bill = json.loads(distribution.locate_file(name).read_text())
            named |= {library["name"] for library in bill["components"] if library["version"]}
    for codec in CODECS:
        assert [library for library in named if library.startswith(codec)], (codec, named)


def test_importing_fastcache_does_not_import_torch():
    installed_files()
    program = "import sys, fastcache; print('torch' in sys.modules)"
    done = run([sys.executable, "-c", program])
    assert done.stdout.strip() == "False", done.stdout + done.stderr
