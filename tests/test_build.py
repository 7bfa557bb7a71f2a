"""The core builds by itself, the build stops early with advice, archives and wheel are whole."""

import ctypes
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest
from project import source_root

ROOT = source_root()
TOPS = (
    "csrc",
    "fastcache",
    "tests",
    "benchmarks",
    "examples",
    "docs",
    "scripts",
    ".ci",
    "licenses",
)
CC = shlex.split(os.environ.get("CC", "cc"))
LEFTOVERS = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.py[cod]", "*.so")


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


# ---- the C core alone ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def core_library(tmp_path_factory):
    """csrc/ as a shared library, made by one plain compiler line."""
    flags = run(["pkg-config", "--cflags", "--libs", "libjpeg"])
    if flags.returncode != 0 or shutil.which(CC[0]) is None:
        pytest.skip("needs a C compiler, pkg-config and libjpeg-turbo's headers")
    library = tmp_path_factory.mktemp("core") / "libfastcache.so"
    sources = sorted(map(str, (ROOT / "csrc").glob("*.c")))
    line = [*CC, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *sources]
    built = run([*line, "-o", str(library), *flags.stdout.split(), "-lm"])
    assert built.returncode == 0, built.stderr
    return library


def test_core_compiles_with_one_plain_line(core_library):
    core = ctypes.CDLL(str(core_library))
    core.fc_status_text.restype = ctypes.c_char_p
    core.fc_cpu_name.restype = ctypes.c_char_p
    assert core.fc_status_text(0)
    assert core.fc_cpu_name().decode().isalnum()


def test_core_keeps_to_its_prefix(core_library):
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    listing = run(["nm", "-D", "--defined-only", str(core_library)]).stdout
    symbols = {line.split()[-1] for line in listing.splitlines()}
    assert "fc_decode" in symbols
    assert not {symbol for symbol in symbols if not symbol.startswith("fc_")}


def test_public_header_is_pedantic_c11():
    if shutil.which(CC[0]) is None:
        pytest.skip("needs a C compiler")
    header = str(ROOT / "csrc" / "fastcache.h")
    strict = ["-std=c11", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    checked = run([*CC, *strict, "-x", "c", header])
    assert checked.returncode == 0, checked.stderr


# ---- the build that stops early -----------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """A copy of the sources, so that building leaves nothing in the real ones."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for top in TOPS:
        if (ROOT / top).is_dir():
            shutil.copytree(ROOT / top, copy / top, ignore=LEFTOVERS)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    return copy


def setup(tree, *arguments, **environment):
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools", minversion="77")
    return run(
        [sys.executable, "setup.py", "-q", *arguments],
        cwd=tree,
        env={**os.environ, **environment},
    )


def test_missing_pkg_config_names_the_packages(tree):
    done = setup(tree, "build_clib", PKG_CONFIG="no-such-pkg-config")
    assert done.returncode == 1
    for package in ("libjpeg62-turbo-dev", "libjpeg-dev", "libjpeg-turbo-devel", "jpeg-turbo"):
        assert package in done.stderr
    assert "error:" not in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_header_is_told_before_any_compiler_error(tree):
    done = setup(tree, "build_clib", PKG_CONFIG="echo", CFLAGS="-nostdinc")
    assert done.returncode == 1
    assert "needs jpeglib.h" in done.stderr
    assert "error:" not in done.stderr


@pytest.mark.parametrize(
    "header", ["/* the IJG's own */\n", "#define LIBJPEG_TURBO_VERSION_NUMBER 2000006\n"]
)
def test_another_libjpeg_is_refused(tree, tmp_path, header):
    (tmp_path / "jpeglib.h").write_text(header)
    done = setup(tree, "build_clib", CFLAGS=f"-I{tmp_path}")
    assert done.returncode == 1
    assert "libjpeg-turbo >= 2.1" in done.stderr


def test_missing_compiler_is_told(tree):
    done = setup(tree, "build_clib", CC="no-such-compiler")
    assert done.returncode == 1
    assert "'no-such-compiler' does not run" in done.stderr


def test_unknown_build_mode_is_refused(tree):
    done = setup(tree, "build_clib", FASTCACHE_BUILD="fast")
    assert done.returncode == 1
    assert "release, debug, asan, coverage" in done.stderr


# ---- archives and wheel -------------------------------------------------------------------------


def test_source_archive_is_complete(tree):
    written = {
        str(path.relative_to(tree))
        for path in tree.rglob("*")
        if path.is_file() and (path.parent != tree or not path.name.startswith("."))
    }
    done = setup(tree, "sdist", "--dist-dir", "out")
    assert done.returncode == 0, done.stderr
    (archive,) = (tree / "out").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        packed = {member.name.partition("/")[2] for member in tar if member.isfile()}
    assert not written - packed
    assert "csrc/fastcache.h" in packed
    assert not {name for name in packed if re.search(r"\.(so|o|pyc)$|__pycache__", name)}


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
    """A function that the core declares and nobody wrote shows itself here, not in a user's run."""
    installed_files()
    for path in (ROOT / "fastcache" / "_core").glob("*.pyx"):
        importlib.import_module(f"fastcache._core.{path.stem}")


def test_wheel_brings_its_own_libjpeg():
    distribution, files = installed_files()
    if "manylinux" not in (distribution.read_text("WHEEL") or ""):
        pytest.skip("not a repaired Linux wheel")
    assert [name for name in files if re.match(r"fastcache\.libs/libjpeg", name)]
    program = "import fastcache._core.image; print(open('/proc/self/maps').read())"
    maps = run([sys.executable, "-c", program])
    assert maps.returncode == 0, maps.stderr
    mapped = set(re.findall(r"\S*libjpeg\S*", maps.stdout))
    assert [path for path in mapped if "/fastcache.libs/" in path]
    # Pillow's copy may be there too, the system's must not.
    assert not [path for path in mapped if "/site-packages/" not in path]


def test_importing_fastcache_does_not_import_torch():
    installed_files()
    program = "import sys, fastcache; print('torch' in sys.modules)"
    done = run([sys.executable, "-c", program])
    assert done.stdout.strip() == "False", done.stdout + done.stderr
