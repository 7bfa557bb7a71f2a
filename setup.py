"""Build of the compiled part: csrc/ becomes one static library, every fastcache/_core/*.pyx one
extension linked to it.  The rest stands in pyproject.toml.  Switches of the environment:

FASTCACHE_BUILD=release   -O3 for the baseline processor, the rest is chosen at run time (default)
FASTCACHE_BUILD=debug     -O0 -g, assertions on
FASTCACHE_BUILD=asan      AddressSanitizer and UndefinedBehaviorSanitizer; run Python with
                          LD_PRELOAD="$(cc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0
FASTCACHE_BUILD=coverage  gcov counters in the C core
CC, CFLAGS, LDFLAGS, PKG_CONFIG   as everywhere

Generated C goes to build/, never beside the sources.
"""

import functools
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from Cython.Distutils.build_ext import build_ext
from setuptools import Extension, setup
from setuptools.command.build_clib import build_clib

COMMON = ["-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden", "-ffp-contract=off"]
SANITIZE = ["-fsanitize=address,undefined"]
MODES = {  # compiler flags, linker flags
    "release": (["-O3", "-g0", "-DNDEBUG"], []),
    "debug": (["-O0", "-g", "-UNDEBUG"], []),
    "asan": (["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", *SANITIZE], SANITIZE),
    "coverage": (["-O0", "-g", "-UNDEBUG", "--coverage"], ["--coverage"]),
}
LIBJPEG_MISSING = """\
fastcache needs {what}. Install it and build again:
    Debian     apt-get install libjpeg62-turbo-dev pkg-config
    Ubuntu     apt-get install libjpeg-dev pkg-config
    Fedora     dnf install libjpeg-turbo-devel pkgconf
    Homebrew   brew install jpeg-turbo pkg-config
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


@functools.cache
def libjpeg() -> tuple[list[str], list[str]]:
    """Compiler and linker flags of libjpeg-turbo, or an exit that names the missing package."""
    query = [*shlex.split(os.environ.get("PKG_CONFIG", "pkg-config")), "libjpeg"]
    cflags, libs = output_of([*query, "--cflags"]), output_of([*query, "--libs"])
    if cflags is None or libs is None:
        sys.exit(LIBJPEG_MISSING.format(what="pkg-config and libjpeg-turbo", looked=query))
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if output_of([*compiler, "--version"]) is None:
        sys.exit(f"fastcache needs a C11 compiler; {compiler[0]!r} does not run. Set CC.")
    # The macro tells libjpeg-turbo from the IJG's libjpeg, which cannot skip rows or crop columns
    # while decoding; csrc/jpeg_io.h says which version is the oldest that is tested.
    probe = [*compiler, *shlex.split(os.environ.get("CFLAGS", "") + " " + cflags), "-E", "-"]
    seen = output_of(
        probe, "#include <stdio.h>\n#include <jpeglib.h>\nLIBJPEG_TURBO_VERSION_NUMBER"
    )
    version = seen.split()[-1] if seen else ""
    if not version.isdigit() or int(version) < 2001000:
        sys.exit(LIBJPEG_MISSING.format(what="jpeglib.h of libjpeg-turbo >= 2.1", looked=probe))
    return shlex.split(cflags), shlex.split(libs)


class BuildCore(build_clib):
    """csrc/ → libfastcache_core.a, kept inside the build folder."""

    def run(self) -> None:
        for _, info in self.libraries:
            info["cflags"] = [*COMMON, *compile_flags, *libjpeg()[0]]
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
            extension.extra_link_args = [*link_flags, *libjpeg()[1], "-lm"]
        self.run_command("build_clib")  # build_ext alone would leave it to the `build` command
        super().run()


mode = os.environ.get("FASTCACHE_BUILD", "release")
if mode not in MODES:
    sys.exit(f"FASTCACHE_BUILD={mode!r} is not known; choose one of {', '.join(MODES)}.")
if sys.platform == "win32":
    sys.exit("fastcache does not build with MSVC yet: its C core is written for gcc and clang.")
compile_flags, link_flags = MODES[mode]

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
    cmdclass={"build_clib": BuildCore, "build_ext": BuildExtensions},
)
