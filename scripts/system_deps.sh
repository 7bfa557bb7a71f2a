#!/bin/sh
# Make sure that what pip cannot install is there: usage system_deps.sh build|lint|c|replay|codecs|bench...
# Installs missing packages with apt-get when it may, otherwise names them and stops.
set -eu
: "${PYTHON:=python3}" "${CC:=cc}" "${PKG_CONFIG:=pkg-config}"

have() { command -v "$1" >/dev/null 2>&1; }
have_headers() { "$PYTHON" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; }
have_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
have_module() { "$PKG_CONFIG" --exists "$1" 2>/dev/null; }
have_benchmark() {
    echo '#include <benchmark/benchmark.h>' | "${CXX:-c++}" -x c++ -fsyntax-only - 2>/dev/null
}
have_sanitizers() {
    probe=$(mktemp)
    echo 'int main(void) { return 0; }' |
        clang -x c -fsanitize=address,undefined -o "$probe" - 2>/dev/null && rm -f "$probe"
}

# need CHECK DEBIAN FEDORA HOMEBREW: note the packages of a check that fails; "-" means that the
# system's own tools bring it.
need() {
    $1 && return
    debian="$debian $2" fedora="$fedora $3"
    [ "$4" = - ] || brew="$brew $4"
}

look() {
    debian='' fedora='' brew=''
    for group in "$@"; do
        case $group in
        build)
            need "have $CC" gcc gcc -
            need "have $PKG_CONFIG" pkg-config pkgconf pkg-config
            need "have_module libjpeg" libjpeg-dev libjpeg-turbo-devel jpeg-turbo
            need "have_module libdeflate" libdeflate-dev libdeflate-devel libdeflate
            need "have_module libwebp" libwebp-dev libwebp-devel webp
            need "have $PYTHON" python3 python3 python
            if have "$PYTHON"; then
                need have_headers python3-dev python3-devel python
                need have_venv python3-venv python3 python
            fi
            ;;
        lint) need "have clang-format" clang-format clang-tools-extra clang-format ;;
        c)
            need "have clang" clang clang llvm
            need have_sanitizers libclang-rt-dev compiler-rt llvm
            ;;
        replay) need "have valgrind" valgrind valgrind - ;;
        codecs)
            need "have cmake" cmake cmake cmake
            need "have curl" curl curl -
            case $(uname -m) in x86_64 | amd64) need "have nasm" nasm nasm nasm ;; esac
            ;;
        bench)
            need "have ${CXX:-c++}" g++ gcc-c++ -
            need have_benchmark libbenchmark-dev google-benchmark-devel google-benchmark
            ;;
        *)
            echo "system_deps.sh: unknown group '$group'; known: build lint c replay codecs bench" >&2
            exit 2
            ;;
        esac
    done
}

look "$@"
[ -n "$debian" ] || exit 0

as_root=''
[ "$(id -u)" = 0 ] || as_root='sudo -n'
if have apt-get && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    echo "installing:$debian"
    $as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends $debian
    look "$@"
    [ -n "$debian" ] || exit 0
fi

cat >&2 <<MESSAGE
fastcache's sources need system packages that are missing here. Install them and repeat:
    Debian, Ubuntu   apt-get install$debian
    Fedora           dnf install$fedora
    Homebrew         brew install$brew
MESSAGE
exit 1
