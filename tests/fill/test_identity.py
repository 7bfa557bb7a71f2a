"""What makes two ranks meet, and what they then compare."""

import os
import random
import subprocess
import sys

import map_style
import numpy as np
import pytest

from fastcache import transforms as T
from fastcache.fill.limits import Limits
from fastcache.fill.options import FillOptions
from fastcache.fill.ranks.identity import identify
from fastcache.sources import Arrays, Files, Series, Wrapped


def identity(source, **options):
    return identify(source, source.layout(), FillOptions(**options))


def content(source, **options):
    return identity(source, **options).content


def arrays(count=300, width=50):
    return np.arange(count * width, dtype=np.float32).reshape(count, width)


def dataset():
    return Wrapped(map_style.Dataset(lambda i: (np.full(4, i), i % 3), 100))


SOURCES = {
    "arrays": lambda: Arrays(arrays(), np.arange(300)),
    "files": lambda: Files(["/a/1.jpg", "/a/2.jpg"], ["cat", "dog"]),
    "names": lambda: Files(["/a/1.jpg", "/a/2.jpg"], ["cat", "mouse"]),
    "other files": lambda: Files(["/a/1.jpg", "/a/3.jpg"], ["cat", "dog"]),
    "other order": lambda: Files(["/a/2.jpg", "/a/1.jpg"], ["cat", "dog"]),
    "other labels": lambda: Arrays(arrays(), np.arange(300)[::-1]),
    "fewer": lambda: Arrays(arrays(299), np.arange(299)),
    "no labels": lambda: Arrays(arrays()),
    "another type": lambda: Arrays(arrays().astype(np.float64), np.arange(300)),
    "another shape": lambda: Arrays(arrays().reshape(300, 5, 10), np.arange(300)),
    "series": lambda: Series(arrays(3, 400).reshape(3, 1, 400), window=10),
    "another window": lambda: Series(arrays(3, 400).reshape(3, 1, 400), window=11),
    "another stride": lambda: Series(arrays(3, 400).reshape(3, 1, 400), window=10, stride=2),
    "labelled": lambda: Series(arrays(1, 400)[0], np.arange(400) % 3, window=10, label="majority"),
    "Dataset": dataset,
    "other samples": lambda: Wrapped(map_style.Dataset(lambda i: (np.full(4, -i), i % 3), 100)),
    "a longer Dataset": lambda: Wrapped(map_style.Dataset(lambda i: (np.full(4, i), i % 3), 101)),
}


def test_what_differs_has_another_identity():
    found = {name: content(make()) for name, make in SOURCES.items()}
    assert len(set(found.values())) == len(SOURCES)
    assert found == {name: content(make()) for name, make in SOURCES.items()}


def test_one_byte_of_large_arrays_counts():
    values = np.zeros((40, 1 << 20), np.uint8)  # more than one chunk of the digest
    same = content(Arrays(values))
    for row, column in [(0, 0), (17, 12345), (39, (1 << 20) - 1)]:
        values[row, column] = 1
        assert content(Arrays(values)) != same
        values[row, column] = 0
    assert content(Arrays(values)) == same


def test_how_an_array_lies_in_memory_does_not_count():
    assert content(Arrays(arrays())) == content(Arrays(np.asfortranarray(arrays())))
    assert content(Arrays(arrays())) == content(Arrays(np.repeat(arrays(), 2, 1)[:, ::2]))


OPTIONS = [
    {"store": T.Resize(32)},
    {"store": T.Resize(33)},
    {"store": [T.Resize(32), T.CenterCrop(32)]},
    {"color": "L"},
    {"exif": "apply"},
    {"on_error": "skip"},
    {"limit": 1},
    {"limit": 0.5},
    {"limit": 0.5, "seed": 1},
    {"limits": Limits(pixels=10_000)},
    {"extra_formats": ("ICNS",)},
]


def test_what_decides_the_content_counts():
    source = SOURCES["files"]()
    found = [content(source), *(content(source, **options) for options in OPTIONS)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("limit", [None, 1, np.int64(1)])
def test_a_seed_that_decides_nothing_does_not_count(limit):
    source = SOURCES["files"]()
    assert content(source, limit=limit, seed=3) == content(source, limit=limit)
    assert content(source, limit=np.float64(0.5), seed=3) != content(source, limit=0.5, seed=4)


def test_a_rank_s_own_affairs_do_not_count():
    source = SOURCES["arrays"]()
    plain = identity(source)
    assert identity(source, threads=1, progress=print) == plain
    assert plain.difference(dict(plain.compared)) == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"budget": "1GB"}, "budget is '1GB' here and None there"),
        ({"home": "ram"}, "home is 'ram' here and 'auto' there"),
        ({"keep": "decoded"}, "keep is 'decoded' here and 'auto' there"),
    ],
)
def test_what_is_compared_once_they_have_met(options, told):
    source = SOURCES["arrays"]()
    mine, theirs = identity(source, **options), identity(source)
    assert mine.content == theirs.content
    assert mine.difference(dict(theirs.compared)) == told


def test_another_version_is_named():
    mine = identity(SOURCES["arrays"]())
    theirs = {**mine.compared, "fastcache's version": "0.0.1"}
    assert "fastcache's version is" in mine.difference(theirs)
    assert "and None there" in mine.difference({})


def test_samples_of_a_dataset_count():
    assert content(dataset()) == content(dataset())
    made = {i: map_style.Dataset(lambda k, i=i: k + 100 * (k == i), 100) for i in (0, 99)}
    plain = content(Wrapped(map_style.Dataset(lambda k: k, 100)))
    assert all(content(Wrapped(each)) != plain for each in made.values())


def test_a_sample_that_cannot_be_read_counts_by_its_error():
    def failing(kind):
        def make(index):
            if index == 99:
                raise kind("no")
            return index

        return content(Wrapped(map_style.Dataset(make, 100)))

    assert failing(KeyError) == failing(KeyError) != failing(OSError)


def test_global_random_state_is_untouched():
    source = Wrapped(map_style.Dataset(lambda i: random.random(), 30), frozen=True)
    layout = source.layout()
    random.seed(5)
    expected = random.random()
    random.seed(5)
    identify(source, layout, FillOptions())
    assert random.random() == expected


def test_relative_paths_count_from_where_the_process_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = content(Files(["a.jpg"], [0]))
    assert here == content(Files([str(tmp_path / "a.jpg")], [0]))
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "b")
    assert content(Files(["a.jpg"], [0])) != here


def test_another_process_finds_the_same():
    """Texts that hash differently in every process, as sets do, would keep ranks apart."""
    program = (
        "from fastcache.sources import Files\n"
        "from fastcache.fill.ranks.identity import identify\n"
        "from fastcache.fill.options import FillOptions\n"
        "from fastcache import transforms as T\n"
        "s = Files(['/a/1.jpg', '/a/2.jpg'], ['cat', 'dog'])\n"
        "o = FillOptions(store=[T.Resize(32)], extra_formats=('ICNS', 'DDS'))\n"
        "print(identify(s, s.layout(), o).content)"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
