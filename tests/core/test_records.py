"""Records that travel as bytes have one form on both sides."""

from fastcache._core import image as core
from fastcache.fill.images.file_table import INFO_DTYPE
from fastcache.transforms import GEOMETRY


def test_arrays_of_records_are_arrays_of_cs_structs():
    assert GEOMETRY.itemsize == core.GEOMETRY_BYTES
    assert INFO_DTYPE.itemsize == core.INFO_BYTES
