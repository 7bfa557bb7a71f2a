"""The C core alone: whole images from memory, nothing resampled, one thread, a reused array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from common import codec_spec, cut_geometry
from decoding import Decode, output_arrays, serve_decoder
from serve import Settings


def make(settings: Settings, files: Sequence[bytes]) -> Decode:
    from fastcache._core import image

    decoder, spec = image.Decoder(), codec_spec(settings.color)
    outputs = output_arrays(files, settings.color)
    jobs = {}
    for data, out in outputs.items():
        height, width = out.shape[:2]
        jobs[data] = (cut_geometry((height, width)), out, out.reshape(-1).view(np.uint8))

    def decode(data: bytes) -> Any:
        geometry, out, flat = jobs[data]
        status, detail = decoder.decode(data, spec, geometry, flat)
        if status != image.OK:
            raise RuntimeError(f"not decoded in C: {image.describe(status, detail)}")
        return out

    return decode


if __name__ == "__main__":
    serve_decoder(make, package="fastcache")
