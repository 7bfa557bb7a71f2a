"""Formats that are decoded only when they are allowed."""

import images
import numpy as np
import pytest
from filling import filled, row, told, write

from fastcache.errors import ArgumentError, DecodeError


def test_other_formats_must_be_allowed(tmp_path):
    """E3: what is not on the list is refused by name; extra_formats= puts it there."""
    data = images.encode(images.photo(16, 16), "SGI")
    (path,) = write(tmp_path, {"a.sgi": data})
    with pytest.raises(DecodeError, match=r"probably SGI.*extra_formats=\('SGI',\)"):
        filled([path])
    arena = filled([path], extra_formats=["sgi"])
    np.testing.assert_array_equal(row(arena, 0), images.decoded(data))
    assert told(arena)["through_pillow"] == {"SGI": 1}


def test_eps_reaches_no_interpreter(tmp_path):
    """A5: a PostScript program that is called .jpg is not run."""
    (path,) = write(tmp_path, {"a.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"})
    with pytest.raises(DecodeError, match="EPS"):
        filled([path])


@pytest.mark.parametrize(
    "names", ["ICNS", ("NOFORMAT",), (3,), 5, {"NOFORMAT"}, b"ICNS", None], ids=str
)
def test_extra_formats_are_checked_before_any_file(tmp_path, names):
    with pytest.raises(ArgumentError, match="extra_formats"):
        filled([tmp_path / "nowhere.jpg"], extra_formats=names)


def test_an_unknown_extra_format_names_those_that_there_are(tmp_path):
    with pytest.raises(ArgumentError, match="ICNS, ICO"):
        filled([tmp_path / "nowhere.jpg"], extra_formats=("NOFORMAT",))


@pytest.mark.parametrize("names", [["sgi"], ("SGI", "sgi"), {"SGI"}, {"SGI": 1}.keys()], ids=str)
def test_extra_formats_are_any_collection_of_names(tmp_path, names):
    data = images.encode(images.photo(16, 16), "SGI")
    (path,) = write(tmp_path, {"a.sgi": data})
    arena = filled([path], extra_formats=names)
    assert arena.catalog["loader"]["extra_formats"] == ["SGI"]
