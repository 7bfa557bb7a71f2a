"""Our own decoder of whole JPEG files, and then a random resized crop 224 and flip of the pixels.

What decoding only the crop is held against: the same codec, the same resampler, one thread, and
nothing around them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from common import codec_spec, cut_geometry
from decoding import output_arrays
from handing import SIDE, order_of, rounds_of
from recipes import steps
from serve import Round, Settings, read_all, serve


def prepare(settings: Settings) -> Round:
    import torch

    from fastcache import transforms as T
    from fastcache._core import image, recipe
    from fastcache.transforms.drawn import draw_steps

    files = read_all(settings.paths)
    order = order_of(len(files), settings.rows)
    outputs = output_arrays(files, "RGB")
    decoder, maker, spec = image.Decoder(), recipe.Maker(), codec_spec("RGB")
    plan = T.compile_recipe(steps("uint8"), 3)
    emit = np.array([plan.emit])
    batch = int(settings.options["batch"])
    whole = [(data, outputs[data], cut_geometry(outputs[data].shape[:2])) for data in files]

    def epoch() -> Iterator[Any]:
        for start in range(0, len(order) - batch + 1, batch):
            made = np.empty((batch, SIDE, SIDE, 3), np.uint8)
            for place, row in enumerate(order[start : start + batch]):
                data, pixels, geometry = whole[row]
                flat = pixels.reshape(-1)
                status, detail = decoder.decode(data, spec, geometry, flat)
                if status != image.OK:
                    raise RuntimeError(f"not decoded in C: {image.describe(status, detail)}")
                height, width = (np.array([size], np.int32) for size in pixels.shape[:2])
                keys = {"seed": 0, "epoch": start, "sample": np.array([row]), "occurrence": 0}
                drawn = draw_steps(plan.steps, height, width, **keys)
                status, detail = maker.make(
                    flat, spec, as_bytes(drawn), as_bytes(emit), made[place].reshape(-1)
                )
                if status != image.OK:
                    raise RuntimeError(f"not cropped: {image.describe(status, detail)}")
            yield torch.from_numpy(made).permute(0, 3, 1, 2)

    return rounds_of(epoch, settings)


def as_bytes(records: Any) -> Any:
    """Return the bytes of records."""
    return records.reshape(-1).view(np.uint8)


if __name__ == "__main__":
    serve(prepare, package="fastcache")
