"""What is known of files before they are decoded, and the memory that takes."""

import tracemalloc

import images
import numpy as np
import pytest
from filling import filled, save

from fastcache.fill.images.file_table import FileTable
from fastcache.fill.options import FillOptions
from fastcache.fill.steps.npy_header import NpyHeader

COUNT = 3000


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A file of each way in which rows are known: by C, by Pillow, by NumPy, and not at all."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "jpeg").write_bytes(images.encode(images.photo(300, 400)))
    (folder / "gif").write_bytes(images.encode(images.photo(300, 400), "GIF"))
    save(folder / "npy", np.ones((300, 400, 3), np.float32))
    (folder / "npy.npy").rename(folder / "npy")
    (folder / "text").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize("kind", ["jpeg", "gif", "npy", "text"])
def test_the_tables_are_counted_with_all_that_belongs_to_them(kinds, kind):
    """A2: NumPy's and Python's objects, of which there is one or more per row."""
    paths = [str(kinds / kind)] * COUNT
    options = FillOptions(threads=1)
    FileTable(paths[:2], False, options)  # everything loaded
    tracemalloc.start()
    table = FileTable(paths, False, options)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held <= table.nbytes <= 4 * held + 100 * COUNT


def test_headers_have_no_dict():
    assert not hasattr(NpyHeader("uint8", "|u1", (1, 1), False, 128, False, 1, 1, 1), "__dict__")


def test_arrays_that_are_refused_take_no_scratch(tmp_path):
    """A2: with "fill" they stay as zeros, and nothing of them is ever read."""
    (tmp_path / "a.jpg").write_bytes(images.encode(images.photo(30, 40)))
    paths = [tmp_path / "a.jpg", save(tmp_path / "b.npy", np.ones((2000, 2000, 3), np.float32))]
    alone, both = (filled(paths[:n], on_error="fill").catalog["plan"] for n in (1, 2))
    assert both["scratch_bytes"] < alone["scratch_bytes"] + (1 << 20)
