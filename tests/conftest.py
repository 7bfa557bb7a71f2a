"""Fixtures that several test files share; the images themselves are made in ``images.py``."""

import signal
from pathlib import Path

import images
import pytest

# Whoever starts a command in the background has it, and all that it starts, ignore Ctrl-C, which
# some tests press.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
