"""Pillow in a loop, from files: decode, short side 256 (bilinear, antialiased), centre crop 224."""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

SHORT, CROP = 256, 224


def resize_crop(path: str) -> Any:
    """Return the file's centre as a uint8 array (224, 224, 3): torchvision's geometry."""
    from PIL import Image

    with Image.open(path) as file:
        image = file.convert("RGB")
    width, height = image.size
    if width <= height:
        size = (SHORT, int(SHORT * height / width))
    else:
        size = (int(SHORT * width / height), SHORT)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - CROP) / 2.0), round((size[1] - CROP) / 2.0)
    return np.asarray(image.crop((left, top, left + CROP, top + CROP)))


def prepare(settings: Settings) -> Round:
    import PIL  # noqa: F401  (not there: said at once)

    read_all(settings.paths)
    out = np.zeros((len(settings.paths), CROP, CROP, 3), np.uint8)

    def epoch() -> None:
        for slot, path in zip(out, settings.paths, strict=True):
            slot[:] = resize_crop(path)
        touch(out)

    def one_round() -> Result:
        seconds = timed(epoch)[1]
        return {"seconds": seconds, "items": len(out), "mean": float(out.mean())}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="pillow")
