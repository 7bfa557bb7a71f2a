"""The read job of the C core, straight through `_core`: what a dataset's recipe runs.

A map-style dataset for ArenaLoader, without what a dataset does around the job.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Driven:
    """Photographs in memory, decoded or as files, and batches of them by a recipe.

    Parameters
    ----------
    images : sequence
        (H, W, 3) uint8 arrays, or bytes of JPEG files.
    operations : list
        The recipe.
    threads : int
    """

    def __init__(self, images: Sequence[Any], operations: list[Any], threads: int) -> None:
        import io

        from PIL import Image

        from fastcache import transforms as T

        self.plan = T.compile_recipe(operations, 3)
        self._threads = threads
        self._encoded = isinstance(images[0], bytes)
        rows = [np.frombuffer(i, np.uint8) if self._encoded else i.reshape(-1) for i in images]
        # Readable beyond the last one, as an arena's memory is.
        self._memory = np.concatenate([*rows, np.zeros(64, np.uint8)])
        self._size = np.array([len(row) for row in rows], np.int64)
        self._start = np.cumsum(self._size) - self._size
        if self._encoded:
            sizes = [Image.open(io.BytesIO(image)).size[::-1] for image in images]
        else:
            sizes = [image.shape[:2] for image in images]
        self._height, self._width = np.array(sizes, np.int32).T.copy()
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._size)

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, Any]:
        """Return images and labels, as a dataset that collates by itself does."""
        import torch

        from fastcache._core import recipe
        from fastcache._core.image import OK, PENDING
        from fastcache.read.buffers import new_bytes, run

        rows, n, plan = np.array(indices, np.int64), len(indices), self.plan
        emit = plan.emit.reshape(1).copy()
        channels, height, width = 3, *plan.size
        each = emit["element"].dtype.type(0) + self.bytes_each
        emit["streaming"] = each * n >= 4 << 20
        out = new_bytes(int(each) * n)
        status, detail = np.full(n, PENDING, np.int32), np.zeros(n, np.int32)
        job = recipe.MakeJob(
            [self._plane(rows, emit, out)],
            _bytes(plan.steps),
            1,
            _bytes(np.full(n, self._epoch, np.uint64)),
            _bytes(rows.astype(np.uint64)),
            _bytes(np.arange(n, dtype=np.uint32)),
            _bytes(status),
            _bytes(detail),
        )
        run([job], int(each) * n, self._threads)
        if (status != OK).any():
            raise RuntimeError("the read job failed")
        self._epoch += 1
        numbers = out.view(getattr(torch, plan.dtype))
        if plan.layout == "NCHW":
            images = numbers.reshape(n, channels, height, width)
        else:
            images = numbers.reshape(n, height, width, channels).permute(0, 3, 1, 2)
        return images, torch.zeros(n, dtype=torch.int64)

    @property
    def bytes_each(self) -> int:
        """Bytes of one finished sample."""
        from fastcache._core.planes import emit_bytes

        return emit_bytes(_bytes(self.plan.emit.reshape(1)), *self.plan.size)

    def _plane(self, rows: Any, emit: Any, out: Any) -> Any:
        from fastcache._core.image import Spec
        from fastcache._core.planes import Plane

        n, each = len(rows), self.bytes_each
        source, offset, files = self._memory, self._start[rows], {}
        if self._encoded:
            files = {
                "data": self._memory,
                "data_offset": _bytes(self._start[rows]),
                "data_size": _bytes(self._size[rows]),
            }
            offset = np.full(n, -1, np.int64)
        return Plane(
            Spec(),
            _bytes(emit),
            source,
            _bytes(offset),
            _bytes(self._height[rows]),
            _bytes(self._width[rows]),
            out.numpy(),
            _bytes(np.arange(n, dtype=np.int64) * each),
            _bytes(np.full(n, each, np.int64)),
            **files,
        )


def _bytes(array: Any) -> Any:
    return array.reshape(-1).view(np.uint8)
