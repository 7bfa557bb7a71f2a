#!/bin/sh
# Build the wheel for every Python given that is there, install it beside its light dependencies
# (torch is left out: it has no wheels for every Python everywhere) and run the tests that do not
# need torch; the others say that they were skipped.
# usage: test_pythons.sh python3.10 python3.11 ...
set -eu
cd "$(dirname "$0")/.."
tested=0
for python in "$@"; do
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "== $python: not here (or without its venv module), passed over"
        continue
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    PYTHON=$python scripts/build_wheel.sh
    wheel=$(cat "build/wheel-$version.path")
    venv=$PWD/.venv-light-$version
    echo "== $python: $wheel"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -q -r requirements-light.txt
    "$venv/bin/python" -m pip install -q --force-reinstall --no-deps "$wheel"
    "$venv/bin/python" scripts/test_wheel.py -q
    tested=$((tested + 1))
done
[ "$tested" -gt 0 ] || { echo "none of these Pythons is here: $*" >&2; exit 1; }
echo "== tested on $tested Python versions"
