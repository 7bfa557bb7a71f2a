"""What a thread holds beside the arena while it decodes a column's files."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache._core import image as core
from fastcache.fill.column import most_pixels
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.steps import pillow_step
from fastcache.transforms import Operation, StorePlan, conversion_of


class Scratch(NamedTuple):
    """Bytes.

    Attributes
    ----------
    thread : int
        Of one thread: its file, and what the codec and the resampler, or Pillow, hold.
    alone : int
        Of a file which C may hand on when it sees its data. (Of JPEGs these are progressive ones
        whose last scans are missing.) Such files are done one at a time.
    excess : int64 array (N,)
        What Pillow would need of each file, where that is more than both; else 0.
    """

    thread: int
    alone: int
    excess: npt.NDArray[np.int64]


def scratch_of(
    table: FileTable, store: StorePlan, spec: core.Spec, operations: Sequence[Operation]
) -> Scratch:
    """Return upper bounds for the files of a table, from their headers."""
    size = table.info["bytes"]
    pixels = most_pixels(operations, table.height, table.width)
    pillow = pillow_step.BYTES_PER_PIXEL * pixels
    python = np.where((table.status == core.NEEDS_PYTHON) | table.mends, pillow, 0)
    for row, header in table.npy.items():
        python[row] = max(int(python[row]), header.scratch(int(pixels[row])))
    in_c = table.status == core.PENDING
    # A decoder keeps its buffers from file to file; Python gives everything back.
    held = core.scratch_bytes(
        table.info[in_c].view(np.uint8), spec, store.geometry[in_c].view(np.uint8)
    ) + int(size.max(initial=0, where=in_c))
    late = in_c & (
        (table.info["format"] != core.JPEG) | ((table.info["flags"] & core.MULTISCAN) != 0)
    )
    # What store= makes of odd shapes may be far larger: then a file that is handed on fails.
    image = pillow_step.BYTES_PER_PIXEL * table.height * table.width
    thread = max(held, int((python + size).max(initial=0)))
    conversion = conversion_of(operations)
    if conversion is not None:  # pixels, and what becomes of them
        largest = int((store.out_h * store.out_w).max(initial=0)) * spec.pixel_bytes
        thread += largest * (1 + np.dtype(conversion.dtype).itemsize)
    alone = int((image + size).max(initial=0, where=late))
    needed = pillow + size
    return Scratch(thread, alone, np.where(needed > max(thread, alone), needed, 0))
