"""Build of the compiled part: csrc/ becomes one static library, every fastcache/_core/*.pyx one
extension linked to it.  The rest stands in pyproject.toml.  Switches of the environment:

FASTCACHE_BUILD=release   -O3 for the baseline processor, the rest is chosen at run time (default)
FASTCACHE_BUILD=debug     -O0 -g, assertions on
FASTCACHE_BUILD=asan      AddressSanitizer and UndefinedBehaviorSanitizer; run Python with
                          LD_PRELOAD="$(cc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0
FASTCACHE_BUILD=coverage  gcov counters in the C core
FASTCACHE_CODECS=FOLDER   link the codec libraries that scripts/build_codecs.sh built there, hidden
                          inside the extensions, instead of the system's shared ones
CC, CFLAGS, LDFLAGS, PKG_CONFIG   as everywhere

Generated C goes to build/, never beside the sources.
"""

import functools
import json
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from Cython.Distutils.build_ext import build_ext
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_clib import build_clib

COMMON = ["-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden", "-ffp-contract=off"]
SANITIZE = ["-fsanitize=address,undefined"]
MODES = {  # compiler flags, linker flags
    "release": (["-O3", "-g0", "-DNDEBUG"], []),
    "debug": (["-O0", "-g", "-UNDEBUG"], []),
    "asan": (["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", *SANITIZE], SANITIZE),
    "coverage": (["-O0", "-g", "-UNDEBUG", "--coverage"], ["--coverage"]),
}


class Library(NamedTuple):
    """A codec library: its names, the oldest version that will do, and the packages to install."""

    module: str  # of pkg-config
    oldest: str
    archive: str  # of build_codecs.sh
    debian: str
    ubuntu: str
    fedora: str
    homebrew: str


LIBRARIES = (
    Library(
        module="libjpeg",
        oldest="2.1",
        archive="libjpeg.a",
        debian="libjpeg62-turbo-dev",
        ubuntu="libjpeg-dev",
        fedora="libjpeg-turbo-devel",
        homebrew="jpeg-turbo",
    ),
    Library(
        module="libdeflate",
        oldest="1.10",
        archive="libdeflate.a",
        debian="libdeflate-dev",
        ubuntu="libdeflate-dev",
        fedora="libdeflate-devel",
        homebrew="libdeflate",
    ),
    Library(
        module="libwebp",
        oldest="1.0",
        archive="libwebp.a",
        debian="libwebp-dev",
        ubuntu="libwebp-dev",
        fedora="libwebp-devel",
        homebrew="webp",
    ),
)
MISSING = """\
fastcache needs {what}. Install it and build again:
    Debian     apt-get install pkg-config {debian}
    Ubuntu     apt-get install pkg-config {ubuntu}
    Fedora     dnf install pkgconf {fedora}
    Homebrew   brew install pkg-config {homebrew}
Looked with: {looked}
"""


def output_of(command: list[str], text: str = "") -> str | None:
    """Return what `command` prints when fed `text`; None when it fails or does not exist."""
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def missing(what: str, libraries: list[Library], looked: list[str]) -> str:
    """Say what to install on which system."""
    packages = {
        system: " ".join(getattr(library, system) for library in libraries)
        for system in ("debian", "ubuntu", "fedora", "homebrew")
    }
    return MISSING.format(what=what, looked=shlex.join(looked), **packages)


def of_the_system() -> tuple[list[str], list[str]]:
    """Compiler and linker flags of the system's libraries, or an exit that names the packages."""
    query = shlex.split(os.environ.get("PKG_CONFIG", "pkg-config"))
    wanted = {library: f"{library.module} >= {library.oldest}" for library in LIBRARIES}
    absent = [
        library for library in LIBRARIES if output_of([*query, "--exists", wanted[library]]) is None
    ]
    if absent:
        what = " and ".join(wanted[library] for library in absent)
        if output_of([*query, "--version"]) is None:
            what = f"pkg-config, {what}"
        sys.exit(missing(what, absent, [*query, "--exists", *(wanted[lib] for lib in absent)]))
    modules = [library.module for library in LIBRARIES]
    cflags, libs = (output_of([*query, kind, *modules]) or "" for kind in ("--cflags", "--libs"))
    return shlex.split(cflags), shlex.split(libs)


