"""Fixtures that several test files share, and how tests run; images are made in ``images.py``."""

import gc
import signal
from pathlib import Path

import images
import pytest
from turns import Turns

# Whoever starts a command in the background has it, and all that it starts, ignore Ctrl-C, which
# some tests press.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TURNS = pytest.StashKey[Turns]()


def pytest_configure(config):
    """Let the processes of pytest-xdist take turns, by a file beside their temporary folders."""
    if hasattr(config, "workerinput"):
        config.stash[TURNS] = Turns(Path(config.getoption("basetemp")).parent / "turns")


def pytest_collection_finish():
    """Keep the collector of garbage from looking at what stays: torch, pytest and all the tests.

    Arenas that are closed while somebody looks at them collect garbage: half a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    turns = item.config.stash.get(TURNS, None)
    if turns is None:
        return (yield)
    with turns.turn(item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(scope="session")
def jpeg_kinds() -> dict[str, bytes]:
    """One JPEG of every kind that must decode, by name."""
    return images.jpeg_kinds()


@pytest.fixture(scope="session")
def broken_kinds() -> dict[str, bytes]:
    """Files that must be refused or survived, by what is wrong with them."""
    return images.broken_kinds()


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """A small class folder: 3 classes of 3 JPEGs and a PNG."""
    return images.write_class_folder(tmp_path / "photos")


@pytest.fixture
def bad_class_folder(tmp_path: Path) -> Path:
    """A class folder with broken files, a FIFO, a directory and dangling links among good ones."""
    return images.write_bad_class_folder(tmp_path / "bad-photos")
