"""The C core alone: JPEGs in memory, short side 256, centre 224, one thread.

Through the core's Python face: about a microsecond a call, as libjpeg-turbo's side pays for ctypes.
"""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

SHORT, CROP = 256, 224


def geometry(width: int, height: int) -> Any:
    """Return the core's geometry record for torchvision's Resize(256) and CenterCrop(224)."""
    if width <= height:
        size_w, size_h = SHORT, int(SHORT * height / width)
    else:
        size_w, size_h = int(SHORT * width / height), SHORT
    window = (round((size_h - CROP) / 2.0), round((size_w - CROP) / 2.0), CROP, CROP)
    whole = (height, width, 0, 0, height, width)
    return np.array((*whole, size_h, size_w, *window), np.int32).view(np.uint8)


def prepare(settings: Settings) -> Round:
    from PIL import Image

    from fastcache._core import image

    photos = read_all(settings.paths)
    geometries = []
    for path in settings.paths:
        with Image.open(path) as file:
            geometries.append(geometry(*file.size))
    decoder, spec = image.Decoder(), image.Spec()
    out = np.zeros((len(photos), CROP * CROP * 3), np.uint8)

    def epoch() -> None:
        for photo, record, slot in zip(photos, geometries, out, strict=True):
            status, detail = decoder.decode(photo, spec, record, slot)
            if status != image.OK:
                raise RuntimeError(image.describe(status, detail))
            touch(slot)

    def one_round() -> Result:
        seconds = timed(epoch)[1]
        return {"seconds": seconds, "items": len(photos), "mean": float(out.mean())}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
