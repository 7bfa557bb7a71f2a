"""The core builds by itself, the build stops early with advice, the source archive is whole."""

import ctypes
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile

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
    ".github",
    "licenses",
)
CC = shlex.split(os.environ.get("CC", "cc"))
CODECS = ("libjpeg", "libdeflate", "libwebp")
LEFTOVERS = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.py[cod]", "*.so")


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


# ---- the C core alone ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def core_library(tmp_path_factory):
    """csrc/ as a shared library, made by one plain compiler line."""
    flags = run(["pkg-config", "--cflags", "--libs", *CODECS])
    if flags.returncode != 0 or shutil.which(CC[0]) is None:
        pytest.skip(f"needs a C compiler, pkg-config and the headers of {', '.join(CODECS)}")
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
    # The codecs of the wheel under test are no business of the trees that are built here.
    inherited = {name: value for name, value in os.environ.items() if name != "FASTCACHE_CODECS"}
    return run(
        [sys.executable, "setup.py", "-q", *arguments], cwd=tree, env={**inherited, **environment}
    )


def test_missing_pkg_config_names_the_packages(tree):
    done = setup(tree, "build_clib", PKG_CONFIG="no-such-pkg-config")
    assert done.returncode == 1
    for package in ("libjpeg62-turbo-dev", "libjpeg-dev", "libjpeg-turbo-devel", "jpeg-turbo"):
        assert package in done.stderr
    for package in ("pkg-config", "libdeflate-dev", "libwebp-dev", "libwebp-devel", "webp"):
        assert package in done.stderr
    assert "error:" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", CODECS)
def test_only_what_is_missing_is_named(tree, tmp_path, module):
    fake = tmp_path / "pkg-config"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *"--exists {module}"*) exit 1 ;; esac\necho\n')
    fake.chmod(0o755)
    done = setup(tree, "build_clib", PKG_CONFIG=str(fake))
    assert done.returncode == 1
    (needed,) = re.findall(r"^fastcache needs (.+)\. Install it", done.stderr, re.M)
    assert re.fullmatch(rf"{module} >= [\d.]+", needed)
    (packages,) = re.findall(r"Ubuntu +apt-get install pkg-config (.+)", done.stderr)
    assert packages == f"{module}-dev"


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


# ---- codec libraries from source ----------------------------------------------------------------


def test_a_folder_without_codecs_is_refused(tree, tmp_path):
    done = setup(tree, "build_clib", FASTCACHE_CODECS=str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "scripts/build_codecs.sh" in done.stderr
    assert "libdeflate.a" in done.stderr
    assert "Traceback" not in done.stderr


def test_codecs_of_another_content_are_refused(tree, tmp_path):
    """An archive whose SHA-256 is not the pinned one is never unpacked."""
    table = (tree / "scripts" / "codecs.txt").read_text()
    name, version, *_ = next(li for li in table.splitlines() if li and li[0] != "#").split()
    (tmp_path / f"{name}-{version}.tar.gz").write_bytes(b"not what upstream released")
    script = str(tree / "scripts" / "build_codecs.sh")
    done = run(["sh", script, str(tmp_path / "prefix"), str(tmp_path)])
    assert done.returncode == 1
    assert f"{name}-{version}.tar.gz has SHA-256" in done.stderr
    assert not (tmp_path / "prefix" / "codecs.txt").exists()
    assert not list((tmp_path / "prefix" / "lib").iterdir())


def test_wheel_with_static_codecs_lists_them(tree, tmp_path):
    """CycloneDX where PEP 770 puts it, from the table of what was built."""
    table = (tree / "scripts" / "codecs.txt").read_text()
    (tmp_path / "codecs.txt").write_text(table)
    (tree / "out").mkdir()
    done = setup(tree, "dist_info", "--output-dir", "out", FASTCACHE_CODECS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (path,) = (tree / "out").glob("*.dist-info/sboms/codecs.cdx.json")
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {
        (
            library["name"],
            library["version"],
            library["externalReferences"][0]["hashes"][0]["content"],
            library["externalReferences"][0]["url"],
            library["licenses"][0]["expression"],
        )
        for library in bill["components"]
    }
    lines = [line for line in table.splitlines() if line and line[0] != "#"]
    assert listed == {tuple(line.split(maxsplit=4)) for line in lines}
    assert len(listed) == len(CODECS)


# ---- source archive -----------------------------------------------------------------------------


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
