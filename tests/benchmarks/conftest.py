"""The benchmarks' modules, and photographs for their workers."""

import importlib

import pytest
from images import encode, photo
from project import source_root

FOLDERS = source_root() / "benchmarks" / "ours", source_root() / "benchmarks"


class Bench:
    """Modules of the benchmarks by name, imported when they are asked for."""

    def __getattr__(self, name: str) -> object:
        if any((folder / f"{name}.py").is_file() for folder in FOLDERS):
            return importlib.import_module(name)
        raise AttributeError(name)


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        for folder in reversed(FOLDERS):
            patch.syspath_prepend(str(folder))
        yield Bench()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    for k, (height, width) in enumerate([(40, 64), (65, 33), (48, 48), (30, 90)]):
        (folder / f"{k}.jpg").write_bytes(encode(photo(height, width, seed=k)))
    return sorted(map(str, folder.iterdir()))
