"""fastcache beside Pillow and OpenCV in one process: three copies of the codecs, no clash."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import images
import neighbours
import numpy as np
import pytest

LIBRARIES = ("PIL", "cv2", "fastcache")
ORDERS = list(itertools.permutations(LIBRARIES))
FILES = {
    "420.jpg": lambda: images.encode(images.photo(231, 317), subsampling="4:2:0"),
    "progressive.jpg": lambda: images.encode(images.photo(198, 203), progressive=True),
    "rgb.png": lambda: images.encode(images.photo(211, 307), "PNG"),
    "palette.png": lambda: images.encode(images.photo(205, 199, "P"), "PNG"),
    "lossy.webp": lambda: images.encode(images.photo(225, 301), "WEBP"),
    "lossless.webp": lambda: images.encode(images.photo(190, 221), "WEBP", lossless=True),
}


def program(*arguments: object, **environment: str) -> str:
    """Run tests/neighbours.py in a process of its own."""
    done = subprocess.run(
        [sys.executable, neighbours.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files of every format, and what each library makes of them when it is alone."""
    if importlib.util.find_spec("cv2") is None:
        pytest.skip("needs opencv-python-headless")
    folder = tmp_path_factory.mktemp("neighbours")
    for name, make in FILES.items():
        (folder / name).write_bytes(make())
    for library in LIBRARIES:
        program("alone", folder, library)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_alone_fastcache_decodes_what_pillow_does(folder, name):
    ours, pillows = (np.load(neighbours.kept(folder / name, who)) for who in ("fastcache", "PIL"))
    np.testing.assert_array_equal(ours, pillows)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_threads_of_all_three_get_their_own_pixels(folder, order):
    assert "decodes" in program("together", folder, *order)


@pytest.mark.skipif(not hasattr(sys, "setdlopenflags"), reason="needs dlopen")
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_nothing_changes_when_every_symbol_is_visible(folder, order):
    """RTLD_GLOBAL is where copies of one library would take each other's places."""
    assert "decodes" in program("together-global", folder, *order, LD_BIND_NOW="1")
