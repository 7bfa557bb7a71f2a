"""The tables of a fill job in shared memory, so that several processes can enter the same job."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core.block import Block
from fastcache._core.image import GEOMETRY_BYTES, Spec
from fastcache._core.jobs import CURSOR_BYTES, FillJob, Paths

_LINE = 64


class FillTables:
    """Everything that C reads of a fill job or writes down about it, over one block.

    Parameters
    ----------
    block : Block
    count : int
        Items N.
    text : int
        Bytes of the paths.

    Attributes
    ----------
    cursor : uint8 array [CURSOR_BYTES]
    offset, slot : int64 arrays [N]
    geometry : uint8 array [N * GEOMETRY_BYTES]
    status, detail : uint8 arrays [4 * N]
    text : uint8 array
    """

    def __init__(self, block: Block, count: int, text: int) -> None:
        memory = np.frombuffer(memoryview(block), np.uint8)
        taken = 0
        parts: list[npt.NDArray[np.uint8]] = []
        for size in _sizes(count, text):
            parts.append(memory[taken : taken + size])
            taken += -(-size // _LINE) * _LINE
        self.cursor, offset, slot, self.geometry, self.status, self.detail, self.text = parts
        self.offset, self.slot = offset.view(np.int64), slot.view(np.int64)

    def take_in(self, job: FillJob, text: bytes, offset: npt.NDArray[np.int64]) -> None:
        """Copy a job's tables; `text` and `offset` are its paths."""
        _, _, geometry, _, slot, status, detail = job.parts
        self.cursor[:8].view(np.int64)[:] = len(offset)
        self.offset[:] = offset
        self.slot[:] = slot
        self.geometry[:] = geometry
        self.status[:] = status
        self.detail[:] = detail
        self.text[:] = np.frombuffer(text, np.uint8)

    def give_back(self, job: FillJob) -> None:
        """Copy what became of the items to where the job had them."""
        *_, status, detail = job.parts
        np.asarray(status)[:] = self.status
        np.asarray(detail)[:] = self.detail

    def job(self, spec: Spec, target: Any, damaged_needs_python: bool) -> FillJob:
        """Return this process's way into the job; all slots are checked anew."""
        return FillJob(
            Paths.packed(self.text, self.offset),
            spec,
            self.geometry,
            target,
            self.slot,
            self.status,
            self.detail,
            damaged_needs_python,
            cursor=self.cursor,
        )


def _sizes(count: int, text: int) -> tuple[int, ...]:
    return (CURSOR_BYTES, 8 * count, 8 * count, GEOMETRY_BYTES * count, 4 * count, 4 * count, text)


def tables_bytes(count: int, text: int) -> int:
    """Return the bytes that the tables of a job take."""
    return sum(-(-size // _LINE) * _LINE for size in _sizes(count, text))


def absolute_paths(paths: Paths) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Return the paths for processes that may stand in other folders: text and offsets."""
    here = os.fsencode(os.getcwd())
    whole = [os.path.join(here, path) + b"\0" for path in paths.split()]
    ends = np.cumsum([len(path) for path in whole], dtype=np.int64)
    return b"".join(whole), np.concatenate([[0], ends[:-1]]).astype(np.int64)