def of_the_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Compiler and linker flags of the libraries that build_codecs.sh made."""
    archives = [folder / "lib" / library.archive for library in LIBRARIES]
    absent = [str(path) for path in (folder / "codecs.txt", *archives) if not path.is_file()]
    if absent or not folder.is_absolute():
        sys.exit(
            f"FASTCACHE_CODECS={folder} needs to be the absolute path of a folder that\n"
            "    scripts/build_codecs.sh FOLDER\n"
            f"has filled to the end. Missing: {', '.join(absent) or 'nothing, but it is relative'}"
        )
    # The archives' symbols are hidden already; where the linker can, say it once more.
    hide = ["-Wl,--exclude-libs,ALL"] if sys.platform == "linux" else []
    return [f"-I{folder / 'include'}"], [*map(str, archives), *hide]


@functools.cache
def codecs() -> tuple[list[str], list[str]]:
    """Compiler and linker flags of all codec libraries."""
    cflags, libs = of_the_folder(codecs_folder) if codecs_folder else of_the_system()
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if output_of([*compiler, "--version"]) is None:
        sys.exit(f"fastcache needs a C11 compiler; {compiler[0]!r} does not run. Set CC.")
    # The macro tells libjpeg-turbo from the IJG's libjpeg, which cannot skip rows or crop columns
    # while decoding; csrc/jpeg_io.h says which version is the oldest that is tested.
    probe = [*compiler, *shlex.split(os.environ.get("CFLAGS", "")), *cflags, "-E", "-"]
    seen = output_of(
        probe, "#include <stdio.h>\n#include <jpeglib.h>\nLIBJPEG_TURBO_VERSION_NUMBER"
    )
    version = seen.split()[-1] if seen else ""
    if not version.isdigit() or int(version) < 2001000:
        what = "jpeglib.h of libjpeg-turbo >= 2.1"
        sys.exit(missing(what, [lib for lib in LIBRARIES if lib.module == "libjpeg"], probe))
    return cflags, libs


def bill_of_materials(table: str) -> dict[str, object]:
    """Describe the libraries of a codecs.txt as CycloneDX."""
    components = []
    for line in table.splitlines():
        if not line or line.startswith("#"):
            continue
        name, version, sha256, url, licence = line.split(maxsplit=4)
        source = {
            "type": "source-distribution",
            "url": url,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
        }
        components.append(
            {
                "type": "library",
                "bom-ref": f"{name}@{version}",
                "name": name,
                "version": version,
                "licenses": [{"expression": licence}],
                "purl": f"pkg:generic/{name}@{version}",
                "externalReferences": [source],
            }
        )
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


class BuildCore(build_clib):
    """csrc/ → libfastcache_core.a, kept inside the build folder."""

    def run(self) -> None:
        for _, info in self.libraries:
            info["cflags"] = [*COMMON, *compile_flags, *codecs()[0]]
        super().run()


class BuildExtensions(build_ext):
    """fastcache/_core/*.pyx → extensions that share nothing but the arena's memory."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.cython_c_in_temp = True

    def run(self) -> None:
        for extension in self.extensions:
            extension.extra_compile_args = [*COMMON, *compile_flags]
            # After the static library on the link line, where --as-needed still finds it needed.
            extension.extra_link_args = [*link_flags, *codecs()[1], "-lm"]
        self.run_command("build_clib")  # build_ext alone would leave it to the `build` command
        super().run()


class BuildWheel(bdist_wheel):
    """The wheel says which libraries its extensions contain (PEP 770).

    Of shared libraries that are copied in afterwards, auditwheel keeps a list of its own.
    """

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        if codecs_folder:
            bill = bill_of_materials((codecs_folder / "codecs.txt").read_text())
            target = Path(distinfo_path) / "sboms" / "codecs.cdx.json"
            target.parent.mkdir()
            target.write_text(json.dumps(bill, indent=2) + "\n")


mode = os.environ.get("FASTCACHE_BUILD", "release")
if mode not in MODES:
    sys.exit(f"FASTCACHE_BUILD={mode!r} is not known; choose one of {', '.join(MODES)}.")
if sys.platform == "win32":
    sys.exit("fastcache does not build with MSVC yet: its C core is written for gcc and clang.")
compile_flags, link_flags = MODES[mode]
codecs_folder = Path(os.environ["FASTCACHE_CODECS"]) if os.environ.get("FASTCACHE_CODECS") else None

sources, headers = (sorted(map(str, Path("csrc").glob(f"*.{kind}"))) for kind in "ch")
inputs = [*sources, *headers, *sorted(map(str, Path("fastcache/_core").glob("*.pxd")))]
# obj_deps: a changed header rebuilds everything.
core = {"sources": sources, "include_dirs": ["csrc"], "obj_deps": {"": headers}}
extensions = [
    Extension(f"fastcache._core.{path.stem}", [str(path)], include_dirs=["csrc"], depends=inputs)
    for path in sorted(Path("fastcache/_core").glob("*.pyx"))
]
setup(
    libraries=[("fastcache_core", core)],
    ext_modules=extensions,
    cmdclass={"bdist_wheel": BuildWheel, "build_clib": BuildCore, "build_ext": BuildExtensions},
)
