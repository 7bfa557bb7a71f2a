"""fastcache.codecs(): what decodes what, and that the examples of docstrings run."""

import doctest
import os
import subprocess
import sys

import numpy as np
import PIL
import pytest
from PIL import features

import fastcache as fc
from fastcache._core import image as core
from fastcache.fill import limits
from fastcache.fill.images import codec_table
from fastcache.fill.images.codec_table import Codec


def test_c_comes_first_then_pillow_then_numpy():
    """A5: one function lists codecs, versions and the SIMD path in use."""
    table = fc.codecs()
    assert [codec.by for codec in table] == sorted(
        (codec.by for codec in table), key=["C", "Pillow", "NumPy"].index
    )
    in_c = {codec.format: codec for codec in table if codec.by == "C"}
    assert set(in_c) == {"JPEG", "PNG", "WEBP"}
    for codec in in_c.values():
        assert codec.simd == core.cpu_name()
        assert codec.library and codec.version[:1].isdigit()
    assert table[-1] == Codec("NPY", "NumPy", "NumPy", np.__version__, "")


def test_pillows_formats_have_their_librarys_version():
    by_pillow = {codec.format: codec for codec in fc.codecs() if codec.by == "Pillow"}
    assert by_pillow["BMP"] == Codec("BMP", "Pillow", "", PIL.__version__, "")
    if features.check("jpg_2000"):
        assert by_pillow["JPEG2000"].version == features.version("jpg_2000")
    if "avif" in features.modules:  # older versions have no AVIF at all
        assert ("AVIF" in by_pillow) == bool(features.check("avif"))
    assert "EPS" not in by_pillow


def test_formats_that_pillow_was_built_without_are_not_promised(monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "libtiff" and check(name))
    assert "TIFF" not in {codec.format for codec in fc.codecs() if codec.by == "Pillow"}


def test_the_table_is_a_sequence_that_prints_aligned():
    table = fc.codecs()
    lines = str(table).splitlines()
    assert len(lines) == len(table) + 1
    assert lines[0].split() == ["format", "by", "library", "version", "simd"]
    column = lines[0].index("library")
    for codec, line in zip(table, lines[1:]):
        assert line.startswith(codec.format) and line[column:].startswith(codec.library)
    assert repr(table[:2]) == str(table[:2]) and len(table[:2]) == 2
    assert table.index(table[1]) == 1
    with pytest.raises(IndexError):
        table[len(table)]


def test_the_instruction_set_is_the_one_in_use():
    code = "import fastcache as fc; print({codec.simd for codec in fc.codecs() if codec.by == 'C'})"
    environment = {**os.environ, "FASTCACHE_CPU": "scalar"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code] if sys.version_info >= (3, 11)
        else [sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "{'scalar'}"


@pytest.mark.parametrize("module", [codec_table, limits])
def test_examples_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def test_listing_codecs_needs_no_torch():
    code = (
        "import sys, fastcache as fc; fc.codecs(); fc.Limits(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
