"""YOLO's label files: lines "class cx cy w h", or "class x1 y1 x2 y2 …" around an object."""

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Rounding in the tools that write labels; what lies outside of the image is cut off.
_SLACK = 0.01
_MOST = 1e15  # up to there floats are integers exactly
_BOM = b"\xef\xbb\xbf"


class Labels(NamedTuple):
    """What N label files say.

    Attributes
    ----------
    boxes : float64 array of shape (M, 4)
        Left, top, right and bottom as shares of the image's width and height.
    numbers : int64 array of shape (M,)
        Classes.
    counts : int64 array of shape (N,)
        Boxes of each file.
    found : int
        Files that exist.
    failed : dict of int to (str, str)
        Files that cannot be used: path, and why with the line.
    """

    boxes: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    found: int
    failed: dict[int, tuple[str, str]]


class _BadLineError(Exception):
    """A line that is no label; its text says which and why."""


def read_labels(paths: Sequence[str], classes: int | None) -> Labels:
    """Read label files; one that does not exist has no boxes.

    Parameters
    ----------
    paths : sequence of str
    classes : int or None
        How many there are, if that is known.
    """
    values = array("d")
    counts = np.zeros(len(paths), np.int64)
    failed: dict[int, tuple[str, str]] = {}
    found = 0
    for row, path in enumerate(paths):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (PermissionError, IsADirectoryError) as error:
            failed[row] = (path, f"cannot be read: {error.strerror}")
            found += 1
            continue
        found += 1
        before = len(values)
        try:
            _parse(data, values)
        except _BadLineError as error:
            del values[before:]
            failed[row] = (path, str(error))
        counts[row] = (len(values) - before) // 5
    lines = np.frombuffer(values, np.float64).reshape(-1, 5)
    bad = _suspicious(lines, classes)
    if bad.any():  # which line it is, is worth a second look
        ends = np.cumsum(counts)
        for row in np.unique(np.searchsorted(ends, np.flatnonzero(bad), side="right")).tolist():
            told = _first_problem(lines[ends[row] - counts[row] : ends[row]], classes)
            failed[row] = (paths[row], f"{_line_name(paths[row], told[0])}: {told[1]}")
    good = np.ones(len(paths), bool)
    good[list(failed)] = False
    lines = lines[np.repeat(good, counts)]
    counts[~good] = 0
    centre, half = lines[:, 1:3], lines[:, 3:5] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return Labels(boxes, lines[:, 0].astype(np.int64), counts, found, failed)


def _parse(data: bytes, values: "array[float]") -> None:
    """Append five numbers for each line that is not empty: class, centre and size."""
    lines = [line.split() for line in data.removeprefix(_BOM).splitlines()]
    if b"_" not in data and all(len(words) in (0, 5) for words in lines):
        before = len(values)
        try:
            for words in lines:
                values.extend(map(float, words))
            return
        except ValueError:
            del values[before:]
    for number, words in enumerate(lines, 1):
        if words:
            values.extend(_line(words, number))


def _line(words: Sequence[bytes], number: int) -> Sequence[float]:
    try:
        if any(b"_" in word for word in words):  # which Python reads as part of a number
            raise ValueError
        numbers = [float(word) for word in words]
    except ValueError:
        told = b" ".join(words)[:60].decode("utf-8", "backslashreplace")
        raise _BadLineError(f"line {number}: {told!r} are no numbers") from None
    if len(numbers) == 5:
        return numbers
    if len(numbers) < 7 or len(numbers) % 2 == 0:
        raise _BadLineError(
            f"line {number} has {len(numbers)} values: give a class and cx cy w h, or a class and "
            "at least 3 points x y around the object"
        )
    xs, ys = numbers[1::2], numbers[2::2]
    if not all(map(math.isfinite, numbers)):
        raise _BadLineError(f"line {number}: nan and inf are no places")
    if min(*xs, *ys) < -_SLACK or max(*xs, *ys) > 1 + _SLACK:
        raise _BadLineError(f"line {number}: {_OUTSIDE}")
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return numbers[0], (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


_OUTSIDE = "places must be shares of the image's width and height, in [0, 1]"


def _suspicious(lines: npt.NDArray[np.float64], classes: int | None) -> npt.NDArray[np.bool_]:
    """Return which lines are wrong: not finite, no class, or not within the image."""
    most = np.inf if classes is None else classes - 1
    kind, places = lines[:, 0], lines[:, 1:]
    fine = (kind >= 0) & (kind <= min(most, _MOST)) & (kind == np.floor(kind))
    fine &= (places <= 1 + _SLACK).all(axis=1) & (places[:, :2] >= -_SLACK).all(axis=1)
    bad: npt.NDArray[np.bool_] = ~(fine & (places[:, 2:] >= 0).all(axis=1))
    return bad


def _first_problem(lines: npt.NDArray[np.float64], classes: int | None) -> tuple[int, str]:
    """Return which of a file's labels is wrong first, and what is wrong with it."""
    k = int(_suspicious(lines, classes).argmax())
    kind, (width, height) = float(lines[k, 0]), lines[k, 3:].tolist()
    if not np.isfinite(lines[k]).all():
        return k, "nan and inf are no places"
    if kind < 0 or kind != math.floor(kind):
        return k, f"class {kind:g} is no integer of at least 0"
    if classes is not None and kind >= classes:
        return k, f"class {kind:.0f}, but there are {classes}, 0 to {classes - 1}"
    if kind > _MOST:
        return k, f"class {kind:g} is no number of a class"
    if width < 0 or height < 0:
        return k, f"a box cannot be {width:g} wide and {height:g} high"
    return k, _OUTSIDE


def _line_name(path: str, label: int) -> str:
    """Return the number of the line in which the k-th label of a file stands, in words."""
    with open(path, "rb") as file:
        lines = file.read().removeprefix(_BOM).splitlines()
    full = [number for number, line in enumerate(lines, 1) if line.split()]
    return f"line {full[label]}" if label < len(full) else "a line that has changed meanwhile"
