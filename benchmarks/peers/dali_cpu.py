"""NVIDIA DALI on the CPU, from files: decode, short side 256 (antialiased), centre crop 224.

Its executor runs in step with the caller: working ahead would hand it the time between rounds,
and costs nothing on one core.
"""

from typing import Any

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

BATCH = 50


def prepare(settings: Settings) -> Round:
    from nvidia.dali import fn, pipeline_def, types

    read_all(settings.paths)
    count = len(settings.paths)
    batch = next(size for size in range(min(BATCH, count), 0, -1) if count % size == 0)

    @pipeline_def(  # type: ignore[untyped-decorator]
        batch_size=batch,
        num_threads=settings.threads,
        device_id=None,
        prefetch_queue_depth=1,
        exec_async=False,
        exec_pipelined=False,
    )
    def photographs() -> Any:
        encoded, _ = fn.readers.file(
            files=settings.paths, labels=[0] * count, random_shuffle=False, name="files"
        )
        images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
        images = fn.resize(images, resize_shorter=256, interp_type=types.INTERP_LINEAR)
        return fn.crop(images, crop=(224, 224), dtype=types.UINT8)

    pipeline = photographs()
    pipeline.build()
    out = np.zeros((count, 224, 224, 3), np.uint8)

    def epoch() -> None:
        for first in range(0, count, batch):
            (images,) = pipeline.run()
            out[first : first + batch] = images.as_array()
        touch(out)

    def one_round() -> Result:
        seconds = timed(epoch)[1]
        return {"seconds": seconds, "items": count, "mean": float(out.mean())}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="nvidia-dali-cuda120")
