"""A process that edits an arena, slowly, and may be killed in the middle of it."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fastcache.fill.editing.editor import ArenaEditor
from fastcache.memory.files import disk
from fastcache.sources import Arrays

COUNT, MORE = 100, 45


def images(count: int, seed: int) -> Any:
    """Return images whose rows end on a page every 32nd row."""
    return np.random.default_rng(seed).integers(0, 255, (count, 64, 32, 3), np.uint8)


def source(count: int, seed: int) -> Arrays:
    """Return samples (image, label)."""
    return Arrays(images(count, seed), np.arange(count) + seed, layout="HWC")


def edit(editor: ArenaEditor) -> None:
    """Edit an arena of `source(COUNT, 0)` in every way; nothing is written yet."""
    editor.put("image", images(3, 7), rows=[0, 40, 99])
    editor.put("label", [-1], rows=[99])
    editor.append(source(MORE, 1))
    editor.put("image", images(2, 8), rows=[1, COUNT])
    count = len(editor)
    editor.put("vector", np.arange(count * 5.0).reshape(count, 5))
    editor.put("boxes", [np.full((k % 4, 4), k) for k in range(count)])
    editor.put("name", [f"row {k}" for k in range(count)])


def expected(edited: bool) -> dict[str, list[Any]]:
    """Return the rows of each column before, or after these edits."""
    pixels, labels = [*images(COUNT, 0)], [*range(COUNT)]
    if not edited:
        return {"image": pixels, "label": labels}
    for row, image in zip([0, 40, 99], images(3, 7), strict=True):
        pixels[row] = image
    labels[99] = -1
    pixels += [*images(MORE, 1)]
    labels += [k + 1 for k in range(MORE)]
    pixels[1], pixels[COUNT] = images(2, 8)
    count = COUNT + MORE
    return {
        "image": pixels,
        "label": labels,
        "vector": [*np.arange(count * 5.0).reshape(count, 5)],
        "boxes": [np.full((k % 4, 4), k) for k in range(count)],
        "name": [np.frombuffer(f"row {k}".encode(), np.uint8) for k in range(count)],
    }


def main() -> None:
    """Edit the arena of a folder; each step of writing takes as long as was asked for."""
    folder, pause = Path(sys.argv[1]), float(sys.argv[2])
    for name in ("pwrite", "fsync", "replace", "unlink"):
        _slow(name, pause)
    with ArenaEditor(folder) as editor:
        edit(editor)
        print("edited", flush=True)
        editor.commit()
    print("done", flush=True)


def _slow(name: str, pause: float) -> None:
    real = getattr(os, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        time.sleep(pause)
        return real(*args, **kwargs)

    setattr(disk.os, name, call)


if __name__ == "__main__":
    main()
