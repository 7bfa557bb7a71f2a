"""The system's own files, read so that nothing in them can go wrong for the reader."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_NUMBER = re.compile(r"[0-9]{1,20}")  # more digits than any kernel writes are garbage


@dataclass(frozen=True)
class Limit:
    """Bytes that one limit leaves, and what to call it in a message.

    `total` is what it allows in all; None where that is not known.
    """

    name: str
    bytes: int
    total: int | None = field(default=None, compare=False)


def nearest_folder(folder: Path) -> Path:
    """Return a folder, or the nearest above it that is there."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


class SystemFiles:
    """The system's files below a root, and which of them made no sense."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unread: dict[str, None] = {}  # in the order in which they were met

    def text(self, path: str) -> str | None:
        """Return a file's text; None for one that is not there, or cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None  # this kernel, or this group, does not have it
        except (OSError, ValueError):  # ValueError: a NUL in a path that a mangled file gave
            self.refuse(path)
            return None

    def refuse(self, path: str) -> None:
        """Note a file of which no use can be made."""
        self.unread["/" + path.lstrip("/").encode("utf-8", "backslashreplace").decode()] = None

    def number(self, path: str) -> int | None:
        """Return the number that a file holds; None, and noted, if it holds none."""
        text = self.text(path)
        if text is not None and _NUMBER.fullmatch(text.strip()):
            return int(text)
        self.refuse(path)
        return None

    def has(self, path: str) -> bool:
        """Whether there is such a file, readable or not."""
        try:
            return (self.root / path.lstrip("/")).exists()
        except (OSError, ValueError):
            return False
