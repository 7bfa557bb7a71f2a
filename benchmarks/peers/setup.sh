#!/bin/sh
# Make the rivals' environment: benchmarks/peers/setup.sh [--gaf] FOLDER [PYTHON]
# Then: python benchmarks/run.py --data PHOTOS --peers-python FOLDER/bin/python
# --gaf: only what run_gaf.py compares with; a minute and half a gigabyte instead of several.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
gaf=''
[ "${1:-}" = --gaf ] && gaf=1 && shift
folder=${1:?"usage: $0 [--gaf] FOLDER [PYTHON]"}
python=${2:-python3}

if [ "$gaf" ]; then
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install -q -r "$here/../requirements-peers-gaf.txt"
    "$folder/bin/python" -c 'import pyts.image; print("rival installed: pyts", pyts.__version__)'
    exit
fi

# What wheels do not bring: SPDL links to FFmpeg's libraries, the libjpeg-turbo that everything is
# held against is the system's, and FFCV is compiled here, with OpenCV's and turbojpeg's headers.
debian="libavcodec59 libavformat59 libavfilter8 libavdevice59 libturbojpeg0"
debian="$debian libopencv-dev libturbojpeg0-dev pkg-config g++"

if command -v dpkg-query >/dev/null; then
    for package in $debian; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
        if [ "$(id -u)" = 0 ]; then
            apt-get install -y --no-install-recommends $debian
            break
        fi
        echo "missing: $package. As root: apt-get install $debian" >&2
        exit 1
    done
else
    echo "not Debian: FFmpeg's shared libraries (4 to 9), and libturbojpeg and OpenCV with their" \
        "headers, must be there" >&2
fi

"$python" -m venv "$folder"
"$folder/bin/python" -m pip install -q "$(grep '^torch==' "$here/../requirements-peers.txt")"
"$folder/bin/python" -m pip install -q -r "$here/../requirements-peers.txt"
# Without what they depend on: FFCV asks for an OpenCV that shares its files with the one above, and
# torchvision for the torch of its own index.
ffcv=$(sed -n 's/^# alone: //p' "$here/../requirements-peers.txt")
"$folder/bin/python" -m pip install -q --no-deps --no-binary ffcv $ffcv
"$folder/bin/python" - <<'PYTHON'
import cv2, imagecodecs, nvidia.dali, simplejpeg, spdl.io, torch
import ffcv.loader
from importlib.metadata import version
print("rivals installed: torch", torch.__version__, "simplejpeg", simplejpeg.__version__,
      "DALI", nvidia.dali.__version__, "OpenCV", cv2.__version__,
      "imagecodecs", imagecodecs.__version__, "FFCV", version("ffcv"),
      "torchvision", version("torchvision"))
spdl.io.demux_config()  # fails here, and not in the benchmark, when FFmpeg is not found
PYTHON
