"""Decoding whole images from memory: the round that every decoder in the comparison runs.

A worker gives one function from a file's bytes to its pixels. Before anything is timed, each
image is held against what Pillow makes of it: nobody is fast at something else.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

Decode: TypeAlias = Callable[[bytes], Any]
CHANNELS = {"RGB": 3, "RGBA": 4, "I;16": 1}


def open_as(data: bytes, color: str) -> Any:
    """Return the Pillow image of a file's bytes in mode `color`, converted only if it must be."""
    from PIL import Image

    image = Image.open(io.BytesIO(data))
    return image if image.mode == color else image.convert(color)


def output_arrays(files: Sequence[bytes], color: str) -> dict[bytes, Any]:
    """Return each file's output: (H, W, C) uint8, or (H, W) uint16 for I;16.

    All lie over the same memory, large enough for the largest, so that no page is touched for the
    first time on the clock. The key is the file itself: bytes remember their hash.
    """
    from PIL import Image

    sizes = {}
    for data in files:
        with Image.open(io.BytesIO(data)) as image:
            sizes[data] = image.size
    tail = () if color == "I;16" else (CHANNELS[color],)
    dtype = np.dtype(np.uint16 if color == "I;16" else np.uint8)
    room = np.zeros(max(w * h for w, h in sizes.values()) * CHANNELS[color], dtype)
    return {
        data: room[: w * h * CHANNELS[color]].reshape(h, w, *tail) for data, (w, h) in sizes.items()
    }


def compare(decode: Decode, files: Sequence[bytes], color: str) -> tuple[int, int]:
    """Return how many files decode to other pixels than Pillow's, and by how much at most.

    Another shape or dtype counts as the largest difference that there is.
    """
    differing = largest = 0
    for data in files:
        wanted, got = np.asarray(open_as(data, color)), decode(data)
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            distance = int(np.iinfo(wanted.dtype).max)
        else:
            distance = int(np.abs(got.astype(np.int32) - wanted).max())
        differing += distance > 0
        largest = max(largest, distance)
    return differing, largest


def serve_decoder(
    make: Callable[[Settings, Sequence[bytes]], Decode],
    package: str,
    as_compared: Callable[[Any], Any] = lambda pixels: pixels,
) -> None:
    """Serve a decoder of bytes in memory.

    Parameters
    ----------
    make : callable
        From settings and all files to the function that decodes one into ``settings.color``.
    package : str
        Whose version goes into the table.
    as_compared : callable
        Brings pixels into Pillow's order for the comparison, off the clock.
    """

    def prepare(settings: Settings) -> Round:
        files = read_all(settings.paths)
        decode = make(settings, files)
        differing, largest = compare(lambda data: as_compared(decode(data)), files, settings.color)

        def epoch() -> None:
            for data in files:
                touch(decode(data).view(np.uint8))

        def one_round() -> Result:
            seconds = timed(epoch)[1]
            return {
                "seconds": seconds,
                "items": len(files),
                "differing": differing,
                "largest": largest,
            }

        return one_round

    serve(prepare, package=package)
