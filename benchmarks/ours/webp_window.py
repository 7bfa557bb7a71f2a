"""WebP from memory: whole images, and windows of 1/2 and 1/4 of both sides from their middle.

What a window costs cannot follow its area: the stream has no entry but its beginning, so that all
rows down to the window's last one must be read.
"""

from functools import partial
from typing import Any

import numpy as np
from common import codec_spec, cut_geometry
from decoding import open_as
from serve import Result, Round, Settings, read_all, serve, timed, touch

PARTS = (1, 2, 4)


def middle(height: int, width: int, part: int) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the middle window of 1/part of both sides."""
    high, wide = height // part, width // part
    return (height - high) // 2, (width - wide) // 2, high, wide


def prepare(settings: Settings) -> Round:
    from fastcache._core import image

    decoder, spec = image.Decoder(), codec_spec("RGB")
    jobs: dict[int, list[tuple[bytes, Any, Any]]] = {part: [] for part in PARTS}

    def decode(data: bytes, geometry: Any, out: Any) -> None:
        status, detail = decoder.decode(data, spec, geometry, out)
        if status != image.OK:
            raise RuntimeError(f"not decoded in C: {image.describe(status, detail)}")

    differing = largest = 0
    for data in read_all(settings.paths):
        whole = np.asarray(open_as(data, "RGB"))
        for part in PARTS:
            height, width = whole.shape[:2]
            top, left, high, wide = window = middle(height, width, part)
            wanted = whole[top : top + high, left : left + wide]
            out = np.zeros(wanted.size, np.uint8)
            jobs[part].append((data, cut_geometry((height, width), window), out))
            decode(*jobs[part][-1])
            distance = int(np.abs(out.reshape(wanted.shape).astype(np.int16) - wanted).max())
            differing += distance > 0
            largest = max(largest, distance)

    def epoch(part: int) -> None:
        for data, geometry, out in jobs[part]:
            decode(data, geometry, out)
            touch(out)

    def one_round() -> Result:
        seconds = {part: timed(partial(epoch, part))[1] for part in PARTS}
        return {
            "seconds": seconds[1],
            "items": len(jobs[1]),
            "share": {part: seconds[part] / seconds[1] for part in PARTS},
            "differing": differing,
            "largest": largest,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
