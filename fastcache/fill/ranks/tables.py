"""The tables of a fill job in shared memory, so that several processes can enter the same job."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core.block import Block
from fastcache._core.image import GEOMETRY_BYTES, Spec
from fastcache._core.jobs import CURSOR_BYTES, FillJob
from fastcache._core.paths import Paths

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
    offset, slot, data_offset, data_size : int64 arrays [N]
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
        self.cursor, *rows, self.geometry, self.status, self.detail, self.text = parts
        numbers = [part.view(np.int64) for part in rows]
        self.offset, self.slot, self.data_offset, self.data_size = numbers

    def take_in(self, job: FillJob, text: bytes, offset: npt.NDArray[np.int64]) -> None:
        """Copy a job's tables; `text` and `offset` are its paths."""
        _, _, geometry, _, slot, status, detail, data, data_offset, data_size = job.parts
        self.cursor[:8].view(np.int64)[:] = len(offset)
        self.offset[:] = offset
        self.slot[:] = slot
        self.data_offset[:] = 0 if data is None else data_offset
        self.data_size[:] = -1 if data is None else data_size
        self.geometry[:] = geometry
        self.status[:] = status
        self.detail[:] = detail
        self.text[:] = np.frombuffer(text, np.uint8)

    def give_back(self, job: FillJob) -> None:
        """Copy what became of the items to where the job had them."""
        status, detail = job.parts[5:7]
        np.asarray(status)[:] = self.status
        np.asarray(detail)[:] = self.detail

    def job(self, spec: Spec, target: Any, damaged_needs_python: bool) -> FillJob:
        """Return this process's way into the job; all places in `target` are checked anew."""
        return FillJob(
            Paths.packed(self.text, self.offset),
            spec,
            self.geometry,
            target,
            self.slot,
            self.status,
            self.detail,
            damaged_needs_python,
            data=target,
            data_offset=self.data_offset,
            data_size=self.data_size,
            cursor=self.cursor,
        )


def _sizes(count: int, text: int) -> tuple[int, ...]:
    rows = (8, 8, 8, 8, GEOMETRY_BYTES, 4, 4)
    return (CURSOR_BYTES, *(each * count for each in rows), text)


def tables_bytes(count: int, text: int) -> int:
    """Return the bytes that the tables of a job take."""
    return sum(-(-size // _LINE) * _LINE for size in _sizes(count, text))


def absolute_paths(paths: Paths) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Return the paths for processes that may stand in other folders: text and offsets."""
    here = os.fsencode(os.getcwd())
    whole = [os.path.join(here, path) + b"\0" for path in paths.split()]
    ends = np.cumsum([len(path) for path in whole], dtype=np.int64)
    return b"".join(whole), np.concatenate([[0], ends[:-1]]).astype(np.int64)
