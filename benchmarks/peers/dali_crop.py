"""NVIDIA DALI on the CPU: `decoders.image_random_crop` of JPEG files, resize to 224, flip.

options: ``batch``. It runs in step with its caller, see dali_cpu.py.
"""

from collections.abc import Iterator
from typing import Any

from handing import SIDE, order_of, rounds_of
from serve import Round, Settings, read_all, serve


def prepare(settings: Settings) -> Round:
    import torch
    from nvidia.dali import fn, pipeline_def, types

    read_all(settings.paths)
    batch = int(settings.options["batch"])
    order = order_of(len(settings.paths), settings.rows)

    @pipeline_def(  # type: ignore[untyped-decorator]
        batch_size=batch,
        num_threads=settings.threads,
        device_id=None,
        prefetch_queue_depth=1,
        exec_async=False,
        exec_pipelined=False,
        seed=1,
    )
    def photographs() -> Any:
        encoded, _ = fn.readers.file(
            files=[settings.paths[k] for k in order], labels=[0] * len(order), name="files"
        )
        images = fn.decoders.image_random_crop(
            encoded,
            device="cpu",
            output_type=types.RGB,
            random_area=[0.08, 1.0],
            random_aspect_ratio=[3 / 4, 4 / 3],
        )
        images = fn.resize(images, size=[SIDE, SIDE], interp_type=types.INTERP_LINEAR)
        return fn.flip(images, horizontal=fn.random.coin_flip(), device="cpu")

    pipeline = photographs()
    pipeline.build()

    def epoch() -> Iterator[Any]:
        for _ in range(len(order) // batch):
            (images,) = pipeline.run()
            # A copy, which it takes to keep a batch: DALI uses the memory again.
            yield torch.from_numpy(images.as_array()).permute(0, 3, 1, 2)

    return rounds_of(epoch, settings)


if __name__ == "__main__":
    serve(prepare, package="nvidia-dali-cuda120")
